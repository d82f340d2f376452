"""A pretend board: namespaces of its own, with its own sshd and its own engine, up in about a second.

Faults are methods. What differs from a real board: kernel, CPU and disk are this machine's.
"""

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PATIENCE
from tests.service import leases

HERE = Path(__file__).parent
CONTAINERD_STORE = '{"features": {"containerd-snapshotter": true}}'
USERS = {
    "bench": ("docker",),
    "guest": (),
}  # name -> further groups; both also have the password of their name
# Keys are agreed on as with JetPack 4 and 5; what newer versions prefer takes 0.14 core-seconds each time.
SSHD_CONFIG = """\
Port 22
KexAlgorithms curve25519-sha256
HostKey /run/board/etc/host_key
PidFile /run/sshd.pid
LogLevel VERBOSE
UsePAM no
StrictModes no
AuthorizedKeysFile /run/board/etc/authorized_keys
Subsystem sftp /usr/lib/openssh/sftp-server
"""


def run(*command: str, check: bool = True) -> str:
    """What `command` printed, stderr included."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


class Board:
    """One board. `up` starts it, `down` removes every trace of it; between them it can be hurt.

    name: its host name; public_key: the key that may log in, None for a board without sshd;
    dockerd: further flags; sshd: further lines of sshd_config; disk_mb: engine data on a disk this small;
    modern: folder of an unpacked newer engine (tests/service/modern.py), with containerd's image store;
    uplink: route to the internet through this machine; lasting: outlive this process (until `fleet down`).
    """

    def __init__(
        self,
        name: str,
        public_key: str | None = None,
        *,
        dockerd: tuple[str, ...] = ("--live-restore",),
        sshd: str = "",
        disk_mb: int | None = None,
        uplink: bool = False,
        modern: Path | None = None,
        lasting: bool = False,
    ) -> None:
        self.name = name
        self.public_key = public_key
        self.dockerd = dockerd
        self.sshd = sshd
        self.disk_mb = disk_mb
        self.uplink = uplink
        self.modern = modern
        self.lasting = lasting
        self.lease = leases.take_free()
        self.number = self.lease.number
        self.folder = self.lease.folder
        self.ip = f"10.99.{self.number}.2"
        self.host_ip = f"10.99.{self.number}.1"
        self.namespace = f"ob{self.number}"
        self.process: subprocess.Popen[bytes] | None = None

    # Life

    def __enter__(self) -> "Board":
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self, wait: bool = True) -> None:
        """Plug in and switch on; with `wait` until sshd and the engine answer."""
        self._write_files()
        self._plug_in()
        self.switch_on(wait)

    def switch_on(self, wait: bool = True) -> None:
        """Boot: also after a power cut, with everything that was on disk."""
        environment = dict(os.environ, DOCKERD_ARGS=" ".join(self.dockerd))
        if self.modern:
            (self.folder / "etc/daemon.json").write_text(CONTAINERD_STORE)
            environment |= {
                "ENGINE": str(self.modern),
                "DOCKERD_ARGS": f"{environment['DOCKERD_ARGS']} --config-file /run/board/etc/daemon.json",
            }
        command = [
            "nsenter",
            f"--net=/var/run/netns/{self.namespace}",
            "unshare",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
        ]
        command += ["--fork", "--kill-child", "--mount-proc", "/bin/bash", str(HERE / "board_init.sh")]
        command += [str(self.folder), self.name, str(self.number), "ON" if self.public_key else "OFF"]
        with (self.folder / "log/init.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[self.lease.handle] if self.lasting else [],
            )
        (self.folder / "pid").write_text(str(self.process.pid))
        if wait:
            self.wait_ready()

    def power_cut(self) -> None:
        """SIGKILL to everything on the board at once; disks stay, memory and mounts are gone."""
        stop_processes(self.folder)
        if self.process:
            self.process.wait(PATIENCE)

    def down(self) -> None:
        """Switch off and remove every trace."""
        self.power_cut()
        remove_traces(self.number)
        self.lease.release()

    def wait_ready(self, timeout: float = PATIENCE) -> None:
        """Return when sshd and the engine answer; raise TimeoutError with the engine's log otherwise."""
        end = time.monotonic() + timeout
        while not (self._sshd_answers() and self._engine_answers()):
            if time.monotonic() > end or (self.process and self.process.poll() is not None):
                logs = "\n".join(self.log(name)[-2000:] for name in ("init", "sshd", "dockerd"))
                raise TimeoutError(f"{self.name} does not come up:\n{logs}")
            time.sleep(0.05)

    # Use

    @property
    def docker_socket(self) -> Path:
        """The engine's socket as seen from outside, past sshd and network."""
        return self.folder / "shared/docker.sock"

    @property
    def docker_host(self) -> str:
        return f"unix://{self.docker_socket}"

    @property
    def known_hosts_line(self) -> str:
        return f"{self.ip} {' '.join((self.folder / 'etc/host_key.pub').read_text().split()[:2])}\n"

    def sh(self, script: str, check: bool = True) -> str:
        """What a shell script, run on the board as root, prints."""
        return run(*self._enter("/bin/bash", "-c", script), check=check)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """The docker command, on the board."""
        return run("/usr/bin/docker", "-H", self.docker_host, *arguments, check=check)

    def load(self, image: bytes) -> None:
        """Load an image (see rootfs) into the engine, past ssh."""
        command = ["/usr/bin/docker", "-H", self.docker_host, "load", "-q"]
        subprocess.run(command, input=image, check=True, capture_output=True)

    def log(self, name: str) -> str:
        """The board's own log `sshd`, `dockerd` or `init`."""
        path = self.folder / f"log/{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # Faults

    def link(self, up: bool) -> None:
        """Pull the network cable or put it back: its own side notices, ours only sees silence."""
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up" if up else "down")
        if up and self.uplink:
            run("ip", "-n", self.namespace, "route", "replace", "default", "via", self.host_ip)

    def drop(self, on: bool) -> None:
        """Lose every packet to and from sshd without a word, as a dead router does."""
        for chain, port in (("INPUT", "--dport"), ("OUTPUT", "--sport")):
            self.sh(f"iptables --wait -{'I' if on else 'D'} {chain} -p tcp {port} 22 -j DROP")

    def throttle(self, rate: str | None) -> None:
        """Send to the board, and receive from it, at most at `rate` (as tc writes it: 100kbps = 100 kB/s)."""
        shape = ["tbf", "rate", rate or "", "burst", "16k", "latency", "200ms"]
        for where, device in ((["-n", self.namespace], "eth0"), ([], self._veth)):
            run("tc", *where, "qdisc", "del", "dev", device, "root", check=False)
            if rate:
                run("tc", *where, "qdisc", "add", "dev", device, "root", *shape)

    def kill_sshd(self) -> None:
        """End sshd and every session of it."""
        self.sh("pkill -9 -x sshd; true")

    def start_sshd(self) -> None:
        self._start("/run/start-sshd")

    def kill_dockerd(self, sign: str = "KILL") -> None:
        """End the engine: `KILL` crashes it, `TERM` stops it in order."""
        self.sh(f"pid=$(cat /run/docker.pid); kill -{sign} $pid; while [ -d /proc/$pid ]; do sleep .05; done")

    def start_dockerd(self) -> None:
        """Return when the engine answers: a new one, unless there is one that is only slow."""
        self._start("/run/start-dockerd")
        self.wait_ready()

    def fill_disk(self, leave_kb: int = 0) -> None:
        """Fill the small disk (`disk_mb`) but for `leave_kb`."""
        self.sh(
            "cd /var/lib/docker; for size in 1M 4k; do dd if=/dev/zero bs=$size >>fill 2>&-; sync; done;"
            f"[ {leave_kb} = 0 ] || truncate -s -{leave_kb}K fill; sync"
        )

    def free_disk(self) -> None:
        self.sh("rm -f /var/lib/docker/fill")

    def clean(self) -> None:
        """Remove every container and volume."""
        for listed, removed in (("ps -aq", "rm -f"), ("volume ls -q", "volume rm -f")):
            if found := self.docker(*listed.split()).split():
                self.docker(*removed.split(), *found)

    def mend(self) -> None:
        """Take back every fault, and clear away what was being done when it struck."""
        try:
            self.sh("true")  # on a board that is going down a process may be left; none can be started
        except (OSError, RuntimeError):
            self.power_cut()
            self.switch_on()
        self.link(True)
        self.throttle(None)
        self.sh("iptables --wait -F INPUT; iptables --wait -F OUTPUT")
        self.sh("pkill -CONT -x dockerd; rm -f /var/lib/docker/fill; true")
        for answers, start in (
            (self._sshd_answers, self.start_sshd),
            (self._engine_answers, self.start_dockerd),
        ):
            if not answers():
                start()
        self.wait_ready()
        self.clean()

    # Inside

    @property
    def _veth(self) -> str:
        return f"obv{self.number}"

    def _write_files(self) -> None:
        for name in ("log", "etc", "shared"):
            (self.folder / name).mkdir(exist_ok=True)
        etc = self.folder / "etc"
        (self.folder / "name").write_text(self.name)
        if self.lasting:
            (self.folder / "lasting").touch()
        (etc / "sshd_config").write_text(self.sshd + SSHD_CONFIG)  # sshd takes the first value of an option
        (etc / "authorized_keys").write_text(self.public_key or "")
        if not (etc / "host_key").exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(etc / "host_key"))
        self._write_users()
        if self.disk_mb:
            disk = self.folder / "disk.ext4"
            run("truncate", "-s", f"{self.disk_mb}M", str(disk))
            run("mkfs.ext4", "-q", "-m", "0", str(disk))

    def _write_users(self) -> None:
        passwd, group, shadow = (Path("/etc", name).read_text() for name in ("passwd", "group", "shadow"))
        for uid, (user, groups) in enumerate(USERS.items(), 2000):
            home = self.folder / "home" / user
            home.mkdir(parents=True, exist_ok=True)
            os.chown(home, uid, uid)
            passwd += f"{user}:x:{uid}:{uid}::/run/board/home/{user}:/bin/bash\n"
            shadow += f"{user}:{password_hash(user)}:19000:0:99999:7:::\n"
            group += f"{user}:x:{uid}:\n"
            for name in groups:
                lines = (line + user if line.startswith(f"{name}:") else line for line in group.split("\n"))
                group = "\n".join(lines)
        for name, text in (("passwd", passwd), ("group", group), ("shadow", shadow)):
            (self.folder / "etc" / name).write_text(text)

    def _plug_in(self) -> None:
        # Without this route, packets to a board whose cable is gone would leave by the default route.
        run("ip", "route", "replace", "unreachable", "10.99.0.0/16", "metric", "4000000000")
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self._veth, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "addr", "add", f"{self.host_ip}/30", "dev", self._veth)
        run("ip", "link", "set", self._veth, "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{self.ip}/30", "dev", "eth0")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up")
        if self.uplink:
            run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
            run("iptables", "--wait", "-t", "nat", "-I", "POSTROUTING", *masquerade(self.number))
            run("ip", "-n", self.namespace, "route", "replace", "default", "via", self.host_ip)

    def _enter(self, *command: str) -> list[str]:
        # nsenter and not `ip netns exec`, which mounts a new /sys and hides the cgroups from the engine.
        return ["nsenter", "-t", str(first_process(self.folder)), "-n", "-m", "-p", "-u", "-i", *command]

    def _start(self, script: str) -> None:
        null = subprocess.DEVNULL
        subprocess.Popen(self._enter(script), stdin=null, stdout=null, stderr=null, start_new_session=True)

    def _sshd_answers(self) -> bool:
        if not self.public_key:
            return True
        with contextlib.suppress(OSError), socket.create_connection((self.ip, 22), 1) as connection:
            return bool(connection.recv(4))
        return False

    def _engine_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.docker_socket))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        return False


@functools.cache
def password_hash(password: str) -> str:
    """As /etc/shadow wants it: a client that tries passwords would get in."""
    return run("openssl", "passwd", "-6", password).strip()


def masquerade(number: int) -> list[str]:
    """The rule that lets board `number` out, without the verb."""
    return ["-s", f"10.99.{number}.0/30", "!", "-d", "10.99.0.0/16", "-j", "MASQUERADE"]


def outer_process(folder: Path) -> int:
    """Pid of the `unshare` that holds the board in `folder`. Raises ProcessLookupError when it is off."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text())
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():  # numbers are reused
            return pid
    raise ProcessLookupError(f"the board in {folder} is switched off")


def first_process(folder: Path) -> int:
    """Host pid of process 1 of the board in `folder`. Raises ProcessLookupError when it is off."""
    pid = outer_process(folder)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if not children:
        raise ProcessLookupError(f"the board in {folder} is only starting")
    return int(children[0])


def stop_processes(folder: Path) -> None:
    """Kill process 1 of the board in `folder`; the kernel kills the rest. Returns when all are gone."""
    members: set[int] = set()
    with contextlib.suppress(ProcessLookupError, OSError):
        first = first_process(folder)
        members = set(pids_in_namespace(first))
        os.kill(first, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        outer = outer_process(folder)
        members.add(outer)  # a lasting board's lease ends with it
        os.kill(outer, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}/exe").exists() for pid in members) and time.monotonic() < end:
        time.sleep(0.02)


def pids_in_namespace(first: int) -> Iterator[int]:
    """Host pids of everything in the pid namespace of `first`."""
    wanted = os.readlink(f"/proc/{first}/ns/pid")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "ns/pid") == wanted:
                yield int(entry.name)


def remove_traces(number: int) -> None:
    """Namespace, network, cgroups and files of a board that is switched off."""
    run("ip", "netns", "del", f"ob{number}", check=False)
    run("ip", "link", "del", f"obv{number}", check=False)
    run("iptables", "--wait", "-t", "nat", "-D", "POSTROUTING", *masquerade(number), check=False)
    for root in (
        *Path("/sys/fs/cgroup").glob(f"*/orbitbench/{number}"),
        Path(f"/sys/fs/cgroup/orbitbench/{number}"),
    ):
        for path, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    shutil.rmtree(leases.BASE / str(number), ignore_errors=True)


def sweep() -> list[str]:
    """Remove boards whose test run is gone; their names."""
    swept = []
    for lease in leases.abandoned():
        name_file = lease.folder / "name"
        name = name_file.read_text() if name_file.exists() else ""
        stop_processes(lease.folder)
        remove_traces(lease.number)
        lease.release()
        swept.append(name)
    return swept
