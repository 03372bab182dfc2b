"""Several ranks train as one does: each has its own rows of every batch, and all take the same steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.proof.table import FRONTS, LAYERS
from custom import Double
from training.distributed.crew import on_ranks
from training.engines import CLASSES, INPUTS, LABELS, LOSSES, MIXTURES, NETS, OPTIMIZERS, WEIGHTS, X, small_net, trained

SIZES = [2, 3, 4]
SOME = {"batch_size": 20, "fit": {"epochs": 10}}  # 110 steps, the last of each epoch half as long


def sgd() -> cr.Optimizer:
    """Rounding stays rounding: Adam takes steps of full length where the gradient is 0 but for rounding."""
    return cr.SGD(0.01, momentum=0.9)


Training = tuple[cr.Sequential, cr.callbacks.History, cr.Trainer]


def assert_as_alone(size: int, train: Callable[..., Training], tolerance: float = 1e-12) -> list[Training]:
    """All ranks end with the same bits, and with those of one rank to rounding."""
    alone = train()
    ranks = on_ranks(size, lambda communicator: train(communicator=communicator))
    for model, history, trainer in ranks:
        np.testing.assert_array_equal(model.parameters.vector, ranks[0][0].parameters.vector)
        np.testing.assert_allclose(model.parameters.vector, alone[0].parameters.vector, rtol=0, atol=tolerance)
        for name, buffer in model.buffers.items():
            np.testing.assert_allclose(buffer, alone[0].buffers[name], rtol=0, atol=tolerance)
        assert history.columns == alone[1].columns
        for column in set(history.columns) - {"seconds"}:
            assert history[column] == ranks[0][1][column]
            np.testing.assert_allclose(history[column], alone[1][column], rtol=1e-11, atol=tolerance, err_msg=column)
        assert trainer.step == alone[2].step
        assert trainer.rng.bit_generator.state == alone[2].rng.bit_generator.state
    return ranks


@pytest.mark.parametrize("net", [name for name in NETS if "inside" not in name])
def test_networks(net):
    assert_as_alone(2, lambda **settings: trained(NETS[net](), sgd(), **SOME, **settings))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("net", ["wide with penalties", "dropout", "noise", "batch normalisation", "residuals"])
def test_numbers_of_ranks(net, size):
    settings = {"weight": WEIGHTS, "average_penalty": True, "metrics": ["accuracy"]}
    assert_as_alone(size, lambda **more: trained(NETS[net](), sgd(), **SOME, **settings, **more))


@pytest.mark.parametrize("net", ["dropout", "own layers"])
@pytest.mark.parametrize("size", SIZES)
def test_a_last_batch_of_fewer_rows_than_ranks(net, size):
    settings = {"batch_size": 19, "fit": {"epochs": 9, "validation": (X[:3], LABELS[:3])}, "metrics": ["accuracy"]}
    make = NETS.get(net, own_layers)
    assert_as_alone(size, lambda **more: trained(make(), sgd(), **settings, **more))


def own_layers() -> list[cr.Layer]:
    """No plan takes them."""
    return [cr.Dropout(0.2), cr.Linear(INPUTS, 8, l1=0.01), Double(), cr.GaussianNoise(0.1), cr.Linear(8, CLASSES)]


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_operation_by_operation(size, average):
    settings = {"weight": WEIGHTS, "average_penalty": average, "metrics": ["accuracy"]}
    assert_as_alone(size, lambda **more: trained(own_layers(), sgd(), **SOME, **settings, **more))


@pytest.mark.parametrize("name", [name for name in LAYERS if not name.startswith("Linear")])
def test_layers(name):
    make = lambda: [cr.Linear(INPUTS, 6), LAYERS[name](), cr.Linear(6, CLASSES)]  # noqa: E731
    assert_as_alone(2, lambda **more: trained(make(), sgd(), **SOME, **more))


@pytest.mark.parametrize("name", FRONTS)
def test_first_layers(name):
    make, x, outputs = FRONTS[name]
    x, y = np.tile(x, (9, 1)), np.random.default_rng(0).standard_normal((9 * len(x), 2 if name == "TabM" else 1))
    loss = cr.losses.EachMember("squared_error") if "TabM" in name else "squared_error"

    def train(**settings: Any) -> Training:
        layers = [make(), *([cr.Linear(outputs, 1)] if outputs else [])]
        trainer = cr.Trainer(cr.Sequential(layers, rng=0, dtype="float64"), loss, batch_size=20, **settings)
        return trainer.model, trainer.fit(x, y, epochs=25, verbose=0), trainer

    assert_as_alone(2, train)


def test_noise_and_statistics_within_members():
    inner = lambda: [cr.Linear(INPUTS, 6), cr.BatchNorm(6), cr.Dropout(0.3), cr.GaussianNoise(0.1)]  # noqa: E731
    loss = cr.losses.EachMember("cross_entropy")
    make = lambda: [cr.TabM(INPUTS, inner(), CLASSES, 3)]  # noqa: E731
    assert_as_alone(3, lambda **more: trained(make(), sgd(), loss, **SOME, **more))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    assert_as_alone(2, lambda **more: trained(small_net(), OPTIMIZERS[name](), **SOME, **more))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_with_weights(name):
    loss, y, weight = LOSSES[name]
    assert_as_alone(3, lambda **more: trained(small_net(), sgd(), loss, y, weight, **SOME, **more))


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures(name):
    mixing, loss, y = MIXTURES[name]
    assert_as_alone(2, lambda **more: trained(small_net(), sgd(), loss, y, augment=[mixing], **SOME, **more))


def test_callbacks_that_change_the_weights():
    def train(**settings: Any) -> Training:
        callbacks = [cr.callbacks.WeightAverage(0.9), cr.callbacks.EarlyStopping(patience=3), cr.callbacks.MaxNorm(1)]
        fit = {"epochs": 20, "validation": 0.2}
        return trained(NETS["dropout"](), cr.SGD(0.1), fit=fit, metrics=["accuracy"], callbacks=callbacks, **settings)

    assert_as_alone(2, train)


def test_two_trainings_on_as_many_ranks_have_the_same_bits():
    train = lambda **more: trained(NETS["noise"](), sgd(), dtype="float32", **SOME, **more)  # noqa: E731
    first, second = (assert_as_alone(3, train, tolerance=1e-4) for _ in range(2))
    np.testing.assert_array_equal(first[0][0].parameters.vector, second[0][0].parameters.vector)
