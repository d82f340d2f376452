"""What the classes of the pretend TensorRT have in common."""

from typing import Any


def since(version: str) -> Any:
    """The name appeared in `version`."""
    return lambda function: setattr(function, "since", version) or function


def until(version: str) -> Any:
    """The name is gone in `version`."""
    return lambda function: setattr(function, "until", version) or function


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def exists(thing: Any, version: str) -> bool:
    mark = thing.fget if isinstance(thing, property) else thing
    here = number(version)
    return number(getattr(mark, "since", "0")) <= here < number(getattr(mark, "until", "99"))


class Gone:
    """A name that this release does not have."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise AttributeError(f"'{owner.__name__}' of this release has no such attribute")


class Strict:
    """Counted while alive, destroyed inside a context only, and closed to attributes it does not have."""

    needs_context = True

    def __init__(self) -> None:
        self._gpu.born(type(self).__name__)
        self._counted = True

    def __del__(self) -> None:
        if getattr(self, "_counted", False):
            self._gpu.died(type(self).__name__, self.needs_context)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        object.__setattr__(self, name, value)


class Subclassable:
    """What Python may derive from; TensorRT refuses an object whose base was not initialised."""

    def __init__(self) -> None:
        self._initialised = True


class ILogger(Subclassable):
    pass


class IProfiler(Subclassable):
    pass


@until("11.0")
class IInt8EntropyCalibrator2(Subclassable):
    pass


class IHostMemory(bytes):
    pass


def check_logger(logger: Any) -> None:
    if not getattr(logger, "_initialised", False):
        raise TypeError("logger: ILogger.__init__() must be called when overriding __init__")
