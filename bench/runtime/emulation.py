"""Is this CPU real? An emulated one runs the code but knows nothing of its speed."""

import os
from typing import Optional

from bench.runtime.sources import read_text

X86 = ("x86_64", "i686", "i586")


def emulated(root: str = "") -> Optional[str]:
    """`qemu-user`, `qemu-system`, or None."""
    return qemu_user(root) or qemu_system(root)


def qemu_user(root: str = "", machine: str = "", pid: int = 0) -> Optional[str]:
    """`qemu-user` where a user-mode emulator interprets this very process.

    The emulator fakes /proc/self, but not what it shows of others, nor (before version 8) /proc/cpuinfo.
    """
    machine = machine or os.uname().machine
    try:
        other = os.readlink("{}/proc/{}/exe".format(root, pid or os.getppid()))
    except OSError:
        other = ""
    if os.path.basename(other).startswith("qemu-"):
        return "qemu-user"
    info = read_text(root + "/proc/cpuinfo") or ""
    shows_x86 = "GenuineIntel" in info or "AuthenticAMD" in info
    return "qemu-user" if shows_x86 and machine not in X86 else None


def qemu_system(root: str = "") -> Optional[str]:
    """`qemu-system` on the boards that only QEMU makes: Arm's `virt`, or an x86 machine interpreted by
    TCG."""
    tree = read_text(root + "/proc/device-tree/compatible") or ""
    if "linux,dummy-virt" in tree:
        return "qemu-system"
    vendor = read_text(root + "/sys/class/dmi/id/sys_vendor") or ""
    sources = read_text(root + "/sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    return "qemu-system" if "QEMU" in vendor and "kvm-clock" not in sources else None
