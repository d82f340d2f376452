"""Which board and which runtime: measured devices ranked together, predicted ones apart and marked."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cost.profile import Measurement, Profile, save_profile
from bench.zoo import ARCHITECTURES
from orchestrate import cli
from tests import synthetic
from tests.synthetic import Study
from tests.unit.cost import synthetic_profile


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    synthetic.write(Study(architectures=("vgg11",), devices=("a", "b"), samples=20, run="r"), folder)
    return folder


def profile(folder: Path, name: str, device: str, **changes: Any) -> str:
    """The made-up profile as one of another device."""
    found = synthetic_profile.profile()
    where = found.environment.model_copy(update={"device": device, "version": f"of {device}"})
    made: Profile = found.model_copy(update={"name": name, "environment": where, **changes})
    save_profile(made, folder / f"{name}.yaml")
    return str(folder / f"{name}.yaml")


def without_memory() -> list[Measurement]:
    return [each.model_copy(update={"memory": None}) for each in synthetic_profile.profile().measurements]


def asked(results: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.build(), ["recommend", "r", "--results", str(results), *words, "--json"])
    assert done.exit_code == code, done.output
    [answer] = json.loads(done.stdout)
    return answer, done.stderr


def test_devices_are_ranked_together_unless_some_are_named(results: Path) -> None:
    both, _ = asked(results)
    rows = [both["best"], *both["others"]]
    assert {row["device"] for row in rows} == {"a", "b"}
    only, _ = asked(results, "--device", "b")
    assert {row["device"] for row in [only["best"], *only["others"]]} == {"b"}
    named, _ = asked(results, "--device", "a", "--device", "b")
    assert named == both
    assert asked(results, "--device", "a, b")[0] == both  # as `orchestrate run` takes them


def test_people_read_which_device_is_meant(results: Path) -> None:
    done = CliRunner().invoke(cli.build(), ["recommend", "r", "--results", str(results)])
    assert done.exit_code == 0
    best = done.stdout.splitlines()[0]
    assert " (a, onnxruntime fp32" in best or " (b, onnxruntime fp32" in best


def test_several_profiles_are_ranked_together_marked_and_apart(results: Path, tmp_path: Path) -> None:
    words = [
        word for device in ("c", "d") for word in ("--profile", profile(tmp_path, f"of-{device}", device))
    ]
    answer, _ = asked(results, *words, "--max-latency", "400us", code=1)
    assert {row["device"] for row in answer["predicted"]} == {"c", "d"}
    assert all(row["predicted"] is True for row in answer["predicted"])
    assert {row["version"] for row in answer["predicted"]} == {"of c", "of d"}
    order = {"fits": 0, "at risk": 1, "does not fit": 2}
    ranks = [order[row["verdict"]] for row in answer["predicted"]]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1
    measured = answer["others"]
    assert {row["device"] for row in measured} == {"a", "b"}
    assert not any("predicted" in row for row in measured)


@pytest.fixture(scope="module")
def four(results: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """What four profiles predict under a limit that only one keeps, one of them named twice, and stderr.

    To ask is to start the workshop: once for all.
    """
    folder = tmp_path_factory.mktemp("profiles")
    paths = [
        profile(folder, "fast", "c", reference_seconds=dict.fromkeys(ARCHITECTURES, 1e-9)),
        profile(folder, "unreal", "d", emulated="qemu"),
        profile(folder, "bare", "e", measurements=without_memory()),
        profile(folder, "made", "f"),
        profile(folder, "made", "f"),
    ]
    words = [word for path in paths for word in ("--profile", path)]
    return asked(results, *words, "--max-latency", "1us", code=1)


def of_profile(answer: Any, name: str) -> list[dict[str, Any]]:
    return [row for row in answer["predicted"] if row["profile"] == name]


def test_what_is_predicted_makes_no_verdict_of_what_is_measured(four: tuple[Any, str]) -> None:
    answer, _ = four
    assert answer["best"] is None
    assert any(row["verdict"] == "fits" for row in of_profile(answer, "fast"))


def test_a_profile_of_an_emulated_cpu_is_left_out_and_named(four: tuple[Any, str]) -> None:
    answer, said = four
    assert of_profile(answer, "unreal") == []
    assert said == "profile unreal is of an emulated CPU: this is no figure of a board, and is left out\n"


def test_a_profile_that_is_named_twice_is_ranked_once(four: tuple[Any, str]) -> None:
    ranked = sorted(row["model"] for row in of_profile(four[0], "made"))
    assert ranked == sorted({row["model"] for row in of_profile(four[0], "fast")})
    assert len(ranked) > 1


def test_a_profile_without_memory_says_so_in_text_and_as_null(
    results: Path, tmp_path: Path, four: tuple[Any, str]
) -> None:
    assert {row["memory"]["value"] for row in of_profile(four[0], "bare")} == {None}
    assert None not in {row["memory"]["value"] for row in of_profile(four[0], "made")}
    bare = profile(tmp_path, "bare", "c", measurements=without_memory())
    words = ["recommend", "r", "--results", str(results), "--profile", bare]
    assert "), memory unknown" in CliRunner().invoke(cli.build(), words).stdout


def test_limits_that_a_profile_knows_nothing_of_are_not_kept(results: Path, tmp_path: Path) -> None:
    made = profile(tmp_path, "made", "c")
    answer, _ = asked(results, "--profile", made, "--min-accuracy", "99.9", code=1)
    assert {row["verdict"] for row in answer["predicted"]} == {"does not fit"}
    answer, _ = asked(results, "--profile", made, "--max-energy", "1J", code=1)
    assert {row["verdict"] for row in answer["predicted"]} == {"does not fit"}
