"""A whole emulated arm64 machine: own kernel, sshd and engine, on a Cortex-A72 that qemu computes.

Slow, but real. Nothing emulated runs while it is built: Debian's packages are unpacked, not configured, and a
small script is process 1. `with QBoard(folder) as board:` builds (20 s; 4 s once the packages are in
build/testbed), boots (10 to 20 s) and switches off. Reached by ssh as `pi4-emulated` through `ssh_config`; it
reaches nothing itself.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.service.board import run
from tests.service.rootfs import CACHE

NAME = "pi4-emulated"
PACKAGES = (
    "docker.io,openssh-server,openssh-client,iptables,iproute2,kmod,dash,bash,coreutils,base-files,libc-bin,"
    "procps,grep,sed,util-linux,mount,findutils,busybox-static,linux-image-cloud-arm64"
)
NEEDS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-system-aarch64": "qemu-system-arm",
    "mke2fs": "e2fsprogs",
    "depmod": "kmod",
    "cpio": "cpio",
    "ssh-keygen": "openssh-client",
}
UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/run",
    "var/lock",
    "boot",
)
MODULES = ("virtio_mmio", "virtio_blk", "virtio_net")

INITRD = """\
#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t devtmpfs dev /dev
for module in $($B cat /modules/order); do $B insmod /modules/$module; done
i=0
while [ ! -b /dev/vda ] && [ $i -lt 100 ]; do $B usleep 50000; i=$((i+1)); done
$B mount -t ext4 /dev/vda /root
exec $B switch_root /root /board-init
"""
INIT = """\
#!/bin/busybox sh
# Process 1 of the emulated board.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev 2>/dev/null
$B mkdir -p /dev/pts /dev/shm
$B mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do $B mount -t tmpfs tmpfs $folder; done
$B mount -t cgroup2 none /sys/fs/cgroup
$B hostname pi4-emulated
$B mkdir -p /run/sshd /run/lock /var/lib/docker
modprobe overlay
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
/usr/sbin/sshd -e 2>/var/log/sshd.log
engine=
# dockerd gives up when its containerd needs more than 15 s, which it does while the host is busy: again then.
while ! docker version >/dev/null 2>&1; do
  if [ -z "$engine" ] || ! kill -0 "$engine" 2>/dev/null; then
    dockerd --iptables=false --bridge=none >>/var/log/dockerd.log 2>&1 &
    engine=$!
  fi
  $B sleep 0.5
done
echo BOARD-READY
while :; do $B sleep 3600; done
"""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n"
    "nobody:x:65534:65534::/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndocker:x:106:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/hosts": f"127.0.0.1 localhost {NAME}\n",
    "etc/ssh/sshd_config": "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\n"
    "UsePAM no\nAuthorizedKeysFile .ssh/authorized_keys\n",
}


def missing() -> str:
    """Why no emulated board can run here; empty when one can."""
    if os.geteuid() != 0:
        return "the emulated board needs root (to unpack a root file system with its owners)"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    packages = [package for program, package in NEEDS.items() if not shutil.which(program, path=path)]
    return f"the emulated board needs the Debian packages {' '.join(packages)}" if packages else ""


class QBoard:
    """One emulated board: `build` makes its disk, `boot` starts it, `power_cut` pulls the plug."""

    def __init__(
        self, folder: Path, *, cpus: int = 2, memory_mb: int = 2048, disk_gb: int = 4, clock_ahead: int = 0
    ) -> None:
        """clock_ahead: seconds that the board's clock is ahead of this machine's at power on."""
        self.folder = folder
        self.cpus = cpus
        self.memory_mb = memory_mb
        self.disk_gb = disk_gb
        self.clock_ahead = clock_ahead
        self.key = folder / "key"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "QBoard":
        try:
            self.build()
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.power_cut()
        self.disk.unlink(missing_ok=True)

    @property
    def disk(self) -> Path:
        return self.folder / "root.ext4"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def serial(self) -> str:
        """What the board's console shows."""
        path = self.folder / "serial.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def build(self) -> None:
        """Kernel, initial RAM disk, and a disk with everything installed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        with unpacked(packages(), self.folder / "root") as root:
            kernel = next((root / "lib/modules").iterdir()).name
            run("/sbin/depmod", "-b", str(root), kernel)
            shutil.copy(root / f"boot/vmlinuz-{kernel}", self.folder / "vmlinuz")
            self._write_initrd(root, kernel)
            self._write_system(root)
            lazy = "lazy_itable_init=1,lazy_journal_init=1"
            run("truncate", "-s", f"{self.disk_gb}G", str(self.disk))
            run("/sbin/mke2fs", "-q", "-t", "ext4", "-E", lazy, "-d", str(root), str(self.disk))

    def boot(self, timeout: float = 300) -> None:
        """Switch on, and wait for the engine. Raises TimeoutError with the console's last lines."""
        self.port = self.port or free_port()
        self._write_ssh_config()
        (self.folder / "serial.log").unlink(missing_ok=True)
        log = self.folder / "qemu.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + timeout
        while "BOARD-READY" not in self.serial:
            if time.monotonic() > end or self._process.poll() is not None:
                raise TimeoutError(f"{NAME} does not boot: {self.serial[-2000:]}{log.read_text()[-2000:]}")
            time.sleep(0.2)

    def power_cut(self) -> None:
        """SIGKILL to the machine; its disk keeps what had reached it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ssh(self, command: str, stdin: bytes | None = None, timeout: float = 120) -> str:
        """What a shell command prints there."""
        call = ["ssh", "-F", str(self.ssh_config), NAME, command]
        done = subprocess.run(call, input=stdin, capture_output=True, timeout=timeout, check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def _command(self) -> list[str]:
        # restrict=on: the guest reaches nothing; only its sshd is let in, on the loopback.
        network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        command = ["setpriv", "--pdeathsig", "KILL"]  # a crashed test run takes it along
        command += ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi"]
        command += ["-smp", str(self.cpus), "-m", str(self.memory_mb), "-display", "none", "-monitor", "none"]
        command += ["-serial", f"file:{self.folder}/serial.log", "-kernel", f"{self.folder}/vmlinuz"]
        command += ["-initrd", f"{self.folder}/initrd.gz", "-append", "console=ttyAMA0 quiet"]
        clock = datetime.now(UTC) + timedelta(seconds=self.clock_ahead)
        command += ["-rtc", f"base={clock:%Y-%m-%dT%H:%M:%S}"]
        command += ["-drive", f"file={self.disk},if=none,id=disk,format=raw,cache=unsafe"]
        command += ["-device", "virtio-blk-device,drive=disk", "-netdev", network]
        return [*command, "-device", "virtio-net-device,netdev=net"]

    def _write_initrd(self, root: Path, kernel: str) -> None:
        """Just enough to mount the disk: busybox and three drivers with what they need."""
        top = self.folder / "initrd"
        for name in ("bin", "proc", "sys", "dev", "root", "modules"):
            (top / name).mkdir(parents=True)
        shutil.copy(root / "bin/busybox", top / "bin/busybox")
        order = []
        for module in MODULES:
            shown = run("/sbin/modprobe", "-d", str(root), "-S", kernel, "--show-depends", module)
            for path in (Path(line.split()[1]) for line in shown.splitlines()):
                if path.name not in order:
                    order.append(path.name)
                    shutil.copy(path, top / "modules")
        (top / "modules/order").write_text("\n".join(order))
        (top / "init").write_text(INITRD)
        (top / "init").chmod(0o755)
        pack = "find . | cpio -o -H newc --quiet | gzip -1 >../initrd.gz"
        subprocess.run(pack, shell=True, cwd=top, check=True)
        shutil.rmtree(top)

    def _write_system(self, root: Path) -> None:
        for name in UNUSED:
            shutil.rmtree(root / name, ignore_errors=True)
        # A pid file that outlived a power cut would keep the engine from starting.
        for name, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
            (root / name).unlink(missing_ok=True)
            (root / name).symlink_to(target)
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "board-init").write_text(INIT)
        (root / "board-init").chmod(0o755)
        keys = root / "root/.ssh"
        keys.mkdir(mode=0o700, parents=True)
        (root / "root").chmod(0o700)
        shutil.copy(self.key.with_suffix(".pub"), keys / "authorized_keys")
        host_key = root / "etc/ssh/ssh_host_ed25519_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(host_key))
        shutil.copy(host_key.with_suffix(".pub"), self.folder / "host_key.pub")

    def _write_ssh_config(self) -> None:
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        self.ssh_config.write_text(
            f"Host {NAME}\n  HostName 127.0.0.1\n  Port {self.port}\n  User root\n  IdentityFile {self.key}\n"
            f"  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known}\n"
            "  GlobalKnownHostsFile none\n"
        )


def packages() -> Path:
    """The unpacked packages as one tar, made once (15 s, from Debian's mirror)."""
    path = CACHE / "qboard-arm64.tar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.tar")
        command = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", f"--include={PACKAGES}"]
        run(*command, "bookworm", str(part))
        part.replace(path)
    return path


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Path]:
    """`archive`'s files in `folder`, with owners and modes, removed afterwards."""
    folder.mkdir()
    try:
        run("tar", "-C", str(folder), "-xpf", str(archive))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
