"""Images that tests load into an engine without a registry: a tiny one of busybox."""

import functools
import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    "sh",
    "sleep",
    "echo",
    "cat",
    "ls",
    "dd",
    "true",
    "false",
    "seq",
    "date",
    "id",
    "touch",
    "mkdir",
    "env",
    "wc",
)


def tar_of(entries: dict[str, bytes | str], mode: int = 0o755) -> bytes:
    """A tar archive: name -> content, or a text that starts with `->` for a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix("->")
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def image_of(layer: bytes, tag: str, architecture: str = "amd64", **config: object) -> bytes:
    """What `docker load` takes: one layer, `config` (Cmd, Env, User ...) and any architecture we claim."""
    digest = sha256(layer).hexdigest()
    description = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "2026-01-01T00:00:00Z"}],
        }
    ).encode()
    name = sha256(description).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]
    files: dict[str, bytes | str] = {f"{name}.json": description, f"{digest}/layer.tar": layer}
    return tar_of({**files, "manifest.json": json.dumps(manifest).encode()})


@functools.cache
def busybox(architecture: str = "amd64") -> bytes:
    """`orbitbench/busybox:test`, 2 MB. Other architectures hold the same program and only claim to differ."""
    links: dict[str, bytes | str] = {f"bin/{name}": "->busybox" for name in APPLETS}
    layer = tar_of({"bin/busybox": BUSYBOX.read_bytes(), **links})
    return image_of(layer, "orbitbench/busybox:test", architecture, Env=["PATH=/bin"], Cmd=["sh"])
