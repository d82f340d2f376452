"""A stand-in for tests: see tests/fakes/install.py."""

from tests.fakes.install import install_from_environment

install_from_environment()
