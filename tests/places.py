"""Places within JSON, or objects like it: all of them, and copies with one changed."""

from typing import Any


def places(node: Any, leave: tuple[str, ...] = (), at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in objects, and of every list's first item; below `leave` there are none."""
    if isinstance(node, list):
        inner: Any = list(enumerate(node))[:1]
    else:
        inner = node.items() if isinstance(node, dict) else ()
    found = []
    for key, value in inner:
        if key not in leave:
            found += [(*at, key), *places(value, leave, (*at, key))]
    return found


def changed(node: Any, where: tuple[Any, ...], value: Any) -> Any:
    """A copy in which the place at the path `where` holds `value`."""
    if not where:
        return value
    copy = list(node) if isinstance(node, list) else dict(node)
    copy[where[0]] = changed(node[where[0]], where[1:], value)
    return copy
