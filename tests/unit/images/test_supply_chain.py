"""What comes from elsewhere is named by its contents: actions, images, packages, data sets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.data import cifar, tinyimagenet
from bench.data.archive import Archive
from bench.data.errors import DataError
from tests.conftest import ROOT
from tests.matrix import Part

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
LOCKS = [ROOT / "requirements.lock", *sorted(ROOT.glob("images/*/requirements-*.lock"))]
# No public source has them, and builds refuse them until somebody on a network that reaches NVIDIA adds them.
NO_PUBLIC_DIGEST = {"nvcr.io/nvidia/l4t-base:r32.7.1", "nvcr.io/nvidia/tensorrt:25.09-py3"}


@pytest.fixture(scope="module")
def part() -> Iterator[Part]:
    made = Part("hostile", "supply")
    yield made
    made.write()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_and_containers_of_a_workflow(path: Path, part: Part) -> None:
    text = path.read_text()
    loose = [use for use in re.findall(r"uses: (\S+)", text) if not re.search(r"@[0-9a-f]{40}$", use)]
    loose += [
        use for use in re.findall(r"image: (\S+)", text) if not re.search(r"@sha256:[0-9a-f]{64}$", use)
    ]
    part.add(f"actions and images of {path.name}", "by commit and digest", loose or "all", not loose)


def test_bases_of_images(part: Part) -> None:
    images: dict[str, Any] = yaml.safe_load((ROOT / "manifests/images.yaml").read_text())["images"]
    bases = {image["base"] for image in images.values() if "base" in image}
    loose = {base for base in bases if not re.search(r"@sha256:[0-9a-f]{64}$", base)}
    ok = len(bases) > len(loose) and loose <= NO_PUBLIC_DIGEST
    part.add("bases of images", "by digest, where one is public", loose or "all", ok)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_of_a_lock(path: Path, part: Part) -> None:
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "--"))]
    loose = [line for line in lines if not re.match(r"\S+==\S+.* --hash=sha256:[0-9a-f]{64}", line)]
    ok = bool(lines) and not loose
    part.add(f"packages of {path.relative_to(ROOT)}", "version and SHA-256", loose or len(lines), ok)


def archives() -> list[Archive]:
    modules = (cifar, tinyimagenet)
    return [value for module in modules for value in _values(module) if isinstance(value, Archive)]


def _values(module: Any) -> Iterator[Any]:
    for value in vars(module).values():
        yield from value.values() if isinstance(value, dict) else (value,)


def test_data_sets(part: Part) -> None:
    loose = [each.url for each in archives() if not each.url.startswith("https:") or len(each.sha256) != 64]
    part.add(
        "archives of data sets", "https and SHA-256", loose or len(archives()), not loose and archives() != []
    )


@pytest.mark.parametrize(
    "url", ["http://evil.example/x", "ftp://evil.example/x", "file://evil.example/x", "data:,x"]
)
def test_an_archive_from_elsewhere(url: str, part: Part, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        archives()[0]._fetch(url, tmp_path / "x")
    part.add(f"an archive from {url}", "refused", error.value, "https://" in str(error.value))
