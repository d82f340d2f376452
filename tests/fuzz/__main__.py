"""`make fuzz`: spoilt input for everything that strangers send, until time is up; build/fuzz.json.

python -m tests.fuzz [--minutes 10] [--seed 1] [--only TARGET]
"""

import argparse
import itertools
import json
import sys
import time

from tests.fuzz import run
from tests.fuzz.targets import TARGETS
from tests.matrix import BUILD

# Inputs a round: 0.1 ms each rather than 5.
CHEAP = {"sample block": 6, "log event": 6, "probe output": 4, "engine JSON": 6, "pruning CSV": 4, "tar": 4}
# Rounds an input: 50 to 200 ms, and 3 ms.
RARE = {"ONNX import": 40, "ONNX file": 4}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first input; another gives other inputs")
    parser.add_argument("--only", choices=TARGETS, action="append")
    given = parser.parse_args()
    tally, start = run.Tally(), time.monotonic()
    targets = given.only or list(TARGETS)
    for seed in itertools.count(given.seed * 10**8):
        for target in (each for each in targets if seed % RARE.get(each, 1) == 0 or given.only):
            for again in range(CHEAP.get(target, 1)):
                run.one(target, 10 * seed + again, tally)
        if time.monotonic() - start > 60 * given.minutes:
            break
    found = run.summary(tally, time.monotonic() - start)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "fuzz.json").write_text(json.dumps(found, indent=1) + "\n")
    for place, each in found["places"].items():
        print(f"{place}: {each['times']} times, such as seed {each['seed']}: {each['error']}")
    print(
        f"{found['inputs']:,} inputs in {found['seconds']:.0f} s: {found['untyped_exceptions']} untyped "
        f"exceptions, {found['hangs']} over {run.SLOW:g} s, peak {found['peak_bytes'] / 1e6:.0f} MB"
    )
    return 1 if found["untyped_exceptions"] or found["hangs"] else 0


if __name__ == "__main__":
    sys.exit(main())
