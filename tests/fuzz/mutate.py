"""Valid documents, spoilt: types changed, parts dropped, doubled, nested, blown up; bytes flipped and cut."""

import copy
import json
import random
from typing import Any

TEXTS = (
    "", " ", "0", "-1", "NaN", "null", "a" * 5_000, "../../etc/passwd", "/dev/zero", "\x1b[2J", "\u202e",
    "\0", "\ud800", "\U0001f4a5", "[red]x[/]", "=1+1", "<script>", "a\nb", "%s%n", "${HOME}", "$(id)",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**40, 0.0, -0.0, 1e-320, 1e308, -1e308, 0.1, 1e15)
LONGEST = 100_000  # characters of a text repeated: thrice 300 times would be gigabytes of our own making
WHOLE = ([], {}, None, True, False, [[]], {"": {}}, [None] * 50, [0, "", {}])


def value(rng: random.Random) -> Any:
    """Something that nobody expects."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return rng.choice(NUMBERS)
    return (
        deep(rng.choice((5, 45, 120)))
        if kind == 2 and rng.random() < 0.2
        else copy.deepcopy(rng.choice(WHOLE))
    )


def deep(levels: int) -> Any:
    """Lists and objects in each other."""
    made: Any = 1
    for level in range(levels):
        made = [made] if level % 2 else {"a": made}
    return made


def document(original: Any, rng: random.Random) -> Any:
    """A copy with one to three places spoilt."""
    made = json.loads(json.dumps(original))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(made))
        if not places:
            return value(rng)
        holder, key = rng.choice(places)
        _spoil(holder, key, rng)
    return made


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield node, key
        yield from _places(inner)


def _spoil(holder: Any, key: Any, rng: random.Random) -> None:
    action = rng.randrange(8)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 2, 40)))
    elif action == 2 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder[key]
    elif action == 3 and isinstance(holder[key], int | float):
        holder[key] = rng.choice((-holder[key], holder[key] * 1e6, str(holder[key]), [holder[key]]))
    elif action == 4 and isinstance(holder[key], str):
        longer = holder[key] * min(300, 1 + LONGEST // (1 + len(holder[key])))
        holder[key] = rng.choice((longer, holder[key][:-1], holder[key] + rng.choice(TEXTS)))
    elif action == 5:
        holder[key] = rng.choice(({"a": holder[key]}, [holder[key]], [holder[key]] * 3))
    else:
        holder[key] = value(rng)


def data(original: bytes, rng: random.Random) -> bytes:
    """A copy with bytes flipped, cut out, doubled or cut off."""
    made = bytearray(original)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not made:
            break
        at, action = rng.randrange(len(made)), rng.randrange(7)
        length = rng.choice((1, 2, 8, 100))
        if action == 0:
            made[at] = rng.randrange(256)
        elif action == 1:
            del made[at : at + length]
        elif action == 2:
            made[at:at] = made[at : at + length] * rng.choice((1, 20))
        elif action == 3:
            made[at:at] = bytes(rng.randrange(256) for _ in range(length))
        elif action == 4:
            made[at:at] = rng.choice(TEXTS).encode(errors="surrogatepass")[:200]
        elif action == 5:
            made[at:at] = rng.choice((b"[", b'{"a":', b"- ")) * 2_000
        else:
            del made[at:]
    return bytes(made)
