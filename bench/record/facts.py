"""What decides a figure beside the network, and how two such environments differ.

An environment names device, backend, version, precision, threads and CPU, and a `setup`: backend options and
power mode, fact -> value. What one of the two does not know (null, or absent: older profiles have no setup)
is not compared.
"""

from typing import Any, List, Mapping, Sequence

OPTION = "option "
SETUP = "setup"
NO_SETUP = "was made without its backend options and power mode: these are not compared"

Facts = Mapping[str, str]


def value_of(facts: Facts, key: str) -> str:
    """Return a fact's value; an option that is not given has its default."""
    return facts.get(key) or ("default" if key.startswith(OPTION) else "unknown")


def unlike(setups: Sequence[Facts]) -> List[str]:
    """Return the facts that are not the same in all setups."""
    keys = dict.fromkeys(key for setup in setups for key in setup)
    return [key for key in keys if len({setup.get(key) for setup in setups}) > 1]


def differences(known: Mapping[str, Any], seen: Mapping[str, Any], word: str = "not") -> List[str]:
    """Return what of one environment is not so in another, each as `threads 1, not 4`."""
    found = [
        "{} {}, {} {}".format(key, value, word, seen[key])
        for key, value in known.items()
        if key != SETUP and value is not None and seen.get(key) not in (None, value)
    ]
    if known.get(SETUP) is None or seen.get(SETUP) is None:
        return found
    one, other = known[SETUP], seen[SETUP]
    return found + [
        "{} {}, {} {}".format(key, value_of(one, key), word, value_of(other, key))
        for key in unlike([one, other])
    ]
