"""Stand-ins for the tools of a Jetson and for sudo: they ask, refuse and fail like the real ones.

They work on a tree of files that looks like the board's /sys and /etc, made by `install`. Behaviour as in
NVIDIA's jetson_clocks script and in nvpmodel's output that users publish (Orin: modes that want a reboot).
"""

from pathlib import Path

POLICY = "sys/devices/system/cpu/cpufreq/policy"
MODES = {
    "0": ("MAXN", 2265600),
    "2": ("MODE_15W", 1190400),
    "3": ("MODE_30W_ALL", 1497600),
    "1": ("MODE_10W", 1200000),
}

SUDO = r"""#!/bin/sh
[ "$1" = -n ] || { echo "stand-in: sudo without -n would ask" >&2; exit 99; }
shift
[ ! -e "$BOARD/password" ] || { echo "sudo: a password is required" >&2; exit 1; }
case "$1" in /*) ;; *) echo "sudo: $1: command not found" >&2; exit 1;; esac
echo "$*" >>"$BOARD/ran"
AS_ROOT=yes exec "$@"
"""
NVPMODEL = r"""#!/bin/sh
mode=$(cat "$BOARD/mode")
if [ "$1" = -q ]; then
  echo "NVPM WARN: fan mode is not set!"
  echo "NV Power Mode: $(sed -n "s/.*ID=$mode NAME=\([^ ]*\) .*/\1/p" "$BOARD/etc/nvpmodel.conf")"
  echo "$mode"
  exit 0
fi
[ -n "$AS_ROOT" ] || { echo "NVPM ERROR: Error opening /var/lib/nvpmodel/status: 13" >&2; exit 255; }
[ "$1" = -m ] || exit 255
grep -q "ID=$2 " "$BOARD/etc/nvpmodel.conf" || { echo "NVPM ERROR: Invalid power mode $2" >&2; exit 255; }
if [ "$2" = 1 ] || [ "$mode" = 1 ] && [ "$2" != "$mode" ]; then
  echo "NVPM WARN: Reboot required for changing to this power mode: $2"
  echo "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"
  read -r answer
  case "$answer" in YES|yes) touch "$BOARD/rebooted"; exit 255;; esac
  echo "NVPM ERROR: bad input!"
  exit 0
fi
[ ! -e "$BOARD/stuck" ] || exit 0
high=$(sed -n "s/.*ID=$2 NAME=[^ ]* MAX=\([0-9]*\).*/\1/p" "$BOARD/etc/nvpmodel.conf")
echo "$2" >"$BOARD/mode"
for p in "$BOARD"/sys/devices/system/cpu/cpufreq/policy*; do
  echo "$high" >"$p/scaling_max_freq"
  [ "$(cat "$p/scaling_min_freq")" -le "$high" ] || echo "$high" >"$p/scaling_min_freq"
done
"""
JETSON_CLOCKS = r"""#!/bin/sh
[ ! -e "$BOARD/young" ] || { echo "Please run the script after 40 Seconds"; exit 255; }
[ -n "$AS_ROOT" ] || { echo "Error: Run this script($0) as a root user"; exit 1; }
files=$(ls "$BOARD"/sys/devices/system/cpu/cpufreq/policy*/scaling_m*_freq)
case "$1" in
  --store)
    if [ -e "$2" ]; then
      echo "File $2 already exists. Can I overwrite it? Y/N:"
      read -r answer
      case "$answer" in y|Y) rm -f "$2";; *) echo "Error: file $2 already exists!"; exit 1;; esac
    fi
    for f in $files; do echo "$f:$(cat "$f")"; done >"$2";;
  --restore)
    [ -e "$2" ] || { echo "Error: $2 file not found !"; exit 1; }
    while IFS=: read -r f value; do echo "$value" >"$f"; done <"$2";;
  "")
    [ ! -e "$BOARD/lax" ] || exit 0
    for p in "$BOARD"/sys/devices/system/cpu/cpufreq/policy*; do
      cat "$p/scaling_max_freq" >"$p/scaling_min_freq"
    done;;
  *) echo "Unknown option: $1"; exit 1;;
esac
"""
TEE = r"""#!/bin/sh
[ -n "$AS_ROOT" ] || { echo "tee: $1: Permission denied" >&2; exit 1; }
read -r value
case "$value" in performance|ondemand|schedutil) echo "$value" | /usr/bin/tee "$1"; exit;; esac
echo "tee: $1: Invalid argument" >&2
exit 1
"""


def install(board: Path, mode: str = "2", jetson: bool = True) -> Path:
    """Make the tree of a board below `board`; the folder of its tools, which belongs first in PATH.

    The tools find the tree by the variable BOARD. Files in it are faults: `password`, `young`, ...
    """
    tools = board / "bin"
    tools.mkdir(parents=True)
    scripts = {
        "sudo": SUDO,
        "tee": TEE,
        **({"nvpmodel": NVPMODEL, "jetson_clocks": JETSON_CLOCKS} if jetson else {}),
    }
    for name, text in scripts.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    for number in ("0", "4"):
        policy = board / f"{POLICY}{number}"
        policy.mkdir(parents=True)
        for name, value in (
            ("governor", "ondemand"),
            ("min_freq", "115200"),
            ("max_freq", str(MODES[mode][1])),
        ):
            (policy / f"scaling_{name}").write_text(f"{value}\n")
    (board / "etc").mkdir()
    if jetson:
        lines = [f"< POWER_MODEL ID={key} NAME={name} MAX={high} >" for key, (name, high) in MODES.items()]
        (board / "etc/nvpmodel.conf").write_text("\n".join(lines) + "\n")
        (board / "mode").write_text(mode)
    return tools


def settings(board: Path) -> dict[str, str]:
    """Everything that a run may change: file -> content."""
    files = [*board.glob(f"{POLICY}*/*"), *board.glob("mode")]
    return {str(path.relative_to(board)): path.read_text().strip() for path in sorted(files)}
