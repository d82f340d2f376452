"""The doctor's verdicts: which facts are harmless, doubtful, or in the way, and what to do."""

import dataclasses

import pytest

from orchestrate.devices import Device
from orchestrate.doctor import checks, probe
from orchestrate.doctor.checks import BoardFacts
from orchestrate.doctor.judges import examine
from orchestrate.doctor.rights import Right
from orchestrate.doctor.visit import image_l4t, image_platforms, l4t_of_base, skew
from orchestrate.engine.connection import Info
from orchestrate.engine.errors import LockOwner
from tests.unit.orchestrate.test_doctor_probe import PI4, TX2

INFO = Info(
    name="board",
    architecture="arm64",
    version="20.10.24",
    api="1.41",
    kernel="6.6",
    system="Debian",
    cpus=4,
    memory=4_000_000_000,
    memory_limit=True,
    cgroup=2,
    runtimes=("io.containerd.runc.v2", "runc"),
    root="/var/lib/docker",
)
HEALTHY = probe.Facts(
    kernel="Linux",
    user="bench",
    time=0,
    model="",
    l4t_text="",
    l4t=None,
    nvidia_csv=(),
    tensorrt_python=(),
    memory_available=3_000_000_000,
    kernel_options=(),
    disk_free=20_000_000_000,
    governors=("performance",),
    temperature=45.0,
    throttled=0,
    power_mode=None,
    busy=0.01,
    processes=(),
)
NVPMODEL = Right("no", ("/usr/sbin/nvpmodel", "-m", "0"))
PI = Device(host="pi4", image="pi4", backend="onnxruntime")
JETSON = Device(host="tx2", image="jetson-tx2", backend="tensorrt", runtime="nvidia", power_mode="MAXN")


def patient(device: Device = PI, info: Info | None = INFO, **changes) -> BoardFacts:
    known = {field.name for field in dataclasses.fields(BoardFacts)}
    facts = dataclasses.replace(HEALTHY, **{key: value for key, value in changes.items() if key not in known})
    return BoardFacts(device, facts, info, **{key: value for key, value in changes.items() if key in known})


def found(name: str, it: BoardFacts) -> checks.Check:
    return next(check for check in examine(it) if check.name == name)


def test_a_healthy_board_has_nothing_but_ok():
    result = examine(patient(skew=0.0, image_platforms=("linux/arm64",), image_present=True))
    assert {check.level for check in result} == {"ok"}
    assert not [check.advice for check in result if check.advice]
    names = [check.name for check in result]
    assert {"engine", "architecture", "memory cgroup", "disk", "memory", "clock", "governor"} <= set(names)


@pytest.mark.parametrize(
    ("name", "level", "says", "changes"),
    [
        ("engine", "fail", "install Docker 20.10", {"info": dataclasses.replace(INFO, version="19.03.6")}),
        ("engine", "ok", "28.2.2", {"info": dataclasses.replace(INFO, version="28.2.2")}),
        ("architecture", "fail", "made for linux/amd64", {"image_platforms": ("linux/amd64",)}),
        ("image", "warn", "not there yet", {"image_present": False}),
        ("memory cgroup", "warn", "cgroup", {"info": dataclasses.replace(INFO, memory_limit=False)}),
        ("disk", "fail", "docker system prune", {"disk_free": 400_000_000}),
        ("memory", "fail", "100 MB free, 200 MB wanted", {"memory_available": 100_000_000}),
        ("clock", "warn", "+86400 s", {"skew": 86400.0}),
        ("governor", "warn", "clocks change", {"governors": ("ondemand",)}),
        ("throttling", "fail", "now: undervoltage", {"throttled": 0x50005}),
        ("throttling", "warn", "a reboot clears this", {"throttled": 0x20000}),
        ("throttling", "warn", "cool it", {"throttled": 0x40000}),
        ("temperature", "fail", "82 °C, limit 70 °C", {"temperature": 82.0}),
        ("load", "warn", "12.0 chromium", {"busy": 0.5, "processes": ("12.0 chromium",)}),
        ("containers", "warn", "web, db", {"others": ("web", "db")}),
        ("sudo", "fail", "NOPASSWD: /usr/sbin/nvpmodel -m 0", {"rights": (NVPMODEL,)}),
        ("commands", "fail", "not on the board: x", {"rights": (Right("missing", ("x",)),)}),
        ("sudo", "fail", "apt install sudo", {"rights": (Right("nosudo", ("/bin/x",)),)}),
        ("architecture", "fail", "32-bit", {"bits": 32, "image_platforms": ("linux/arm64",)}),
        (
            "architecture",
            "fail",
            "64-bit system",
            {"info": dataclasses.replace(INFO, programs="arm"), "image_platforms": ("linux/arm64",)},
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_cure(name, level, says, changes):
    check = found(name, patient(**changes))
    assert check.level == level
    assert says in f"{check.message} {check.advice}"


def test_every_complaint_comes_with_advice():
    old = dataclasses.replace(INFO, version="18.9", memory_limit=False)
    ill = patient(JETSON, old, throttled=5, busy=0.9,
                  temperature=99.0, disk_free=0, memory_available=0, governors=("ondemand",), skew=-99.0,
                  image_l4t=(32, 7), image_platforms=("linux/amd64",), image_present=False, others=("x",),
                  power_mode="MAXQ", rights=(NVPMODEL,))  # fmt: skip
    complaints = [check for check in examine(ill) if check.level != "ok"]
    assert len(complaints) > 12
    assert [check.name for check in complaints if not check.advice] == []


@pytest.mark.parametrize(
    ("image", "board", "level"),
    [
        ((32, 7), (32, 7), "ok"),
        ((32, 7), (32, 6), "fail"),
        ((32, 7), (35, 4), "fail"),
        ((35, 4), (35, 1), "ok"),
        ((35, 4), (36, 2), "fail"),
        ((35, 4), None, "fail"),
        ((36, 2), (36, 2), "ok"),
        ((36, 2), (36, 3), "ok"),
        ((36, 2), (36, 4), "fail"),
        ((36, 4), (38, 2), "fail"),
        ((38, 2), (39, 0), "ok"),
        ((32, 6), (32, 6), "ok"),
    ],
)
def test_an_image_of_one_jetpack_is_not_for_a_board_of_another(image, board, level):
    assert found("jetpack", patient(JETSON, image_l4t=image, l4t=board)).level == level


def test_jetpack_4_must_lend_its_libraries():
    complete = BoardFacts(JETSON, probe.facts(TX2), INFO, image_l4t=(32, 7))
    assert found("mounted libraries", complete).level == "ok"
    lacking = dataclasses.replace(
        complete, facts=dataclasses.replace(complete.facts, nvidia_csv=("cuda.csv",))
    )
    assert "nvidia-container-csv-tensorrt" in found("mounted libraries", lacking).advice


def test_a_list_that_does_not_name_tensorrts_python_module_is_mended_by_one_line():
    complete = BoardFacts(JETSON, probe.facts(TX2), INFO, image_l4t=(32, 7))
    for lines in ((), ("lib, /usr/lib/python3.6/dist-packages/tensorrt/tensorrt.so",)):
        facts = dataclasses.replace(complete.facts, csv_python=lines)
        check = found("mounted libraries", dataclasses.replace(complete, facts=facts))
        assert check.level == "fail"
        assert "echo 'dir, /usr/lib/python3.6/dist-packages/tensorrt' | sudo tee -a" in check.advice


@pytest.mark.parametrize(
    ("base", "release"),
    [
        ("nvcr.io/nvidia/l4t-jetpack:r35.4.1@sha256:00", (35, 4)),
        ("nvcr.io/nvidia/l4t-tensorrt:r8.5.2-runtime", (35, 2)),
        ("nvcr.io/nvidia/l4t-cuda:10.2.460-runtime", (32, 7)),
        ("nvcr.io/nvidia/l4t-cuda:99.1-runtime", None),
        ("docker.io/library/python:3.11", None),
    ],
)
def test_a_tag_that_is_not_a_release_of_l4t_is_not_taken_for_one(base, release):
    assert l4t_of_base(base) == release


def test_a_jetson_without_the_nvidia_runtime_cannot_run():
    assert found("nvidia runtime", patient(JETSON)).level == "fail"
    with_it = dataclasses.replace(INFO, runtimes=("nvidia", "runc"))
    assert found("nvidia runtime", patient(JETSON, with_it)).level == "ok"


def test_a_power_mode_that_prepare_will_set_is_no_complaint():
    assert found("power mode", patient(JETSON, power_mode="MAXQ")).level == "warn"
    prepared = JETSON.model_copy(update={"prepare": [["sudo", "-n", "nvpmodel", "-m", "0"]]})
    assert found("power mode", patient(prepared, power_mode="MAXQ")).level == "ok"
    assert found("power mode", patient(JETSON, power_mode="MAXN")).level == "ok"


def test_a_raspberry_pi_learns_where_to_switch_the_memory_cgroup_on():
    pi = BoardFacts(PI, probe.facts(PI4), dataclasses.replace(INFO, memory_limit=False))
    assert "/boot/firmware/cmdline.txt" in found("memory cgroup", pi).advice


def test_a_held_board_names_the_run_and_how_to_free_it():
    lock_owner = LockOwner(
        "orbitbench", {"orbitbench.run": "20261122-demo"}, "exited", "2026-11-22T19:00:00Z"
    )
    check = found("lock", patient(lock_owner=lock_owner))
    assert check.message == "held by run 20261122-demo (exited)"
    assert check.advice == "`orchestrate collect 20261122-demo`"


@pytest.mark.parametrize(
    ("theirs", "expected"), [(100, 0.0), (101, 0.0), (99, 0.0), (111, 8.0), (50, -49.0), (86500, 86397.0)]
)
def test_a_clock_is_only_blamed_for_what_the_question_did_not_take(theirs, expected):
    assert skew(theirs, asked=100.0, answered=102.0) == expected


def test_images_tell_their_platforms_and_their_jetpack():
    assert image_l4t(JETSON) == (32, 7)
    assert image_l4t(PI) is None
    assert "linux/arm64" in image_platforms(PI)
    assert image_platforms(PI.model_copy(update={"image": "registry.example/own:1"})) == ()
