"""Training as one compiled call: the same parameters, losses and metrics as operation by operation, to rounding."""

from __future__ import annotations

import copy
import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.noise import draw_key, gaussian_noise_by_key
from chainrule.training.stages import stages_of
from parity import EACH_DTYPE
from training.engines import (
    CLASSES,
    COMPILED,
    INPUTS,
    LABELS,
    LOSSES,
    MIXTURES,
    NETS,
    NUMBERS,
    OPTIMIZERS,
    ROWS,
    WEIGHTS,
    X,
    assert_same_training,
    small_net,
    trained,
)

pytestmark = COMPILED
NORMALISED = ["batch normalisation", "layer normalisation"]
PROBABILITIES = ["labels", "labels with weights", "soft labels", "binary"]
NEWER = ["PReLU", "softmax between layers", "noise", "residuals", "residuals without parameters"]


@pytest.mark.parametrize("net", NETS)
def test_layers(net, monkeypatch):
    """SGD: Adam makes a direction of the rounding errors of a gradient that is 0, as a bias before BatchNorm has."""
    assert_same_training(
        monkeypatch, lambda: trained(NETS[net](), cr.SGD(0.05, momentum=0.9), batch_size=32, metrics=["accuracy"])
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer, monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(small_net(), OPTIMIZERS[optimizer](), batch_size=32), 1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss, monkeypatch):
    function, y, weight = LOSSES[loss]
    assert_same_training(
        monkeypatch, lambda: trained(small_net(), cr.Adam(1e-2), function, y, weight, batch_size=32), 1e-10
    )


@pytest.mark.parametrize(
    "settings",
    [
        dict(batch_size=32, weight=WEIGHTS, metrics=["root_mean_squared_error"]),
        dict(batch_size=None, fit={"epochs": 9}),
        dict(batch_size=50, drop_last=True, metrics=["root_mean_squared_error"]),
        dict(batch_size=16, sample="one", rng=9, fit={"epochs": 9}),
    ],
    ids=lambda settings: ", ".join(settings),
)
@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixtures(mixture, settings, monkeypatch):
    """With the dropout's generator and another one, as the shares and partners are drawn between the keys."""
    augment, loss, y = MIXTURES[mixture]
    if mixture == "one target for all outputs":
        settings = settings | {"metrics": []}
    for layers in (small_net, NETS["dropout"]):
        train = partial(lambda layers: trained(layers(), cr.Adam(1e-2), loss, y, augment=[augment], **settings), layers)
        assert_same_training(monkeypatch, train, 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", PROBABILITIES)
def test_losses_of_probabilities(loss, dtype, monkeypatch):
    function, y, weight = LOSSES[loss]
    last = cr.Softmax() if isinstance(function, cr.CrossEntropy) else cr.Sigmoid()
    function = dataclasses.replace(function, from_logits=False)
    train = lambda: trained([*small_net(), last], cr.SGD(0.1), function, y, weight, batch_size=32, dtype=dtype)  # noqa: E731
    assert_same_training(monkeypatch, train, 1e-10 if dtype == "float64" else 1e-5)


def test_gaussian_nll(monkeypatch):
    layers = lambda: [cr.Linear(INPUTS, 20, "tanh"), cr.Linear(20, 2)]  # noqa: E731
    assert_same_training(
        monkeypatch, lambda: trained(layers(), cr.Adam(1e-2), cr.GaussianNLL(), NUMBERS[:, :1], batch_size=32)
    )


@pytest.mark.parametrize(
    "settings",
    [
        dict(batch_size=None, fit=dict(epochs=70)),
        dict(batch_size=64, drop_last=True, weight=WEIGHTS, metrics=["accuracy"]),
        dict(batch_size=16, sample="one", fit=dict(epochs=40)),
        dict(batch_size=16, rng=9, fit=dict(validation=0.2), metrics=["accuracy"]),
        dict(batch_size=ROWS + 5),
        dict(batch_size=1, fit=dict(epochs=1)),
    ],
    ids=lambda settings: ", ".join(settings),
)
def test_settings(settings, monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(small_net(), cr.Adam(1e-2), **settings))
    assert_same_training(monkeypatch, lambda: trained(NETS["dropout"](), cr.Adam(1e-2), **settings))


def test_a_batch_longer_than_a_panel_is_deep(monkeypatch):
    """Then a weight's gradient is summed in parts, and written before the optimizer takes its step."""
    x, y = np.tile(X, (6, 1)), np.tile(LABELS, 6)

    def train() -> Any:
        model = cr.MLP([INPUTS, 20, CLASSES], rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy", batch_size=1100)
        return model, trainer.fit(x, y, epochs=3, verbose=0), trainer

    assert_same_training(monkeypatch, train)


@EACH_DTYPE
def test_the_noise_of_a_plan_is_that_of_the_op_to_rounding(dtype):
    """All weights are 1 and stay so; the outputs that a metric sees are the noise itself."""
    seen: list[np.ndarray] = []
    rows, width = 3000, 7
    zeros = np.zeros((rows, width))
    model = cr.Sequential([cr.GaussianNoise(1.0), cr.Scale(width)], rng=0, dtype=dtype)
    key = draw_key(copy.deepcopy(model.rng))
    assert stages_of(model, zeros) is not None
    metrics = {"noise": lambda y, z, weight: seen.append(z.copy()) or 0.0}
    trainer = cr.Trainer(model, "squared_error", cr.SGD(0.0), batch_size=None, metrics=metrics, sample=np.arange)
    trainer.fit(zeros, zeros, epochs=1, verbose=0)
    expected = gaussian_noise_by_key(np.zeros((rows, width), dtype), 1.0, key)
    np.testing.assert_allclose(seen[0], expected, rtol=0, atol=30 * np.finfo(dtype).eps)


def test_images_are_flattened(monkeypatch):
    images = X[:, :6].reshape(ROWS, 2, 3)

    def train() -> Any:
        model = cr.Sequential([cr.Flatten(), cr.Linear(6, 9, "relu"), cr.Linear(9, CLASSES)], rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy")
        return model, trainer.fit(images, LABELS, epochs=2, verbose=0), trainer

    assert_same_training(monkeypatch, train)


@EACH_DTYPE
@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixtures_are_the_same_for_every_number_of_threads(mixture, dtype, monkeypatch):
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    augment, loss, y = MIXTURES[mixture]
    vectors = []
    for threads in (1, 2, 3, 4):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        settings = dict(augment=[augment], batch_size=48, dtype=dtype)
        model, history, _ = trained(NETS["noise"](), cr.Adam(1e-2), loss, y, **settings)
        vectors.append((model.parameters.vector.tobytes(), history["loss"]))
    assert vectors == vectors[:1] * 4


@pytest.mark.parametrize("net", ["wide", *NEWER])
def test_single_precision(net, monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(NETS[net](), cr.SGD(1e-3), dtype="float32"), 1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHTS, np.where(WEIGHTS < 0.8, 0, WEIGHTS)], ids=["no", "weights", "zeros"])
@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.1}, {"clip_value": 0.01}], ids=str)
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("net", ["penalties", "wide with penalties"])
def test_penalties(net, average, clip, weight, monkeypatch):
    """Batches of 4 rows, the last of 2; of the weights that are mostly 0, those of some batches all are."""
    settings = dict(batch_size=4, weight=weight, average_penalty=average)
    assert_same_training(
        monkeypatch, lambda: trained(NETS[net](), cr.SGD(0.01, momentum=0.9, **clip), **settings), 1e-10
    )


@pytest.mark.parametrize("batch_size", [32, 50, None], ids=str)
@pytest.mark.parametrize("metrics", [[], ["accuracy"]], ids=["unseen", "with a metric"])
def test_a_custom_order(batch_size, metrics, monkeypatch):
    """Rows drawn again, others left out; with weights, and dropout, whose numbers come from the model's generator."""

    def train():
        draw = np.random.default_rng(3)
        return trained(
            NETS["dropout"](),
            cr.Adam(1e-2),
            weight=WEIGHTS,
            batch_size=batch_size,
            metrics=metrics,
            sample=lambda rows: draw.integers(0, rows, rows),
            fit={"epochs": 9},
        )

    assert_same_training(monkeypatch, train)


# ---- threads


@pytest.mark.parametrize(
    "net",
    ["wide", "dropout", "parametric activations", "scales", *NORMALISED, "penalties", "wide with penalties", *NEWER],
)
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("average", [False, True])
def test_every_number_of_threads_gives_the_same_bits(net, clip, average, monkeypatch):
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    vectors = []
    for threads in (1, 2, 3, 4):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        settings = dict(batch_size=48, weight=WEIGHTS, average_penalty=average)
        model, history, _ = trained(NETS[net](), cr.Adam(1e-2, clip_norm=clip), **settings)
        vectors.append((model.parameters.vector.tobytes(), history["loss"]))
    assert vectors == vectors[:1] * 4


def test_two_trainings_at_the_same_time():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        models = list(pool.map(lambda seed: trained(NETS["wide"](), cr.Adam(1e-2))[0], range(4)))
    for model in models[1:]:
        np.testing.assert_array_equal(model.parameters.vector, models[0].parameters.vector)
