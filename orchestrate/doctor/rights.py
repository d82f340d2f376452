"""Which commands a run gives to root on a board, whether sudo runs them unasked, and the rule for it."""

import re
import shlex
from collections.abc import Iterator
from typing import Literal, NamedTuple

from orchestrate.devices import Device

CLOCKS = ".local/state/orbitbench/clocks"  # of jetson_clocks, under the user's home
State = Literal["yes", "no", "missing", "nosudo"]
STATES: dict[str, State] = {"yes": "yes", "no": "no", "missing": "missing", "nosudo": "nosudo"}

# `ask TOOL ARGUMENTS-AS-QUOTED-TEXT ARGUMENT...` prints: state, path of the tool, the text. sudo itself looks
# only in its secure_path, so the rule names whole paths.
ASK = r"""
whole() {
  case "$1" in */*) [ -x "$1" ] && printf '%s' "$1"; return;; esac
  ( IFS=:; for d in $PATH; do [ -x "$d/$1" ] && { printf '%s' "$d/$1"; exit 0; }; done; exit 1 )
}
ask() {
  tool=$1 text=$2; shift 2
  p=$(whole "$tool") || { printf 'missing\t%s\t%s\n' "$tool" "$text"; return; }
  if [ "$(id -u)" = 0 ]; then state=yes
  elif ! whole sudo >/dev/null; then state=nosudo
  elif sudo -n -l "$p" "$@" >/dev/null 2>&1; then state=yes; else state=no; fi
  printf '%s\t%s\t%s\n' "$state" "$p" "$text"
}
"""
JETSON = rf"""
[ -e /etc/nvpmodel.conf ] || ask nvpmodel '-m 0' -m 0
for mode in $(sed -n 's/.*POWER_MODEL.*ID=\([0-9]*\) .*/\1/p' /etc/nvpmodel.conf 2>/dev/null); do
  ask nvpmodel "-m $mode" -m "$mode"
done
ask jetson_clocks ''
for what in --store --restore; do ask jetson_clocks "$what $HOME/{CLOCKS}" "$what" "$HOME/{CLOCKS}"; done
"""
GOVERNOR = r"""
for p in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; do
  [ -e "$p" ] && ask tee "$p" "$p"
done
"""
POWER = {"jetson": JETSON, "governor": GOVERNOR}


class Right(NamedTuple):
    """A command as root would run it, and what became of asking sudo for it."""

    state: State
    words: tuple[str, ...]


def script(device: Device) -> str:
    """Return the part of the probe that asks for every command of a device."""
    lines = [ASK, "s sudoers; sudo -n -l 2>/dev/null", "s rights", POWER.get(device.power or "", "")]
    for command in [*device.prepare, *device.restore]:
        if command[:2] == ["sudo", "-n"] and len(command) > 2:
            text = shlex.quote(shlex.join(command[3:]))
            lines.append(f"ask {shlex.quote(command[2])} {text} {shlex.join(command[3:])}")
    return "\n".join(lines)


def read(text: str, sudoers: str) -> tuple[Right, ...]:
    """Return what `script` printed, each command once.

    A command that sudo runs only after a password is refused.
    """
    found: dict[tuple[str, ...], Right] = {}
    for line in text.splitlines():
        parts = f"{line}\t".split("\t")[:3]  # the end of the last line may be lost
        if len(parts) != 3 or parts[0] not in STATES:
            continue
        try:
            words = (parts[1], *shlex.split(parts[2]))
        except ValueError:
            continue
        state = STATES[parts[0]]
        if state == "yes" and sudoers and not unasked(sudoers, words[0]):
            state = "no"
        found[words] = Right(state, words)
    return tuple(found.values())


def unasked(listing: str, path: str) -> bool:
    """Return whether `sudo -l` lists a path (or ALL) under NOPASSWD: `sudo -l COMMAND` succeeds for others
    too."""
    return any(entry.split()[0] in ("ALL", path) for entry in _free(listing))


def _free(listing: str) -> Iterator[str]:
    """The entries of a listing that need no password: a tag counts until the next one."""
    for line in listing.splitlines():
        match = re.match(r"\s*\([^)]*\)\s*(.*)", line)
        free = False
        for entry in re.split(r"(?<!\\),", match[1]) if match else []:
            words = entry.strip()
            while tag := re.match(r"(\w+):\s*", words):
                free = {"NOPASSWD": True, "PASSWD": False}.get(tag[1], free)
                words = words[tag.end() :]
            if free and words:
                yield words


def rule(user: str, commands: list[tuple[str, ...]]) -> str:
    """Return the line of sudoers that lets a user run exactly these commands without a password."""
    return f"{_escaped(user)} ALL=(root) NOPASSWD: {', '.join(map(_command, commands))}"


def _command(words: tuple[str, ...]) -> str:
    """Return a command as sudoers writes it; '""' is no argument at all."""
    return " ".join(map(_escaped, words)) if len(words) > 1 else f'{_escaped(words[0])} ""'


def _escaped(word: str) -> str:
    """Return a word of sudoers: what has a meaning there, wildcards included, has none."""
    return re.sub(r"([\\,:=*?\[\]!^# \t])", r"\\\1", word)


def advice(user: str, commands: list[tuple[str, ...]]) -> str:
    """Return what to paste on the board: the rule is installed only if visudo finds it sound."""
    line = shlex.quote(rule(user, commands))
    file = "orbitbench.sudoers"
    return (
        f"on the board: printf '%s\\n' {line} >{file} && sudo visudo -cf {file} && "
        f"sudo install -m 0440 {file} /etc/sudoers.d/orbitbench"
    )
