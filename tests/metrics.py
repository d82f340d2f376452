"""Sizes and shape of the code, to compare two states of it: `python -m tests.metrics` (--rev: an older one).

Prints a table, or with --json an object. It reads files as text and imports nothing of what it counts.
"""

import argparse
import ast
import collections
import io
import json
import re
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("bench", "orchestrate")
ROOT = Path(__file__).resolve().parent.parent
# From the module that hands figures to the page to the one that defines them; the second name is older.
PAGE = "orchestrate.report.data"
DEFINITIONS = {
    "latency p50, its interval": ("orchestrate.analysis.statistics", "bench.record.statistics"),
    "memory.process": ("orchestrate.analysis.memory", "bench.record.figures"),
}


def main() -> None:
    """Print the figures of the working tree, or of a commit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rev", help="a commit instead of the working tree")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(checkout(arguments.rev, Path(folder)) if arguments.rev else ROOT)
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:45} {value}")


def checkout(rev: str, folder: Path) -> Path:
    """Put the packages of commit `rev` into `folder`, and return it."""
    packed = subprocess.run(
        ["git", "archive", rev, *PACKAGES], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def measure(root: Path) -> dict[str, float]:
    """Count what can be compared in the packages below `root`."""
    sources = {
        path.relative_to(root): path.read_text("utf-8")
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    trees = {path: ast.parse(text) for path, text in sources.items()}
    lines = {path: text.count("\n") for path, text in sources.items()}
    total = sum(lines.values())
    functions = sorted(length for tree in trees.values() for length in function_lengths(tree))
    any_lines = sum(
        bool(re.search(r"\bAny\b", line)) for text in sources.values() for line in text.splitlines()
    )
    return {
        "files": len(sources),
        "lines": total,
        "longest file": max(lines.values()),
        "files of more than 300 lines": sum(n > 300 for n in lines.values()),
        "functions": len(functions),
        "function lines, median": statistics.median(functions),
        "function lines, 95 % are at most": functions[int(0.95 * len(functions))],
        "longest function": functions[-1],
        "functions of more than 40 lines": sum(n > 40 for n in functions),
        "lines with Any": any_lines,
        "lines with Any per thousand": round(1000 * any_lines / total, 1),
        "public names that two modules define": len(shared_names(trees)),
        **{f"modules from the page to {name}": hops(trees, ends) for name, ends in DEFINITIONS.items()},
    }


def function_lengths(tree: ast.Module) -> Iterator[int]:
    """Yield the lines of each function, decorators left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def shared_names(trees: dict[Path, ast.Module]) -> set[str]:
    """Name the public classes and functions that more than one module has at its top."""
    homes = collections.Counter(
        node.name
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    )
    return {name for name, count in homes.items() if count > 1}


def hops(trees: dict[Path, ast.Module], ends: tuple[str, ...]) -> int:
    """Count the modules on the shortest chain of imports from the page's data to one of `ends`."""
    known = {module_name(path): tree for path, tree in trees.items()}
    reached, front, count = {PAGE}, {PAGE}, 0
    while front:
        if front & set(ends):
            return count
        count += 1
        front = {name for module in front for name in imports(known[module], known)} - reached
        reached |= front
    raise SystemExit(f"none of {', '.join(ends)} is imported from {PAGE}")


def module_name(path: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.Module, known: dict[str, ast.Module]) -> set[str]:
    """Return the modules of ours that `tree` imports, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & known.keys()


if __name__ == "__main__":
    main()
