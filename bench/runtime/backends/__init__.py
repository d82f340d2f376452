"""Backends: one class each behind the protocol of `base.Backend`; found by name, imported when asked for.

What each performs is declared in `bench.record.backends`, where the orchestrator reads it too.
"""

import importlib
from typing import List, Type

from bench.record import backends
from bench.record.types import Job
from bench.runtime.backends.base import Backend, BackendError, Settings

OURS = ("input_shapes",)  # options that come from the bundle, not from a person


def backend_class(name: str) -> Type[Backend]:
    """Return the backend class called `name`; ValueError lists the known names."""
    module, _, attribute = backends.find(name).implementation.partition(":")
    found: Type[Backend] = getattr(importlib.import_module(module), attribute)
    return found


def backend_problems(job: Job) -> List[str]:
    """Return why a job's backend cannot do what the job asks for; empty where it can. Import no library."""
    try:
        file = job["model"].get("precision") or "fp32"
        wrong = [backends.precision_problem(job["backend"], job["precision"], file)]
        options = {key: value for key, value in (job.get("options") or {}).items() if key not in OURS}
        wrong += [
            message for _, message in backends.option_problems(job["backend"], options, [job["precision"]])
        ]
    except ValueError as error:
        return [str(error)]
    return [problem for problem in wrong if problem]


def create_backend(job: Job, settings: Settings) -> Backend:
    """Return the job's backend, before any step of its life; BackendError for what it does not perform."""
    wrong = backend_problems(job)
    if wrong:
        raise BackendError(
            "unsupported_precision", wrong[0], "docs/extending.md lists what each backend performs"
        )
    return backend_class(job["backend"])(settings)
