"""A stranger's results folder, manifest and stream: one line for what is bad, and the good still counts."""

import base64
import contextlib
import json
import os
import resource
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.manifests import yaml_text
from bench.manifests.problems import ManifestError
from orchestrate.analysis import records, table
from orchestrate.engine import archive
from orchestrate.engine.errors import BadArchive
from tests import synthetic
from tests.matrix import Part
from tests.synthetic import Study

MATRIX = Part("hostile", "data")


@pytest.fixture(scope="module", autouse=True)
def _matrix():
    yield
    MATRIX.write()


def changed(path: str, value: Any) -> Callable[[Path, dict[str, Any]], None]:
    """Write a record with one place set."""

    def write(file: Path, record: dict[str, Any]) -> None:
        place: Any = record
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys:
            place = place[key]
        place[last] = value
        file.write_text(json.dumps(record))

    return write


def bomb(file: Path, record: dict[str, Any]) -> None:
    changed(f"{SAMPLES}.data", base64.b64encode(zlib.compress(bytes(300_000_000))).decode())(file, record)


def raw(content: bytes) -> Callable[[Path, dict[str, Any]], None]:
    return lambda file, record: file.write_bytes(content) and None


SAMPLES = "latency.processes.0.samples"
ATTACKS: dict[str, tuple[Callable[[Path, dict[str, Any]], Any], str]] = {
    "FIFO in place of a record": (lambda file, record: os.mkfifo(file), "is a FIFO"),
    "link to a device": (lambda file, record: file.symlink_to("/dev/zero"), "is a link"),
    "link out of the folder": (lambda file, record: file.symlink_to("/etc/passwd"), "is a link"),
    "folder in place of a record": (lambda file, record: file.mkdir(), "is a folder"),
    "zlib bomb of 0.4 MB": (bomb, "series states n"),
    "bomb that admits its size": (
        lambda file, record: changed(SAMPLES, {**record["latency"]["processes"][0]["samples"], "n": 10**9})(
            file, record
        ),
        "allowed is 0 to",
    ),
    "10 million empty objects": (raw(b"[" + b"{}," * 10_000_000 + b"{}]"), "more than 2000000 values"),
    "brackets without end": (raw(b"[" * 1_000_000), "nested deeper"),
    "number of 5 million digits": (
        raw(b'{"schema": ' + b"1" * 5_000_000 + b"}"),
        "a number of 5000000 digits",
    ),
    "infinity by exponent": (raw(b'{"schema": 1e999}'), "out of any range"),
    "half a surrogate": (raw(b'{"schema": "\\ud800"}'), "surrogate"),
    "sparse file of 1 TB": (
        lambda file, record: (file.touch(), os.truncate(file, 10**12)),
        "larger than 32 MB",
    ),
    "a series that says it is empty": (
        lambda file, record: changed(SAMPLES, {**record["latency"]["processes"][0]["samples"], "n": 0})(
            file, record
        ),
        "no samples",
    ),
    "figure of a wrong type": (changed("figures", {"latency": {"p50": "fast"}}), "must be a number"),
    "sensor of a wrong type": (changed("sensors", [{"power": []}]), "must be a number"),
    "best accuracy of a wrong type": (changed("job.model.accuracy.best", "97"), "accuracy.best must be"),
    "epoch of a wrong type": (changed("job.model.accuracy.epoch", ["best"]), "epoch is a list, known: best"),
    "HTML as a data set's name": (changed("job.model.dataset", "<b>x</b>"), "job.model.dataset is"),
    "path as a device's name": (changed("device", "../../etc"), "device is '../../etc'"),
    "emulated and valid": (changed("environment.emulated", "qemu"), "its CPU is emulated"),
}


@pytest.mark.parametrize("case", ATTACKS)
def test_a_bad_record_is_one_line_and_the_rest_counts(case: str, tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5,), samples=12), tmp_path)
    victim = sorted(run.glob("*/records/*.json"))[0]
    record = json.loads(victim.read_bytes())
    victim.unlink()
    attack, told = ATTACKS[case]
    attack(victim, record)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    study = records.read([run])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    reasons = [each.reason for each in study.excluded]
    held = len(study.jobs) == 1 and len(reasons) == 1 and told in reasons[0] and "\n" not in reasons[0]
    got = f"{reasons}, {grown:.0f} MB more"
    MATRIX.add(
        f"record: {case}", f"left out: {told}", got, held and grown < 300 and len(table.tidy(study)) == 1
    )


YAMLS = {
    "aliases of aliases": "\n".join(
        ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    ),
    "brackets without end": "a: " + "[" * 100_000,
    "a tag that runs code": "a: !!python/object/apply:os.system [id]",
    "a number without end": "a: " + "9" * 100_000,
    "a million values": "a: [" + "1," * 1_000_000 + "1]",
}


@pytest.mark.parametrize("case", YAMLS)
def test_a_bad_manifest_is_one_line(case: str) -> None:
    with pytest.raises(ManifestError) as caught:
        yaml_text.read_text(YAMLS[case], "m.yaml")
    told = str(caught.value)
    held = "\n" not in told and told.startswith("m.yaml:") and len(told) < 300
    MATRIX.add(f"YAML: {case}", "one line", told, held)


def header(kind: bytes, size: int) -> bytes:
    made = tarfile.TarInfo("records/a.json")
    made.type, made.size = kind, size
    return made.tobuf(tarfile.GNU_FORMAT)


TARS = {
    "a file of a terabyte": header(tarfile.REGTYPE, 10**12),
    "a long name of 5 MB": header(tarfile.GNUTYPE_LONGNAME, 5_000_000) + bytes(600_000),
    "a header of 5 MB": header(tarfile.XHDTYPE, 5_000_000) + bytes(600_000),
    "a link": header(tarfile.SYMTYPE, 0),
    "a device": header(tarfile.CHRTYPE, 0),
    "half a file": header(tarfile.REGTYPE, 5_000) + bytes(100),
    "folders without end": header(tarfile.DIRTYPE, 0) * 20_000,
}


@pytest.mark.parametrize("case", TARS)
def test_a_bad_stream_of_a_board_is_a_typed_error(case: str) -> None:
    got: Any = "no error"
    with contextlib.suppress(BadArchive):
        try:
            dict(archive.read("board", [TARS[case]], file_limit=10_000, total_limit=100_000))
        except BadArchive as error:
            got = error
            raise
    MATRIX.add(f"tar: {case}", "BadArchive", got, isinstance(got, BadArchive))
