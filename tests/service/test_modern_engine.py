"""A laptop's engine of this year (containerd's image store, buildx) beside boards' engines of 20.10.

Ids differ between the two kinds of image store; contents do not, and only contents are compared.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from orchestrate.engine.image_store import ImageInfo, connected
from orchestrate.images import bake
from orchestrate.images.manifest import open_project
from tests.conftest import require
from tests.matrix import Part, part_of
from tests.service import modern, rootfs, trees
from tests.service import registry as registries
from tests.service.board import Board
from tests.service.fleet import Fleet
from tests.service.registry import Registry
from tests.service.workshop import BUSYBOX, Workshop

pytestmark = pytest.mark.service
HERE = "tests/service/test_modern_engine.py"
INSECURE = ("--insecure-registry", "10.99.0.0/16")


@pytest.fixture(scope="module")
def unpacked(namespaces: None) -> Path:
    try:
        return modern.fetch()
    except RuntimeError as error:
        require(False, f"an engine of this year from Debian's packages: {error}")
        raise


@pytest.fixture(scope="module")
def laptop(
    unpacked: Path, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory,
    load_image: Callable[[Board, bytes], None],
) -> Iterator[Workshop]:  # fmt: skip
    """A checkout whose engine is of this year, with buildx; it has busybox, and `tiny` is built."""
    reason = registries.missing()
    require(not reason, reason)
    folder = tmp_path_factory.mktemp("laptop")
    with Board("laptop", dockerd=INSECURE, uplink=True, modern=unpacked) as engine:
        load_image(engine, rootfs.busybox())
        with Registry(folder / "registry", engine.host_ip, "127.0.0.1") as registry:
            shop = Workshop(folder / "checkout", engine, registry, fleet.ssh_config)
            shop.builder = modern.client(unpacked, folder / "docker")
            bake_file(shop)
            shop.devices("tiny", "board1", "board2")
            said = shop.orchestrate("build", "tiny", "--lock", str(shop.lock))
            assert said.code == 0, said.err
            yield shop


@pytest.fixture(scope="module")
def old(
    fleet: Fleet, tmp_path_factory: pytest.TempPathFactory,
    load_image: Callable[[Board, bytes], None],
) -> Iterator[Workshop]:  # fmt: skip
    """The same checkout's files with an engine of 20.10, the classic builder, and a registry."""
    folder = tmp_path_factory.mktemp("old")
    with Board("old", dockerd=INSECURE, uplink=True) as engine:
        load_image(engine, rootfs.busybox())
        with Registry(folder / "registry", engine.host_ip, "127.0.0.1") as registry:
            shop = Workshop(folder / "checkout", engine, registry, fleet.ssh_config)
            shop.devices("tiny", "board1", "board2")
            said = shop.orchestrate("build", "tiny")
            assert said.code == 0, said.err
            yield shop


@pytest.fixture(scope="module")
def modern_board(unpacked: Path, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A board whose engine has containerd's image store, behind ssh."""
    with Fleet(tmp_path_factory.mktemp("modern"), "newboard", modern=unpacked) as found:
        yield found


part = part_of("board", "stores")


def row(part: Part, case: str, *, ok: bool, got: object) -> None:
    part.add(f"mixed image stores: {case}", "the same content there", got, ok, HERE)


def bake_file(shop: Workshop) -> None:
    (shop.root / bake.FILE).write_text(bake.text(open_project(shop.root)))


def image(board: Board, reference: str) -> ImageInfo:
    with connected(board.docker_host) as engine:
        return engine.get(reference)


def forget(board: Board) -> None:
    for name in set(board.docker("image", "ls", "-q").split()):
        if BUSYBOX not in board.docker("image", "inspect", "-f", "{{.RepoTags}}", name, check=False):
            board.docker("image", "rm", "-f", name, check=False)


def test_buildx_builds_what_the_classic_builder_builds_and_leaves_one_name(
    laptop: Workshop, old: Workshop
) -> None:
    one = trees.of_image(laptop.engine, laptop.tag("tiny"))
    other = trees.of_image(old.engine, old.tag("tiny"))
    assert trees.differences(one, other) == []
    assert not [name for name in laptop.names(laptop.engine) if "orbitbench-build" in name]


def test_a_build_again_is_the_same_image_without_an_attestation(laptop: Workshop) -> None:
    before = laptop.engine.docker("image", "inspect", "-f", "{{.Id}}", laptop.tag("tiny"))
    assert laptop.orchestrate("build", "tiny").code == 0
    assert laptop.engine.docker("image", "inspect", "-f", "{{.Id}}", laptop.tag("tiny")) == before


def test_a_build_that_fails_tags_nothing(laptop: Workshop) -> None:
    laptop.add("broken", "ARG BASE\nFROM ${BASE}\nRUN false\n")
    bake_file(laptop)
    said = laptop.orchestrate("build", "broken")
    assert said.code == 1
    assert "broken-amd64" in said.err
    assert not [
        name for name in laptop.names(laptop.engine) if "broken" in name or "orbitbench-build" in name
    ]


def test_from_a_new_engine_to_an_old_board_over_ssh(laptop: Workshop, fleet: Fleet, part: Part) -> None:
    board = fleet["board1"]
    forget(board)
    first = laptop.orchestrate("load", "--device", "board1")
    assert (first.code, "sent" in first.out) == (0, True), first.err
    again = laptop.orchestrate("load", "--device", "board1")
    assert (again.code, "had it already" in again.out) == (0, True), again.err
    there, here = image(board, laptop.tag("tiny")), image(laptop.engine, laptop.tag("tiny"))
    row(part, "load, 28.5 to 20.10", ok=there.content == here.content, got=there.content)
    assert there.id != here.id  # else this test proves nothing
    assert board.docker("run", "--rm", laptop.tag("tiny"), "cat", "/built") == "built\n"


def test_from_an_old_engine_to_a_new_board_over_ssh(old: Workshop, modern_board: Fleet, part: Part) -> None:
    board = modern_board["newboard"]
    old.devices("tiny", "newboard")
    before, old.ssh_config = old.ssh_config, modern_board.ssh_config
    try:
        first = old.orchestrate("load", "--device", "newboard")
        again = old.orchestrate("load", "--device", "newboard")
    finally:
        old.ssh_config = before
    assert (first.code, "sent" in first.out) == (0, True), first.err
    assert (again.code, "had it already" in again.out) == (0, True), again.err
    there, here = image(board, old.tag("tiny")), image(old.engine, old.tag("tiny"))
    row(part, "load, 20.10 to 28.5", ok=there.content == here.content, got=there.content)
    assert board.docker("run", "--rm", old.tag("tiny"), "cat", "/built") == "built\n"


def test_pushed_by_a_new_engine_pulled_by_digest_by_an_old_board(
    laptop: Workshop, fleet: Fleet, part: Part
) -> None:
    board = fleet["board2"]
    forget(board)
    said = laptop.orchestrate("push", "tiny")
    assert said.code == 0, said.err
    said = laptop.orchestrate("pull", "--device", "board2", "--registry", laptop.lent)
    assert (said.code, "board2 has" in said.out) == (0, True), said.err
    entry = yaml.safe_load(laptop.lock.read_text())["images"]["tiny"]["linux/amd64"]
    there = image(board, f"{laptop.lent}/tiny:1-amd64")
    row(part, "pull by digest, 28.5 to 20.10", ok=there.content == entry["content"], got=there.content)


def test_pushed_by_an_old_engine_pulled_by_digest_by_a_new_board(
    old: Workshop, modern_board: Fleet, part: Part
) -> None:
    said = old.orchestrate("push", "tiny")
    assert said.code == 0, said.err
    old.devices("tiny", "newboard")
    before, old.ssh_config = old.ssh_config, modern_board.ssh_config
    try:
        said = old.orchestrate("pull", "--device", "newboard", "--registry", old.lent)
    finally:
        old.ssh_config = before
    assert (said.code, "newboard has" in said.out) == (0, True), said.err
    entry = yaml.safe_load(old.lock.read_text())["images"]["tiny"]["linux/amd64"]
    there = image(modern_board["newboard"], f"{old.lent}/tiny:1-amd64")
    row(part, "pull by digest, 20.10 to 28.5", ok=there.content == entry["content"], got=there.content)


def test_a_build_leaves_the_projects_own_lock_alone(old: Workshop) -> None:
    old.lock.unlink(missing_ok=True)
    assert old.orchestrate("build", "tiny").code == 0
    assert not old.lock.exists()
