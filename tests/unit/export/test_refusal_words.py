"""Why a file of one's own is refused: one line in the reader's words, that says what to do."""

import errno
import os
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bench.export import ExportError
from bench.export.onnx_file import library_words
from tests.unit.export.test_export_own import read, save, value
from tests.unit.export.test_own_kinds import INT64, conv

node = helper.make_node


@pytest.mark.parametrize(
    ("key", "said", "told"),
    [
        ("offset", "abc", "its offset is 'abc'"),
        ("offset", "-4", "its offset is '-4'"),
        ("offset", "99999999999999999999", "bytes are wanted, it holds 192"),
        ("location", "a\n\x1b[2J", "its weights in a"),
    ],
)
def test_a_wrong_place_of_weights_is_named_in_one_printable_line(tmp_path, key, said, told):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8], external=True)
    model = onnx.load(str(path), load_external_data=False)
    places = model.graph.initializer[0].external_data
    kept = [(e.key, e.value) for e in places if e.key not in (key, "length")]
    del places[:]
    for name, text in [*kept, (key, said)]:
        places.add(key=name, value=text)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=told) as caught:
        read(path)
    assert str(caught.value).isprintable()


OTHER_FILES = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "a Git LFS pointer",
    b"<!DOCTYPE html><html><body>404</body></html>": "an HTML or XML page",
    b"PK\x03\x04" + bytes(100): "a zip archive",
    b"": r"it holds no graph \(0 bytes\)",
}


@pytest.mark.parametrize("content", OTHER_FILES, ids=str)
def test_what_is_often_taken_for_an_onnx_file_is_called_by_its_name(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ExportError, match=OTHER_FILES[content]):
        read(tmp_path / "m.onnx")


@pytest.mark.parametrize("field", ["output", "opset_import"])
def test_a_model_without_outputs_or_operator_sets_is_refused(tmp_path, field):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8])
    model = onnx.load(str(path))
    (model if field == "opset_import" else model.graph).ClearField(field)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"it has no output|it names no operator set"):
        read(path)


def test_two_outputs_of_one_name_are_refused(tmp_path):
    outputs = [value("y", [1, 4])] * 2
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], [value("x", [1, 4])], outputs)
    with pytest.raises(ExportError, match="two of its outputs have one name"):
        read(path)


SOURCE = "/onnxruntime_src/onnxruntime/core/a.cc:360 "
RAN = "Non-zero status code returned while running Resize node. Name:'up' Status Message: "
WORDS = {
    "[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/a b/m.onnx failed:Type Error": "Type Error",
    f"{RAN}upsamplebase.h:548 ScalesValidation Scale is 0.": "Resize up: Scale is 0.",
    f"{SOURCE}ort::LSTM<T>::LSTM(const Info&) [with T = float] layout_ == 0 was false. Not yet.": "Not yet.",
    f"{SOURCE}void* ort::Arena::Alloc(size_t, bool) Failed to allocate": "Failed to allocate",
    f"{SOURCE}void ort::F(int) a == b was false.": "a == b was false.",
    f"{SOURCE}ort::Locale::Locale(const string&)::<lambda()> Failed to construct": "Failed to construct",
    f"{SOURCE}no signature known here": "no signature known here",
}


@pytest.mark.parametrize("said", WORDS)
def test_of_onnxruntimes_words_those_for_the_reader_are_shown(said):
    assert library_words(said) == WORDS[said]


@pytest.mark.parametrize("place", ["branch", "function"])
def test_an_unknown_operator_is_named_wherever_it_is(tmp_path, place):
    unknown = node("Sparkle", ["x"], ["s"])
    if place == "branch":
        branches = {name: helper.make_graph([made], name, [], [value("s", [1, 4])])
                    for name, made in (("then", unknown), ("else", node("Relu", ["x"], ["s"])))}  # fmt: skip
        choose = node("If", ["c"], ["y"], then_branch=branches["then"], else_branch=branches["else"])
        path = save(tmp_path / "m.onnx", [choose], [value("x", [1, 4]), value("c", [], TensorProto.BOOL)],
                    [value("y", [1, 4])])  # fmt: skip
    else:
        path = save(tmp_path / "m.onnx", [node("Mine", ["x"], ["y"], domain="my")], [value("x", [1, 4])],
                    [value("y", [1, 4])])  # fmt: skip
        model = onnx.load(str(path))
        opsets = [helper.make_opsetid("", 13)]
        model.functions.append(helper.make_function("my", "Mine", ["x"], ["s"], [unknown], opsets))
        model.opset_import.append(helper.make_opsetid("my", 1))
        path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"unsupported operator Sparkle \(opset 13\)"):
        read(path)


def test_a_refusal_names_no_temporary_file(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], [value("x", [1, 4])],
                [value("y", [1, 4], INT64)])  # fmt: skip
    with pytest.raises(ExportError, match=r"onnxruntime cannot run it: Type Error: ") as told:
        read(path)
    assert str(told.value).count(str(tmp_path)) == 1  # the file's own


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    path = conv(tmp_path / "m.onnx", [1, 3, 8, 8])

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    mount = next(each for each in tmp_path.resolve().parents if each.is_mount())
    told = (
        f"cannot be kept in {tmp_path}/.*: No space left on device; make room on the disk mounted at {mount}$"
    )
    with pytest.raises(ExportError, match=told):
        read(path)


def test_a_typo_of_a_dimension_gets_a_suggestion(tmp_path):
    path = conv(tmp_path / "m.onnx", ["N", 3, "height", "width"])
    with pytest.raises(ExportError, match=r"--dim height=SIZE; --dim heigth \(did you mean height\?\)$"):
        read(path, {"heigth": 8, "width": 8})
