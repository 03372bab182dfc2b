"""The same seed gives the same bits, those of a loop by hand, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import At, net, regression


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "optimizer", [lambda: cr.SGD(0.01, momentum=0.9), cr.Adam, cr.Muon], ids=["SGD", "Adam", "Muon"]
)
def test_the_same_seed_gives_the_same_bits(numbers, optimizer, dtype):
    def trained():
        model = cr.Sequential(
            [cr.Linear(3, 8), cr.BatchNorm(8), cr.ReLU(), cr.Dropout(0.3), cr.GaussianNoise(0.1), cr.Linear(8, 2)],
            rng=5,
            dtype=dtype,
        )
        history = regression(model, optimizer(), batch_size=16).fit(*numbers, validation=0.2, epochs=3, verbose=0)
        return model.parameters.vector, history["loss"], history["validation_loss"]

    first, again = trained(), trained()
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1:] == again[1:]


def test_another_order_of_batches_gives_other_bits(numbers):
    models = [net() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        regression(model, rng=seed, batch_size=8).fit(*numbers, epochs=2, verbose=0)
    first, again, other = (model.parameters.vector for model in models)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [dict(batch_size=16), dict(batch_size=16, drop_last=True), dict(batch_size=None), dict(batch_size=8, sample="one")],
    ids=str,
)
def test_a_loop_written_by_hand_gives_the_same_bits(numbers, arguments, weighted, rng):
    x, y = numbers
    weight = rng.uniform(0, 2, 40).astype(np.float32) if weighted else None

    def make():
        return net(dropout=0.2, l2=0.01), cr.AdamW(0.01)

    model, optimizer = make()
    cr.Trainer(model, "huber", optimizer, rng=3, **arguments).fit(x, y, weight, epochs=4, verbose=0)

    by_hand, optimizer = make()
    loss, order, size = cr.Huber(), np.random.default_rng(3), arguments["batch_size"]
    options = {name: value for name, value in arguments.items() if name != "batch_size"}
    for _ in range(4):
        for xb, yb, *wb in cr.batches(x, y, weight, size=size, rng=order, **options):
            z = by_hand.forward(xb, training=True)
            value, dz = loss(z, yb, *wb)
            by_hand.backward(dz)
            optimizer.step(by_hand.parameters.vector, by_hand.gradients.vector)
    assert np.isfinite(value)
    np.testing.assert_array_equal(by_hand.parameters.vector, model.parameters.vector)


def test_a_second_fit_continues_where_the_first_ended(numbers):
    together, apart = (regression(net(dropout=0.2), cr.Adam(), rng=3) for _ in range(2))
    together.fit(*numbers, epochs=5, verbose=0)
    for epochs in (2, 3):
        apart.fit(*numbers, epochs=epochs, verbose=0)
    np.testing.assert_array_equal(apart.model.parameters.vector, together.model.parameters.vector)


# ---- a custom order


@pytest.mark.parametrize("batch_size", [7, 40, None])
def test_the_order_of_rows_may_be_given(numbers, batch_size):
    """A loop by hand through the same orders: with the epochs run together, or one by one."""
    x, y = numbers
    draws = [np.random.default_rng(5) for _ in range(3)]
    ours, looked_at, by_hand = (net(dtype="float64") for _ in range(3))
    fits = [(ours, draws[0], []), (looked_at, draws[1], [At(1, lambda trainer, row: None)])]
    for model, draw, callbacks in fits:
        settings = dict(
            batch_size=batch_size, callbacks=callbacks, sample=lambda rows, draw=draw: draw.permutation(rows)
        )
        regression(model, cr.SGD(0.01, momentum=0.9), **settings).fit(x, y, epochs=20, verbose=0)
    loss, optimizer = cr.SquaredError(), cr.SGD(0.01, momentum=0.9)
    for _ in range(20):
        for xb, yb in cr.batches(x, y, size=batch_size, sample=draws[2].permutation):
            by_hand.backward(loss(by_hand.forward(xb, training=True), yb)[1])
            optimizer.step(by_hand.parameters.vector, by_hand.gradients.vector)
    for model in (ours, looked_at):
        np.testing.assert_allclose(model.parameters.vector, by_hand.parameters.vector, rtol=1e-9, atol=1e-12)


def test_an_order_is_asked_for_once_an_epoch(numbers):
    asked = []

    def sequential(rows):
        asked.append(rows)
        return np.arange(rows)

    regression(sample=sequential, batch_size=16).fit(*numbers, epochs=5, verbose=0)
    assert asked == [40] * 5


def test_an_invalid_order_is_refused(numbers):
    model = net()
    before = model.parameters.vector.copy()
    with pytest.raises(ValueError, match=r"sample expects an order of shape \(40,\), got \(39,\)"):
        regression(model, sample=lambda rows: np.arange(rows - 1)).fit(*numbers, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)
