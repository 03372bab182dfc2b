"""Planted faults, each found and named, and a healthy network, of which nothing is said."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(0).normal(size=(200, 5))
Y = X[:, :1] + 0.1
LABELS = (X[:, 0] > 0).astype(int)


def net(outputs=1, **arguments):
    return cr.MLP([5, 32, 32, outputs], rng=0, **arguments)


def dead(model):
    model.layers[0].b[:20] = -1000
    return model


def large(model, factor):
    model.parameters.vector[:] *= factor
    return model


@pytest.mark.parametrize(("outputs", "y"), [(1, Y), (1, Y[:, 0]), (2, LABELS), (1, LABELS)])
def test_of_a_healthy_network_nothing_is_said(outputs, y):
    found = cr.diagnose(net(outputs), X, y)
    assert found.findings == []
    assert str(found).endswith("Nothing looks wrong.")


@pytest.mark.parametrize(
    ("model", "x", "y", "arguments", "says"),
    [
        (net(), X * [1, 1, 1e6, 1, 1], Y, {}, r"Column 2 of x has a spread of 9\.\d+e\+05, .*: standardise x"),
        (net(), X * 1e6, Y, {}, "of x has a spread of .*e.06, .*: standardise x"),
        (
            net(),
            X + np.array([0, 0, 0, 1e4, 0]),
            Y,
            {},
            "Column 3 of x has a mean of 1e.04 and a spread of .*",
        ),
        (net(), X * [1, 0, 1, 1, 1] + [0, 7, 0, 0, 0], Y, {}, r"Column 1 of x is always 7 \(1 in total\): leave"),
        (net(), np.ones_like(X), Y, {}, "All rows of x are equal"),
        (net(), X, Y * 1e4, {}, r"y has a spread of .*: standardise y"),
        (dead(net()), X, Y, {}, r"Layer 0, Linear\(5 → 32, relu\), has 62% dead units: lower the learning rate"),
        (large(net(activation="tanh"), 100), X, Y, {}, "Layer 0, .* of its outputs at their limits: standardise x"),
        (net(), X, Y, dict(optimizer=cr.Adam(10.0)), "of its weights in one step: lower the learning rate"),
        (net(), X, Y, dict(optimizer=cr.SGD(1e-9)), "of its weights in one step: raise the learning rate"),
        (large(net(activation="sigmoid"), 0.01), X, Y, {}, "The gradient vanishes on its way to the first layer"),
        (large(net(dtype="float64"), 1e110), X, Y, {}, "has a gradient that is not finite"),
    ],
)
def test_a_fault_is_named_with_what_to_do(model, x, y, arguments, says):
    findings = cr.diagnose(model, x, y, **arguments).findings
    assert any(re.search(says, finding) for finding in findings), findings


def test_nothing_is_changed():
    model, optimizer = net(), cr.Adam(0.1)
    before = model.parameters.vector.copy()
    first = model.rng.bit_generator.state
    cr.diagnose(model, X, Y, "huber", optimizer)
    np.testing.assert_array_equal(model.parameters.vector, before)
    assert model.rng.bit_generator.state == first
    assert optimizer.state == {}


def test_numbers_of_a_layer_are_those_of_the_network():
    model = cr.Sequential([cr.Linear(5, 4, activation="relu"), cr.Dropout(0.5), cr.Linear(4, 1)], rng=0)
    found = cr.diagnose(model, X, Y, optimizer=cr.SGD(0.5))
    hidden = np.maximum(X.astype(np.float32) @ model.layers[0].W, 0)
    assert found.layers[0].mean == pytest.approx(hidden.mean(), rel=1e-5)
    assert found.layers[0].spread == pytest.approx(hidden.std(), rel=1e-5)
    assert found.layers[0].weight == pytest.approx(np.linalg.norm(model.layers[0].W), rel=1e-5)
    assert found.layers[0].step == pytest.approx(0.5 * found.layers[0].gradient, rel=1e-3)
    assert np.isnan(found.layers[1].weight)
    assert len(str(found).splitlines()) == 1 + 3 + 1 + max(1, len(found.findings))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("model", X, Y), TypeError, "diagnose expects a Sequential model, got 'model'"),
        ((cr.Trainer(net(), "squared_error"), X, Y), TypeError, r"; pass trainer\.model\.$"),
        ((net(), X * np.nan, Y), ValueError, "diagnose expects finite numbers in x"),
        ((net(), X, Y + np.inf), ValueError, "diagnose expects finite numbers in y"),
        ((net(), X[:, :3], Y), ValueError, r"Linear\(5 → 32, relu\) expects input of shape \(N, 5\)"),
        ((net(), X, Y[:7]), ValueError, "expects"),
        ((net(), X[:0], Y[:0]), ValueError, "expects"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.diagnose(*arguments)
