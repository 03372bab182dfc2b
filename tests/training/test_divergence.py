"""Planted faults: each is caught at once, the layer, the step and the cause are named, and the weights come back."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from clocks import set_clock

ROWS = 6000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 8))
Y = X[:, :1] * 2 + X[:, 1:2]
LABELS = (X[:, 0] > 0).astype(int)

WAYS = {"a plan where there are kernels": {}, "operation by operation": {"augment": [lambda x, y, rng: (x, y)]}}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def network(outputs=1, **settings):
    return cr.MLP([8, 16, outputs], rng=0, **settings)


def fails(trainer, x=X, y=Y, epochs=10, **arguments):
    with pytest.raises(cr.DivergenceError) as caught:
        trainer.fit(x, y, epochs=epochs, verbose=0, **arguments)
    return caught.value


@pytest.mark.parametrize("optimizer", [cr.SGD(1e6), cr.SGD(1e6, momentum=0.9), cr.Adam(1e6), cr.RMSprop(1e6)])
def test_a_learning_rate_of_a_million(way, optimizer):
    model = network()
    before = model.parameters.vector.copy()
    error = fails(cr.Trainer(model, "squared_error", optimizer, **way))
    assert re.search(r"the loss rose from \S+ to \S+: lower the learning rate\.", str(error))
    assert "at learning rate 1e+06" in str(error)
    assert (error.epoch, error.layer) in [(1, "Linear(16 → 1)"), (1, "SquaredError()")]
    assert error.step < 10
    assert str(error).endswith("The model has its weights of step 0 again.")
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_terminate_on_divergence_catches_such_a_rate_in_the_next_step(way):
    trainer = cr.Trainer(
        network(2), "cross_entropy", cr.Adam(1e6), callbacks=[cr.callbacks.TerminateOnDivergence()], **way
    )
    error = fails(trainer, y=LABELS)
    assert (error.epoch, error.step) == (1, 2)
    assert re.search(r"a loss of \S+, \S+ times the first, in epoch 1, step 2", str(error))
    assert "lower the learning rate" in str(error)


def test_without_a_watch_such_a_network_goes_on():
    history = cr.Trainer(network(2), "cross_entropy", cr.Adam(1e6)).fit(X, LABELS, epochs=2, verbose=0)
    assert history["loss"][0] > 1e6


def test_not_a_number_in_row_4711():
    x = X.copy()
    x[4711, 3] = np.nan
    with pytest.raises(ValueError, match="got nan at row 4711, column 3"):
        cr.Trainer(network(), "squared_error").fit(x, Y, verbose=0)


def test_an_infinite_target():
    y = Y.copy()
    y[17] = np.inf
    with pytest.raises(ValueError, match="finite numbers in y, got inf at row 17"):
        cr.Trainer(network(), "squared_error").fit(X, y, verbose=0)


def bernoulli(z, y, weight=None):
    """−log p where y is above 0, else −log(1 − p), as one might write it: infinite where p is rounded to 0 or 1."""
    with np.errstate(divide="ignore", over="ignore"):
        p = 1 / (1 + np.exp(-z))
        value = float(np.mean(-np.log(np.where(y > 0, p, 1 - p))))
    return value, ((p - (y > 0)) / len(z)).astype(z.dtype)


def test_the_logarithm_of_0_in_a_loss_of_ones_own():
    x = X.copy()
    x[4711] = 1000 * np.sign(Y[4711]) * np.ones(8)
    model = cr.Sequential([cr.Linear(8, 1, initializer=lambda shape, rng, dtype: -np.ones(shape, dtype))], rng=0)
    error = fails(cr.Trainer(model, bernoulli, cr.SGD(1e-3), rng=1), x)
    assert "the loss, bernoulli, is inf for row 4711, its input finite" in str(error)
    assert error.layer == "bernoulli"
    only = fails(cr.Trainer(network(), lambda z, y, weight: (-np.inf, z)))
    assert "guard the loss against log(0) and division by 0" in str(only)


@pytest.mark.parametrize(("loss", "y"), [("squared_error", Y), ("cross_entropy", LABELS)])
def test_inputs_that_are_not_scaled(way, loss, y):
    x = X.copy()
    x[:, 2] *= 1e6
    error = fails(cr.Trainer(network(2 if y.ndim == 1 else 1), loss, cr.SGD(0.1), **way), x, y)
    assert re.search(r"column 2 of x has a spread of 9\.\d+e\+05, the median column 1: standardise x\.", str(error))


def test_targets_that_are_not_scaled(way):
    error = fails(cr.Trainer(network(), "squared_error", cr.SGD(0.1), **way), y=1e12 * Y)
    assert re.search(r"y has a spread of 2\.\d+e\+12: standardise y", str(error))


def test_sparse_inputs_that_are_not_scaled():
    sparse = pytest.importorskip("scipy.sparse")
    x = X.copy()
    x[:, 2] *= 1e6
    error = fails(cr.Trainer(network(), "squared_error", cr.SGD(0.1)), sparse.csr_array(x))
    assert "column 2 of x has a spread of" in str(error)


def test_one_step_of_a_look_finds_what_need_not_diverge():
    """A constant column, inputs that Adam bears, and the learning rate."""
    x = X.copy()
    x[:, 5] = 3.25
    x[:, 2] *= 1e6
    findings = " ".join(cr.diagnose(network(), x, Y, optimizer=cr.Adam(1e6)).findings)
    assert "Column 2 of x has a spread of" in findings
    assert "Column 5 of x is always 3.25 (1 in total): leave it out." in findings
    assert "of its weights in one step: lower the learning rate." in findings
    x[:, 5] = 0.1  # whose mean is not exactly it
    assert "Column 5 of x is always 0.1" in " ".join(cr.diagnose(network(), x, Y).findings)


def test_a_column_that_was_divided_by_its_spread_of_nothing():
    x = X.copy()
    x[:, 5] = 1.0
    with np.errstate(invalid="ignore"):
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    with pytest.raises(ValueError, match=r"finite numbers in x, got nan at row 0, column 5 \(6000 in total\)"):
        cr.Trainer(network(), "squared_error").fit(x, Y, verbose=0)


class Broken(cr.Linear):
    """A layer whose gradient is infinite in its third step."""

    count = 0

    def backward(self, dy, work, input_gradient=True):
        dx = super().backward(dy, work, input_gradient)
        Broken.count += 1
        if Broken.count >= 3:
            self.dW[0, 0] = np.inf
        return dx


def test_a_part_that_fails_when_it_is_looked_at_hides_nothing():
    count = [0]

    def loss(z, y, weight):
        count[0] += 1
        if count[0] > 3:
            raise RuntimeError("it takes three batches only")
        return (np.nan if count[0] == 3 else 1.0), np.zeros_like(z)

    error = fails(cr.Trainer(network(), loss, cr.SGD(0.1)))
    assert "got a loss of nan in epoch 1, step 3, at learning rate 0.1; guard the loss" in str(error)
    assert error.layer is None


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_gradient_that_is_not_finite_is_found_where_it_came_from(clip_norm, monkeypatch):
    """Though the layer behind saturates, and no loss shows it."""
    monkeypatch.setattr("chainrule.training.divergence.SHARE", 1e9)  # parameters are looked at after every step
    Broken.count = 0
    model = cr.Sequential([cr.Linear(8, 16), cr.Tanh(), Broken(16, 4), cr.Tanh(), cr.Linear(4, 1)], rng=0)
    error = fails(cr.Trainer(model, "squared_error", cr.SGD(0.01, clip_norm=clip_norm)))
    assert (error.epoch, error.step) == (1, 3)
    assert error.layer == repr(model.layers[2])
    assert f"layer 2, {error.layer}" in str(error)
    assert np.isfinite(model.parameters.vector).all()


def test_the_first_layer_that_overflows_is_named(way):
    model = cr.MLP([8, 16, 16, 1], rng=0)
    model.parameters["1.W"][:] = 3e38
    error = fails(cr.Trainer(model, "squared_error", cr.SGD(0.01), **way))
    assert error.layer == repr(model.layers[1])
    assert "layer 1, " in str(error)
    assert re.search(r"overflows for row \d+", str(error))


def test_the_row_is_that_of_the_users_x(way):
    """Whatever the order of the batches and the rows that were set aside."""
    x = X.astype(np.float32)
    x[4711] = 3e38
    error = fails(cr.Trainer(network(), "squared_error", cr.SGD(1e-3), rng=7, **way), x, validation=np.arange(100))
    assert "for row 4711" in str(error)


class Spoil(cr.Callback):
    """Makes a weight infinite after some epochs."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, trainer):
        if trainer.epoch == self.epoch:
            trainer.model.parameters["0.W"][0, 0] = np.inf


def test_a_good_training_loses_little(way, monkeypatch):
    """The weights that come back are of shortly before, the optimizer's state with them, and it can go on."""
    monkeypatch.setattr("chainrule.training.divergence.SHARE", 1e9)
    good = {}

    class Note(cr.Callback):
        def on_epoch_end(self, trainer, row):
            good[trainer.step] = trainer.model.parameters.vector.copy(), trainer.optimizer.state["mean"].copy()

    model = network()
    trainer = cr.Trainer(model, "squared_error", cr.Adam(0.01), callbacks=[Note(), Spoil(5)], **way)
    error = fails(trainer, X[:640], Y[:640], epochs=10)
    assert error.epoch == 5
    assert error.step == 1
    steps = int(re.search(r"weights of step (\d+) again", str(error))[1])
    assert 50 < steps <= 80  # the last of the fourth epoch, or, step by step, one or two before
    assert trainer.optimizer.state["step"] == steps
    assert np.isfinite(model.parameters.vector).all()
    if steps in good:
        np.testing.assert_array_equal(model.parameters.vector, good[steps][0])
        np.testing.assert_array_equal(trainer.optimizer.state["mean"], good[steps][1])
    loss = trainer.evaluate(X, Y)["loss"]
    trainer.callbacks = []
    trainer.fit(X, Y, epochs=5, verbose=0)
    assert trainer.evaluate(X, Y)["loss"] < loss


def test_running_statistics_and_averages_come_back_too():
    model = cr.Sequential([cr.Linear(8, 16), cr.BatchNorm(16), cr.ReLU(), cr.Linear(16, 1)], rng=0)
    average = cr.callbacks.WeightAverage(0.9)
    fails(cr.Trainer(model, "squared_error", cr.SGD(1e20), callbacks=[average]))
    np.testing.assert_array_equal(model.buffers["1.running_mean"], 0)
    assert np.isfinite(model.parameters.vector).all()
    average.swap(model)
    assert np.isfinite(model.parameters.vector).all()


def test_with_early_stopping_the_best_weights_come_back():
    stopping = cr.callbacks.EarlyStopping("loss")
    trainer = cr.Trainer(network(), "squared_error", cr.Adam(0.01), callbacks=[stopping, Spoil(4)])
    fails(trainer, X[:640], Y[:640])
    assert stopping.best_epoch == 3
    assert trainer.evaluate(X[:640], Y[:640])["loss"] < stopping.best


def test_a_validation_that_overflows_leaves_good_weights():
    """At a learning rate that takes one step to where the outputs are too large for float32."""
    model = network()
    before = model.parameters.vector.copy()
    trainer = cr.Trainer(model, "squared_error", cr.SGD(1e25), batch_size=None)
    error = fails(trainer, validation=(X[:10] * 1e10, Y[:10]), epochs=1)
    assert "on these data" in str(error)
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_copies_take_little_of_the_time(monkeypatch):
    """They are made again when a hundred times the time has passed that the last took."""
    now = [0.0]

    def clock():
        now[0] += 0.001
        return now[0]

    from chainrule.training import divergence

    set_clock(monkeypatch, clock, "perf_counter")
    trainer = cr.Trainer(network(), "squared_error", cr.SGD(0.1))
    trainer.optimizer.setup(trainer.model.parameters)
    good = divergence.Rollback(trainer.state)
    for step in range(1, 400):
        trainer.optimizer.step(trainer.model.parameters.vector, trainer.model.gradients.vector)
        good.keep(trainer.state)
        assert good.steps <= step
    assert 100 < good.steps < 300
