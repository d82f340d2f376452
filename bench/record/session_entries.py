"""The session configuration entries of onnxruntime that `config` may set, and the values of each.

From its public header (microsoft/onnxruntime, include/onnxruntime/core/session/
onnxruntime_session_options_config_keys.h, versions 1.10 to 1.32): all that changes how a CPU runs an ONNX
file. Not what writes files, or is of another execution provider. The library takes any text as a key and
ignores one that it does not know, as an older version does a newer one's; of most values it compares the text
with "1" alone.
"""

from typing import Dict, NamedTuple, Optional, Tuple

Entry = NamedTuple(
    "Entry",
    [
        ("pattern", str),  # of its values, as the library is given them
        ("wanted", str),  # the same in words
        ("unfit", Dict[str, Tuple[str, ...]]),  # as of `options.Option`; the value "" stands for any
        ("option", str),  # of onnxruntime here that sets the same; "" where there is none
    ],
)


def _switch(unfit: Optional[Dict[str, Tuple[str, ...]]] = None, option: str = "") -> Entry:
    return Entry("[01]", "0 or 1", unfit or {}, option)


CPUS = "[1-9][0-9]{0,3}(-[1-9][0-9]{0,3})?"  # one, or from one to another
COUNT = Entry("[0-9]{1,9}", "a whole number, 0 or more", {}, "")

ENTRIES = {
    "mlas.disable_kleidiai": _switch(),
    # products of fp32 in bfloat16; an fp16 file is computed in fp32 where the CPU has no half arithmetic
    "mlas.enable_gemm_fastmath_arm64_bfloat16": _switch({"1": ("fp32", "fp16")}),
    "mlas.kleidiai.conv_igemm_max_work": COUNT,
    "mlas.use_lut_gemm": _switch(),
    "optimization.constant_folding_max_output_size_in_bytes": COUNT,
    # seen: without QDQSelectorActionTransformer a QDQ file is computed in fp32
    "optimization.disable_specified_optimizers": Entry(
        "[A-Za-z0-9_,;]{1,1000}", "names of optimisers, comma between", {"": ("int8",)}, ""
    ),
    "optimization.enable_cast_chain_elimination": _switch(),
    "optimization.enable_gelu_approximation": _switch(),
    # seen: a QDQ file with signed activations is computed in fp32
    "optimization.minimal_build_optimizations": Entry("apply", "apply", {"apply": ("int8",)}, ""),
    "session.allow_released_opsets_only": _switch(),
    "session.disable_aot_function_inlining": _switch(),
    "session.disable_double_qdq_remover": _switch(),
    "session.disable_prepacking": _switch(option="prepacking"),
    "session.disable_qdq_constant_folding": _switch(),
    "session.disable_quant_qdq": _switch({"1": ("int8",)}),  # seen: a QDQ file is computed in fp32
    "session.dynamic_block_base": COUNT,
    "session.enable_dq_matmulnbits_fusion": _switch(),
    "session.enable_quant_qdq_cleanup": _switch(),
    "session.enable_static_workspace_preallocation": _switch(),
    "session.force_spinning_stop": _switch(),
    "session.graph_optimizations_loop_level": Entry("[012]", "0, 1 or 2", {}, ""),
    "session.inter_op.allow_spinning": _switch(),
    "session.inter_op.spin_backoff_max": COUNT,
    "session.inter_op.spin_duration_us": COUNT,
    "session.intra_op.allow_spinning": _switch(option="spinning"),
    "session.intra_op.spin_backoff_max": COUNT,
    "session.intra_op.spin_duration_us": COUNT,
    "session.intra_op_thread_affinities": Entry(
        "{0}([,;]{0}){{0,255}}".format(CPUS), "numbers of CPUs from 1, such as 1,2;3-4", {}, ""
    ),
    "session.qdq_matmulnbits_accuracy_level": Entry("[0-4]", "0 to 4", {}, ""),
    "session.qdq_matmulnbits_block_size": Entry(
        "-1|0|16|32|64|128|256|512|1024", "-1, 0, or a power of 2 from 16 to 1024", {}, ""
    ),
    "session.qdqisint8allowed": _switch(),
    "session.set_denormal_as_zero": _switch(),
    "session.strict_shape_type_inference": _switch(),
    "session.use_device_allocator_for_initializers": _switch(),
    "session.use_deterministic_compute": _switch(),
    "session.use_env_allocators": _switch(),
    "session.x64quantprecision": _switch(),
}


def text(value: object) -> str:
    """Return an entry's value as the library is given it: true and false are 1 and 0."""
    return str(int(value) if isinstance(value, bool) else value)
