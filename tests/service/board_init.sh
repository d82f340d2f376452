#!/bin/bash
# Process 1 of a pretend board: its own network, mounts, processes and host name; its own sshd and engine.
# $1 folder of the board, $2 its host name, $3 its number, $4 ON when it has an sshd. DOCKERD_ARGS: more flags; ENGINE: folder of another engine. A file
# disk.ext4 in the folder becomes the engine's small disk. SIGKILL to this process is a power cut.
set -eu
DIR=$1 NAME=$2 NUMBER=$3 SSHD=$4
mount --make-rprivate /
hostname "$NAME"
mkdir -p "$DIR"/{root,home,tmp,log,etc,docker,shared}

# An own /run puts docker.sock and every pid file at its usual path, with nothing to configure.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock /run/board /run/engine /var/lib/docker /var/lib/containerd
mount --bind "$DIR" /run/board  # from here on by these names: both may lie under /tmp
[ -z "${ENGINE:-}" ] || mount --bind "$ENGINE" /run/engine
for file in passwd group shadow; do mount --bind "/run/board/etc/$file" "/etc/$file"; done
mount --bind "/run/board/root" /root
mount --bind "/run/board/tmp" /tmp
chmod 1777 /tmp
if [ -f /run/board/disk.ext4 ]; then mount -o loop /run/board/disk.ext4 /var/lib/docker
else mount --bind "/run/board/docker" /var/lib/docker; fi

# A machine has a new boot id each time it starts; namespaces share the host's.
cat /proc/sys/kernel/random/uuid >"/run/board/etc/boot_id"
mount --bind "/run/board/etc/boot_id" /proc/sys/kernel/random/boot_id
ip link set lo up

cat >/run/start-sshd <<'S'
#!/bin/sh
exec setsid env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/sshd -D -e -f /run/board/etc/sshd_config \
  </dev/null >>/run/board/log/sshd.log 2>&1
S
cat >/run/start-dockerd <<S
#!/bin/sh
# A living engine may be slow to answer: a second one would start on the same data. What a dead one left goes:
# its number may be another program's by now.
case \$(readlink "/proc/\$(cat /run/docker.pid)/exe") in */dockerd) exit ;; esac 2>/dev/null
rm -f /run/docker.pid
exec setsid env -i PATH=/run/engine/usr/sbin:/run/engine/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root ${ENGINE:+/run/engine}/usr/sbin/dockerd --cgroup-parent /orbitbench/$NUMBER \\
  -H unix:///run/docker.sock -H unix:///run/board/shared/docker.sock ${DOCKERD_ARGS:-} \\
  </dev/null >>/run/board/log/dockerd.log 2>&1
S
chmod +x /run/start-sshd /run/start-dockerd
[ "$SSHD" != ON ] || /run/start-sshd &
/run/start-dockerd &
trap 'exit 0' TERM
while :; do sleep 3600 & wait $! || true; done
