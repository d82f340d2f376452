"""What a board's engine gets to hear of this user: nothing of his Docker configuration, unless he says so."""

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from orchestrate.engine.connection import Engine
from orchestrate.engine.image_store import ImageEngine
from orchestrate.engine.spec import Spec
from tests import matrix

MATRIX = matrix.Part("hostile", "engine")
REGISTRY = "registry.example"
SECRETS = ("hunter2", "X-Secret", "proxyuser", "netrcpass")


class Listener(BaseHTTPRequestHandler):
    """An engine that notes all that it is asked, and creates whatever is wanted."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        heard = f"{self.path}\n{self.headers}\n{body}"
        token = self.headers.get("X-Registry-Auth")
        heard += base64.urlsafe_b64decode(token).decode() if token else ""
        self.server.heard.append(heard)  # type: ignore[attr-defined]
        said = {"ApiVersion": "1.41", "Version": "20.10", "Id": "a" * 64, "Warnings": []}
        data = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the standard library wants these names

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def address_string(self) -> str:
        return "unix"


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module", autouse=True)
def write_matrix() -> Iterator[None]:
    yield
    MATRIX.write()


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An engine that listens, and a user with secrets in every file that the SDK reads."""
    login = base64.b64encode(b"user:hunter2").decode()
    config = {
        "auths": {REGISTRY: {"auth": login}},
        "HttpHeaders": {"X-Secret": "hunter2"},
        "proxies": {"default": {"httpProxy": "http://proxyuser:hunter2@proxy.example:3128"}},
    }
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps(config))
    (tmp_path / ".netrc").write_text("default login user password netrcpass\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HOME", str(tmp_path))
    server = Server(str(tmp_path / "board.sock"), Listener)
    server.heard = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def said_to(server: Server, **options: bool) -> str:
    """All that an engine hears while it is connected to, pulls an image and is given a container."""
    with Engine(f"unix://{server.server_address}", **options) as engine, engine.patient() as client:
        images = ImageEngine(client)
        list(images._ask(client.api.pull, f"{REGISTRY}/image", tag="1", stream=True, decode=True))
        made = Spec("image", (), "volume", {}).arguments()
        engine.client.api.create_container("image", environment=made["environment"])
    return "\n".join(server.heard)  # type: ignore[attr-defined]


def test_a_board_hears_no_secret_of_this_user(board: Server) -> None:
    heard = said_to(board)
    found = [secret for secret in SECRETS if secret.lower() in heard.lower()]
    assert "/images/create" in heard
    MATRIX.add("a board that listens", "no password, header or proxy", found, found == [])


def test_a_board_that_may_pull_with_the_users_login_hears_that_and_no_more(board: Server) -> None:
    heard = said_to(board, logins=True)
    found = [secret for secret in SECRETS if secret.lower() in heard.lower()]
    MATRIX.add("a board with registry_logins", "the registry's password only", found, found == ["hunter2"])
    assert heard.count("hunter2") == 1


def test_the_users_own_engine_hears_what_docker_would_tell_it(board: Server) -> None:
    heard = said_to(board, own=True)
    assert "X-Secret" in heard  # or the tests above could not fail


def test_a_container_has_the_memory_and_the_driver_parts_that_were_given_to_it() -> None:
    made = Spec("image", (), "volume", {}, runtime="nvidia", memory=4 * 10**9).arguments()
    assert made["mem_limit"] == 4 * 10**9
    given = made["environment"]["NVIDIA_DRIVER_CAPABILITIES"]
    MATRIX.add("driver parts of a container", "compute,utility", given, given == "compute,utility")
    (request,) = Spec("image", (), "volume", {}, gpus=True).arguments()["device_requests"]
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]
