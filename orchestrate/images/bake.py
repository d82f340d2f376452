"""docker-bake.hcl, written from images.yaml: for `docker buildx bake`, and to see every build."""

import json
from collections.abc import Iterator

from orchestrate.images import labels, requirements
from orchestrate.images.manifest import Project, Target

FILE = "docker-bake.hcl"
CONTEXTS = "build/images"


def text(project: Project) -> str:
    """Return the whole file. Contexts are the folders that `orchestrate images build --prepare` fills."""
    targets = project.targets()
    head = [
        "# Generated from manifests/images.yaml by `make locks`; a test compares the two.",
        "# The contexts are filled by `orchestrate images build --prepare`.",
        *_variables(project),
        'group "default" {',
        f"  targets = {_list(t.key for t in targets)}",
        "}",
    ]
    return "\n".join([*head, *(line for t in targets for line in _target(project, t))]) + "\n"


def _variables(project: Project) -> Iterator[str]:
    defaults = {
        "REGISTRY": project.images.registry,
        "VERSION": project.version,
        "REVISION": "unknown",
        "CREATED": "",
    }
    for name, default in defaults.items():
        yield f'variable "{name}" {{\n  default = {json.dumps(default)}\n}}'


def _target(project: Project, target: Target) -> Iterator[str]:
    packages = requirements.pins(requirements.read_lock(project, target))
    known = labels.constant(target, packages)
    moving = {
        "org.opencontainers.image.version": "VERSION",
        "org.opencontainers.image.revision": "REVISION",
        "org.opencontainers.image.created": "CREATED",
    }
    yield f'target "{target.key}" {{'
    yield f"  context   = {json.dumps(f'{CONTEXTS}/{target.context_name}')}"
    yield f"  platforms = {_list([target.platform])}"
    yield f"  args      = {{ BASE = {json.dumps(target.base)} }}"
    yield f'  tags      = ["${{REGISTRY}}/{target.name}:${{VERSION}}-{target.arch}"]'
    yield "  labels = {"
    for key in sorted(known.keys() | moving.keys()):
        yield f"    {json.dumps(key)} = {moving.get(key) or json.dumps(known[key])}"
    yield "  }"
    # gzip, not zstd: engines before 23.0 (JetPack 4 and 5 ship 20.10) cannot unpack zstd layers
    yield '  output = ["type=docker,compression=gzip"]'
    # an empty list leaves buildx's default provenance on; switched off, a single image stays one manifest
    yield '  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]'
    yield "}"


def _list(names: Iterator[str] | list[str]) -> str:
    return f"[{', '.join(json.dumps(name) for name in names)}]"
