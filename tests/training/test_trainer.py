"""Training: the same bits from the same seed, the same as a loop by hand, an honest record, clear refusals."""

from __future__ import annotations

import inspect
import json
import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics


@pytest.fixture
def numbers(rng):
    """A regression of two outputs."""
    x = rng.standard_normal((40, 3))
    return x, np.stack([x[:, 0] * x[:, 1], x[:, 2]], axis=1)


@pytest.fixture
def classes(rng):
    x = rng.standard_normal((60, 3))
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)


def net(outputs=2, **arguments):
    return cr.MLP([3, 8, outputs], **(dict(rng=0) | arguments))


def regression(model=None, optimizer=None, **arguments):
    return cr.Trainer(model or net(), "squared_error", optimizer or cr.SGD(0.01), **arguments)


class At(cr.Callback):
    """Does something after a step, or at the end of an epoch."""

    def __init__(self, action, step=None, epoch=None):
        self.action, self.step, self.epoch, self.steps = action, step, epoch, 0

    def on_batch_end(self, trainer, loss):
        self.steps += 1
        if self.steps == self.step:
            self.action(trainer)

    def on_epoch_end(self, trainer, row):
        if trainer.epoch == self.epoch:
            self.action(trainer)


def interrupt(trainer):
    raise KeyboardInterrupt


# ---- the same bits


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


def test_a_second_fit_goes_on_where_the_first_ended(numbers):
    together, apart = regression(rng=3, optimizer=cr.Adam()), regression(rng=3, optimizer=cr.Adam())
    together.fit(*numbers, epochs=5, verbose=0)
    for epochs in (2, 3):
        apart.fit(*numbers, epochs=epochs, verbose=0)
    np.testing.assert_array_equal(apart.model.parameters.vector, together.model.parameters.vector)


# ---- an order of one's own


@pytest.mark.parametrize("batch_size", [7, 40, None])
def test_the_order_of_rows_may_be_given(numbers, batch_size):
    """A loop by hand through the same orders: with the epochs run together, or one by one."""
    x, y = numbers
    draws = [np.random.default_rng(5) for _ in range(3)]
    ours, looked_at, by_hand = (net(dtype="float64") for _ in range(3))
    fits = [(ours, draws[0], []), (looked_at, draws[1], [At(lambda trainer: None, epoch=1)])]
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


def test_what_is_no_order_is_refused(numbers):
    model = net()
    before = model.parameters.vector.copy()
    with pytest.raises(ValueError, match=r"sample expects an order of shape \(40,\), got \(39,\)"):
        regression(model, sample=lambda rows: np.arange(rows - 1)).fit(*numbers, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)


# ---- sparse rows


@pytest.fixture
def words(rng):
    """Counts of words, most of them 0; some texts are empty."""
    x = rng.poisson(0.15, (60, 30)).astype(float)
    x[5:8] = 0
    return x, (x[:, :10].sum(axis=1) > x[:, 10:20].sum(axis=1)).astype(int) + (x[:, 20:].sum(axis=1) > 1)


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_array", "coo_matrix"])
@pytest.mark.parametrize("optimizer", [cr.Adam, lambda: cr.SGD(0.1, momentum=0.9)], ids=["Adam", "momentum"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_sparse_rows_teach_what_dense_ones_do(words, kind, optimizer, weighted, rng):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = words
    weight = rng.random(60) if weighted else None
    models, histories = [], []
    for data in (x, getattr(sparse, kind)(x)):
        model = cr.MLP([30, 16, 3], dropout=0.1, l2=1e-3, rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy", optimizer(), batch_size=16, metrics=["accuracy"])
        histories.append(trainer.fit(data, y, weight, validation=(data, y), epochs=8, verbose=0))
        models.append(model)
        assert trainer.evaluate(data, y, weight) == pytest.approx(trainer.evaluate(x, y, weight), rel=1e-12)
    np.testing.assert_allclose(models[1].parameters.vector, models[0].parameters.vector, rtol=1e-8, atol=1e-11)
    for column in ("loss", "accuracy", "validation_loss"):
        np.testing.assert_allclose(histories[1][column], histories[0][column], rtol=1e-9)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(batch_size=None),
        dict(batch_size=16, sample="one"),
        dict(batch_size=16, drop_last=True),
        dict(batch_size=16, sample=lambda rows: np.arange(rows)[::-1]),
    ],
    ids=str,
)
def test_sparse_rows_are_drawn_like_dense_ones(words, arguments):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = words
    models = [cr.MLP([30, 8, 3], rng=0, dtype="float64") for _ in range(2)]
    for model, data in zip(models, (x, sparse.csr_matrix(x)), strict=True):
        cr.Trainer(model, "cross_entropy", cr.SGD(0.1), **arguments).fit(data, y, validation=0.2, epochs=4, verbose=0)
    np.testing.assert_allclose(models[1].parameters.vector, models[0].parameters.vector, rtol=1e-9, atol=1e-12)


def test_a_sparse_x_never_becomes_dense():
    """Dense, 200 000 by 2000 numbers would be 1.6 GB."""
    sparse = pytest.importorskip("scipy.sparse")
    rows = np.arange(200_000)
    x = sparse.csr_array((np.ones(rows.size), (rows, rows % 2000)), shape=(200_000, 2000))
    model = cr.MLP([2000, 4, 1], rng=0)
    trainer = regression(model, batch_size=4096)
    tracemalloc.start()
    trainer.fit(x, np.zeros((200_000, 1)), epochs=1, verbose=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000  # 1.6 MB of numbers here, with their columns and their rows, y and an order


def test_sparse_data_that_do_not_fit_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="fit expects finite numbers in x, got nan at row 2, column 1"):
        regression().fit(sparse.csr_array(WITH_NAN), Y, verbose=0)
    with pytest.raises(ValueError, match=r"x, y and weights of equal length, got x \(8, 3\), y \(7, 2\)"):
        regression().fit(sparse.csr_array(X), Y[:7], verbose=0)
    with pytest.raises(TypeError, match=r"fit expects y to be an array of numbers, got a sparse one; pass y\.toarray"):
        regression().fit(X, sparse.csr_array(Y), verbose=0)
    with pytest.raises(ValueError, match="fit expects at least one row"):
        regression().fit(sparse.csr_array((0, 3)), Y[:0], verbose=0)
    normalised = cr.Sequential([cr.BatchNorm(3), cr.Linear(3, 2)], rng=0)
    with pytest.raises(TypeError, match=r"BatchNorm\(3\) expects dense x, got a sparse one"):
        regression(normalised).fit(sparse.csr_array(X), Y, verbose=0)


# ---- data on the disk


def test_what_lies_on_the_disk_stays_there(tmp_path):
    """200 MB of a file that is nearly all holes: neither training nor prediction copies it."""
    rows, columns = 100_000, 512
    path = tmp_path / "x.f32"
    with path.open("wb") as file:
        file.truncate(4 * rows * columns)
    x = np.memmap(path, np.float32, "r+", shape=(rows, columns))
    x[::1000, 3] = 1.0
    y = np.zeros((rows, 1), np.float32)
    model = cr.MLP([columns, 4, 1], rng=0)
    peaks = []
    for use in (
        lambda: regression(model, cr.Adam(), batch_size=4096).fit(x, y, epochs=1, verbose=0),
        lambda: model.predict(x),
        lambda: regression(model).evaluate(x, y),
    ):
        tracemalloc.start()
        use()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    fitting, predicting, evaluating = peaks
    assert fitting < 30_000_000
    assert max(predicting, evaluating) < 5_000_000


# ---- what is reported


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


WAYS = {
    "a plan where there are kernels": lambda: "half_squared_error",
    "operation by operation": lambda: lambda z, y, weight=None: cr.HalfSquaredError()(z, y, weight),
}


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
def test_a_penalty_that_overflows_is_told(numbers, way):
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


@pytest.mark.parametrize("size", [7, 16, 39])
def test_an_epochs_loss_is_the_mean_over_rows_whatever_the_batches(numbers, size):
    """With a learning rate of 0 every batch meets the same model; the last batch is short."""
    trainer = regression(optimizer=cr.SGD(0), batch_size=size)
    history = trainer.fit(*numbers, epochs=1, verbose=0)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(*numbers)["loss"], rel=1e-5)


def test_an_epochs_loss_is_the_weighted_mean_with_weights(numbers, rng):
    weight = rng.uniform(0, 3, 40)
    trainer = regression(optimizer=cr.SGD(0), batch_size=7)
    history = trainer.fit(*numbers, sample_weight=weight, epochs=1, verbose=0)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(*numbers, sample_weight=weight)["loss"], rel=1e-5)


def test_a_weight_of_two_is_a_row_twice(numbers):
    x, y = numbers
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    models = [net(dtype="float64") for _ in range(2)]
    weighted, doubled = (regression(model, batch_size=None) for model in models)
    histories = [
        weighted.fit(x, y, sample_weight=weight, epochs=5, verbose=0),
        doubled.fit(np.concatenate([x, x[:10]]), np.concatenate([y, y[:10]]), epochs=5, verbose=0),
    ]
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=1e-12, atol=1e-14)
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-12)


def test_rows_of_weight_zero_teach_nothing(numbers):
    x, y = numbers
    weight = (np.arange(40) < 20).astype(float)
    models = [net(dtype="float64") for _ in range(2)]
    regression(models[0], batch_size=None).fit(x, y, sample_weight=weight, epochs=3, verbose=0)
    regression(models[1], batch_size=None).fit(x[:20], y[:20], epochs=3, verbose=0)
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=1e-12, atol=1e-14)


def test_weights_that_are_all_zero_are_refused(numbers):
    with pytest.raises(ValueError, match="fit expects a sample_weight above 0, got zeros only"):
        regression().fit(*numbers, np.zeros(40), verbose=0)


# ---- validation and metrics


@pytest.mark.parametrize("weighted", [False, True])
def test_validation_data_are_scored_after_each_epoch(classes, weighted, rng):
    x, y = classes
    weight = rng.uniform(0.5, 2, 20) if weighted else None
    trainer = cr.Trainer(net(3), "cross_entropy", metrics=["accuracy"])
    held_out = (x[40:], y[40:], weight) if weighted else (x[40:], y[40:])
    history = trainer.fit(x[:40], y[:40], validation=held_out, epochs=2, verbose=0)
    scores = trainer.evaluate(*held_out)
    assert history["validation_loss"][-1] == scores["loss"]
    assert history["validation_accuracy"][-1] == scores["accuracy"]
    assert scores["accuracy"] == pytest.approx(metrics.accuracy(y[40:], trainer.model.predict(x[40:]), weight))


@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_held_out_by_number_are_scored_and_not_learned_from(numbers, weighted, batch_size, rng):
    x, y = numbers
    weight = rng.uniform(0.5, 2, len(x)) if weighted else None
    aside = np.array([3, 0, 17])
    kept = np.setdiff1d(np.arange(len(x)), aside)
    parts = [[None if array is None else array[rows] for array in (x, y, weight)] for rows in (kept, aside)]
    by_number, copied = (regression(rng=0, batch_size=batch_size, metrics=["r2_score"]) for _ in range(2))
    history = by_number.fit(x, y, weight, validation=aside, epochs=3, verbose=0)
    expected = copied.fit(*parts[0], validation=tuple(parts[1]), epochs=3, verbose=0)
    np.testing.assert_array_equal(by_number.model.parameters.vector, copied.model.parameters.vector)
    for column in set(history) - {"seconds"}:
        assert history[column] == expected[column], column


def test_validation_data_are_not_learned_from(numbers):
    x, y = numbers
    with_them, without = regression(rng=0), regression(rng=0)
    with_them.fit(x[:30], y[:30], validation=(x[30:], y[30:]), epochs=3, verbose=0)
    without.fit(x[:30], y[:30], epochs=3, verbose=0)
    np.testing.assert_array_equal(with_them.model.parameters.vector, without.model.parameters.vector)


class Recorder:
    """A loss that notes which rows it saw: x's first column is the row's number."""

    def __init__(self):
        self.trained, self.scored = [], []

    def __call__(self, z, y, weight=None):
        seen = self.scored if len(y) == 10 else self.trained
        seen.extend(y[:, 0].astype(int))
        return 0.0, np.zeros_like(z)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_fraction_is_set_aside_once_for_all_epochs(weighted):
    x, y = np.ones((50, 3)), np.arange(50.0)[:, None]
    loss = Recorder()
    weight = np.ones(50) if weighted else None
    cr.Trainer(net(1), loss, cr.SGD(0), batch_size=8).fit(x, y, weight, validation=0.2, epochs=3, verbose=0)
    assert len(set(loss.scored)) == 10
    assert len(set(loss.trained)) == 40
    assert sorted(set(loss.scored) | set(loss.trained)) == list(range(50))


@pytest.mark.parametrize("nothing", [None, 0, 0.0])
def test_no_validation(numbers, nothing):
    history = regression().fit(*numbers, validation=nothing, epochs=1, verbose=0)
    assert "validation_loss" not in history


def test_labels_written_as_floats_keep_their_shares_too(rng):
    y, seen = np.repeat([0.0, 1.0], [90, 10]), []

    def metric(y, z, weight=None):
        seen.append(int(y.sum()))
        return 0.0

    trainer = cr.Trainer(net(), "cross_entropy", metrics=[metric])
    trainer.fit(rng.standard_normal((100, 3)), y, validation=0.1, epochs=1, verbose=0)
    assert seen == [9, 1]


def test_a_fraction_of_labels_keeps_their_shares():
    y = np.repeat([0, 1], [80, 20])
    seen = []

    def loss(z, y, weight=None):
        seen.append(y)
        return 0.0, np.zeros_like(z)

    cr.Trainer(net(2), loss, cr.SGD(0), batch_size=None).fit(np.ones((100, 3)), y, validation=0.1, epochs=1, verbose=0)
    assert [np.bincount(labels).tolist() for labels in seen] == [[72, 18], [8, 2]]


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_are_of_the_outputs_as_they_were_in_training(classes, weighted, rng):
    weight = rng.uniform(0.5, 2, 60) if weighted else None
    trainer = cr.Trainer(
        net(3), "cross_entropy", cr.SGD(0), batch_size=7, metrics=["accuracy", metrics.balanced_accuracy]
    )
    history = trainer.fit(*classes, sample_weight=weight, epochs=1, verbose=0)
    scores = trainer.evaluate(*classes, sample_weight=weight)
    assert history["accuracy"][0] == pytest.approx(scores["accuracy"])
    assert history["balanced_accuracy"][0] == pytest.approx(scores["balanced_accuracy"])


def test_metrics_of_ones_own_have_their_names_as_columns(numbers):
    def largest_error(y, z, weight=None):
        return np.abs(z - y).max()

    class Bias:
        def __call__(self, y, z, weight=None):
            return np.mean(z - y)

    history = regression(metrics=[largest_error, Bias()]).fit(*numbers, validation=0.1, epochs=1, verbose=0)
    assert {"largest_error", "Bias", "validation_largest_error", "validation_Bias"} <= set(history.columns)


def test_the_record_has_these_columns_in_numbers_that_json_can_hold(classes):
    def spread(y, z, weight=None):
        return z.std()  # a float32, which JSON knows nothing of

    def loss(z, y, weight=None):
        value, dz = cr.CrossEntropy()(z, y, weight)
        return np.float32(value), dz

    trainer = cr.Trainer(net(3), loss, metrics=["accuracy", spread])
    history = trainer.fit(*classes, validation=0.2, epochs=3, verbose=0)
    held_out = ["validation_loss", "validation_accuracy", "validation_spread"]
    assert history.columns == ["loss", "accuracy", "spread", "learning_rate", "seconds", *held_out]
    assert json.loads(history.to_json()) == {"interrupted": False, "rows": history.rows}
    assert all(len(history[name]) == 3 for name in history.columns)
    assert all(seconds > 0 for seconds in history["seconds"])


def test_evaluation_uses_neither_dropout_nor_batch_statistics(numbers):
    model = cr.Sequential([cr.Linear(3, 8), cr.BatchNorm(8), cr.Dropout(0.5), cr.Linear(8, 2)], rng=0)
    trainer = regression(model)
    x, y = numbers
    first, parameters = trainer.evaluate(x, y), model.parameters.vector.copy()
    assert trainer.evaluate(x, y) == first
    assert trainer.evaluate(x[:1], y[:1])["loss"] == pytest.approx(
        np.sum((model.predict(x[:1]) - y[:1]) ** 2), rel=1e-6
    )
    np.testing.assert_array_equal(model.parameters.vector, parameters)
    assert not model.buffers["1.running_mean"].any()


# ---- learning rates


def test_the_learning_rate_of_each_epoch_is_recorded(numbers):
    schedule = cr.schedules.WarmupCosine(0.1, warmup=0.5)
    history = regression(optimizer=cr.SGD(schedule), batch_size=10).fit(*numbers, epochs=4, verbose=0)
    assert history["learning_rate"] == [schedule(4 * epoch, 16) for epoch in range(4)]


def test_a_second_fit_goes_on_in_its_schedule(numbers):
    schedule = cr.schedules.WarmupCosine(0.1, warmup=0.5)
    trainer = regression(optimizer=cr.SGD(schedule), batch_size=10)
    trainer.fit(*numbers, epochs=2, verbose=0)
    assert trainer.optimizer.total_steps == 8
    assert trainer.fit(*numbers, epochs=2, verbose=0)["learning_rate"] == [schedule(8, 16), schedule(12, 16)]


@pytest.mark.parametrize("held_out", [False, True])
def test_a_plateau_of_the_loss_reduces_the_rate(held_out):
    """A constant loss never improves; where there is validation, it is the one that is watched."""
    falling = iter(range(100, 0, -1))

    def loss(z, y, weight=None):
        watched = len(y) == (5 if held_out else 20)
        return (1.0 if watched else float(next(falling))), np.zeros_like(z)

    x, y = np.ones((20, 3)), np.ones((20, 2))
    optimizer = cr.SGD(cr.schedules.ReduceOnPlateau(1.0, factor=0.5, patience=0))
    validation = (x[:5], y[:5]) if held_out else None
    history = cr.Trainer(net(), loss, optimizer, batch_size=None).fit(x, y, validation=validation, epochs=4, verbose=0)
    assert history["learning_rate"] == [1.0, 1.0, 0.5, 0.25]


# ---- ends


@pytest.mark.parametrize("when", [dict(step=3), dict(epoch=1)], ids=["in an epoch", "after an epoch"])
def test_ctrl_c_keeps_what_was_learned(numbers, when):
    model = net()
    before = model.parameters.vector.copy()
    history = regression(model, callbacks=[At(interrupt, **when)], batch_size=10).fit(*numbers, epochs=5, verbose=0)
    assert history.interrupted
    assert len(history) < 2
    assert (model.parameters.vector != before).any()
    assert np.isfinite(model.predict(numbers[0])).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make", [net, lambda **a: cr.Sequential([cr.Linear(3, 8), cr.BatchNorm(8), cr.Linear(8, 2)], **a)]
)
def test_a_loss_that_is_no_longer_finite_is_told_in_one_sentence(numbers, make, dtype):
    """And in nothing else: the overflows on the way there warn nobody."""
    says = (
        r"fit expects finite numbers, got a loss of (inf|nan) in epoch \d+, step 1, at learning rate 1e\+30: .*"
        r"(overflows|is (inf|nan)) for row \d+.*lower the learning rate\. The model has its weights of step \d+ again"
    )
    trainer = regression(make(rng=0, dtype=dtype), cr.SGD(1e30), batch_size=None)
    with pytest.raises(cr.DivergenceError, match=says):
        trainer.fit(*numbers, epochs=50, verbose=0)


def test_divergence_is_a_value_error_and_ends_the_callbacks(numbers):
    ended = []

    class Ended(cr.Callback):
        def on_train_end(self, trainer):
            ended.append(trainer.epoch)

    def loss(z, y, weight=None):
        return float("nan"), np.zeros_like(z)

    with pytest.raises(
        ValueError, match=r"got a loss of nan in epoch 1, step 1, at .*: the loss, loss, is nan for row"
    ):
        cr.Trainer(net(), loss, callbacks=[Ended()]).fit(*numbers, verbose=0)
    assert ended == [1]


def test_outputs_that_overflow_have_no_score(numbers):
    model = net(rng=0)
    model.parameters.vector[:] = 1e38
    with pytest.raises(cr.DivergenceError, match=r"expects a finite loss on these data, got (inf|nan): the outputs"):
        regression(model).evaluate(*numbers)


def test_a_loss_gives_its_gradient_too(numbers):
    with pytest.raises(TypeError, match=r"to return \(value, dz\), got float"):
        cr.Trainer(net(), lambda z, y, weight: 1.0).fit(*numbers, verbose=0)


def test_a_last_step_into_infinity_is_not_silent(numbers):
    trainer = regression(net(rng=0), cr.SGD(1e40), batch_size=None)
    with pytest.raises(cr.DivergenceError, match="got parameters that are not finite in epoch 1, step 1, at"):
        trainer.fit(*numbers, epochs=1, verbose=0)


def test_every_callback_that_began_is_ended(numbers):
    seen = []

    class Watch(cr.Callback):
        def __init__(self, fails=False):
            self.fails = fails

        def on_train_begin(self, trainer):
            seen.append("begin")
            if self.fails:
                raise OSError("no disk")

        def on_train_end(self, trainer):
            seen.append("end")

    with pytest.raises(OSError, match="no disk"):
        regression(net(), callbacks=[Watch(), Watch(fails=True)]).fit(*numbers, verbose=0)
    assert seen == ["begin", "begin", "end", "end"]


# ---- losses


@pytest.mark.parametrize(
    ("activation", "loss"), [(None, cr.BinaryCrossEntropy()), ("sigmoid", cr.BinaryCrossEntropy(from_logits=False))]
)
@pytest.mark.parametrize("metric", ["accuracy", "binary_accuracy"])
def test_accuracy_of_one_output_cuts_logits_at_0_and_probabilities_at_a_half(activation, loss, metric, rng):
    x = rng.standard_normal((200, 1))
    model = cr.MLP([1, 1], output_activation=activation, rng=0)
    model.parameters.vector[:] = 5.0, 0.0
    scores = cr.Trainer(model, loss, metrics=[metric]).evaluate(x, (x > 0).astype(int))
    assert scores[metric] == 1.0


@pytest.mark.parametrize("fault", ["label", "weight"])
def test_a_bad_row_is_found_before_anything_is_learned(fault, rng):
    x, y, weight = rng.standard_normal((50, 3)), np.arange(50) % 2, np.ones(50)
    if fault == "label":
        y[-1] = 7
    else:
        weight[-1] = np.nan
    model = net(rng=0)
    before = model.parameters.vector.copy()
    with pytest.raises(ValueError, match="CrossEntropy"):
        cr.Trainer(model, "cross_entropy", batch_size=10).fit(x, y, weight, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)


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


# ---- what is refused


X, Y = np.ones((8, 3)), np.zeros((8, 2))
WITH_NAN = np.where(np.arange(24).reshape(8, 3) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            dict(x=WITH_NAN),
            ValueError,
            r"fit expects finite numbers in x, got nan at row 2, column 1 \(1 in total\)",
        ),
        (
            dict(x=1e300 * X),
            ValueError,
            r"fit expects numbers in x that float32 can hold, .* 1e\+300 at row 0, column 0",
        ),
        (dict(y=np.full((8, 2), np.inf)), ValueError, "fit expects finite numbers in y, got inf at row 0"),
        (
            dict(x=[["a", "b", "c"]] * 8),
            TypeError,
            "fit expects x to be an array of numbers, got dtype <U1; encode text",
        ),
        (dict(y=["yes"] * 8), TypeError, "fit expects y to be an array of numbers, got dtype <U3"),
        (dict(x=[[1, 2, 3], [1, 2]], y=Y[:2]), TypeError, "got rows of different lengths"),
        (dict(x=X[:0], y=Y[:0]), ValueError, "fit expects at least one row, got empty data"),
        (dict(x=1.0, y=2.0), ValueError, "fit expects a batch of samples, got a single number"),
        (dict(y=Y[:7]), ValueError, r"x, y and weights of equal length, got x \(8, 3\), y \(7, 2\)\."),
        (dict(sample_weight=np.ones(3)), ValueError, r"equal length, got x \(8, 3\), y \(8, 2\), weights \(3,\)\."),
        (dict(sample_weight=-np.ones(8)), ValueError, "weights to be finite and not negative, got -1"),
        (dict(sample_weight=np.full(8, np.nan)), ValueError, "weights to be finite and not negative, got nan"),
        (
            dict(sample_weight=np.ones((8, 1))),
            ValueError,
            r"one weight for each of the 8 samples, shape \(8,\), got \(8, 1\)",
        ),
        (dict(x=np.ones((8, 4))), ValueError, r"Linear\(3 → 8, relu\) expects input of shape \(N, 3\), got \(8, 4\)"),
        (dict(x=np.ones((8, 3, 3))), ValueError, r"got \(8, 3, 3\); put Flatten\(\) in front"),
        (dict(y=Y[:, 0]), ValueError, r"expects y of shape \(8, 2\) for z of shape \(8, 2\), got \(8,\)"),
        (
            dict(validation=1),
            TypeError,
            r"to be \(x, y\), a fraction like 0\.1, or an array of row numbers, got a value of type int",
        ),
        (dict(validation=1.0), ValueError, "split expects fraction > 0 and < 1"),
        (dict(validation=(X,)), TypeError, "got a value of type tuple"),
        (dict(validation=X), ValueError, r"validation expects an array of row numbers from 0 to \d+, got shape"),
        (dict(validation=np.array([0, 99])), ValueError, "row numbers from 0 to .*, got numbers from 0 to 99"),
        (dict(validation=np.array([1, 1])), ValueError, "got a row twice"),
        (dict(validation=np.arange(len(X))), ValueError, "got all rows, which leaves none to train on"),
        (dict(validation=(X, Y[:3])), ValueError, "validation expects x, y and weights of equal length"),
        (dict(validation=(WITH_NAN, Y)), ValueError, "validation expects finite numbers in x"),
        (dict(epochs=0), ValueError, "fit expects epochs >= 1, got 0"),
        (dict(every=0, verbose=1), ValueError, "Progress expects every >= 1"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_sentence(arguments, error, says):
    with pytest.raises(error, match=says) as caught:
        regression().fit(**(dict(x=X, y=Y, verbose=0) | arguments))
    assert "\n" not in str(caught.value)


def test_a_target_of_one_column_is_not_broadcast():
    with pytest.raises(
        ValueError, match=r"expects y of shape \(8, 1\) for z of shape \(8, 1\), got \(8,\); use y\[:, None\]"
    ):
        regression(net(1)).fit(X, np.zeros(8), verbose=0)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 1, 2, 3] * 2, "CrossEntropy expects labels from 0 to 2, got 3; number the classes from 0"),
        ([-1, 0, 1, 2] * 2, "CrossEntropy expects labels from 0 to 2, got -1"),
        ([0.5, 0, 1, 2] * 2, "CrossEntropy expects whole numbers as labels, got 0.5"),
        (np.zeros((8, 1), int), r"got \(8, 1\); use y\[:, 0\]"),
    ],
)
def test_labels_that_are_none_are_refused(labels, says):
    with pytest.raises(ValueError, match=says):
        cr.Trainer(net(3), "cross_entropy").fit(X, np.array(labels), verbose=0)


def test_a_last_batch_of_one_row_is_refused_with_a_remedy():
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 2)], rng=0)
    with pytest.raises(
        ValueError, match=r"at least two rows in training, got 1; drop the last short batch \(drop_last=True\)"
    ):
        regression(model, batch_size=7).fit(X, Y, verbose=0)
    assert len(regression(model, batch_size=7, drop_last=True).fit(X, Y, epochs=2, verbose=0)) == 2


def test_fewer_rows_than_a_batch_are_one_batch():
    trainer = regression(batch_size=100, drop_last=True)
    assert len(trainer.fit(X, Y, epochs=2, verbose=0)) == 2
    assert trainer.steps_per_epoch == 1


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(loss="squard_error"), ValueError, r"'squard_error' \(did you mean 'squared_error'\?\)"),
        (dict(loss=cr.Huber), TypeError, r"expects a loss object, got the class Huber; write Huber\(\)"),
        (dict(optimizer="adm"), ValueError, r"'adm' \(did you mean 'adam'\?\)"),
        (dict(optimizer=cr.Adam), TypeError, r"write Adam\(\)"),
        (dict(metrics=["acuracy"]), ValueError, r"'acuracy' \(did you mean 'accuracy'\?\)"),
        (dict(metrics="accuracy"), TypeError, r"a list of metrics, got 'accuracy'; write metrics=\['accuracy'\]"),
        (dict(callbacks=cr.callbacks.Progress()), TypeError, "Trainer expects a list of callbacks"),
        (dict(callbacks=[cr.callbacks.Progress]), TypeError, "Trainer expects Callback objects in callbacks"),
        (dict(metrics=None), TypeError, r"a list of metrics, got None; write metrics=\[\]"),
        (dict(metrics=[lambda z, y, w=None: 0.0] * 2), ValueError, "expects metrics of different names"),
        (dict(metrics=["accuracy", "accuracy"]), ValueError, "got another 'accuracy'"),
        (dict(batch_size=0), ValueError, "Trainer expects batch_size >= 1, got 0"),
        (dict(batch_size=1.5), TypeError, "Trainer expects batch_size to be an integer"),
        (dict(sample="on"), ValueError, r"'on' \(did you mean 'one'\?\)"),
        (
            dict(sample=None),
            TypeError,
            "Trainer expects sample to be a name or a function of the number of rows, got None",
        ),
        (dict(rng="0"), TypeError, "Trainer expects rng"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.Trainer(net(), **(dict(loss="squared_error") | arguments))


def test_a_trainer_trains_a_model():
    with pytest.raises(TypeError, match="Trainer expects a Sequential model, got 'mlp'"):
        cr.Trainer("mlp", "squared_error")


@pytest.mark.parametrize(
    "kind", [np.float16, np.float32, np.int64, bool, object, np.ndarray.tolist], ids=lambda kind: kind.__name__
)
def test_numbers_of_any_kind_are_taken(kind):
    x, y = (kind(array) if kind is np.ndarray.tolist else array.astype(kind) for array in (X, Y))
    model = net()
    assert np.isfinite(regression(model).fit(x, y, epochs=1, verbose=0)["loss"][0])
    assert model.parameters.vector.dtype == np.float32
