"""Predictions of the workshop's cost models, asked for as a subprocess: this program imports none of them."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from bench.manifests import search_path
from bench.record.types import Json
from orchestrate.analysis.landscape import MOST, Landscape, Question
from orchestrate.analysis.predicted import environment_differences
from orchestrate.console import make_console, printable
from orchestrate.errors import BadInput, OrbitError, listed
from orchestrate.execution import process_runner

_LANDSCAPES = TypeAdapter(Annotated[list[Landscape | None], Field(max_length=MOST)])


def predict(networks: list[Json], profiles: list[str]) -> list[Json]:
    """Return what each profile predicts of each network that it was tuned for."""
    done = _asked(networks, *profiles)
    if done.returncode == 2:
        raise BadInput("nothing was predicted: see above")
    if done.returncode:
        raise OrbitError(f"bench predictions ended with code {done.returncode}: see above")
    found: list[Json] = json.loads(done.stdout)
    return found


def landscapes(questions: Sequence[Question]) -> list[tuple[Question, Landscape]]:
    """Return what each question's profile answers, of those that are known here.

    Records name their profiles, and may be a stranger's: a profile that is missing, unreadable or of another
    environment by now is no error, and its networks have no landscape; stderr has a line. OrbitError
    for an answer that is none.
    """
    known = search_path.files("profiles")
    found = []
    for name in dict.fromkeys(each.profile for each in questions):
        if name not in known:
            _note(f"no profile {printable(name)!r} here, so no cost landscape of it; known: {listed(known)}")
            continue
        asked = [each for each in questions if each.profile == name]
        done = _asked([each.networks() for each in asked], str(known[name].resolve()), "--landscape")
        if done.returncode == 0:
            found += [(a, b) for a, b in zip(asked, _landscapes(done.stdout), strict=True) if b is not None]
    for text in dict.fromkeys(_elsewhere(*each) for each in found):
        if text:
            _note(text)
    return found


def _elsewhere(asked: Question, found: Landscape) -> str:
    """What of a profile is not as it was when it predicted these networks; '' where all is."""
    wrong = environment_differences(asked.rows[0], found.model_dump())
    reason = f"profile {found.profile} is of {'; '.join(wrong)} on {found.device}: no cost landscape of it"
    return reason if wrong else ""


def _note(text: str) -> None:
    make_console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def _landscapes(text: str) -> list[Landscape | None]:
    try:
        return _LANDSCAPES.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise OrbitError(f"bench predictions answered nonsense: {where}: {first['msg']}") from None


def _asked(networks: Sequence[Any], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bench.cli", "predictions", *arguments],
        env=process_runner.environment(),
        input=json.dumps(networks),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
