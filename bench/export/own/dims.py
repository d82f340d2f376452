"""Dynamic dimensions of a model's inputs, and the sizes that they are given.

A dimension is named by its symbol (`H`), or, where it has none, by input and axis (`x.2`). Exporters write
placeholders in place of a symbol; two equal placeholders need not be of equal sizes.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

import onnx

from bench.errors import did_you_mean
from bench.export.errors import ExportError
from bench.record.printable import one_line

PLACEHOLDERS = {
    "none",
    "null",
    "unk",
    "unknown",
    "dynamic",
    "any",
}  # beside numbers and mere marks: ?, *, ...
MOST = 2**31 - 1  # no tensor library takes a larger dimension


def names(item: onnx.ValueInfoProto) -> list[str | None]:
    """Return for each axis None where its size is fixed, else the dimension's name, which can be typed."""
    return [
        None
        if dim.HasField("dim_value") and dim.dim_value > 0
        else _symbol(dim) or f"{one_line(item.name)}.{axis}"
        for axis, dim in enumerate(item.type.tensor_type.shape.dim)
    ]


def _symbol(dim: onnx.TensorShapeProto.Dimension) -> str | None:
    """The dimension's symbol; None for a placeholder, and for what nobody can type."""
    text = dim.dim_param.strip()
    marks = re.fullmatch(r"[-+]?\d+|[\W_]*", text)
    return None if text.lower() in PLACEHOLDERS or marks or not text.isprintable() else text


def batches(items: Iterable[onnx.ValueInfoProto]) -> set[str]:
    """Return the names of dimensions that can only be a batch: always the first axis, and not always the only
    one."""
    first: set[str] = set()
    elsewhere: set[str] = set()
    for item in items:
        for axis, name in enumerate(names(item)):
            if name and axis:
                elsewhere.add(name)
            elif name and len(item.type.tensor_type.shape.dim) > 1:
                first.add(name)
    return first - elsewhere


def begins_with_batch(items: Sequence[onnx.ValueInfoProto]) -> bool:
    """Return whether the first input's first axis is a batch by its name."""
    return bool(items) and bool({*names(items[0])[:1]} & batches(items))


def of_batch(items: Sequence[onnx.ValueInfoProto], batch: int | None) -> dict[str, int]:
    """Return the size of every dimension that can only be a batch, as `--batch` asks for it.

    Raises ExportError for a file whose batch is fixed at another size.
    """
    named = batches(items)
    if batch is None or named:
        return dict.fromkeys(named, batch) if batch else {}
    first = items[0].type.tensor_type.shape.dim if items else []
    fixed = first[0].dim_value if len(first) > 1 and first[0].HasField("dim_value") else None
    if fixed == batch or (fixed is None and batch == 1):
        return {}
    if fixed is None:
        raise ExportError(f"--batch {batch}: the model has no batch axis; leave it out, or give 1")
    raise ExportError(
        f"--batch {batch}: the first axis of input {items[0].name} is fixed at {fixed}; export it with a "
        f"dynamic one, such as torch.onnx.export(..., dynamic_axes={{'{items[0].name}': {{0: 'batch'}}}})"
    )


def wanted(
    items: Sequence[onnx.ValueInfoProto], batch: int | None, given: Mapping[str, int]
) -> dict[str, int]:
    """Return the sizes that `--batch` and `--dim` ask for; ExportError where they differ."""
    found = of_batch(items, batch)
    for name, size in given.items():
        if found.setdefault(name, size) != size:
            raise ExportError(f"--dim {name}={size} and --batch {batch} are one dimension: leave one out")
    return found


def sizes(
    items: Sequence[onnx.ValueInfoProto], dims: Mapping[str, int], shapes: Mapping[str, Sequence[int]]
) -> dict[str, int]:
    """Return the size of every dynamic dimension: from `dims`, from the `shapes` of given inputs, or 1 for a
    batch.

    Raises ExportError that names the dimensions without a size, or with two.
    """
    found = dict(dims)
    for item in items:
        for name, size in zip(names(item), shapes.get(item.name, ()), strict=False):
            if name and found.setdefault(name, size) != size:
                raise ExportError(f"dimension {name} is {found[name]} and, by input {item.name}, {size}")
    found = dict.fromkeys(batches(items), 1) | found
    missing = [name for item in items for name in names(item) if name and name not in found]
    if missing:
        flags = " ".join(f"--dim {shlex.quote(f'{name}=SIZE')}" for name in dict.fromkeys(missing))
        known = {name for item in items for name in names(item) if name}
        hints = (f"; --dim {name}{did_you_mean(name, missing)}" for name in dims if name not in known)
        typo = next((hint for hint in hints if hint.endswith("?)")), "")
        raise ExportError(f"dynamic dimensions without a size; give {flags}{typo}")
    if large := [name for name, size in found.items() if size > MOST]:
        raise ExportError(f"--dim {large[0]}={found[large[0]]}: the largest size is {MOST:,}")
    return found


def assumed(
    items: Sequence[onnx.ValueInfoProto], asked: Mapping[str, int], given: Mapping[str, object]
) -> dict[str, int]:
    """Return the batch dimensions that `sizes` makes 1, for nobody asked for a size or gave such an input."""
    known = {name for item in items if item.name in given for name in names(item)}
    return dict.fromkeys(sorted(batches(items) - known - asked.keys()), 1)


def fix(model: onnx.ModelProto, items: Iterable[onnx.ValueInfoProto], found: Mapping[str, int]) -> None:
    """Write sizes into the model; what it declares of inner tensors goes: libraries infer it."""
    for item in items:
        for name, dim in zip(names(item), item.type.tensor_type.shape.dim, strict=True):
            if name:
                dim.dim_value = found[name]
    for output in model.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            if dim.dim_param in found:
                dim.dim_value = found[dim.dim_param]
    model.graph.ClearField("value_info")


def declared(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return copies of what the model declares of its inputs and outputs."""
    values = [*model.graph.input, *model.graph.output]
    return [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in values]


def restore(model: onnx.ModelProto, values: Sequence[onnx.ValueInfoProto]) -> None:
    """Declare again what was `declared`."""
    for now, before in zip([*model.graph.input, *model.graph.output], values, strict=True):
        now.CopyFrom(before)


def undeclare(outputs: Iterable[onnx.ValueInfoProto]) -> bool:
    """Drop the shapes of declared outputs, which may be wrong; True where there were any."""
    shaped = [output for output in outputs if output.type.HasField("tensor_type")]
    shaped = [output for output in shaped if output.type.tensor_type.HasField("shape")]
    for output in shaped:
        output.type.tensor_type.ClearField("shape")
    return bool(shaped)


def declare(outputs: Iterable[onnx.ValueInfoProto], shapes: Iterable[Sequence[int]]) -> bool:
    """Write the shapes of a run's results into the declared outputs; True where that changed any."""
    changed = False
    for output, shape in zip(outputs, shapes, strict=True):
        declared = output.type.tensor_type.shape
        known = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in declared.dim]
        if known == list(shape) and output.type.tensor_type.HasField("shape"):
            continue
        changed = True
        output.type.tensor_type.ClearField("shape")
        output.type.tensor_type.shape.SetInParent()
        for size in shape:
            output.type.tensor_type.shape.dim.add().dim_value = size
    return changed
