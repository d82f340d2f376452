"""A session of Ray: one on this machine that nobody else can use, or a cluster that wants its token.

Whoever may connect to a Ray runs code as its user. A session of our own therefore listens on loopback only,
asks for a fresh secret (other users of the machine reach loopback, too), has no dashboard, and keeps logs and
sockets in a folder of mode 0700.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from logging import ERROR
from pathlib import Path
from typing import Any

from bench.errors import InputError

LOOPBACK = "127.0.0.1"
STARTS = 5  # of Ray on a busy machine
LATE = "timed out during startup"  # in the plain Exception that Ray raises then
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
MODES = ("token", "disabled")
LONGEST = 34  # bytes of the private folder: Ray appends up to 70 for its sockets, the kernel allows 107


class ClusterError(InputError):
    """A cluster that cannot be used; the text states what to do."""


@contextlib.contextmanager
def session(address: str | None = None) -> Iterator[None]:
    """Connect to Ray for the duration: to the cluster at `address`, or to a new one on this machine (None).

    Raises ClusterError.
    """
    with join(address) if address not in (None, "local") else start():
        yield


@contextlib.contextmanager
def start(**options: Any) -> Iterator[None]:
    """Start Ray on this machine, for this process and its tasks alone, and end it. Raises ClusterError."""
    import ray

    with _private_folder() as folder, _environment(_secret(folder)):
        read_token()
        try:
            with _on_loopback():
                _init("local", _node_ip_address=LOOPBACK, _temp_dir=str(folder / "ray"), **options)
            _refuse_open_session()
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def join(address: str) -> Iterator[None]:
    """Connect to a cluster, with the environment's token (RAY_AUTH_MODE=disabled does without); then leave.

    Raises ClusterError.
    """
    import ray

    mode = os.environ.get(MODE, "token").lower()
    if mode not in MODES:
        raise ClusterError(f"{MODE}={mode!r}: unknown; known: {', '.join(MODES)}")
    with _environment({MODE: mode}):
        if not read_token():
            raise ClusterError(
                f"--ray {address}: no token: set {TOKEN_PATH} (a file) or {TOKEN} to the cluster's "
                "(`ray get-auth-token` there prints it); for one without a token, on a network where you "
                f"trust everybody, set {MODE}=disabled"
            )
        try:
            _init(address)
            yield
        finally:
            ray.shutdown()


def _init(address: str, **options: Any) -> None:
    import ray

    fixed: dict[str, Any] = {"log_to_driver": False, "logging_level": ERROR}
    if address == "local":
        fixed["include_dashboard"] = False
    try:
        patiently(lambda: ray.init(address=address, **fixed, **options))
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = "this machine" if address == "local" else address
        hint = "" if address == "local" else f"; is the cluster up, and {TOKEN} or {TOKEN_PATH} its token?"
        raise ClusterError(f"Ray at {where} cannot be reached: {str(error).splitlines()[0]}{hint}") from None


def patiently(start: Callable[[], object]) -> None:
    """Start Ray, again where a busy machine took longer than the 30 s that Ray gives its own processes.

    Raises ClusterError after the last start.
    """
    import ray

    for _ in range(STARTS):
        try:
            start()
            return
        except Exception as error:
            if LATE not in str(error):
                raise
            ray.shutdown()
    raise ClusterError(
        f"Ray did not start within {STARTS} x 30 s: this machine is too busy, or short of memory; try again"
    )


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder of mode 0700, with a path short enough for sockets (Ray opens what it makes itself to all)."""
    place = tempfile.gettempdir()
    parent = place if len(os.fsencode(place)) + len("/ob-") + 8 <= LONGEST else "/tmp"  # noqa: S108 - 0700
    with tempfile.TemporaryDirectory(prefix="ob-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _secret(folder: Path) -> dict[str, str | None]:
    """A new token in a file of the private folder, and the environment that points to it."""
    file = folder / "token"
    file.touch(0o600)
    file.write_text(secrets.token_hex(32))
    return {MODE: "token", TOKEN: None, TOKEN_PATH: str(file)}


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables (None removes one) for the duration: Ray's processes inherit them."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def read_token() -> bool:
    """Make Ray, which may be imported already, read mode and token again; False where it misses a token."""
    try:
        raylet: Any = importlib.import_module("ray._raylet")
        loader = raylet.AuthenticationTokenLoader.instance()
        from ray.exceptions import AuthenticationError
    except (AttributeError, ImportError):
        raise ClusterError("this Ray cannot keep strangers out: pip install 'ray>=2.60'") from None
    raylet.Config.initialize("")
    loader.reset_cache()
    if raylet.get_authentication_mode() != raylet.AuthenticationMode.TOKEN:
        return os.environ[MODE] == "disabled"
    try:
        return bool(loader.has_token())
    except AuthenticationError:  # a file that is missing, or empty
        return False


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray on Linux takes 127.0.0.1 for a slip, and listens on every interface, but for this switch."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _refuse_open_session() -> None:
    """Another version of Ray may not know the switch: then rather no session than an open one."""
    import ray

    address = ray.get_runtime_context().gcs_address
    if not address.startswith(f"{LOOPBACK}:"):
        raise ClusterError(f"this Ray listens on the network ({address}): pip install 'ray>=2.60'")
