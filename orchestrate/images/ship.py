"""Bring images to where they run: into a registry, from it by digest, or over SSH."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from orchestrate.engine import room
from orchestrate.engine.errors import DiskFull, EngineDown, EngineError
from orchestrate.engine.image_store import ImageEngine, ImageInfo, Progress, connected, quiet
from orchestrate.errors import OrbitError
from orchestrate.images import lockfile
from orchestrate.images.lockfile import Built
from orchestrate.images.manifest import Project, Target

Say = Callable[[str], None]


def push(target: Target, engine: ImageEngine, lock: Path, progress: Progress = quiet) -> Built:
    """Push a built image and write its digest into the lock; raises OrbitError, the lock then as it was."""
    info = engine.find(target.tag)
    if info is None:
        raise OrbitError(
            f"{target.key}: {target.tag} is not built here: `orchestrate images build {target.name}`"
        )
    _check_architecture(target, info)
    known = lockfile.read(lock).find(target.name, target.platform)
    try:
        digest = engine.push(target.tag, progress)
    except EngineError as error:
        raise OrbitError(
            f"{target.key}: the push to {target.registry} failed ({error.what}): the lock is unchanged"
        ) from error
    base = known.base if known and known.content == info.content else target.base
    revision = info.labels.get("org.opencontainers.image.revision", "unknown")
    built = Built(
        content=info.content, base=base, revision=revision, size=info.size, tag=target.tag, digest=digest
    )
    lockfile.record(lock, target.name, target.platform, built)
    return built


def pull(target: Target, engine: ImageEngine, lock: Path, progress: Progress = quiet) -> ImageInfo:
    """Have `engine` pull the locked digest, and check that it is the locked image; raises OrbitError."""
    built = _locked(target, lock)
    if built.by_digest is None:
        raise OrbitError(
            f"{target.key} was never pushed: `orchestrate images push {target.name}`, or `load` it over SSH"
        )
    _check_board(target, engine)
    found = engine.with_content(built.content, built.by_digest, built.tag)
    if found is None:
        # Compressed layers beside what they become; half is a guess that errs upwards for most images.
        room.check(engine.name, engine.free(), built.size * 3 // 2, f"{target.key} (compressed and unpacked)")
        try:
            found = engine.pull(built.by_digest, target.platform, progress)
        except EngineError as error:
            advice = f"`orchestrate images load {target.name} --device ...` needs no registry"
            raise OrbitError(
                f"{target.key}: {engine.name} cannot pull {built.by_digest} ({error.what}): {advice}"
            ) from error
    if found.content != built.content:
        raise OrbitError(
            f"{target.key}: the registry's image has content {found.content}, the lock has {built.content}: "
            "not used"
        )
    engine.tag(found.id, built.tag)
    return found


def load(
    target: Target, source: ImageEngine, board: ImageEngine, progress: Progress = quiet
) -> tuple[ImageInfo, bool]:
    """Stream an image from one engine into another; (image, whether anything was sent). Raises OrbitError.

    Equality is that of `ImageInfo.content`: ids differ between engines' image stores.
    """
    info = source.find(target.tag)
    if info is None:
        raise OrbitError(
            f"{target.key}: {target.tag} is not built here: `orchestrate images build {target.name}`"
        )
    _check_architecture(target, info)
    _check_board(target, board)
    present = board.with_content(info.content, target.tag)
    if present is None:
        # An engine keeps the archive whole while it unpacks it; older image stores send it uncompressed.
        room.check(board.name, board.free(), 2 * info.size, f"{target.key} (archive and layers)")
        present = _send(target, info, source, board, progress)
        sent = True
    else:
        sent = False
    board.tag(present.id, target.tag)
    return present, sent


def _send(
    target: Target, info: ImageInfo, source: ImageEngine, board: ImageEngine, progress: Progress
) -> ImageInfo:
    try:
        board.load(_counted(source.save(target.tag), info.size, progress))
    except EngineError as error:
        full = isinstance(error, DiskFull)
        advice = (
            "its disk is full, free some with `docker image prune` there" if full else "nothing was tagged"
        )
        raise OrbitError(
            f"{target.key}: {board.name} did not take the image ({error.what}): {advice}"
        ) from error
    arrived = board.with_content(info.content, target.tag)
    if arrived is None:
        raise OrbitError(
            f"{target.key}: what arrived on {board.name} is not the image that was sent: send it again"
        )
    return arrived


def ensure(project: Project, name: str, board: ImageEngine, lock: Path, say: Say) -> ImageInfo:
    """Return the image `name` on a board: there already, else by digest from the registry, else sent from
    here."""
    target = project.target(name, f"linux/{board.architecture()}")
    built = lockfile.read(lock).find(name, target.platform)
    found = board.with_content(built.content, built.tag) if built else None
    if found is not None:
        return found
    if built and built.digest:
        try:
            say(f"pulling {built.by_digest}")
            return pull(target, board, lock)
        except OrbitError as error:
            say(f"{error}; sending it from here")
    try:
        with connected() as here:
            found, _ = load(target, here, board)
    except EngineDown:
        found = board.find(target.tag)  # no engine here to compare with: the name must do
        if found is None:
            raise
    return found


def _locked(target: Target, lock: Path) -> Built:
    built = lockfile.read(lock).find(target.name, target.platform)
    if built is None:
        raise OrbitError(
            f"{target.key} is not in {lock.name}: nobody has pushed it; "
            f"`orchestrate images build {target.name}`, then `push` it, or `load` it over SSH"
        )
    return replace_registry(built, target)


def replace_registry(built: Built, target: Target) -> Built:
    """Return the entry as the chosen registry names it: an image is its digest, whatever the host."""
    return built.model_copy(update={"tag": f"{target.repository}:{built.tag.rpartition(':')[2]}"})


def _check_architecture(target: Target, info: ImageInfo) -> None:
    if info.architecture != target.arch:
        raise OrbitError(f"{target.key}: {target.tag} holds {info.architecture} programs: build it again")


def _check_board(target: Target, board: ImageEngine) -> None:
    """Refuse before anything is sent: an engine would take the wrong image, and try to run it."""
    architecture = board.architecture()
    if architecture != target.arch:
        raise OrbitError(
            f"{target.key} is for {target.arch}, {board.name} is {architecture}: nothing was sent"
        )


def _counted(chunks: Iterable[bytes], total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        progress("send", done, total)
