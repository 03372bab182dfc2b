"""What a layer's constructor refuses an assignment refuses, in the same words; what it takes counts from then on."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS
from custom import Plain

X = np.random.default_rng(0).normal(size=(32, 4))

NO_NUMBERS = [None, True, "a", "0.5", [0.5], np.array([0.5]), 1j, float("nan"), float("inf"), -float("inf"), 10**400]
NO_FEATURES = [None, True, "a", 1.5, 0, -1, [3], np.float64(3)]

#: Of each argument of each constructor that may change later: what is refused, and what is not.
CHANGEABLE: dict[str, tuple[list[Any], list[Any]]] = {
    "BatchNorm.epsilon": ([*NO_NUMBERS, 0, -1], [1, 0.5, np.float32(0.25)]),
    "BatchNorm.momentum": ([*NO_NUMBERS, 0, -0.1, 1.1], [1, 0.5]),
    "Dropout.rate": ([*NO_NUMBERS, 1, 1.0, 1.5, -1, -1e-9], [0, 0.25, np.float32(0.75)]),
    "ELU.alpha": ([*NO_NUMBERS, 0, -1], [2, 0.5]),
    "GELU.approximate": ([None, True, "a", "TANH", 0.5], ["none", "tanh"]),
    "GaussianNoise.sigma": ([*NO_NUMBERS, -1], [0, 0.5, 3]),
    "LayerNorm.epsilon": ([*NO_NUMBERS, 0, -1], [1, 0.5]),
    "LeakyReLU.slope": ([*NO_NUMBERS, -0.1, 1.1], [0, 1, 0.5]),
    "Linear.activation": (["rellu", 3, cr.ReLU, cr.PReLU(3), cr.Linear(4, 3)], [None, "tanh", cr.LeakyReLU(0.5)]),
    "Linear.l1": ([*NO_NUMBERS, -1], [0, 1, 0.5]),
    "Linear.l2": ([*NO_NUMBERS, -1], [0, 1, 0.5]),
    "TabM.activation": (["relu", 3, cr.ReLU()], [None, "softmax", "sigmoid"]),
    "Members.activation": (["relu", 3, cr.ReLU()], [None, "softmax", "sigmoid"]),
    "ParametricActivation.activation": (["rellu", None, 3, cr.ReLU, cr.PReLU(4)], ["tanh", cr.LeakyReLU(0.5)]),
}
#: Of those that only count while the layer is made: what is refused in any case, and what comes too late.
FIXED: dict[str, tuple[list[Any], list[Any]]] = {
    **{
        f"{name}.features": (NO_FEATURES, [5])
        for name in ("BatchNorm", "LayerNorm", "PReLU", "ParametricActivation", "Scale")
    },
    "Linear.in_features": (NO_FEATURES, [5]),
    "Linear.out_features": (NO_FEATURES, [5]),
    "Linear.bias": ([], [False]),
    "Linear.initializer": (["zeroes", 3, np.zeros(3)], ["zeros", np.zeros]),
    "Linear.bias_initializer": (["zeroes", 3, None], ["ones"]),
    "PReLU.start": (NO_NUMBERS, [0.5]),
    **{f"Embedding.{name}": (NO_FEATURES, [5]) for name in ("codes", "size")},
    **{f"PBLD.{name}": (NO_FEATURES, [5]) for name in ("features", "frequencies", "outputs")},
    "PBLD.scale": ([*NO_NUMBERS, 0, -1], [0.5]),
    "PiecewiseLinear.edges": (
        [None, [], 3, [3], "ab", [[]], [[0]], [[0, 0]], [[0, 1, 0.5]], [[0, "a"]], [[0, np.nan]], [[[0, 1]]]]
        + [[[0, top]] for top in (np.inf, 1e-45, 1e39)]
        + [[[1, 1 + 1e-9]], [[-3e38, 3e38]]],
        [[[0.0, 2.0]] * 4],
    ),
    "PiecewiseLinear.outputs": (NO_FEATURES, [5]),
    "Columns.parts": ([[], None, [3], [(4,)], [(0, [])], [(4, [3])], [(4, cr.ReLU)]], [[(4, [cr.ReLU()])]]),
    **{f"TabM.{name}": (NO_FEATURES, [5]) for name in ("features", "outputs", "members")},
    "TabM.layers": ([[], None, cr.ReLU, [3]], [[cr.Linear(4, 5)]]),
    "TabM.groups": ([3, "a", [4.0], [0, 4]], [[2, 2]]),
    "Members.networks": ([[], None, cr.ReLU, [3], [[]]], [[[cr.ReLU()]]]),
    "Residual.layers": ([[], None, cr.ReLU, [3]], [[cr.ReLU()]]),
}
REQUIRED: dict[str, Callable[[], dict[str, Any]]] = {
    **{name: lambda: {"features": 4} for name in ("BatchNorm", "LayerNorm", "PReLU", "Scale")},
    "Linear": lambda: {"in_features": 4, "out_features": 3},
    "ParametricActivation": lambda: {"features": 4, "activation": "selu"},
    "Residual": lambda: {"layers": [cr.LeakyReLU()]},
    "TabM": lambda: {"features": 4, "layers": [cr.Linear(4, 3)], "outputs": 2},
    "Members": lambda: {"networks": [[cr.Linear(4, 4)], [cr.LeakyReLU()]]},
    "Columns": lambda: {"parts": [(3, []), (1, [cr.LeakyReLU()])]},
    "Embedding": lambda: {"codes": 3, "size": 2},
    "PBLD": lambda: {"features": 4},
    "PiecewiseLinear": lambda: {"edges": [[0.0, 1.0]] * 4},
}


def make(name: str, **arguments: Any) -> cr.Layer:
    return LAYERS[name](**(REQUIRED.get(name, dict)() | arguments))


def cases(table: dict[str, tuple[list[Any], list[Any]]], which: int) -> list[Any]:
    return [
        pytest.param(*place.split("."), value, id=f"{place}={value!r:.20}")
        for place, values in table.items()
        for value in values[which]
    ]


def refusal(act: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
        act()
    return caught.type, str(caught.value)


def trained(model: cr.Sequential) -> list[np.ndarray]:
    """What a model of one layer gives in a step of training, and what it predicts afterwards."""
    model.rng = np.random.default_rng(5)
    y = model.forward(X, training=True)
    model.backward(y)
    return [y, model.gradients.vector.copy(), model.predict(X), np.array(model.layers[0].penalty())]


def test_the_tables_hold_every_argument_of_every_layer() -> None:
    found = {f"{name}.{argument}" for name, cls in LAYERS.items() for argument in inspect.signature(cls).parameters}
    assert found == CHANGEABLE.keys() | FIXED.keys()


@pytest.mark.parametrize(("name", "argument", "value"), cases(CHANGEABLE, 0) + cases(FIXED, 0))
def test_an_assignment_is_refused_as_in_the_constructor(name: str, argument: str, value: Any) -> None:
    said = refusal(lambda: make(name, **{argument: value}))
    layer = make(name)
    before = dict(vars(layer))
    assert refusal(lambda: setattr(layer, argument, value)) == said
    assert " expects " in said[1]
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[key] is before[key] for key in before)


@pytest.mark.parametrize(("name", "argument", "value"), cases(CHANGEABLE, 1))
def test_what_is_assigned_counts_as_in_the_constructor(name: str, argument: str, value: Any) -> None:
    made, changed = (cr.Sequential([make(name, **given)], rng=0, dtype="float64") for given in ({argument: value}, {}))
    setattr(changed.layers[0], argument, value)
    changed.parameters.vector[:] = made.parameters.vector  # another activation begins with other weights
    kept = getattr(changed.layers[0], argument)
    assert repr(kept) == repr(getattr(made.layers[0], argument))
    assert type(kept) is type(getattr(made.layers[0], argument))
    for one, other in zip(trained(changed), trained(made), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("name", "argument", "value"), cases(FIXED, 1))
def test_what_a_layer_is_made_with_stays(name: str, argument: str, value: Any) -> None:
    layer = make(name)
    before = getattr(layer, argument)
    kind, says = refusal(lambda: setattr(layer, argument, value))
    assert kind is ValueError
    assert says.startswith(f"{layer!r} expects {argument} to stay {before!r}, got {value!r}; make a new layer")
    assert getattr(layer, argument) is before
    setattr(layer, argument, before)


@pytest.mark.parametrize("name", LAYERS)
def test_a_name_that_nothing_reads_is_refused(name: str) -> None:
    layer = make(name)
    for unknown in ("Rate", "trainable", "weights", "x"):
        kind, says = refusal(lambda unknown=unknown: setattr(layer, unknown, 1))
        assert kind is AttributeError
        assert says.startswith(f"{name} expects the name of an attribute that it has, got {unknown!r}")
        assert unknown not in vars(layer)


def test_the_nearest_name_is_suggested() -> None:
    for layer, name, near in (
        (cr.Dropout(), "Rate", "rate"),
        (cr.Dropout(), "p", "rate"),
        (cr.LayerNorm(3), "eps", "epsilon"),
        (cr.LeakyReLU(), "negative_slope", "slope"),
    ):
        with pytest.raises(AttributeError, match=f"did you mean '{near}'"):
            setattr(layer, name, 0.5)


def test_an_array_before_there_is_a_model_is_refused() -> None:
    """The model would draw others in its place."""
    with pytest.raises(AttributeError, match=r"Linear\(4 → 3\) expects to be in a model when W is assigned"):
        cr.Linear(4, 3).W = np.ones((4, 3))


def test_a_layer_of_a_user_has_attributes_of_its_own() -> None:
    class Noisy(cr.Dropout):
        def __init__(self, rate: float = 0.5, colour: str = "white") -> None:
            self.colour = colour
            super().__init__(rate)
            self.count = 0

    layer = Noisy(0.25)
    layer.colour, layer.count, layer.mood = "pink", 3, "good"
    assert refusal(lambda: setattr(layer, "rate", 1.5)) == refusal(lambda: Noisy(1.5))
    assert layer.rate == 0.25


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_checks_too(copied: Callable[[cr.Layer], cr.Layer]) -> None:
    layer = copied(cr.Dropout(0.25))
    with pytest.raises(ValueError, match="rate >= 0 and < 1"):
        layer.rate = 1.5
    layer.rate = 0.75
    assert layer.rate == 0.75


@pytest.mark.parametrize("kernels", [True, False])
def test_in_the_middle_of_training(kernels: bool) -> None:
    """The error of the assignment reaches who called fit."""

    class Widen(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            trainer.model.layers[1].rate = 1.5

    layers = [cr.Linear(4, 6, "relu"), cr.Dropout(0.2), cr.Linear(6, 1)]
    last = [] if kernels else [Plain()]
    trainer = cr.Trainer(cr.Sequential([*layers, *last], rng=0), "squared_error", callbacks=[Widen()])
    with pytest.raises(ValueError, match=r"Dropout expects rate >= 0 and < 1, got 1\.5"):
        trainer.fit(X, X[:, :1], epochs=2, verbose=0)
    assert layers[1].rate == 0.2
