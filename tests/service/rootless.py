"""A rootless engine on a pretend board, beside which the engine of root is stopped."""

import shutil

from tests.service.board import USERS, Board

UID = 2000 + list(USERS).index("bench")
SOCKET = f"/run/user/{UID}/docker.sock"
NEEDS = {"newuidmap": "uidmap", "slirp4netns": "slirp4netns", "rootlesskit": "rootlesskit"}
# As Docker's documentation has it, with Debian's dockerd-rootless.sh. A pretend board lacks a tun
# that its user may open, as /dev is this machine's; data that are not below /run, which it fills with
# links; and a /proc on which nothing is mounted, as the kernel else gives a user namespace none.
START = rf"""
set -e
for file in subuid subgid; do
  (cat /etc/$file; echo bench:200000:65536) >/run/$file
  mount --bind /run/$file /etc/$file
done
mknod -m 666 /run/tun c 10 200
mount --bind /run/tun /dev/net/tun
mkdir -p /run/user/{UID} /tmp/engine /tmp/proc
mount -t proc proc /tmp/proc
chown {UID}:{UID} /run/user/{UID} /tmp/engine
chmod 700 /run/user/{UID} /tmp/engine
cat >/run/start-rootless <<'S'
#!/bin/sh
export HOME=/tmp/engine XDG_RUNTIME_DIR=/run/user/{UID} PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec setpriv --reuid bench --regid bench --init-groups \
  /bin/sh /usr/share/docker.io/contrib/dockerd-rootless.sh >/run/board/log/rootless.log 2>&1
S
chmod +x /run/start-rootless
(setsid /run/start-rootless </dev/null >/dev/null 2>&1 &)
for turn in $(seq 600); do [ -S {SOCKET} ] && exit 0; sleep 0.1; done
cat /run/board/log/rootless.log
exit 1
"""


def missing() -> str:
    """Why no rootless engine can run here; empty when one can."""
    packages = [package for program, package in NEEDS.items() if not shutil.which(program)]
    return f"a rootless engine needs the Debian packages {' '.join(packages)}" if packages else ""


def start(board: Board) -> None:
    """Stop the board's engine and start one of its user `bench`, which listens at `SOCKET`."""
    board.kill_dockerd("TERM")
    board.sh("rm -f /run/docker.sock")
    board.sh(START)
