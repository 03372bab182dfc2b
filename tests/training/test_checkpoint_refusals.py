"""A checkpoint that is damaged, of another training or none at all is refused with a remedy."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule._support import files
from chainrule.training import checkpoint
from training.checkpoints import Plain, X, Y, fit, trainer


def changed(path, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("where", [-1, -400, 30])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_taken(tmp_path, where):
    fit(trainer(tmp_path))
    _, newest = sorted(tmp_path.iterdir())
    changed(newest, where)
    with pytest.raises(ValueError, match=r"resume expects .*step-00000078.safetensors to be"):
        trainer(tmp_path).resume(newest)
    again = trainer(tmp_path)
    with pytest.warns(UserWarning, match=r"step-00000078.*The one before it is taken\."):
        again.resume(tmp_path)
    np.testing.assert_array_equal(again.optimizer.state["step"], 65)
    fit(again)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: cr.Trainer(cr.MLP([6, 3]), "cross_entropy"), r"model.layers is \[Linear\], got \[Linear, "),
        (lambda folder: trainer(folder, width=8), r"model.layers\[0\].out_features is 8, got 16"),
        (lambda folder: trainer(folder, optimizer=cr.SGD(0.1)), "optimizer is SGD, got Adam"),
        (lambda folder: trainer(folder, cr.callbacks.WeightAverage()), "list of callbacks is .*'WeightAverage'], got"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, make, says):
    fit(trainer(tmp_path), epochs=1)
    words = rf"^resume expects .*\.safetensors to be of this trainer, whose {says}.*; build the trainer as it was when"
    with pytest.raises(ValueError, match=words):
        make(tmp_path).resume(tmp_path)


def test_other_data_are_refused(tmp_path):
    fit(trainer(tmp_path), epochs=1)
    with pytest.raises(ValueError, match=r"fit expects data of 203 rows, as before, got 100"):
        trainer(tmp_path).resume(tmp_path).fit(X[:100], Y[:100], epochs=2, verbose=0)


def test_other_files_are_refused(tmp_path):
    where = r"; pass the folder that was given to Checkpoint, or one of the files in it\.$"
    with pytest.raises(FileNotFoundError, match=rf"^resume expects a checkpoint in .*, got none{where}"):
        trainer(tmp_path).resume(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"^resume expects a checkpoint at .*nothing, got no such .*{where}"):
        trainer(tmp_path).resume(tmp_path / "nothing")
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"resume expects .*model.safetensors to be a checkpoint, got another"):
        trainer(tmp_path).resume(tmp_path / "model.safetensors")


# ---- its model


def test_the_model_of_a_checkpoint_may_have_custom_layers(tmp_path):
    fit(trainer(tmp_path, plain=True), epochs=1)
    (path,) = tmp_path.iterdir()
    with pytest.raises(ValueError, match=r"load expects .* to describe a model that can be built.*Plain"):
        cr.load(path)
    assert isinstance(cr.load(path, custom_layers={"Plain": Plain}).layers[-1], Plain)


def rewritten(path, change):
    """With a digest that is right."""
    arrays, facts = checkpoint.read_checkpoint("resume", path)
    change(arrays, facts)
    checkpoint.write_checkpoint(path, arrays, facts)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda arrays, facts: facts.pop("model"), "to describe its model, got None"),
        (lambda arrays, facts: facts.update(model=[]), r"to describe its model, got \[\]"),
        (lambda arrays, facts: facts["model"].update(layers=[{"type": "Linear"}]), "to describe a model that can be"),
        (lambda arrays, facts: facts["model"]["layers"][0].update(out_features=10**12), "sizes that fit the"),
        (lambda arrays, facts: facts["model"]["layers"][3].update(out_features=2), "'model/parameters'"),
        (lambda arrays, facts: arrays.pop("buffer/1.running_mean"), "'buffer/1.running_mean', got none"),
        (
            lambda arrays, facts: arrays.update({"model/parameters": np.zeros(3)}),
            "'model/parameters', got F64 of shape",
        ),
    ],
)
def test_a_checkpoint_that_was_tampered_with_is_not_loaded(tmp_path, change, says):
    fit(trainer(tmp_path), epochs=1)
    (path,) = tmp_path.iterdir()
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"^load expects .*{says}"):
        cr.load(path)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_invalid_facts_are_refused(tmp_path, text):
    arrays, header = {"a": np.zeros(1)}, {checkpoint.KEY: text}
    files.write_arrays("save", tmp_path / "x", arrays, header | {files.DIGEST: files.digest(arrays, header)})
    for read in (trainer(tmp_path / "y").resume, cr.load):
        with pytest.raises(ValueError, match=r"(resume|load) expects .* to say what it holds"):
            read(tmp_path / "x")
