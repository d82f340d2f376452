"""What a measurement hands over before it fails."""

from collections.abc import Iterator
from typing import Any

from bench.record.types import Findings
from bench.runtime.backends.base import BackendError


def until_failure(findings: Iterator[Findings]) -> tuple[dict[str, Any], str]:
    """All findings together, and the message of the failure that ended them; '' where nothing failed."""
    found: dict[str, Any] = {}
    try:
        for each in findings:
            found.update(each)
    except BackendError as error:
        return found, error.message
    return found, ""
