"""Is this CPU real? An emulated one runs the code, but not at the speed of a real one."""

import os
from typing import Optional

from bench.runtime.machine.procfs import read_text

X86_VENDORS = ("GenuineIntel", "AuthenticAMD")


def emulated(root: str = "") -> Optional[str]:
    """Return `qemu-user`, `qemu-system`, the name of another emulator, or None for a real or a virtualised
    CPU."""
    return user_mode(root) or whole_machine(root)


def user_mode(root: str = "", machine: str = "") -> Optional[str]:
    """Return the emulator that interprets this very process, if one does.

    It answers /proc/self/exe with the program it runs, while the kernel, asked for the same under the name
    /proc/thread-self, names the emulator itself (seen with qemu 7.2). Before qemu 8 /proc/cpuinfo, too, is
    the host's, and then names a vendor whose CPUs cannot be of our architecture.
    """
    claimed, real = _link(root + "/proc/self/exe"), _link(root + "/proc/thread-self/exe")
    if claimed and real and claimed != real:
        name = os.path.basename(real)
        return "qemu-user" if name.startswith("qemu-") else name
    information = read_text(root + "/proc/cpuinfo") or ""
    foreign = (machine or os.uname().machine) not in ("x86_64", "i686", "i586", "i486", "i386")
    return "qemu-user" if foreign and any(v in information for v in X86_VENDORS) else None


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def whole_machine(root: str = "") -> Optional[str]:
    """Return `qemu-system` on boards that only QEMU makes: Arm's `virt`, or x86 without KVM's clock."""
    tree = read_text(root + "/proc/device-tree/compatible") or ""
    if "linux,dummy-virt" in tree:
        return "qemu-system"
    vendor = read_text(root + "/sys/class/dmi/id/sys_vendor") or ""
    clocks = read_text(root + "/sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    return "qemu-system" if "QEMU" in vendor and "kvm-clock" not in clocks else None
