"""What the SDK raises, as typed errors that say what is wrong and what to do about it."""

import contextlib
from collections.abc import Iterator

import docker.errors
import requests
import urllib3

from orchestrate.engine.errors import (
    BadAnswer,
    DiskFull,
    EngineError,
    EngineRefused,
    ImageMissing,
    LinkBroken,
    NotFound,
    RuntimeMissing,
    WrongArchitecture,
)

# Everything that a dying connection was seen to raise through the SDK.
LINK_EXCEPTIONS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, EOFError)
# What the SDK, which believes an engine's JSON, raises where that has another shape.
SHAPE_EXCEPTIONS = (
    requests.exceptions.JSONDecodeError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
SDK_EXCEPTIONS = (docker.errors.DockerException, *LINK_EXCEPTIONS, *SHAPE_EXCEPTIONS)


def short(error: BaseException) -> str:
    """Return the innermost reason of nested exceptions, on one line."""
    text = str(error.args[-1] if error.args else error) or type(error).__name__
    return " ".join(text.split())[:160]


# Part of what the engine reports (20.10 to 28) -> what it means.
ERROR_PATTERNS: list[tuple[str, type[EngineError], str, str]] = [
    ("no space left on device", DiskFull, "no space left on it", "`docker system prune` there frees some"),
    (
        "unknown runtime specified",
        RuntimeMissing,
        "its engine has no NVIDIA runtime ({text})",
        "install nvidia-container-runtime, or nvidia-container-toolkit, there and restart docker",
    ),
    (
        "could not select device driver",
        RuntimeMissing,
        "its engine cannot hand out a GPU",
        "install nvidia-container-toolkit there and restart docker",
    ),
    ("exec format error", WrongArchitecture, "the image is for another processor", "build it for this board"),
    ("no such image", ImageMissing, "{text}", "`orchestrate images load` or `pull` brings it there"),
    ("no such container", NotFound, "{text}", ""),
    ("no such volume", NotFound, "{text}", ""),
    ("could not find the file", NotFound, "{text}", ""),
]


def nonsense(host: str, error: BaseException) -> BadAnswer:
    """Return the typed error for an answer that is none of an engine's."""
    return BadAnswer(host, f"its engine answers what no Docker answers ({short(error)})")


def translate(host: str, error: Exception) -> EngineError:
    """Return the typed error for what the SDK raised: a refusal, a broken link, a malformed answer."""
    if isinstance(error, SHAPE_EXCEPTIONS):
        return nonsense(host, error)
    if isinstance(error, LINK_EXCEPTIONS) and not isinstance(error, docker.errors.DockerException):
        return LinkBroken(host, f"the connection to its engine broke ({short(error)})")
    cause = error.__cause__ or error.__context__
    if isinstance(cause, EngineError):
        return cause
    if not isinstance(error, docker.errors.APIError) and isinstance(cause, LINK_EXCEPTIONS):
        return LinkBroken(host, f"the connection to its engine broke ({short(cause)})")
    text = " ".join(str(getattr(error, "explanation", None) or error).split())[:300]
    for pattern, kind, what, advice in ERROR_PATTERNS:
        if pattern in text.lower():
            return kind(host, what.format(text=text), advice)
    response = getattr(error, "response", None)
    if response is not None and response.status_code == 404:
        return NotFound(host, text)
    return EngineRefused(host, text)


@contextlib.contextmanager
def typed_errors(host: str) -> Iterator[None]:
    """Turn what the SDK raises into typed errors that name `host`."""
    try:
        yield
    except EngineError:
        raise
    except SDK_EXCEPTIONS as error:
        raise translate(host, error) from error
