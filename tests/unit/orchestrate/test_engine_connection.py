"""Speaking to an engine: versions, descriptions, refusals, put into words. The engine here is a stub."""

import http.server
import json
import socketserver
import threading
from typing import ClassVar

import pytest

from orchestrate.engine import errors
from orchestrate.engine.connection import Engine, docker_architecture
from orchestrate.engine.container import NVIDIA, Board, Spec

VERSION = {"ApiVersion": "1.41", "Version": "20.10.24", "MinAPIVersion": "1.12"}
INFO = {
    "Name": "jetson",
    "Architecture": "aarch64",
    "KernelVersion": "4.9.253-tegra",
    "OperatingSystem": "Ubuntu 18.04.6 LTS",
    "NCPU": 6,
    "MemTotal": 8_232_000_000,
    "MemoryLimit": True,
    "Runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "runc": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "DockerRootDir": "/var/lib/docker",
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, tuple[int, object]]]

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        path = path[path.index("/", 1) :] if path.startswith("/v1.") else path
        code, body = self.answers.get(path, (404, {"message": f"page not found: {path}"}))
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - http.server's name


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def stub(tmp_path):
    """Starts an engine that gives `answers` (path -> status, JSON); its address."""
    servers = []

    def start(answers: dict[str, tuple[int, object]]) -> str:
        known = {"/version": (200, VERSION), "/info": (200, INFO)}
        handler = type("Answering", (Handler,), {"answers": {**known, **answers}})
        servers.append(Server(str(tmp_path / "docker.sock"), handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.05], daemon=True).start()
        return f"unix://{tmp_path}/docker.sock"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_engine_of_jetpack_4_is_spoken_to_in_its_own_version(stub):
    with Engine(stub({})) as engine:
        info = engine.info()
        assert engine.client.api.api_version == "1.41"
    assert (info.architecture, info.version, info.api) == ("arm64", "20.10.24", "1.41")
    assert info.runtimes == ("nvidia", "runc")
    assert info.cgroup == 1, "an engine that does not say has version 1"


def test_an_engine_of_ten_years_ago_is_refused_with_a_cure(stub):
    address = stub({"/version": (200, {"ApiVersion": "1.18", "Version": "1.6"})})
    with pytest.raises(errors.EngineTooOld, match=r"install Docker 20\.10"):
        Engine(address).open()


def test_nothing_at_the_address_is_an_engine_that_is_down(tmp_path):
    with pytest.raises(errors.EngineDown, match="systemctl status docker"):
        Engine(f"unix://{tmp_path}/none.sock").open()


def test_a_client_that_was_never_opened_or_is_closed_says_so(stub):
    engine = Engine(stub({}))
    with pytest.raises(errors.LinkBroken, match="not connected"):
        engine.info()
    engine.open()
    engine.close()
    assert not engine.alive
    with pytest.raises(errors.LinkBroken, match="not connected"):
        engine.info()


@pytest.mark.parametrize(
    ("code", "message", "kind", "says"),
    [
        (500, "write /var/lib/docker/tmp/x: no space left on device", errors.DiskFull, "docker system prune"),
        (400, "Unknown runtime specified nvidia", errors.RuntimeMissing, "nvidia-container"),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', errors.RuntimeMissing, "GPU"),
        (400, "OCI runtime create failed: exec format error: unknown", errors.WrongArchitecture, "processor"),
        (404, "No such container: orbitbench", errors.NotFound, "No such container"),
        (404, "something else entirely", errors.NotFound, "something else"),
        (
            500,
            "an error of tomorrow\nin two lines",
            errors.EngineRefused,
            "an error of tomorrow in two lines",
        ),
    ],
)
def test_what_an_engine_refuses_is_said_in_one_line_with_what_to_do(stub, code, message, kind, says):
    address = stub({"/containers/orbitbench/start": (code, {"message": message})})
    with Engine(address) as engine, pytest.raises(kind, match=says) as caught:
        Board(engine).start()
    assert "\n" not in str(caught.value)


def test_every_transient_error_is_a_lost_link_and_no_other_is():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.EngineError)
    ]
    transient = {kind.__name__ for kind in kinds if issubclass(kind, errors.LinkLost)}
    assert transient == {"Transient", "UnreachableHost", "LinkBroken", "EngineDown", "CommandHung"}


def test_a_container_gets_nothing_but_its_volume():
    made = Spec("image", ("jobs.json", "out"), "volume", {}).arguments()
    assert made["network_mode"] == "none"
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["read_only"]
    assert [(mount["Target"], mount["Source"], mount["Type"]) for mount in made["mounts"]] == [
        ("/data", "volume", "volume")
    ]
    assert not set(made) & {
        "privileged",
        "devices",
        "volumes",
        "pid_mode",
        "ipc_mode",
        "cap_add",
        "auto_remove",
    }


def test_a_jetson_asks_for_its_host_libraries_and_others_do_not():
    jetson = Spec("image", (), "volume", {}, runtime="nvidia", environment={"NVIDIA_VISIBLE_DEVICES": "0"})
    assert jetson.arguments()["environment"] == {**NVIDIA, "NVIDIA_VISIBLE_DEVICES": "0"}
    assert jetson.arguments()["device_requests"] is None
    assert Spec("image", (), "volume", {}).arguments()["environment"] == {}
    assert Spec("image", (), "volume", {}, gpus=True).arguments()["device_requests"][0]["Count"] == -1


@pytest.mark.parametrize(
    ("kernel", "image"), [("aarch64", "arm64"), ("x86_64", "amd64"), ("riscv64", "riscv64")]
)
def test_processors_go_by_the_names_of_images(kernel, image):
    assert docker_architecture(kernel) == image
