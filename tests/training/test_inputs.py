"""What a training is given: checked at the start, in one sentence each, and brought into the model's dtype."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.inputs import as_data, as_validation, check_targets

X, Y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2
MODEL = cr.MLP([2, 3, 2], rng=0)
LOSS = cr.CrossEntropy()


def test_x_and_weights_take_the_models_dtype_and_y_keeps_its_own():
    x, y, weight = as_data("fit", MODEL, X.tolist(), Y, [1, 2, 3, 4, 5, 6])
    assert (x.dtype, y.dtype, weight.dtype) == (np.float32, Y.dtype, np.float32)
    assert as_data("fit", MODEL, X, Y, None)[2] is None


def test_a_fraction_is_held_out_in_the_classes_shares():
    held_out, kept = as_validation((X, Y, Y + 1.0), 1 / 3, MODEL, LOSS, np.random.default_rng(0))
    assert held_out is not None
    x, y, weight = held_out
    assert sorted(y) == [0, 1]
    np.testing.assert_array_equal(weight, y + 1)
    assert kept is not None
    assert sorted([*x[:, 0], *X[kept, 0]]) == X[:, 0].tolist()


def test_a_custom_loss_takes_any_targets_it_likes():
    assert check_targets(MODEL, lambda z, y, weight: (0.0, z), (X, Y, None)) is None


MISFITS = {
    "another width": ((40, 60), (40,), "(40, 60); pass 64 columns, or make the layer for 60."),
    "one column": ((40,), (40,), "(40,); pass a matrix with a row for each sample and 64 columns."),
    "images": ((40, 8, 8), (40,), "(40, 8, 8); put Flatten() in front."),
    "images of another size": ((40, 8, 7), (40,), "(40, 8, 7); put Flatten() in front, and make the layer for 56."),
    "x and y": ((40,), (40, 64), "(40,); x comes first, then y: they seem to be the wrong way round."),
}
GIVEN = {
    "fit": lambda trainer, x, y: trainer.fit(x, y, verbose=0),
    "validation": lambda trainer, x, y: trainer.fit(
        np.ones((9, 64)), np.zeros(9, int), validation=(x, y), epochs=1, verbose=0
    ),
    "evaluate": lambda trainer, x, y: trainer.evaluate(x, y),
    "diagnose": lambda trainer, x, y: cr.diagnose(trainer.model, x, y),
}


@pytest.mark.parametrize("call", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize(("x", "y", "says"), MISFITS.values(), ids=MISFITS)
def test_rows_that_do_not_fit_are_reported_with_the_shape_of_all(x, y, says, call):
    trainer = cr.Trainer(cr.MLP([64, 10], rng=0), "cross_entropy")
    with pytest.raises(ValueError, match=re.escape(f"expects input of shape (N, 64), got {says}")):
        call(trainer, np.zeros(x), np.zeros(y, int))


LINES = {
    "a column": (1, (40,), "pass x[:, None]."),
    "a number": (1, (1,), "pass x[:, None]."),
    "a row": (6, (6,), "pass x[None] for a single sample."),
    "neither": (6, (40,), "pass a matrix with a row for each sample and 6 columns."),
    "images": (6, (5, 2, 3), "put Flatten() in front."),
}
CALLED = {
    "predict": lambda model, x: model.predict(x),
    "forward": lambda model, x: model.forward(x, training=True),
    "gradcheck": lambda model, x: cr.gradcheck(model, x, np.zeros((len(x), 2)), loss="squared_error"),
    "evaluate": lambda model, x: cr.Trainer(model, "squared_error").evaluate(x, np.zeros((len(x), 2))),
}


@pytest.mark.parametrize("first", [cr.Linear, cr.BatchNorm, cr.Scale, cr.LayerNorm, cr.PReLU])
@pytest.mark.parametrize("call", CALLED.values(), ids=CALLED)
@pytest.mark.parametrize(("features", "shape", "remedy"), LINES.values(), ids=LINES)
def test_a_line_of_numbers_is_made_a_column_or_a_row(features, shape, remedy, call, first):
    layers = [cr.Linear(features, 2)] if first is cr.Linear else [first(features), cr.Linear(features, 2)]
    with pytest.raises(ValueError, match=re.escape(f"input of shape (N, {features}), got {shape}; {remedy}")):
        call(cr.Sequential(layers, rng=0), np.ones(shape))


@pytest.mark.parametrize("y", [(40,), (40, 1)])
def test_a_single_column_is_made_a_matrix(y):
    with pytest.raises(ValueError, match=re.escape("(N, 1), got (40,); pass x[:, None].")):
        cr.Trainer(cr.MLP([1, 4, 1], rng=0), "squared_error").fit(np.ones(40), np.ones(y), verbose=0)


def test_layers_that_keep_the_width_may_come_first():
    for first in ([cr.ReLU()], [cr.Dropout(0.5)], [cr.Flatten()], [cr.BatchNorm(64)]):
        trainer = cr.Trainer(cr.Sequential([*first, cr.Linear(64, 2)], rng=0), "cross_entropy")
        with pytest.raises(ValueError, match=r"got \(40, 60\); pass 64 columns"):
            trainer.fit(np.ones((40, 60)), np.zeros(40, int), verbose=0)
    images = cr.Trainer(cr.Sequential([cr.Flatten(), cr.Linear(64, 2)], rng=0), "cross_entropy")
    assert len(images.fit(np.ones((40, 8, 8)), np.zeros(40, int), epochs=1, verbose=0)) == 1


def test_a_custom_layer_takes_any_rows_it_likes():
    class Lookup(cr.Linear):
        def forward(self, x, work):
            work["x"] = x
            return self.W[x.astype(int)]

        def backward(self, dy, work, input_gradient=True):
            self.dW[...] = 0
            np.add.at(self.dW, work["x"].astype(int), dy)

    trainer = cr.Trainer(cr.Sequential([Lookup(5, 3, bias=False)], rng=0), "cross_entropy")
    assert len(trainer.fit(np.arange(30) % 5, np.arange(30) % 3, epochs=1, verbose=0)) == 1
