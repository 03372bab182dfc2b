"""What callbacks do to the weights: short columns (MaxNorm) and a running mean (WeightAverage)."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import At, fail, interrupt

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def make(*callbacks, rate=0.01, batch_size=4, model=None):
    model = cr.MLP([3, 4, 2], rng=0) if model is None else model
    return cr.Trainer(model, "squared_error", cr.SGD(rate), batch_size, callbacks=callbacks, rng=0)


def trained(*callbacks, epochs=3, **settings):
    trainer = make(*callbacks, **settings)
    trainer.fit(X, 10 * Y, epochs=epochs, verbose=0)
    return trainer.model


def lengths(model):
    return np.concatenate([np.linalg.norm(layer.W, axis=0) for layer in model.layers])


class AfterEachStep(cr.Callback):
    def __init__(self, look):
        self.look, self.seen = look, []

    def on_batch_end(self, trainer, loss):
        self.seen.append(self.look(trainer.model))


def vectors():
    return AfterEachStep(lambda model: model.parameters.vector.copy())


# ---- MaxNorm


def test_no_column_of_weights_is_ever_longer_than_the_limit():
    diary = AfterEachStep(lengths)
    trained(cr.callbacks.MaxNorm(0.8), diary, rate=0.05)
    assert len(diary.seen) == 9
    assert np.max(diary.seen) < 0.8 * (1 + 1e-6)
    assert np.max(diary.seen) > 0.799
    assert lengths(trained(rate=0.05)).max() > 1


def test_only_long_columns_are_shortened_and_they_keep_their_direction():
    model = cr.MLP([3, 4, 2], rng=0)
    W = model.layers[0].W
    W[:, 0], W[:, 1], W[:, 2] = [3.0, 0.0, 4.0], [0.0, 0.5, 0.0], 0.0
    model.layers[0].b[:] = 7.0
    trained(cr.callbacks.MaxNorm(2.5), model=model, rate=0.0, epochs=1)
    np.testing.assert_allclose(W[:, :3].T, [[1.5, 0.0, 2.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]], rtol=1e-6)
    assert model.layers[0].b.tolist() == [7.0] * 4


def test_a_limit_that_is_never_reached_changes_nothing():
    np.testing.assert_array_equal(
        trained(cr.callbacks.MaxNorm(1e3), rate=0.05).parameters.vector, trained(rate=0.05).parameters.vector
    )


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1, ValueError), (np.nan, ValueError), ("2", TypeError)]
)
def test_a_limit_is_a_positive_number(limit, error):
    with pytest.raises(error, match="MaxNorm expects limit"):
        cr.callbacks.MaxNorm(limit)


# ---- WeightAverage


def running_mean(start, vectors, decay, taken=0):
    mean = start.astype(float)
    for step, vector in enumerate(vectors, start=taken + 1):
        d = min(decay, (1 + step) / (10 + step))
        mean = d * mean + (1 - d) * vector
    return mean


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.999])
def test_the_model_is_left_with_the_running_mean(decay):
    diary = vectors()
    model = trained(cr.callbacks.WeightAverage(decay), diary, rate=0.01)
    start = cr.MLP([3, 4, 2], rng=0).parameters.vector
    np.testing.assert_allclose(model.parameters.vector, running_mean(start, diary.seen, decay), rtol=1e-4, atol=1e-6)
    assert not np.allclose(model.parameters.vector, diary.seen[-1])


def test_training_continues_from_the_weights_and_not_from_their_mean():
    whole, parts = (vectors() for _ in range(2))
    once, twice = (make(cr.callbacks.WeightAverage(0.5), diary, batch_size=12) for diary in (whole, parts))
    once.fit(X, Y, epochs=6, verbose=0)
    twice.fit(X, Y, epochs=2, verbose=0)
    twice.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(whole.seen, parts.seen)
    np.testing.assert_array_equal(once.model.parameters.vector, twice.model.parameters.vector)


def test_a_callback_at_the_end_of_an_epoch_sees_the_mean():
    average = cr.callbacks.WeightAverage(0.5)
    diary = vectors()
    found = []

    def look(trainer, row):
        found.append(trainer.model.parameters.vector.copy())
        average.swap(trainer.model)
        np.testing.assert_array_equal(trainer.model.parameters.vector, diary.seen[-1])
        average.swap(trainer.model)

    model = trained(diary, average, At(3, look), rate=0.01)
    np.testing.assert_array_equal(model.parameters.vector, found[0])


def test_validation_is_of_the_mean():
    found = []

    class Look(cr.Callback):
        def on_validation_end(self, trainer, scores):
            found.append((scores["loss"], trainer.evaluate(X, Y)["loss"]))

    average = cr.callbacks.WeightAverage(0.9)
    trainer = make(average, Look(), rate=0.05)
    history = trainer.fit(X, Y, validation=(X, Y), epochs=3, verbose=0)
    assert [of_mean for of_mean, _ in found] == [again for _, again in found] == history["validation_loss"]
    assert trainer.evaluate(X, Y)["loss"] == found[-1][0]
    average.swap(trainer.model)
    assert trainer.evaluate(X, Y)["loss"] != found[-1][0]


@pytest.mark.parametrize("order", [0, 1])
def test_with_early_stopping_the_best_mean_is_restored(order):
    callbacks = [cr.callbacks.WeightAverage(0.9), cr.callbacks.EarlyStopping(patience=50)]
    if order:
        callbacks.reverse()
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.random.default_rng(1).normal(size=(60, 2))
    trainer = cr.Trainer(cr.MLP([3, 40, 2], rng=0), "squared_error", cr.Adam(0.01), 8, callbacks=callbacks)
    history = trainer.fit(x[:30], y[:30], validation=(x[30:], y[30:]), epochs=60, verbose=0)
    assert history["validation_loss"][-1] > min(history["validation_loss"])
    assert trainer.evaluate(x[30:], y[30:])["loss"] == min(history["validation_loss"])


def test_stochastic_weight_averaging_is_the_mean_of_the_last_steps():
    diary = vectors()
    trainer = make(cr.callbacks.WeightAverage(None, 0.75), diary)
    trainer.fit(X, Y, epochs=8, verbose=0)
    last = diary.seen[3 * len(diary.seen) // 4 :]
    np.testing.assert_allclose(trainer.model.parameters.vector, np.mean(last, axis=0), rtol=1e-5, atol=1e-7)


def test_running_statistics_are_averaged_with_the_weights():
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 2)], rng=0)
    diary = AfterEachStep(lambda model: model.buffers["1.running_mean"].copy())
    make(cr.callbacks.WeightAverage(None), diary, model=model).fit(X, Y, epochs=3, verbose=0)
    np.testing.assert_allclose(model.buffers["1.running_mean"], np.mean(diary.seen, axis=0), rtol=1e-6)


def test_before_any_step_there_is_nothing_to_swap():
    model = cr.MLP([3, 4, 2], rng=0)
    before = model.parameters.vector.copy()
    cr.callbacks.WeightAverage().swap(model)
    np.testing.assert_array_equal(model.parameters.vector, before)


@pytest.mark.parametrize("action", [interrupt, fail])
def test_an_interrupted_training_leaves_the_mean_too(action):
    average = cr.callbacks.WeightAverage(0.5)
    diary = vectors()
    trainer = make(average, diary, At(2, action))
    vector = trainer.model.parameters.vector
    start = vector.copy()
    try:
        trainer.fit(X, Y, epochs=5, verbose=0)
    except RuntimeError:
        assert action is fail
    assert len(diary.seen) == 6
    np.testing.assert_allclose(vector, running_mean(start, diary.seen, 0.5), rtol=1e-4, atol=1e-6)


def test_one_average_belongs_to_one_model():
    average = cr.callbacks.WeightAverage()
    trained(average, rate=0.01)
    with pytest.raises(
        ValueError, match=r"WeightAverage expects the model that it averages, got one of \d+ instead of"
    ):
        trained(average, rate=0.01, model=cr.MLP([3, 5, 2], rng=0))


@pytest.mark.parametrize(
    ("decay", "error"), [(0, ValueError), (1, ValueError), (np.nan, ValueError), ("0.9", TypeError)]
)
def test_a_decay_lies_between_0_and_1(decay, error):
    with pytest.raises(error, match="WeightAverage expects decay"):
        cr.callbacks.WeightAverage(decay)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize(("decay", "start"), [(0.9, 0.0), (0.999, 0.4), (None, 0.0), (None, 0.7)])
def test_the_mean_is_the_same_if_others_watch_each_step(decay, start, clip_norm, dtype):
    def averaged(*others):
        average = cr.callbacks.WeightAverage(decay, start)
        model = cr.MLP([3, 40, 30, 2], "tanh", dropout=0.1, rng=0, dtype=dtype)
        optimizer = cr.Adam(0.01, clip_norm=clip_norm)
        trainer = cr.Trainer(model, "squared_error", optimizer, 5, callbacks=[average, *others], rng=0)
        histories = [trainer.fit(X, Y, validation=0.3, epochs=epochs, verbose=0) for epochs in (4, 3)]
        numbers = [(row["loss"], row["validation_loss"]) for history in histories for row in history]
        return model.parameters.vector.tobytes(), average.steps, numbers

    assert averaged() == averaged(vectors())


def test_a_failed_step_is_not_in_the_mean():
    average = cr.callbacks.WeightAverage(0.9)
    trainer = make(average, batch_size=2, rate=1e12)
    with pytest.raises(cr.DivergenceError):
        trainer.fit(X, 10 * Y, epochs=50, verbose=0)
    assert average.steps <= trainer.step
    assert np.isfinite(trainer.model.parameters.vector).all()
