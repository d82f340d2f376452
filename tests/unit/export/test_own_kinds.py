"""Kinds of models that strangers bring: each is measured right, or refused in one line with advice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.export import ExportError, count
from bench.export.own import process
from bench.export.own.prepare import STEM
from bench.export.own.request import OwnRequest
from tests.conftest import PATIENCE, wait_for
from tests.unit.export.test_export_own import FLOAT, read, save, value

INT64, INT16 = TensorProto.INT64, TensorProto.INT16
node = helper.make_node
ONES = {"w": np.ones((16, 3, 1, 1), "f4")}


def conv(path, shape, **options):
    inputs, outputs = [value("x", shape)], [value("y", [shape[0], 16, *shape[2:]])]
    return save(path, [node("Conv", ["x", "w"], ["y"])], inputs, outputs, ONES, **options)


def endless(path):
    body = helper.make_graph(
        [node("Identity", ["c"], ["d"]), node("Identity", ["v"], ["u"])],
        "body",
        [value("i", [], INT64), value("c", [], TensorProto.BOOL), value("v", [1])],
        [value("d", [], TensorProto.BOOL), value("u", [1])],
    )
    loop = node("Loop", ["", "t", "x"], ["y"], body=body)
    return save(path, [loop], [value("x", [1])], [value("y", [1])], {"t": np.array(True)})


def outputs_of(model):
    arrays = np.load(model.reference)
    return [arrays[name] for name in arrays.files if name.startswith("output.")]


def test_a_scalar_input_stays_a_scalar_and_may_be_given(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Mul", ["x", "sr"], ["y"])],
                [value("x", [1, 8]), value("sr", [])], [value("y", [1, 8])])  # fmt: skip
    model = read(path, values={"sr": 16000})
    assert model.entry["inputs"][1] == {"name": "sr", "shape": [], "dtype": "float32"}
    arrays = np.load(model.reference)
    assert arrays["input.1"].shape == ()
    assert np.allclose(arrays["output.0"], arrays["input.0"] * 16000)


def test_a_scalar_output_stays_a_scalar(tmp_path):
    path = save(tmp_path / "m.onnx", [node("ReduceMean", ["x"], ["y"], keepdims=0)],
                [value("x", [1, 8])], [value("y", [])])  # fmt: skip
    assert outputs_of(read(path))[0].shape == ()


def test_an_input_that_is_passed_on_as_an_output_is_what_it_was(tmp_path):
    """onnxruntime leaves the buffer that is bound to such an output as it was."""
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], [value("x", [1, 8])],
                [value("x", [1, 8]), value("y", [1, 8])])  # fmt: skip
    model = read(path)
    passed, made = outputs_of(model)
    given = np.load(model.reference)["input.0"]
    assert np.array_equal(passed, given)
    assert np.array_equal(made, np.maximum(given, 0))


@pytest.mark.parametrize("mark", ["?", "-1", "None", "", "unk", "7", "*", "...", "_", "a\x1b[2J"])
def test_a_placeholder_is_no_symbol_so_height_need_not_equal_width(tmp_path, mark):
    path = conv(tmp_path / "m.onnx", [mark, 3, mark, mark])
    with pytest.raises(ExportError, match=r"without a size; give --dim x\.2=SIZE --dim x\.3=SIZE$"):
        read(path)
    assert read(path, {"x.2": 4, "x.3": 6}).entry["inputs"][0]["shape"] == [1, 3, 4, 6]


def test_the_batch_symbol_sizes_nothing_else_without_a_word(tmp_path):
    path = save(tmp_path / "m.onnx", [node("MatMul", ["a", "b"], ["y"])],
                [value("a", ["N", 4]), value("b", [4, "N"])], [value("y", ["N", "N"])])  # fmt: skip
    with pytest.raises(ExportError, match=r"--dim N=SIZE$"):
        read(path)


def test_a_wave_of_unknown_length_is_no_batch(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], [value("x", ["T"])], [value("y", ["T"])])
    with pytest.raises(ExportError, match=r"--dim T=SIZE$"):
        read(path)
    model = read(path, {"T": 16000})
    assert model.entry["batch"] == 1


def test_an_advised_command_survives_the_shell(tmp_path):
    path = conv(tmp_path / "m.onnx", ["N", 3, "height / 2", "W"])
    with pytest.raises(ExportError, match=r"--dim 'height / 2=SIZE' --dim W=SIZE"):
        read(path)


def test_what_a_file_declares_of_inner_tensors_changes_no_count(tmp_path):
    path = conv(tmp_path / "m.onnx", [-1, 3, 8, 8])
    model = onnx.load(str(path))
    model.graph.value_info.append(value("y", [-1, 16, 8, 8]))
    onnx.save(model, str(path))
    assert read(path).entry["macs"] == 16 * 3 * 64


PRODUCTS = {"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"}
WITH_PRODUCTS = sorted(
    schema.name for schema in onnx.defs.get_all_schemas()
    if not schema.domain and schema.has_function
    and PRODUCTS & {inner.op_type for inner in schema.function_body.node}
)  # fmt: skip


@pytest.mark.parametrize("operator", [*WITH_PRODUCTS, "Attention", "LinearAttention", "CausalConvWithState"])
def test_macs_of_standard_operators_made_of_products_are_unknown_not_zero(operator):
    made = node(operator, ["x"], ["y"])
    graph = helper.make_graph([made], "g", [value("x", [1, 4])], [value("y", [1, 4])])
    assert count.macs(helper.make_model(graph)) is None


def test_weights_inside_branches_are_counted(tmp_path):
    def branch(name, fill):
        made = numpy_helper.from_array(np.full((5, 4), fill, "f4"), f"w{name}")
        product = node("MatMul", ["x", f"w{name}"], [f"o{name}"])
        return helper.make_graph([product], name, [], [value(f"o{name}", [1, 4])], [made])

    choose = node("If", ["c"], ["y"], then_branch=branch("t", 1), else_branch=branch("e", 2))
    path = save(tmp_path / "m.onnx", [choose], [value("x", [1, 5]), value("c", [], TensorProto.BOOL)],
                [value("y", [1, 4])])  # fmt: skip
    entry = read(path).entry
    assert (entry["params"], entry["macs"]) == (40, None)


def test_scales_and_zero_points_are_no_parameters(tmp_path):
    weights = {"q": np.ones((8, 4), "i1"), "s": np.ones(4, "f4"), "z": np.zeros(4, "i1")}
    nodes = [node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=1), node("MatMul", ["x", "w"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1, 8])], [value("y", [1, 4])], weights)
    assert read(path).entry["params"] == 32


@pytest.mark.parametrize(
    "kind", [TensorProto.INT16, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64]
)
def test_integer_inputs_of_every_width_run_as_on_a_device(tmp_path, kind):
    path = save(tmp_path / "m.onnx", [node("Cast", ["x"], ["y"], to=FLOAT)], [value("x", [1, 4], kind)],
                [value("y", [1, 4])])  # fmt: skip
    assert read(path).entry["inputs"][0]["dtype"] == str(helper.tensor_dtype_to_np_dtype(kind))


def test_an_output_type_that_no_device_returns_is_refused_by_name(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E4M3FN)],
                [value("x", [1, 4])], [value("y", [1, 4], TensorProto.FLOAT8E4M3FN)],
                opset=19, ir=9)  # fmt: skip
    told = (
        r"output y is of type tensor\(float8e4m3fn\); supported: tensors of float16|onnxruntime cannot run it"
    )
    with pytest.raises(ExportError, match=told):
        read(path)


def test_an_output_that_is_no_tensor_is_refused_with_what_helps(tmp_path):
    mapped = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    out = helper.make_value_info("y", helper.make_sequence_type_proto(mapped))
    zipped = node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    path = save(tmp_path / "m.onnx", [zipped], [value("x", [1, 2])], [out], domains=["ai.onnx.ml"])
    with pytest.raises(ExportError, match=r"output y is of type seq\(map\(.*; export it without ZipMap$"):
        read(path)


DEPENDING = {  # operator with other inputs than x; what its output is declared as, wrongly
    "Compress": ({"c": np.array([True, False, True, False])}, [1, 4], {"axis": 1}, [1, 2]),
    "TopK": ({"k": np.array([3])}, [1, 2], {}, [1, 3]),
    "Tile": ({"r": np.array([2, 3])}, [7, 7], {}, [2, 12]),
}


@pytest.mark.parametrize("operator", DEPENDING)
def test_a_shape_that_is_declared_wrongly_is_dropped(tmp_path, operator):
    others, declared, attributes, comes = DEPENDING[operator]
    inputs = [value(name, array.shape, TensorProto.BOOL if array.dtype == bool else INT64)
              for name, array in others.items()]  # fmt: skip
    made = node(operator, ["x", *others], ["y", "i"][: 1 + (operator == "TopK")], **attributes)
    path = save(tmp_path / "m.onnx", [made], [value("x", [1, 4]), *inputs], [value("y", declared)])
    np.savez(tmp_path / "x.npz", x=np.ones((1, 4), "f4"), **others)
    assert list(outputs_of(read(path, inputs=tmp_path / "x.npz"))[0].shape) == comes


def test_an_old_file_runs_although_the_checker_would_refuse_it(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Mul", ["x", "w"], ["y"])], [value("x", [3, 2])],
                [value("y", [3, 2])], {"w": np.ones((3, 2), "f4")}, opset=7, ir=3)  # fmt: skip
    assert read(path).entry["params"] == 6


@pytest.mark.parametrize("declared", [[5, 1], ["k", "n"], None])
def test_the_shape_of_an_output_that_depends_on_data_is_what_the_run_gives(tmp_path, declared):
    path = save(tmp_path / "m.onnx", [node("NonZero", ["x"], ["y"])], [value("x", [1, 6])],
                [value("y", declared, INT64)])  # fmt: skip
    model = read(path)
    shape = [d.dim_value for d in onnx.load(model.model).graph.output[0].type.tensor_type.shape.dim]
    assert shape == list(outputs_of(model)[0].shape)


def test_made_up_indices_stay_inside_their_table(tmp_path):
    nodes = [node("Cast", ["x"], ["i"], to=INT64), node("Gather", ["table", "i"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1, 400], TensorProto.INT32)],
                [value("y", [1, 400, 2])], {"table": np.ones((3, 2), "f4")})  # fmt: skip
    assert set(np.load(read(path).reference)["input.0"].ravel()) == {0, 1, 2}


def test_a_refusal_that_rests_on_made_up_values_says_so_and_given_ones_help(tmp_path):
    nodes = [node("Gather", ["x", "at"], ["y"])]  # the table is an input: nothing tells how far indices go
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1, 4]), value("at", [1], INT64)],
                [value("y", [1, 4])])  # fmt: skip
    np.savez(tmp_path / "mine.npz", at=np.array([0]))
    assert read(path, inputs=tmp_path / "mine.npz")
    np.savez(tmp_path / "far.npz", at=np.array([9]), x=np.ones((1, 4), "f4"))
    with pytest.raises(ExportError, match=r"onnxruntime cannot run it: .*indices.*out of .*bounds") as told:
        read(path, inputs=tmp_path / "far.npz")
    assert "made-up" not in str(told.value)


def test_a_branch_that_fixed_sizes_do_not_suit_is_no_reason_to_refuse(tmp_path):
    """As in silero-vad: onnxruntime infers shapes in a branch that never runs, and refuses the fixed ones."""

    def branch(name, nodes, shape):
        return helper.make_graph(nodes, name, [], [value(f"o{name}", shape)])

    never = branch("t", [node("Squeeze", ["x"], ["s"]), node("Conv", ["s", "w"], ["ot"])], None)
    always = branch("e", [node("Identity", ["x"], ["oe"])], None)
    choose = node("If", ["c"], ["y"], then_branch=never, else_branch=always)
    path = save(tmp_path / "m.onnx", [choose], [value("x", ["N", 3, "T"]), value("c", [], TensorProto.BOOL)],
                [value("y", None)], {"w": np.ones((2, 3, 1), "f4")})  # fmt: skip
    model = read(path, {"N": 1, "T": 4}, values={"c": 0})
    assert model.entry["inputs"][0]["shape"] == [1, 3, 4]
    assert np.array_equal(outputs_of(model)[0], np.load(model.reference)["input.0"])


def test_inputs_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ExportError, match=r"--input .*none\.npz: cannot be read: No such file or directory$"):
        read(conv(tmp_path / "m.onnx", [1, 3, 8, 8]), inputs=tmp_path / "none.npz")


def test_infinities_of_real_inputs_are_the_models_own(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Log", ["x"], ["y"])], [value("x", [1, 3])], [value("y", [1, 3])])
    np.savez(tmp_path / "x.npz", x=np.array([[0, 1, -1]], "f4"))
    model = read(path, inputs=tmp_path / "x.npz")
    assert np.array_equal(outputs_of(model)[0], [[-np.inf, 0, np.nan]], equal_nan=True)
    assert model.entry["tolerance"] == pytest.approx(1e-4)


def test_given_inputs_size_dynamic_dimensions(tmp_path):
    path = conv(tmp_path / "m.onnx", ["N", 3, "H", "W"])
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3, 5, 7), "f4"))
    assert read(path, inputs=tmp_path / "x.npz").entry["inputs"][0]["shape"] == [2, 3, 5, 7]


WRONG_INPUTS = {
    "shape": (
        {"x": np.ones((1, 4, 8, 8), "f4")},
        r"--input: x has shape \[1, 4, 8, 8\], the model takes \[1, 3",
    ),
    "type": (
        {"x": np.ones((1, 3, 8, 8), complex)},
        "--input: x is of type complex128, the model takes float32",
    ),
}


@pytest.mark.parametrize("case", WRONG_INPUTS)
def test_given_inputs_that_do_not_fit_are_refused(tmp_path, case):
    arrays, told = WRONG_INPUTS[case]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ExportError, match=told):
        read(conv(tmp_path / "m.onnx", [1, 3, 8, 8]), inputs=tmp_path / "x.npz")


def test_an_id_keeps_the_beginning_of_a_long_name(tmp_path):
    model = read(conv(tmp_path / f"{'long' * 50}.onnx", [1, 3, 8, 8]))
    assert len(model.id) <= len("onnx--12345678") + STEM


def test_a_folder_of_links_as_hugging_face_keeps_it_is_read(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    conv(blobs / "m.onnx", [1, 3, 8, 8], external=True)
    for blob, name in (("m.onnx", "model.onnx"), ("w.bin", "w.bin")):
        os.rename(blobs / blob, blobs / f"0{blob[0]}")
        (snapshot / name).symlink_to(f"../../blobs/0{blob[0]}")
    assert read(snapshot / "model.onnx").entry["params"] == 48


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", ".ssh/key", "link", ""])
def test_weights_outside_the_models_folder_are_not_read(tmp_path, place):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (tmp_path / "secret", folder / ".ssh" / "key"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(192))
    (folder / "link").symlink_to(tmp_path / "secret")
    path = conv(folder / "m.onnx", [1, 3, 8, 8], external=True)
    model = onnx.load(str(path), load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"its weights in .* cannot be read"):
        read(path)


def test_weights_said_to_be_larger_than_their_file_are_refused(tmp_path):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8], external=True)
    model = onnx.load(str(path), load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "length").value = "9999999999999"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match="bytes are wanted, it holds 192"):
        read(path)


@pytest.mark.parametrize("version", [0, -1, -(2**63), 2**40])
def test_an_opset_that_is_no_version_is_refused(tmp_path, version):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8])
    model = onnx.load(str(path))
    model.opset_import[0].version = version
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"opset -?\d+ is (no version|newer)"):
        read(path)


@pytest.mark.parametrize("place", ["operator", "domain", "value", "symbol"])
def test_a_name_that_is_no_text_is_refused(tmp_path, place):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8])
    model = onnx.load(str(path))
    node, mark = model.graph.node[0], "MARKED"
    if place == "operator":
        node.op_type = mark
    elif place == "domain":
        node.domain = mark
    elif place == "value":
        node.output[0] = mark
    else:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = mark
    path.write_bytes(model.SerializeToString().replace(mark.encode(), b"D\xff\xfe\x80 \xc3"))
    with pytest.raises(ExportError, match=r"a name in it is not UTF-8 text"):
        read(path)


# -- the child process --------------------------------------------------------------------------------------


def in_child(path, folder, **options):
    folder.mkdir()
    return process.read(path, OwnRequest(), folder, **options)


def test_the_child_prepares_what_the_same_code_prepares_here(tmp_path):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8])
    here, there = read(path), in_child(path, tmp_path / "out")
    assert (there.id, there.entry) == (here.id, here.entry)
    assert there.model.read_bytes() == here.model.read_bytes()


MARKING = """
import os, pathlib, onnxruntime
run = onnxruntime.InferenceSession.run
def marked(*words):
    pathlib.Path(os.environ["ORBITBENCH_TEST"]).touch()
    return run(*words)
onnxruntime.InferenceSession.run = marked
"""


def test_a_loop_without_end_is_ended_and_named(tmp_path, monkeypatch):
    """Where a busy machine has not begun the loop before its time is up, it gets more."""
    path, mark, seconds = endless(tmp_path / "loop.onnx"), tmp_path / "loops", 1
    (tmp_path / "sitecustomize.py").write_text(MARKING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ORBITBENCH_TEST", str(mark))
    while not mark.exists():
        assert seconds < PATIENCE
        told = rf"{path}: reading and running it takes more than {seconds} s; .* loop"
        with pytest.raises(ExportError, match=told):
            in_child(path, tmp_path / f"out{seconds}", seconds=seconds)
        seconds *= 2


def test_inputs_beyond_memory_are_refused_before_they_are_made(tmp_path):
    huge = [100000, 3, 1024, 1024]
    path = save(tmp_path / "m.onnx", [node("ReduceMax", ["x"], ["y"], keepdims=1)], [value("x", huge)],
                [value("y", [1, 1, 1, 1])])  # fmt: skip
    with pytest.raises(ExportError, match=r"input x of 100000x3x1024x1024 takes 1,258\.3 GB; here are"):
        in_child(path, tmp_path / "out")


def test_a_model_that_asks_for_more_memory_than_there_is_costs_one_line(tmp_path):
    nodes = [node("ConstantOfShape", ["n"], ["c"]), node("ReduceSum", ["c"], ["s"], keepdims=0),
             node("Add", ["x", "s"], ["y"])]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1])], [value("y", [1])],
                {"n": np.array([2**38])})  # fmt: skip
    with pytest.raises(ExportError, match=r"memory|onnxruntime cannot run it") as told:
        in_child(path, tmp_path / "out")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_an_interrupted_export_leaves_nothing_and_says_so(tmp_path, root: Path, number: signal.Signals):
    path = endless(tmp_path / "loop.onnx")
    command = [sys.executable, "-m", "bench.cli", "export", "--onnx", str(path), "--out", str(tmp_path / "b")]
    export = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE)
    try:
        found = wait_for(lambda: children(export.pid))
        export.send_signal(number)
        _, told = export.communicate(timeout=PATIENCE)
        assert export.returncode == 130
        assert f"bench: {path}: interrupted while it was read and tried" in told.decode()
        assert [each.name for each in tmp_path.iterdir()] == ["loop.onnx"]  # no draft of the bundle
        wait_for(lambda: not [pid for pid in found if Path(f"/proc/{pid}").exists()], found)
    finally:
        export.kill()
        export.communicate()


def children(pid: int) -> list[str]:
    """Process ids of the Python children of `pid`."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in found if b"own.process" in Path(f"/proc/{child}/cmdline").read_bytes()]
