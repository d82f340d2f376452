"""Write what a fault or input matrix saw to build/matrix-NAME.json, for people who want just the table."""

import json
from pathlib import Path
from typing import Any

BUILD = Path(__file__).resolve().parent.parent / "build"


def write(name: str, rows: list[dict[str, Any]]) -> Path:
    """Store `rows` ({case, expected, got, ok} each) as build/matrix-NAME.json; the file's path."""
    BUILD.mkdir(exist_ok=True)
    path = BUILD / f"matrix-{name}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return path
