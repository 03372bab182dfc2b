"""The arrays of a compiled training: data of any kind, and changes to any array between two calls."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
import hostile
from chainrule.ops.fused import KERNELS

needs_kernels = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS, INPUTS, OUTPUTS = 48, 4, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, INPUTS)).astype("f4")
LABELS, NUMBERS, WEIGHT = np.arange(ROWS) % OUTPUTS, RNG.normal(size=(ROWS, OUTPUTS)).astype("f4"), RNG.random(ROWS)


def network():
    layers = [cr.BatchNorm(INPUTS), cr.Linear(INPUTS, 6, "relu"), cr.Dropout(0.2), cr.Linear(6, OUTPUTS)]
    return cr.Sequential(layers, rng=0)


def trained(x, y, weight, loss, **settings):
    """What a training arrives at, or what is said against it."""
    model = network()
    trainer = cr.Trainer(model, loss, cr.Adam(), batch_size=16, rng=1, **settings)
    try:
        trainer.fit(x, y, weight, epochs=2, verbose=0)
    except (ValueError, TypeError) as error:
        return str(error)
    return np.concatenate([model.parameters.vector, *model.buffers.values(), *model.predict(x)])


@pytest.mark.parametrize("which", ["x", "labels", "numbers", "weight"])
def test_data_of_any_kind(which):
    loss = "squared_error" if which == "numbers" else "cross_entropy"
    plain = [X, NUMBERS if which == "numbers" else LABELS, WEIGHT]
    position = {"x": 0, "labels": 1, "numbers": 1, "weight": 2}[which]
    for kind, change in (hostile.SAME | hostile.OTHER).items():
        guarded, data = hostile.Guarded(), list(plain)
        data[position] = array = change(guarded, plain[position])
        before = np.array(array)
        actual = trained(*data, loss)
        if isinstance(actual, str):
            assert " expects " in actual
            assert kind in hostile.OTHER
        else:
            data[position] = before
            np.testing.assert_allclose(actual, trained(*data, loss), rtol=1e-5, atol=1e-6, err_msg=kind)
        np.testing.assert_array_equal(np.array(array), before, kind)
        assert guarded.intact(), kind


class Once(cr.Callback):
    """Does something to the training after its first step."""

    def __init__(self, act):
        self._act = act

    def on_batch_end(self, trainer, loss):
        act, self._act = self._act, None
        if act is not None:
            act(trainer)


#: What C writes while a training runs.
WRITTEN = {
    "parameters": lambda trainer: trainer.model.parameters.vector,
    "gradients": lambda trainer: trainer.model.gradients.vector,
    "mean": lambda trainer: trainer.optimizer.state["mean"],
    "square": lambda trainer: trainer.optimizer.state["square"],
    "running mean": lambda trainer: trainer.model.layers[0].running_mean,
    "running variance": lambda trainer: trainer.model.layers[0].running_variance,
}


@needs_kernels
@pytest.mark.parametrize("name", WRITTEN)
def test_an_array_that_becomes_read_only_is_not_written(name):
    """A copy takes its place, or the training is refused."""
    kept = []

    def freeze(trainer):
        array = WRITTEN[name](trainer)
        array.setflags(write=False)
        kept.extend([array, array.copy()])

    actual = trained(X, LABELS, WEIGHT, "cross_entropy", callbacks=[Once(freeze)])
    assert not isinstance(actual, str) or "read-only" in actual
    np.testing.assert_array_equal(*kept)


@needs_kernels
@pytest.mark.parametrize("name", ["mean", "square", "running mean", "running variance"])
def test_an_array_that_is_resized_is_not_written(name):
    """NumPy gives the memory back; a caller who insists gets an error, but no crash."""

    def shrink(trainer):
        WRITTEN[name](trainer).resize(1, refcheck=False)

    assert " expects " in trained(X, LABELS, WEIGHT, "cross_entropy", callbacks=[Once(shrink)])


@pytest.mark.parametrize("label", [-1, 80, 2**40, -(2**40)])
@pytest.mark.parametrize("width", [OUTPUTS, 80])
@pytest.mark.parametrize("mixed", [False, True], ids=["", "mixed"])
def test_a_label_that_changes_during_training_ends_it(mixed, width, label, tmp_path):
    """Of many classes and of few the kernels differ; neither reads or writes where such a label points.

    Only the labels of a memory map can change: of others, training works on a copy.
    """
    y = np.memmap(tmp_path / "y", np.intp, "w+", shape=ROWS)
    y[:] = np.arange(ROWS) % 3

    def change(trainer):
        y[:] = label

    layers = [cr.Linear(INPUTS, width)]
    trainer = cr.Trainer(cr.Sequential(layers, rng=0), "cross_entropy", batch_size=16, callbacks=[Once(change)])
    trainer.augment = [cr.data.MixUp(classes=width)] if mixed else []
    with pytest.raises((ValueError, ArithmeticError, IndexError)):
        trainer.fit(X, y, epochs=2, verbose=0)
    assert np.isfinite(trainer.model.parameters.vector).all()


@needs_kernels
@pytest.mark.parametrize("part", ["parameters", "gradients"])
def test_parameters_that_the_layers_do_not_use_are_refused(part):
    """Assigned to the model itself, instead of their numbers to the arrays that are there."""
    model = network()
    setattr(model, part, cr.Parameters(model.parameters.shapes))
    before = model.parameters.vector.copy()
    with pytest.raises(ValueError, match=r"part of model\.parameters|layers that the model was made with"):
        cr.Trainer(model, "cross_entropy").fit(X, LABELS, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)
