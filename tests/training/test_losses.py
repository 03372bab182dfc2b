"""Any callable is a loss; one that wants logits does not get probabilities."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import net


def test_any_callable_is_a_loss(numbers):
    def loss(z, y, weight=None):
        difference = z - y
        return float(np.mean(np.sum(difference**2, axis=1))), 2 * difference / len(z)

    own, named = net(dtype="float64"), net(dtype="float64")
    for model, kind in ((own, loss), (named, "squared_error")):
        cr.Trainer(model, kind, cr.SGD(0.01), rng=1).fit(*numbers, epochs=3, verbose=0)
    np.testing.assert_allclose(own.parameters.vector, named.parameters.vector, rtol=1e-12, atol=1e-14)


def ending(layer):
    return cr.Sequential([cr.Linear(3, 2), layer], rng=0)


class OwnSoftmax(cr.Softmax):
    """A layer of the user's own, of which the library knows only what it says."""


LOGITS = (
    r"CrossEntropy\(\) expects the model's logits, got a model that ends in {}; pass loss=cr.{}\(from_logits=False\)\."
)
PROBABILITIES = (
    r"CrossEntropy\(from_logits=False\) expects the model's probabilities, got a model that ends in {}; pass"
)


@pytest.mark.parametrize(
    ("model", "loss", "says"),
    [
        (net(softmax=True), cr.CrossEntropy(), LOGITS.format(r"Softmax\(\)", "CrossEntropy")),
        (net(output_activation="softmax"), "cross_entropy", r"ends in Linear\(8 → 2, softmax\)"),
        (net(output_activation="sigmoid"), "binary_cross_entropy", LOGITS.format("Linear.*", "BinaryCrossEntropy")),
        (ending(cr.Sigmoid()), cr.BinaryCrossEntropy(), "expects the model's logits"),
        (ending(cr.HardSigmoid()), cr.BinaryCrossEntropy(), "expects the model's logits"),
        (net(), cr.CrossEntropy(from_logits=False), PROBABILITIES.format(r"Linear\(8 → 2\)")),
        (net(), cr.BinaryCrossEntropy(from_logits=False), "expects the model's probabilities"),
        (net(output_activation="sigmoid"), cr.CrossEntropy(from_logits=False), "expects the model's probabilities"),
    ],
)
def test_logits_and_probabilities_are_not_confused(model, loss, says):
    with pytest.raises(ValueError, match=says):
        cr.Trainer(model, loss)


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (net(), cr.CrossEntropy()),
        (net(), cr.BinaryCrossEntropy()),
        (net(softmax=True), cr.CrossEntropy(from_logits=False)),
        (net(output_activation="softmax"), cr.CrossEntropy(from_logits=False)),
        (net(output_activation="sigmoid"), cr.BinaryCrossEntropy(from_logits=False)),
        (net(output_activation="hard_sigmoid"), cr.BinaryCrossEntropy(from_logits=False)),
        (ending(OwnSoftmax()), cr.CrossEntropy(from_logits=False)),
        (ending(cr.Residual([cr.Tanh()])), cr.CrossEntropy(from_logits=False)),
        (net(softmax=True), cr.SquaredError()),
    ],
)
def test_what_may_fit_together_is_let_through(model, loss):
    assert cr.Trainer(model, loss).loss is loss
