"""Build one target: with `docker buildx bake` where that exists, else with the classic builder."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchestrate.engine.errors import DiskFull, EngineError, EngineRefused, WrongArchitecture
from orchestrate.engine.image_store import ImageEngine, ImageInfo
from orchestrate.errors import OrbitError
from orchestrate.images import bake, context, labels, requirements
from orchestrate.images.lockfile import Built
from orchestrate.images.manifest import OWN_BASE, Project, Target

REGISTER = "docker run --privileged --rm tonistiigi/binfmt:qemu-v9.2.2 --install"
DEBIAN_REGISTER = "apt-get install qemu-user-static binfmt-support"
LOOK = """\
import sys, importlib.util as u, bench.runtime.__main__
lost = [name for name in sys.argv[1:] if u.find_spec(name) is None]
sys.exit('its Python finds no module ' + ', '.join(lost) if lost else 0)
"""
Say = Callable[[str], None]
UNPINNED = "ORBITBENCH_UNPINNED_BASE"


def build(project: Project, target: Target, engine: ImageEngine, say: Say, cache: bool = True) -> Built:
    """Build `target`, then give it its tag; raises OrbitError, the old tag then where it was."""
    say("preparing the context")
    folder = context.prepare(project, target)
    _need_base(project, target, engine, say)
    packages = {} if target.image.debian else requirements.pins(requirements.read_lock(project, target))
    marks = labels.of(target, packages, project.root)
    try:
        made = _bake(project, target, marks, engine, say) if _has_buildx() else None
        made = made or engine.build(folder, labelled(folder, marks), target.platform, target.base, say, cache)
        info = engine.get(made)
        if info.architecture != target.arch:
            raise OrbitError(
                f"{target.key}: it was built for {info.architecture}, not {target.arch}: nothing was tagged"
            )
        _need_modules(target, set(packages), made, engine)
        engine.tag(made, target.tag)
    except EngineError as error:
        raise OrbitError(f"{target.key}: {_explain(error, target)}") from error
    finally:
        if engine.find(_provisional(target)):  # also of a build that failed after its export
            engine.untag(_provisional(target))
    return _describe(target, info)


def _need_modules(target: Target, packages: set[str], made: str, engine: ImageEngine) -> None:
    """Refuse an image that cannot infer: its Python starts the runtime and finds every module of `finds`.

    They are found, not imported: TensorRT's libraries load only beside the board's driver. On another base
    than the manifest's only what comes in `packages` is looked for: TensorRT would be part of the base.
    """
    own = target.base == target.image.base
    wanted = [name for name in target.image.finds if own or name in packages]
    if not wanted:
        return
    code, output = engine.try_out(made, ["python3", "-c", LOOK, *wanted])
    if code:
        last = (output.strip().splitlines() or [f"exit code {code}"])[-1]
        raise OrbitError(f"{target.key}: the image cannot infer ({last}): nothing was tagged")


def labelled(folder: Path, marks: dict[str, str]) -> str:
    """Write the Dockerfile with all labels as its last step (the API makes a step of each); its name."""
    quoted = (
        f"{key}={json.dumps(value).replace('$', chr(92) + '$')}" for key, value in sorted(marks.items())
    )
    text = (folder / "Dockerfile").read_text() + f"LABEL {' '.join(quoted)}\n"
    (folder / "Dockerfile.labelled").write_text(text)
    return "Dockerfile.labelled"


def _describe(target: Target, info: ImageInfo) -> Built:
    """Return the lock's entry of a built image."""
    revision = info.labels.get("org.opencontainers.image.revision", "unknown")
    return Built(content=info.content, base=target.base, revision=revision, size=info.size, tag=target.tag)


def _need_base(project: Project, target: Target, engine: ImageEngine, say: Say) -> None:
    """Have the base in the engine, for the right platform: the own one is built, others are pulled."""
    if target.image.debian:
        return
    own = project.target(OWN_BASE, target.platform) if OWN_BASE in project.images.images else None
    found = engine.find(target.base)
    if own and target.base == own.tag:
        if found is None or not _current(project, own):
            build(project, own, engine, lambda line: say(f"{own.key}: {line}"))
        return
    if found is not None and found.architecture == target.arch:
        return
    if "@sha256:" not in target.base and not os.environ.get(UNPINNED):
        raise OrbitError(
            f"{target.key}: its base {target.base} has no digest, so the registry decides what it is: give "
            f"`--base {target.base}@sha256:...`, or accept what the registry sends with {UNPINNED}=1"
        )
    say(f"pulling {target.base}")
    try:
        engine.pull(target.base, target.platform)
    except EngineError as error:
        advice = f"check network and name, or build on Debian's packages: --base {OWN_BASE}"
        raise OrbitError(
            f"{target.key}: its base {target.base} cannot be pulled ({error.what}): {advice}"
        ) from error


def _current(project: Project, own: Target) -> bool:
    return (project.root / bake.CONTEXTS / own.context_name / "rootfs.tar").is_file()


def _explain(error: EngineError, target: Target) -> str:
    """Return the engine's error with what to do about it, where that is known."""
    if isinstance(error, WrongArchitecture) or "exec format error" in error.what:
        return (
            f"this machine cannot run {target.arch} programs (exec format error): register the emulator with "
            f"`{REGISTER} {target.arch}`, on Debian with `{DEBIAN_REGISTER}`"
        )
    if isinstance(error, DiskFull) or "no space left" in error.what:
        return "the engine's disk is full: free some with `docker image prune`"
    return error.what


def _has_buildx() -> bool:
    """Return whether the docker command has its buildx plugin; ORBITBENCH_BUILDER=classic does without it."""
    docker = shutil.which("docker")
    if not docker or os.environ.get("ORBITBENCH_BUILDER") == "classic":
        return False
    return subprocess.run([docker, "buildx", "version"], capture_output=True, check=False).returncode == 0


def bake_command(target: Target) -> list[str]:
    """Return `docker buildx bake` of one target into the local engine, under a provisional tag."""
    settings = {
        "args.BASE": target.base,
        "context": f"{bake.CONTEXTS}/{target.context_name}",
        "tags": _provisional(target),
    }
    command = ["docker", "buildx", "bake", "--file", bake.FILE, "--progress", "plain"]
    for key, value in settings.items():
        command += ["--set", f"{target.key}.{key}={value}"]
    return [*command, target.key]


def _provisional(target: Target) -> str:
    """Return the name under which a build arrives in the engine before it is checked."""
    return f"orbitbench-build/{target.name}:{target.arch}"


def _bake(
    project: Project, target: Target, marks: dict[str, str], engine: ImageEngine, say: Say
) -> str | None:
    """Bake; the image's id. None for the own base, which is not in the bake file."""
    if target.image.debian:
        return None
    variables = {
        "DOCKER_HOST": engine.address,
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # they give an image a new digest at every build
        "REGISTRY": target.registry,
        "VERSION": target.version,
        "REVISION": marks["org.opencontainers.image.revision"],
        "CREATED": marks["org.opencontainers.image.created"],
    }
    output = _run(bake_command(target), project.root, variables, say)
    found = engine.find(_provisional(target))
    if found is None:
        raise EngineRefused("buildx", f"it left no image in this engine ({output})")
    return found.id


def _run(command: list[str], folder: Path, variables: dict[str, str], say: Say) -> str:
    """Run, printing its lines; return the last one. EngineRefused with the line that begins with ERROR."""
    lines = [""]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in filter(None, map(str.rstrip, process.stdout)):
            lines.append(line)
            say(line)
    if process.returncode:
        if any("exec format error" in line for line in lines):
            raise WrongArchitecture("buildx", "exec format error")
        errors = [line for line in lines if line.startswith("ERROR")]
        raise EngineRefused("buildx", (errors or lines)[-1].removeprefix("ERROR: "))
    return lines[-1]
