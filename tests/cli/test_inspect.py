"""``chainrule inspect``: what a model file holds, in lines that one can read; and the facts that it is trusted for."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import chainrule as cr
from chainrule.cli.models import Facts, trained
from chainrule.persistence import pytorch


def test_a_table_model_is_described(shell, flowers_model: Path) -> None:
    path = flowers_model / "model.safetensors"
    answer = shell("inspect", path)
    assert answer.code == 0
    first, *lines = answer.out.splitlines()
    assert first == f"{path}: {path.stat().st_size:,} bytes, float32"
    model = cr.load(path)
    summary = ["TabularClassifier", *model.column_kinds_.lines(), *model.model_.summary().splitlines()]
    assert lines[: len(summary)] == summary
    facts = dict(line.split(maxsplit=1) for line in lines[len(summary) :])
    assert facts["source"] == "flowers.csv"
    assert facts["task"] == "classification"
    assert facts["target"] == "kind: iris, lily, rose"
    assert facts["columns"] == "length, width, colour"
    assert re.match(r"seed 0, epochs \d+, best_epoch \d+, rows training 96, test 24", facts["training"])
    assert facts["chainrule"] == cr.__version__
    assert facts["format"] == f"3, written by chainrule {cr.__version__}"
    assert len(facts["digest"]) == 64
    folder = shell("inspect", flowers_model).out
    assert folder.startswith(answer.out)
    record = dict(line.split(maxsplit=1) for line in folder.removeprefix(answer.out).splitlines())
    assert record["run"] == f"{flowers_model}, complete"
    assert "epochs 60" in record["settings"]
    assert "accuracy" in record["result"]
    assert "sha256" in record["data"]


def test_an_image_model_is_described(shell, digits_model: Path) -> None:
    out = shell("inspect", digits_model).out
    assert "inputs      64 pixels (8 × 8)" in out
    assert "target      class: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n" in out


def test_a_long_list_is_cut(shell, tmp_path: Path, without_pictures) -> None:
    header = ",".join(f"c{i}" for i in range(13))
    rows = [",".join(str((7 * row + i) % 11 + 0.5) for i in range(13)) for row in range(30)]
    (tmp_path / "wide.csv").write_text("\n".join([header, *rows]) + "\n")
    shell("train", tmp_path / "wide.csv", "--epochs", 1, "--out", tmp_path / "out", "--quiet")
    out = shell("inspect", tmp_path / "out").out
    assert "columns     c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more\n" in out


def test_a_model_of_ones_own_shows_its_metadata(shell, tmp_path: Path) -> None:
    model = cr.MLP([2, 3], rng=0)
    model.metadata = {"by": "me", "shape": [1, 2.5], "nothing": None}
    cr.save(model, tmp_path / "own")
    assert shell("inspect", tmp_path / "own").out.splitlines()[4:-1] == [
        "by          me",
        "shape       [1, 2.5]",
        "nothing     None",
        f"format      2, written by chainrule {cr.__version__}",
    ]


class Twice(cr.Layer):
    """A layer of the user's own."""

    def forward(self, x, work):
        return 2 * x

    def backward(self, dy, work, input_gradient=True):
        return 2 * dy


def test_a_model_of_layers_of_ones_own_shows_its_tensors(shell, tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(2, 3), Twice()], rng=0)
    model.metadata = {"by": "me"}
    cr.save(model, tmp_path / "own")
    out = shell("inspect", tmp_path / "own").out
    assert "0.W     (2, 3)  F32          6\n" in out
    assert "by          me\n" in out


def test_a_model_of_an_earlier_version_says_so(shell) -> None:
    corpus = Path(__file__).parents[1] / "persistence" / "corpus"
    out = shell("inspect", corpus / "format-1.safetensors").out
    assert "PReLU(3)" in out
    assert "format      1, written by chainrule 0.1.0\n" in out
    assert "digest      none" in out


def test_a_checkpoint_is_described(shell, tmp_path: Path) -> None:
    trainer = cr.Trainer(cr.MLP([2, 3, 2], rng=0), "cross_entropy", callbacks=[cr.callbacks.Checkpoint(tmp_path)])
    trainer.fit(np.eye(2), np.arange(2), epochs=2, verbose=0)
    out = shell("inspect", tmp_path / "step-00000002.safetensors").out
    assert ", float32, a checkpoint of a training\n" in out
    assert "Linear(2 → 3, relu)" in out
    assert "optimizer   Adam\nepochs      2\nthe last    loss 0." in out
    assert shell("inspect", tmp_path).out == out


def test_a_run_that_was_broken_off_says_how_it_goes_on(shell, flowers_model: Path, tmp_path: Path) -> None:
    record = json.loads((flowers_model / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run.json").write_text(json.dumps(record | {"result": None}))
    out = shell("inspect", tmp_path).out
    assert f"run         {tmp_path}, not complete: chainrule train --resume {tmp_path}\n" in out
    assert "result" not in out


def test_the_weights_of_pytorch_are_described(shell, tmp_path: Path) -> None:
    pytorch.write(cr.MLP([2, 3], rng=0), tmp_path / "net.safetensors")
    out = shell("inspect", tmp_path / "net.safetensors").out.splitlines()
    assert out[0].endswith("bytes, tensors in safetensors")
    assert [line.split() for line in out[2:5]] == [
        *(["0.bias", "(3,)", "F32", "3"], ["0.weight", "(3,", "2)", "F32", "6"], ["total", "9"])
    ]
    assert "torch       nn.Sequential(nn.Linear(2, 3))" in out
    assert out[-1].split() == ["SHA-256", hashlib.sha256((tmp_path / "net.safetensors").read_bytes()).hexdigest()]


def test_a_long_table_is_cut(shell, tmp_path: Path) -> None:
    save_file({f"t{index}": np.zeros(2) for index in range(150)}, tmp_path / "many.safetensors")
    out = shell("inspect", tmp_path / "many.safetensors").out
    assert "… and 50 more" in out
    assert out.splitlines()[-2].split() == ["total", "300"]


def onnx_file(path: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", kind, ["N", 4])],
        [helper.make_tensor_value_info("y", kind, ["N", 3])],
        [onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "W")],
    )
    model = helper.make_model(graph, producer_name="somebody", opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {"classes": "a,b,c"})
    path.write_bytes(model.SerializeToString())
    return path


def test_an_onnx_file_is_described(shell, refuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_file(tmp_path / "net.onnx")
    out = shell("inspect", path).out
    assert out.startswith(f"{path}: {path.stat().st_size:,} bytes, ONNX\ninput       x (N, 4) FLOAT\n")
    for line in ("output      y (N, 3) FLOAT", "operators   MatMul 1", "opset       ai.onnx 17", "classes     a,b,c"):
        assert line in out
    assert "W       (4, 3)  FLOAT       12\n" in out
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:-9])
    (tmp_path / "empty.onnx").touch()
    for name in ("cut", "empty"):
        assert f"inspect expects {tmp_path / name}.onnx to be a whole ONNX" in refuses(
            "inspect", tmp_path / f"{name}.onnx"
        )
    monkeypatch.setitem(sys.modules, "onnx", None)
    out = shell("inspect", path).out.splitlines()
    assert out[0] == f"{path}: {path.stat().st_size:,} bytes, ONNX"
    assert out[1].startswith("note        inspect of an ONNX file needs onnx")
    assert "pip install 'chainrule[onnx]'" in out[1]


def test_a_keras_file_is_described(shell, refuses, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.h5"
    layers = [{"class_name": "Dense", "config": {"units": 3, "activation": "relu"}}]
    with h5py.File(path, "w") as root:
        root.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        root.create_group("model_weights/dense/dense")["kernel:0"] = np.zeros((4, 3), np.float32)
        root["model_weights"].attrs["keras_version"] = b"2.15.0"
        root["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    out = shell("inspect", path).out
    assert "bytes, weights of Keras\nDense                 units 3, activation relu\n" in out
    assert "model_weights/dense/dense/kernel:0  (4, 3)  float32       12\n" in out
    assert "keras_version  2.15.0" in out
    assert "passwd" not in out
    path.write_bytes(path.read_bytes()[:700])
    assert "inspect expects" in refuses("inspect", path)


def test_a_c_header_shows_its_comment(shell, refuses, tmp_path: Path) -> None:
    text = "/* chainrule 0.1.0: digits, 784-128-10\n * flash 407,080 bytes\n */\n#include <math.h>\n"
    (tmp_path / "net.h").write_text(text)
    out = shell("inspect", tmp_path / "net.h").out.splitlines()
    assert out[0].endswith("bytes, C by chainrule")
    assert out[1:3] == ["chainrule 0.1.0: digits, 784-128-10", "flash 407,080 bytes"]
    assert len(out) == 4
    (tmp_path / "open.h").write_text("/* chainrule" + "\n" * 70_000)
    assert "to end its first comment" in refuses("inspect", tmp_path / "open.h")


def test_a_c_header_that_was_exported_is_described(shell, tmp_path: Path) -> None:
    model = cr.MLP([4, 3, 2], rng=0)
    cr.export(model, tmp_path / "net.h")
    out = shell("inspect", tmp_path / "net.h").out
    for words in ("C by chainrule", "  Linear(4 → 3, relu)", "Flash: ", "multiply-adds a row", "Parameters, SHA-256: "):
        assert words in out


def test_a_pickle_is_not_opened(refuses, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"\x80\x02cos\nsystem\n(S'true'\ntR.")
    assert "a pickle, or an archive of one" in refuses("inspect", tmp_path / "net.pt")


def test_what_a_file_says_cannot_write_on_the_terminal(shell, tmp_path: Path) -> None:
    model = cr.MLP([1, 1], rng=0)
    model.metadata = {"evil": "\x1b[2J\x07" + "x" * 10_000}
    cr.save(model, tmp_path / "model")
    out = shell("inspect", tmp_path / "model").out
    assert "\x1b" not in out
    assert r"evil        \x1b[2J\x07xxx" in out
    assert max(map(len, out.splitlines())) <= 2001


def test_an_empty_folder_is_told(refuses, tmp_path: Path) -> None:
    assert f"inspect expects a model, a checkpoint or a run in {tmp_path}, got none" in refuses("inspect", tmp_path)


def test_what_is_no_model_is_refused(refuses, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    assert "cut to be a whole safetensors file" in refuses("inspect", tmp_path / "cut")


IMAGES: dict[str, Any] = {
    "source": "digits",
    "task": "classification",
    "target": "class",
    "class_names": ["a", "b"],
    "image_shape": [8, 8],
}


def test_facts_survive_the_way_through_json(flowers_model: Path) -> None:
    metadata = cr.load(flowers_model / "model.safetensors").model_.metadata
    facts = Facts.from_metadata(metadata)
    assert facts.to_metadata().items() <= metadata.items()
    assert Facts.from_metadata(IMAGES).to_metadata() == IMAGES
    assert trained(of_images(IMAGES)).facts == Facts.from_metadata(IMAGES)


def of_images(metadata: dict[str, Any]) -> cr.Sequential:
    model = cr.MLP([64, 2], rng=0)
    model.metadata = metadata
    return model


@pytest.mark.parametrize(
    "change",
    [
        {"source": None},
        {"target": 3},
        {"class_names": None},
        {"class_names": ["a", 1]},
        {"image_shape": None},
        {"image_shape": [8]},
        {"image_shape": [8, 8.0]},
        {"image_shape": "8x8"},
        {"encoder": {}},
        {"encoder": {}, "image_shape": None},
        {"encoder": 5, "image_shape": None},
    ],
    ids=str,
)
def test_facts_that_nobody_wrote_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expects"):
        trained(of_images(IMAGES | change))


@pytest.mark.parametrize("change", [{"class_names": ["a", "b"]}, {"columns": ["length"]}, {"reading": 3}], ids=str)
def test_facts_of_another_model_are_refused(flowers_model: Path, change: dict[str, Any]) -> None:
    model = cr.load(flowers_model / "model.safetensors")
    trained(model)
    model.model_.metadata |= change
    with pytest.raises(ValueError, match="a model file expects "):
        trained(model)
