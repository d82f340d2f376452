"""The SDK's client. Towards a board it knows nothing of this user's own Docker configuration.

`config.json` holds registry passwords, HTTP headers and proxies with passwords; the SDK would send headers
with every request, proxies into every container, and passwords with a pull. `.netrc` is left alone as well.
"""

from typing import Any

import docker
from docker import auth

from orchestrate.engine.bounded import BoundedClient


class _Discreet(BoundedClient):
    """Ignores what the SDK reads of the user's files, when it is made as well as at any later call."""

    @property
    def _general_configs(self) -> dict[str, object]:
        return {}

    @_general_configs.setter
    def _general_configs(self, _: object) -> None: ...

    @property
    def _auth_configs(self) -> auth.AuthConfig:
        return auth.AuthConfig({})

    @_auth_configs.setter
    def _auth_configs(self, _: object) -> None: ...

    @property
    def trust_env(self) -> bool:
        """Of requests: whether `.netrc` and the environment's proxies count."""
        return False

    @trust_env.setter
    def trust_env(self, _: object) -> None: ...


class _WithLogins(_Discreet):
    """Sends the login of a registry along with a pull from it, as the user has chosen for this board."""

    @property
    def _auth_configs(self) -> auth.AuthConfig:
        return auth.load_config()

    @_auth_configs.setter
    def _auth_configs(self, _: object) -> None: ...


class Client(docker.DockerClient):  # type: ignore[misc]
    """The SDK's client with a low-level one of ours: of one's own engine, or of somebody else's."""

    def __init__(self, api: BoundedClient) -> None:
        self.api = api


def make(host: str, own: bool, logins: bool, **options: Any) -> docker.DockerClient:
    """Return a client: of the user's own engine as `docker` itself would be, of any other without his
    secrets.

    logins: registries' passwords may be sent to it. Whatever the engine, its answers are bounded.
    """
    kind = BoundedClient if own else _WithLogins if logins else _Discreet
    return Client(kind(host, **options))
