"""Penalties are part of the loss that is reported and of the gradient, averaged or not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import chainrule as cr
from training.small import net, regression

WAYS = {
    "a plan where there are kernels": lambda: "half_squared_error",
    "operation by operation": lambda: lambda z, y, weight=None: cr.HalfSquaredError()(z, y, weight),
}


@pytest.mark.parametrize("penalty", [dict(), dict(l1=0.1), dict(l2=0.1), dict(l1=0.2, l2=0.3)], ids=str)
def test_the_loss_reported_is_that_of_the_first_batch_and_holds_the_penalty(numbers, penalty):
    x, y = numbers
    model = net(dtype="float64", **penalty)
    weights = [model.parameters[name] for name in ("0.W", "1.W")]
    value = np.mean(np.sum((model.predict(x) - y) ** 2, axis=1))
    value += penalty.get("l1", 0) * sum(np.sum(abs(W)) for W in weights)
    value += penalty.get("l2", 0) * sum(np.sum(W**2) for W in weights)
    trainer = regression(model, batch_size=None)
    assert trainer.evaluate(x, y)["loss"] == pytest.approx(value, rel=1e-12)
    history = trainer.fit(x, y, validation=(x, y), epochs=2, verbose=0)
    assert history["loss"][0] == pytest.approx(value, rel=1e-12)
    assert history["loss"][1] == pytest.approx(history["validation_loss"][0], rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_the_averaged_penalty_is_divided_by_the_sum_of_the_weights(numbers, way, weighted, rng):
    """At a learning rate that moves nothing; the last batch is short, and each of the three has its penalty."""
    x, y = numbers
    weight = rng.uniform(0, 2, 40) if weighted else None
    model, free = (net(dtype="float64", **penalty) for penalty in (dict(l1=0.2, l2=0.3), {}))
    total = 40 if weight is None else weight.sum()
    penalty = sum(0.2 * np.sum(abs(W)) + 0.3 * np.sum(W**2) for W in (model.parameters["0.W"], model.parameters["1.W"]))
    loss = cr.Trainer(free, WAYS[way]()).evaluate(x, y, weight)["loss"]
    trainer = cr.Trainer(model, WAYS[way](), cr.SGD(1e-30), batch_size=16, average_penalty=True)
    history = trainer.fit(x, y, weight, validation=(x, y, weight) if weighted else (x, y), epochs=1, verbose=0)
    assert trainer.evaluate(x, y, weight)["loss"] == pytest.approx(loss + penalty / total, rel=1e-12)
    assert history["validation_loss"][0] == pytest.approx(loss + penalty / total, rel=1e-12)
    assert history["loss"][0] == pytest.approx(loss + 3 * penalty / total, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("average", [False, True])
def test_the_gradient_is_that_of_the_loss_with_its_penalty(numbers, average, way, weighted, rng):
    """A step of gradient descent at rate 1 against finite differences of the loss that is reported."""
    x, y = numbers
    weight = rng.uniform(0, 2, 40) if weighted else None
    inner = [cr.Linear(8, 8, "tanh", l1=0.1, l2=0.2)]
    layers = [
        cr.Linear(3, 8, "tanh", l1=0.3),
        *(inner if "plan" in way else [cr.Residual(inner)]),
        cr.Linear(8, 2, l2=2),
    ]
    model = cr.Sequential(layers, rng=0, dtype="float64")
    start, direction = model.parameters.vector.copy(), rng.standard_normal(model.parameters.vector.size)
    trainer = cr.Trainer(model, WAYS[way](), cr.SGD(1.0), batch_size=None, average_penalty=average)

    def value(t):
        model.parameters.vector[:] = start + t * direction
        return trainer.evaluate(x, y, weight)["loss"]

    numeric = (value(1e-6) - value(-1e-6)) / 2e-6
    value(0)
    trainer.fit(x, y, weight, epochs=1, verbose=0)
    assert (start - model.parameters.vector) @ direction == pytest.approx(numeric, rel=1e-7)


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 1, 60)], ids=["no weights", "weights"])
def test_class_weights_count_in_the_averaged_penalty_as_sample_weights_do(classes, weight):
    x, y = classes
    each = np.array([1.0, 3.0, 0.25])
    ones = np.ones(60) if weight is None else weight
    models = [net(3, dtype="float64", l2=0.5) for _ in range(2)]
    scores = []
    for model, loss, w in zip(
        models, (cr.CrossEntropy(class_weight=each), cr.CrossEntropy()), (weight, ones * each[y]), strict=True
    ):
        trainer = cr.Trainer(model, loss, cr.SGD(0.1), batch_size=16, average_penalty=True)
        trainer.fit(x, y, w, epochs=3, verbose=0)
        scores.append(trainer.evaluate(x, y, w)["loss"])
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=0, atol=1e-12)
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


def test_rows_that_all_weigh_nothing_have_no_averaged_penalty(classes):
    x, _ = classes
    loss = cr.CrossEntropy(class_weight=[0.0, 1.0, 1.0])
    trainer = cr.Trainer(net(3, l2=0.5), loss, cr.SGD(0.1), average_penalty=True)
    before = trainer.model.parameters.vector.copy()
    assert trainer.evaluate(x, np.zeros(60, int))["loss"] == 0
    assert trainer.fit(x, np.zeros(60, int), epochs=1, verbose=0)["loss"] == [0]
    np.testing.assert_array_equal(trainer.model.parameters.vector, before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [50, 53])
def test_scikit_learn_averages_its_penalty_so(rows, weighted, rng):
    """The same trajectory: its alpha is twice our l2. One epoch a call, its rows in the order of ours."""
    sklearn = pytest.importorskip("sklearn.neural_network")
    x = rng.standard_normal((rows, 3))
    y = x[:, 0] * x[:, 1] + 1
    weight = rng.uniform(0.1, 2, rows) if weighted else None
    settings = dict(solver="sgd", momentum=0, nesterovs_momentum=False, shuffle=False, alpha=0.1, batch_size=16)
    settings |= dict(hidden_layer_sizes=(8, 5), activation="tanh", learning_rate_init=0.05, random_state=0)
    theirs = sklearn.MLPRegressor(**settings)
    if weighted and "sample_weight" not in inspect.signature(theirs.partial_fit).parameters:
        pytest.skip("this scikit-learn has no sample weights here")
    theirs.partial_fit(x, y)
    ours = cr.MLP([3, 8, 5, 1], activation="tanh", l2=0.05, dtype="float64")
    for index, (W, b) in enumerate(zip(theirs.coefs_, theirs.intercepts_, strict=True)):
        ours.layers[index].W, ours.layers[index].b = W, b
    trainer = cr.Trainer(ours, "half_squared_error", cr.SGD(0.05), batch_size=16, rng=3, average_penalty=True)
    history = trainer.fit(x, y[:, None], weight, epochs=4, verbose=0)
    orders = np.random.default_rng(3)
    for _ in range(4):
        order = orders.permutation(rows)
        theirs.partial_fit(x[order], y[order], **({} if weight is None else {"sample_weight": weight[order]}))
    for layer, W, b in zip(ours.layers, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(layer.W, W, rtol=0, atol=1e-10)
        np.testing.assert_allclose(layer.b, b, rtol=0, atol=1e-10)
    if not weighted:  # theirs is the mean over batches by their rows
        np.testing.assert_allclose(history["loss"], theirs.loss_curve_[1:], rtol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_a_penalty_that_overflows_is_reported(numbers, way):
    x, y = numbers
    model = net(dtype="float64", l2=1.0)
    model.parameters["1.W"][:] = 1e160
    trainer = cr.Trainer(model, WAYS[way](), cr.SGD(1e-9), batch_size=None)
    model.parameters["0.W"][:] = 0
    with pytest.raises(
        cr.DivergenceError, match="got a loss of inf in epoch 1, step 1, at learning rate 1e-09: the penalties overflow"
    ):
        trainer.fit(x, y, epochs=2, verbose=0)


def test_a_penalty_pulls_the_weights_towards_zero(numbers):
    models = [net(l2=l2) for l2 in (0.0, 0.5)]
    for model in models:
        regression(model, cr.SGD(0.02), rng=0).fit(*numbers, epochs=30, verbose=0)
    free, held = (np.linalg.norm(model.parameters["0.W"]) for model in models)
    assert held < free / 2
