"""The methods that choose widths, by name; and `aligned`, another way to write one of them.

Imports nothing, so that manifests, scaling and commands can all ask here.
"""

CURVES = ("uniform", "neuralscale")  # that follow a curve to a size
METHODS = (*CURVES, "device")
WRITTEN = (*METHODS, "aligned")  # what a user may write
ALIGN = 8  # channels: what NEON, AVX and FP16 tensor cores like; INT8 tensor cores prefer 32


def canonical(method: str, align: int | None) -> tuple[str, int | None]:
    """Return method and alignment as they are stored, whatever a user wrote.

    `aligned` is neuralscale, in multiples of 8 unless given. Multiples of 1 are every integer: None.
    """
    if method == "aligned":
        method, align = "neuralscale", ALIGN if align is None else align
    return method, None if align == 1 else align
