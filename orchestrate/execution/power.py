"""Power settings of a board for the time of a run: save what is, set what is wanted, verify, put back.

`power: jetson` sets the nvpmodel mode called `power_mode` and pins the clocks to that mode's maximum with
jetson_clocks. `power: governor` sets the CPU governor through sysfs. What was is kept by `owed` on the user's
machine, but for the clocks that jetson_clocks stores in a file of its own, in the user's home on the board.

Sources: NVIDIA's jetson_clocks script (--store asks where the file exists; older ones refuse within 90 s of
a boot), nvpmodel's messages as users report them, rbonghi/jetson_stats (pinned means minimum = maximum).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orchestrate.devices import Device
from orchestrate.doctor import rights
from orchestrate.doctor.probe import sections
from orchestrate.errors import CommandFailed, OrbitError, listed
from orchestrate.execution.board_commands import Commands
from orchestrate.execution.owed import SETTING

Say = Callable[[str], None]

LOOK = r"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/local/bin"
s() { printf '\n== %s\n' "$1"; }
s home; printf '%s\n' "$HOME"
s root; id -u
s tools; for tool in nvpmodel jetson_clocks tee; do
  p=$(command -v "$tool") && printf '%s %s\n' "$tool" "$p"
done
s mode; nvpmodel -q </dev/null 2>&1
s modes; grep POWER_MODEL "$root/etc/nvpmodel.conf" 2>/dev/null
s policies; for p in "$root"/sys/devices/system/cpu/cpufreq/policy*; do
  g=$(cat "$p/scaling_governor" 2>/dev/null) &&
    printf '%s %s %s %s\n' "${p##*/}" "$g" "$(cat "$p/scaling_min_freq")" "$(cat "$p/scaling_max_freq")"
done
"""
# Clocks stored since this boot are those of before a run that never put them back: they are kept.
CLOCKS = r"""
folder=$HOME/.local/state/orbitbench boot=/proc/sys/kernel/random/boot_id
umask 077; mkdir -p "$folder" && cd "$folder" || exit 1
if [ -e clocks ] && [ "$(cat clocks.boot 2>/dev/null)" = "$(cat "$boot")" ]; then echo stored; exit 0; fi
rm -f clocks clocks.boot && cat "$boot" >clocks.boot && echo none
"""
FORGET = 'cd "$HOME/.local/state/orbitbench" && rm -f clocks clocks.boot\n'


class Policy(NamedTuple):
    """CPUs that share a clock. `low`, `high`: its limits in kHz, as text."""

    governor: str
    low: str
    high: str


@dataclass(frozen=True)
class Look:
    """A board's power settings. mode: name and number of nvpmodel's, where the board has them."""

    home: str
    root: bool
    tools: Mapping[str, str]
    mode: tuple[str, str] | None
    modes: Mapping[str, str]
    policies: Mapping[str, Policy]

    def privileged(self, tool: str, *arguments: str) -> list[str]:
        """Return the argument list that runs a tool as root, never asking.

        OrbitError where the board lacks it.
        """
        if tool not in self.tools:
            raise OrbitError(f"this board has no {tool}: correct `power` of its entry in devices.yaml")
        return [*([] if self.root else ["sudo", "-n"]), self.tools[tool], *arguments]

    @property
    def clocks(self) -> str:
        """The file for jetson_clocks."""
        return f"{self.home}/{rights.CLOCKS}"

    @property
    def pinned(self) -> bool | None:
        """Whether no CPU clock may move; None where the board does not report it."""
        limits = [(policy.low, policy.high) for policy in self.policies.values()]
        return all(low == high for low, high in limits) if limits else None


def _read(text: str) -> Look:
    """Return what LOOK printed."""
    found = sections(text)
    mode = re.search(r"^NV Power Mode: *(\S+)\s+(\d+)\s*$", found.get("mode", ""), re.MULTILINE)
    named = re.findall(r"ID=(\d+)\s+NAME=([^\s>]+)", found.get("modes", ""))
    rows = [line.split() for line in found.get("policies", "").splitlines()]
    tools = [line.partition(" ") for line in found.get("tools", "").splitlines()]
    return Look(
        home=found.get("home", ""),
        root=found.get("root") == "0",
        tools={name: path for name, _, path in tools if path.startswith("/")},
        mode=(mode[1], mode[2]) if mode else None,
        modes={name: number for number, name in named},
        policies={row[0]: Policy(*row[1:]) for row in rows if len(row) == 4 and SETTING.fullmatch(row[0])},
    )


class Power:
    """The power settings of one board. root: precedes paths, so that tests can show another's."""

    def __init__(self, commands: Commands, root: str = "") -> None:
        self.commands, self.root = commands, root

    def look(self) -> Look:
        """Return what is set now."""
        return _read(self.commands.script(f"root={self.root}\n{LOOK}"))

    def save(self, device: Device) -> dict[str, str]:
        """Return what `restore` needs; nothing changes.

        OrbitError where the board cannot do what is wanted.
        """
        look = self.look()
        if device.power == "jetson":
            _, number = _mode_of(look)
            _wanted_mode(look, device.power_mode)
            if self.commands.script(CLOCKS).strip() != "stored":
                self.commands.run(look.privileged("jetson_clocks", "--store", look.clocks))
            return {"mode": number}
        if not look.policies:
            raise OrbitError("this board has no cpufreq: leave `power` out of its entry in devices.yaml")
        return {name: policy.governor for name, policy in look.policies.items()}

    def set(self, device: Device, say: Say) -> None:
        """Set what is wanted, and see that it is; raises CommandFailed where it is not."""
        if device.power == "governor":
            wanted = device.power_mode or "performance"
            return self._governors(dict.fromkeys(self.look().policies, wanted))
        look = self.look()
        self._mode(look, _wanted_mode(look, device.power_mode))
        self.commands.run(look.privileged("jetson_clocks"))
        if self.look().pinned is False:
            say("jetson_clocks left CPU clocks that may move; the records say so")
        return None

    def restore(self, power: str, before: Mapping[str, str]) -> None:
        """Put back what `save` returned."""
        if power == "governor":
            return self._governors(before)
        look = self.look()
        self._mode(look, before["mode"])  # first: the stored clocks are those of that mode
        if self.commands.script(CLOCKS).strip() == "stored":
            self.commands.run(look.privileged("jetson_clocks", "--restore", look.clocks))
        self.commands.script(FORGET)
        return None

    def _mode(self, look: Look, number: str) -> None:
        if _mode_of(look)[1] == number:
            return
        output = self.commands.run(look.privileged("nvpmodel", "-m", number), stdin="no\n")
        name, found = _mode_of(self.look())
        if found != number:
            raise CommandFailed(
                f"nvpmodel -m {number} left the board in mode {found} ({name}): {output[-200:]}"
            )

    def _governors(self, wanted: Mapping[str, str]) -> None:
        """Governors by policy; policies that are gone (a CPU switched off) are left alone."""
        look = self.look()
        for policy, governor in wanted.items():
            if policy in look.policies and look.policies[policy].governor != governor:
                path = _governor_file(policy, self.root)
                self.commands.run(look.privileged("tee", path), stdin=f"{governor}\n")
        for policy, found in self.look().policies.items():
            if found.governor != wanted.get(policy, found.governor):
                raise CommandFailed(f"{policy} kept governor {found.governor}, not {wanted[policy]}")


def _governor_file(policy: str, root: str = "") -> str:
    """Return the file whose content is the governor of a policy."""
    return f"{root}/sys/devices/system/cpu/cpufreq/{policy}/scaling_governor"


def _mode_of(look: Look) -> tuple[str, str]:
    """Return name and number of the power mode; OrbitError where `nvpmodel -q` does not report them."""
    if look.mode is None:
        raise OrbitError("`nvpmodel -q` names no power mode: is it a Jetson? correct `power` in devices.yaml")
    return look.mode


def _wanted_mode(look: Look, name: str | None) -> str:
    """Return the number of the mode `name` on this board, which may be given itself.

    None is the present one.
    """
    if name is None:
        return _mode_of(look)[1]
    if name in look.modes.values():
        return name
    if name not in look.modes:
        raise OrbitError(
            f"this board has no power mode {name!r} (known: {listed(look.modes)}): "
            "correct power_mode in devices.yaml"
        )
    return look.modes[name]


def facts(look: Look) -> dict[str, Any]:
    """Return what the records keep: what is set, never what was asked for."""
    governors = sorted({policy.governor for policy in look.policies.values()})
    return {
        "power_mode": look.mode[0][:80] if look.mode else None,
        "power_mode_id": int(look.mode[1]) if look.mode else None,
        "governors": [governor[:40] for governor in governors],
        "clocks_pinned": look.pinned,
    }
