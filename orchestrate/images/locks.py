"""`make locks`: from images.yaml to the locks of each image's Python packages, and docker-bake.hcl."""

import json
import tempfile
from pathlib import Path

from orchestrate.images import bake, requirements
from orchestrate.images.manifest import OWN_BASE, Target, open_project


def _resolve(target: Target) -> str:
    """Return the lock's text: what the package index makes of `requires` today. Needs the network."""
    requires = target.image.requires[target.python]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = ["--dry-run", "--ignore-installed", "--report", str(report), "--target", folder]
        arguments += [] if target.image.deps else ["--no-deps"]
        # isolated: neither this machine's mirrors nor its own builds of a package decide what users get
        requirements.run_pip(
            ["--isolated", "install", *arguments, *requirements.wheel_options(target), *requires], target
        )
        found = json.loads(report.read_text())["install"]
    lines = [_locked(item) for item in found]
    head = f"# {target.key}, Python {target.python}: made from manifests/images.yaml by `make locks`\n"
    return head + "".join(sorted(lines, key=str.lower))


def _locked(item: dict[str, dict[str, str]]) -> str:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    hashes: dict[str, str] = item["download_info"]["archive_info"]["hashes"]  # type: ignore[index, assignment]
    return f"{name}=={version} --hash=sha256:{hashes['sha256']}\n"


def main() -> None:
    """Write every lock and docker-bake.hcl again."""
    project = open_project()
    targets = [
        t for base in (None, OWN_BASE) for t in project.targets(base=base) if t.python in t.image.requires
    ]
    for path, target in {requirements.lock_path(project, t): t for t in targets}.items():
        path.write_text(_resolve(target))
        print(path.relative_to(project.root))
    (project.root / bake.FILE).write_text(bake.text(project))
    print(bake.FILE)


if __name__ == "__main__":
    main()
