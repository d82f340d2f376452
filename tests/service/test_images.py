"""`orchestrate images` with a real engine, registry and boards: what works, and each fault in one line."""

import concurrent.futures
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from orchestrate.engine.image_store import connected
from tests import matrix
from tests.conftest import PATIENCE, require, wait_for
from tests.service import registry as registries
from tests.service import rootfs
from tests.service.board import Board
from tests.service.fleet import Fleet
from tests.service.registry import Registry
from tests.service.workshop import BUSYBOX, TINY, Said, Workshop

pytestmark = pytest.mark.service
ROWS: list[dict[str, object]] = []
BOARD = {
    "disk full during load",
    "sshd: AllowTcpForwarding no, pull from the lent registry",
    "sshd: DisableForwarding yes, pull from the lent registry",
}
HOSTILE = {
    "image of the wrong architecture, pull",
    "digest unknown to the registry",
    "digest that does not match the lock",
    "layer changed in the registry",
}


@pytest.fixture(scope="module")
def workshop(
    fleet: Fleet, tmp_path_factory: pytest.TempPathFactory, load_image: Callable[[Board, bytes], None]
) -> Iterator[Workshop]:
    """An engine of its own with busybox in it, a registry that it and this machine reach, and an image."""
    reason = registries.missing()
    require(not reason, reason)
    folder = tmp_path_factory.mktemp("workshop")
    with Board("workshop", dockerd=("--insecure-registry", "10.99.0.0/16"), uplink=True) as engine:
        load_image(engine, rootfs.busybox())
        with Registry(folder / "registry", engine.host_ip, "127.0.0.1") as registry:
            shop = Workshop(folder / "checkout", engine, registry, fleet.ssh_config)
            shop.devices("tiny", "board1", "board2")
            said = shop.orchestrate("build", "tiny", "--lock", str(shop.lock))
            assert said.code == 0, said.err
            yield shop
    matrix.write("images", ROWS)
    hostile = matrix.Part("hostile", "registry")
    hostile.rows = [{**row, "case": f"registry: {row['case']}"} for row in ROWS if row["case"] in HOSTILE]
    hostile.write()
    board = matrix.Part("board", "images")
    board.rows = [{**row, "service": "tests/service/test_images.py"} for row in ROWS if row["case"] in BOARD]
    board.write()


@pytest.fixture(scope="module", autouse=True)
def dying_push(
    workshop: Workshop, tmp_path_factory: pytest.TempPathFactory, load_image: Callable[[Board, bytes], None]
) -> Iterator["subprocess.Popen[str]"]:
    """A push whose registry is killed midway; it goes on beside the tests, for the engine tries for 50 s."""
    workshop.add("heavy", TINY)
    with Registry(tmp_path_factory.mktemp("dying"), workshop.engine.host_ip) as registry:
        name = f"{workshop.engine.host_ip}:{registry.port}/lab"
        noise = random.Random(2).randbytes(60_000_000)
        load_image(workshop.engine, rootfs.image_of(rootfs.tar_of({"noise": noise}), f"{name}/heavy:1-amd64"))
        process = workshop.start("push", "heavy", "--registry", name, "--lock", "heavy.lock.yaml")
        uploads = registry.folder / "data/docker/registry/v2/repositories/lab/heavy/_uploads"

        def pushing() -> bool:
            assert process.poll() is None, process.communicate()
            return any(path.stat().st_size > 1_000_000 for path in uploads.rglob("data"))

        wait_for(pushing, "the push never began")
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def pushed(workshop: Workshop) -> dict[str, str]:
    """The lock's entry of `tiny`, pushed."""
    said = workshop.orchestrate("push", "tiny")
    assert said.code == 0, said.err
    entry: dict[str, str] = yaml.safe_load(workshop.lock.read_text())["images"]["tiny"]["linux/amd64"]
    return entry


@pytest.fixture
def fresh(workshop: Workshop, fleet: Fleet) -> Board:
    """board1 without any image but busybox's."""
    board = fleet["board1"]
    keep = board.docker("image", "ls", "-q", "--no-trunc", BUSYBOX).split()
    for image in workshop.ids(board) - set(keep):
        board.docker("image", "rm", "-f", image, check=False)
    return board


def fault(case: str, said: Said, *expected: str, code: int = 1) -> None:
    """Check that a fault is reported in one line that holds `expected`, and keep the row for the matrix."""
    lines = said.err.splitlines()
    complaints = [line for line in lines if line.startswith("orchestrate: ")]
    ok = said.code == code and len(complaints) == 1 and all(part in complaints[0] for part in expected)
    ROWS.append({"case": case, "expected": " ... ".join(expected), "got": "\n".join(complaints), "ok": ok})
    assert ok, f"{said.code}: {said.err}"


# What works


def test_a_build_is_tagged_labelled_and_recorded(workshop: Workshop) -> None:
    entry = yaml.safe_load(workshop.lock.read_text())["images"]["tiny"]["linux/amd64"]
    assert entry["tag"] == workshop.tag("tiny")
    with connected(workshop.engine.docker_host) as engine:
        info = engine.get(workshop.tag("tiny"))
    assert (info.content, info.size) == (entry["content"], entry["size"])
    assert info.labels["org.opencontainers.image.title"] == "orbitbench tiny"
    assert info.labels["org.opencontainers.image.base.name"] == "orbitbench/busybox:test"


def test_a_board_pulls_by_digest_from_a_registry_that_only_we_reach(
    workshop: Workshop, fresh: Board, pushed: dict[str, str]
) -> None:
    said = workshop.orchestrate("pull", "--device", "board1", "--registry", workshop.lent)
    assert said.code == 0, said.err
    assert "board1 has" in said.out
    with connected(fresh.docker_host) as engine:
        assert engine.get(f"{workshop.lent}/tiny:1-amd64").content == pushed["content"]
    name = f"{workshop.lent}/tiny@{pushed['digest']}"
    assert (
        fresh.docker("run", "--rm", "--network", "none", name, "cat", "/opt/bench/record/code.py")
        == "answer = 42\n"
    )


def test_without_a_registry_the_image_is_sent_over_ssh_once(workshop: Workshop, fresh: Board) -> None:
    first = workshop.orchestrate("load", "--device", "board1")
    assert (first.code, "sent" in first.out) == (0, True), first.err
    again = workshop.orchestrate("load", "--device", "board1")
    assert (again.code, "had it already" in again.out) == (0, True), again.err
    assert fresh.docker("run", "--rm", workshop.tag("tiny"), "cat", "/built") == "built\n"


def test_after_a_change_of_our_code_only_the_last_layer_is_new(workshop: Workshop) -> None:
    with connected(workshop.engine.docker_host) as engine:
        before = engine.get(workshop.tag("tiny")).layers
        code = workshop.root / "bench/record/code.py"
        try:
            code.write_text("answer = 43\n")
            assert workshop.orchestrate("build", "tiny").code == 0
            after = engine.get(workshop.tag("tiny")).layers
        finally:
            code.write_text("answer = 42\n")
            workshop.orchestrate("build", "tiny")
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_list_shows_what_is_built_and_pushed(workshop: Workshop, pushed: dict[str, str]) -> None:
    said = workshop.orchestrate("list", "--json")
    row = next(r for r in yaml.safe_load(said.out) if r["image"] == "tiny")
    assert row["built"]["digest"] == pushed["digest"]
    assert pushed["content"][7:19] in workshop.orchestrate("list").out


# Faults of building


def test_an_interrupted_build_leaves_no_name_and_no_container(workshop: Workshop) -> None:
    workshop.add("slow", "ARG BASE\nFROM ${BASE}\nRUN sleep 3600\n")
    process = workshop.start("build", "slow")

    def building() -> bool:
        return "sleep 3600" in workshop.engine.docker("ps", "--no-trunc")

    wait_for(lambda: building() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    fault(
        "build interrupted", Said(process.returncode, out, err), "interrupted", "nothing was tagged", code=130
    )
    assert workshop.tag("slow") not in workshop.names(workshop.engine)
    assert "slow" not in workshop.lock.read_text()
    wait_for(lambda: not building())


def test_a_base_that_cannot_be_pulled_fails_alone(workshop: Workshop) -> None:
    unpinned = "127.0.0.1:1/nowhere:1"
    workshop.add("orphan", TINY, base=unpinned)
    said = workshop.orchestrate("build", "orphan")
    fault("base without a digest", said, f"{unpinned} has no digest", "ORBITBENCH_UNPINNED_BASE=1")
    base = f"{unpinned}@sha256:{'0' * 64}"
    workshop.add("orphan", TINY, base=base)
    said = workshop.orchestrate("build", "orphan", "tiny")
    fault("base image missing", said, "orphan-amd64", f"{base} cannot be pulled", "--base base")
    assert f"tiny-amd64: {workshop.tag('tiny')}" in said.out
    assert workshop.tag("orphan") not in workshop.names(workshop.engine)


def test_a_program_for_another_processor_names_the_command_that_registers_the_emulator(
    workshop: Workshop, load_image: Callable[[Board, bytes], None]
) -> None:
    # an ELF header of a machine that no emulator knows: exactly what the kernel says where none is registered
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xef\xbe" + bytes(44)
    load_image(workshop.engine, rootfs.image_of(rootfs.tar_of({"bin/sh": header}), "lab/alien:test", "arm64"))
    workshop.add("alien", "ARG BASE\nFROM ${BASE}\nRUN true\n", base="lab/alien:test", platform="linux/arm64")
    said = workshop.orchestrate("build", "alien")
    fault("emulator missing", said, "cannot run arm64 programs", "--install arm64", "qemu-user-static")
    assert workshop.tag("alien", "arm64") not in workshop.names(workshop.engine)


def test_a_step_that_fails_keeps_the_older_image_under_its_name(workshop: Workshop) -> None:
    dockerfile = workshop.root / "images/tiny/Dockerfile"
    good = dockerfile.read_text()
    before = workshop.engine.docker("image", "inspect", "-f", "{{.Id}}", workshop.tag("tiny"))
    try:
        dockerfile.write_text(good + "RUN false\n")
        said = workshop.orchestrate("build", "tiny")
    finally:
        dockerfile.write_text(good)
    fault("a step of the build fails", said, "tiny-amd64", "returned a non-zero code: 1")
    assert workshop.engine.docker("image", "inspect", "-f", "{{.Id}}", workshop.tag("tiny")) == before


BLIND = r"""RUN printf '#!/bin/sh\necho its Python finds no module tensorrt >&2; exit 1' >/bin/python3
RUN chmod +x /bin/python3
"""


@pytest.mark.parametrize(("python", "reason"), [("", "python3"), (BLIND, "finds no module tensorrt")])
def test_an_image_that_cannot_infer_is_an_error_and_gets_no_name(
    python: str, reason: str, workshop: Workshop
) -> None:
    workshop.add("blind", TINY + python, finds=("tensorrt",))
    said = workshop.orchestrate("build", "blind")
    assert said.code == 1
    assert reason in said.err
    assert workshop.tag("blind") not in workshop.names(workshop.engine)
    assert not workshop.engine.docker("ps", "-aq").strip()  # the container that tried it is gone


def test_no_engine_says_where_it_was_looked_for(workshop: Workshop, tmp_path: Path) -> None:
    process = workshop.start("build", "tiny", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    out, err = process.communicate(timeout=PATIENCE)
    fault("no engine on this machine", Said(process.returncode, out, err), "this machine", "Docker")


# Faults on the way


def test_the_wrong_architecture_is_refused_before_anything_is_sent(
    workshop: Workshop, fresh: Board, load_image: Callable[[Board, bytes], None]
) -> None:
    workshop.add("arm", TINY, platform="linux/arm64")
    load_image(
        workshop.engine, rootfs.image_of(rootfs.tar_of({"x": b"x"}), workshop.tag("arm", "arm64"), "arm64")
    )
    before = workshop.ids(fresh)
    said = workshop.orchestrate("load", "arm", "--device", "board1", "--platform", "linux/arm64")
    fault(
        "image of the wrong architecture, load",
        said,
        "arm-arm64 is for arm64, board1 is amd64",
        "nothing was sent",
    )
    said = workshop.orchestrate("load", "arm", "--device", "board1")
    fault("image not made for the board", said, "arm is not made for linux/amd64", code=2)
    assert workshop.ids(fresh) == before


def test_a_registry_whose_image_lies_about_its_architecture_is_refused(
    workshop: Workshop, fresh: Board
) -> None:
    """Engines up to 20.10 pull any single-platform image without a word."""
    name = f"{workshop.lent}/liar:1"
    image = rootfs.image_of(rootfs.tar_of({"x": b"x"}), f"{workshop.name}/liar:1", "arm64")
    subprocess.run(
        ["/usr/bin/docker", "-H", workshop.engine.docker_host, "load", "-q"],
        input=image,
        check=True,
        capture_output=True,
    )
    workshop.engine.docker("push", f"{workshop.name}/liar:1")
    digest = "sha256:" + "0" * 64
    entry = {
        "content": digest,
        "base": "x",
        "revision": "x",
        "size": 1,
        "tag": f"{workshop.name}/liar:1-amd64",
    }
    pushed = workshop.engine.docker(
        "image", "inspect", "-f", "{{index .RepoDigests 0}}", f"{workshop.name}/liar:1"
    )
    lock = workshop.root / "liar.lock.yaml"
    entry["digest"] = pushed.strip().partition("@")[2]
    lock.write_text(yaml.safe_dump({"schema": 1, "images": {"liar": {"linux/amd64": entry}}}))
    workshop.add("liar", TINY)
    said = workshop.orchestrate(
        "pull", "liar", "--device", "board1", "--registry", workshop.lent, "--lock", str(lock)
    )
    fault("image of the wrong architecture, pull", said, "liar", "is for arm64, not amd64")
    assert name.rpartition(":")[0] not in " ".join(workshop.names(fresh))


def test_a_digest_that_the_registry_does_not_have_is_refused(
    workshop: Workshop, fresh: Board, pushed: dict[str, str]
) -> None:
    lock = workshop.root / "other.lock.yaml"
    wrong = {**pushed, "digest": "sha256:" + "1" * 64}
    lock.write_text(yaml.safe_dump({"schema": 1, "images": {"tiny": {"linux/amd64": wrong}}}))
    said = workshop.orchestrate(
        "pull", "--device", "board1", "--registry", workshop.lent, "--lock", str(lock)
    )
    fault("digest unknown to the registry", said, "cannot pull", "manifest unknown", "load tiny")
    assert not any("/lab/" in name for name in workshop.names(fresh))


def test_an_image_that_is_not_the_locked_one_is_not_used(
    workshop: Workshop, fresh: Board, pushed: dict[str, str]
) -> None:
    lock = workshop.root / "other.lock.yaml"
    wrong = {**pushed, "content": "sha256:" + "2" * 64}
    lock.write_text(yaml.safe_dump({"schema": 1, "images": {"tiny": {"linux/amd64": wrong}}}))
    said = workshop.orchestrate(
        "pull", "--device", "board1", "--registry", workshop.lent, "--lock", str(lock)
    )
    fault("digest that does not match the lock", said, "the lock has sha256:2222", "not used")
    assert f"{workshop.lent}/tiny:1-amd64" not in workshop.names(fresh)


def test_a_layer_that_was_changed_in_the_registry_is_not_accepted(
    workshop: Workshop, fresh: Board, pushed: dict[str, str]
) -> None:
    manifest = workshop.registry.folder / (
        f"data/docker/registry/v2/blobs/sha256/{pushed['digest'][7:9]}/{pushed['digest'][7:]}/data"
    )
    layer = yaml.safe_load(manifest.read_text())["layers"][-1]["digest"]
    content = workshop.registry.spoil(layer)
    try:
        said = workshop.orchestrate("pull", "--device", "board1", "--registry", workshop.lent)
    finally:
        workshop.registry.mend(layer, content)
    fault("layer changed in the registry", said, "cannot pull", "load tiny")
    assert not any("/lab/" in name for name in workshop.names(fresh))


def test_a_registry_that_is_down_leads_to_load(
    workshop: Workshop, fresh: Board, pushed: dict[str, str]
) -> None:
    workshop.registry.stop()
    try:
        said = workshop.orchestrate("pull", "--device", "board1", "--registry", workshop.lent)
        fault("registry down, pull", said, "cannot pull", "`orchestrate images load tiny --device ...`")
        before = workshop.lock.read_bytes()
        said = workshop.orchestrate("push", "tiny")
        fault("registry down, push", said, "failed", "the lock is unchanged")
        assert workshop.lock.read_bytes() == before
        assert workshop.orchestrate("load", "--device", "board1").code == 0
    finally:
        workshop.registry.start()


def test_a_board_whose_disk_is_full_says_so_and_keeps_no_half(
    workshop: Workshop, tmp_path: Path, load_image: Callable[[Board, bytes], None]
) -> None:
    noise = random.Random(0).randbytes(4_000_000)
    workshop.add("noisy", TINY)
    load_image(workshop.engine, rootfs.image_of(rootfs.tar_of({"noise": noise}), workshop.tag("noisy")))
    with Fleet(tmp_path / "small", "small", disk_mb=96) as small:
        small["small"].fill_disk(leave_kb=2000)
        shop_config, workshop.ssh_config = workshop.ssh_config, small.ssh_config
        workshop.devices("noisy", "small")
        try:
            said = workshop.orchestrate("load", "--device", "small")
        finally:
            workshop.ssh_config = shop_config
            workshop.devices("tiny", "board1", "board2")
        fault(
            "no room on the board for a load",
            said,
            "noisy-amd64 (archive and layers) needs 8 MB there, 2 MB are free: nothing was sent",
            "data-root",
            "system prune",
        )
        assert workshop.names(small["small"]) == set()
        small["small"].free_disk()


@pytest.mark.parametrize("line", ["AllowTcpForwarding no", "DisableForwarding yes"])
def test_a_board_whose_sshd_forwards_nothing_is_told_apart_from_a_registry_that_is_down(
    line: str, workshop: Workshop, pushed: dict[str, str], tmp_path: Path
) -> None:
    with Fleet(tmp_path / "closed", "closed", sshd=f"{line}\n") as closed:
        shop_config, workshop.ssh_config = workshop.ssh_config, closed.ssh_config
        workshop.devices("tiny", "closed")
        try:
            pulled = workshop.orchestrate("pull", "--device", "closed", "--registry", workshop.lent)
            loaded = workshop.orchestrate("load", "--device", "closed")
        finally:
            workshop.ssh_config = shop_config
            workshop.devices("tiny", "board1", "board2")
        cure = "orchestrate images load"
        # Which of both refusals is first, of the port or of the socket, is up to sshd and its speed.
        fault(f"sshd: {line}, pull from the lent registry", pulled, "its sshd", cure)
        assert (loaded.code, "sent" in loaded.out) == (0, True), loaded.err


def once_it_loads(board: Board, hurt: Callable[[], object]) -> None:
    """Call `hurt` as soon as a part of the archive has arrived."""
    wait_for(lambda: int(board.sh("du -sk /var/lib/docker/tmp | cut -f1")) >= 2000, "the load never began")
    hurt()


def test_a_disk_that_fills_up_during_a_load_is_one_line_and_leaves_no_name(
    workshop: Workshop, tmp_path: Path, load_image: Callable[[Board, bytes], None]
) -> None:
    workshop.add("bulky", TINY)
    noise = random.Random(3).randbytes(30_000_000)
    load_image(workshop.engine, rootfs.image_of(rootfs.tar_of({"noise": noise}), workshop.tag("bulky")))
    with Fleet(tmp_path / "small", "small", disk_mb=200) as small:
        board = small["small"]
        shop_config, workshop.ssh_config = workshop.ssh_config, small.ssh_config
        workshop.devices("bulky", "small")
        board.throttle("2mbps")
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                filled = pool.submit(once_it_loads, board, board.fill_disk)
                said = workshop.orchestrate("load", "--device", "small")
                filled.result()
        finally:
            workshop.ssh_config = shop_config
            workshop.devices("tiny", "board1", "board2")
        fault("disk full during load", said, "small did not take the image", "no space left", "disk is full")
        assert workshop.names(board) == set()
        board.free_disk()
        board.throttle(None)


def test_a_link_that_is_cut_during_load_is_one_line_and_leaves_no_name(
    workshop: Workshop, fleet: Fleet, load_image: Callable[[Board, bytes], None]
) -> None:
    board = fleet["board2"]
    workshop.add("large", TINY)
    noise = random.Random(1).randbytes(30_000_000)
    load_image(workshop.engine, rootfs.image_of(rootfs.tar_of({"noise": noise}), workshop.tag("large")))
    board.throttle("2mbps")
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            cut = pool.submit(once_it_loads, board, lambda: board.link(False))
            said = workshop.orchestrate("load", "large", "--device", "board2")
            cut.result()
    finally:
        board.throttle(None)
        board.link(True)
    fault("link cut during load", said, "board2 did not take the image", "nothing was tagged")
    assert workshop.tag("large") not in workshop.names(board)


def test_a_registry_that_dies_during_a_push_leaves_the_lock_as_it_was(
    workshop: Workshop, dying_push: "subprocess.Popen[str]"
) -> None:
    out, err = dying_push.communicate(timeout=PATIENCE)
    said = Said(dying_push.returncode, out, err)
    fault("registry down midway", said, "heavy-amd64: the push", "failed", "the lock is unchanged")
    assert not (workshop.root / "heavy.lock.yaml").exists()
