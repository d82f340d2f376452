"""`--ray ADDRESS` is tried before Ray is: at once, or within seconds."""

import socket
from collections.abc import Iterator

import pytest

from bench.errors import InputError
from bench.work import ray_address
from bench.work.ray_address import check_ray_address

WRONG = "|head|head:|:6379|head:port|head:0|head:70000|http://head:6379|a b:1|h:1/x|ray://|ray://head|[::1:1|me@h:1"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "localhost:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_somebody_listens_is_left_to_ray(port: int, form: str) -> None:
    check_ray_address(form.format(port))


@pytest.mark.parametrize("form", ["auto", "local"])
def test_ray_finds_its_own_clusters(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    check_ray_address(form)


def test_auto_is_what_the_environment_says(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    check_ray_address("auto")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1: cannot be reached: Connection refused"):
        check_ray_address("auto")


@pytest.mark.parametrize("wrong", WRONG.split("|"))
def test_what_is_no_address_is_refused_with_the_forms_that_are(wrong: str) -> None:
    with pytest.raises(InputError, match="not an address of a Ray cluster; give HOST:PORT"):
        check_ray_address(wrong)


def test_a_host_that_never_answers_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_address, "WAIT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:  # the queue of a listener that accepts nobody: further ones get no answer
            client.setblocking(False)
            client.connect_ex(place)
        with pytest.raises(InputError, match=r"cannot be reached: no answer within 0\.2 s"):
            check_ray_address(f"127.0.0.1:{place[1]}")
        for client in waiting:
            client.close()
