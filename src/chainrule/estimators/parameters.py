"""The constructor's parameters: their checks, and the network and optimizer that they describe."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names

from .._support.checks import Array, sentence
from ..layers import BatchNorm, Dropout, Layer, LayerNorm, Linear
from ..layers.activations import ACTIVATIONS, Activation, get_activation
from ..model import Sequential
from ..optimizers import OPTIMIZERS, SGD, Adam, Optimizer
from ..schedules import CosLog4, FlatCos, OneCycle, ReduceOnPlateau, Schedule, WarmupCosine
from ..training.callbacks import Callback
from ..training.callbacks.base import learned
from .internals import Interval, Options, StrOptions

SCHEDULES: dict[str, type[Any]] = {
    "cos_log4": CosLog4,
    "cosine": WarmupCosine,
    "flat_cosine": FlatCos,
    "one_cycle": OneCycle,
    "reduce_on_plateau": ReduceOnPlateau,
}
NORMALIZATIONS: dict[str, type[Any]] = {"batch": BatchNorm, "layer": LayerNorm}
CLASSIC = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}  # scikit-learn's activations
STOCHASTIC = ("adam", "sgd")
OF_THE_STEPS = (
    *("dropout", "input_dropout", "max_norm", "average", "optimizer", "schedule"),
    *("weight_decay", "callbacks", "products"),
)
OF_THE_NETWORK = ("activation", "normalization", "dropout", "input_dropout", "average", "scale")
OF_THE_OPTIMIZER = (
    *("solver", "optimizer", "schedule", "learning_rate_init", "weight_decay"),
    *("momentum", "nesterovs_momentum", "beta_1", "beta_2", "epsilon"),
)

#: Constraints of each parameter in scikit-learn's terms, which then words the errors.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({*CLASSIC, *ACTIVATIONS} - {"softmax"}), Activation, list, tuple],
    "solver": [StrOptions({"lbfgs", *STOCHASTIC})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "normalization": [StrOptions(set(NORMALIZATIONS)), None],
    "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer, None],
    "schedule": [StrOptions(set(SCHEDULES)), callable, None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "average": [Interval(Real, 0, 1, closed="neither"), None],
    "scale": ["boolean"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "callbacks": [list, tuple, None],
    "products": [StrOptions({"bfloat16"}), None],
}


def keep_parameters(estimator: Any, local: dict[str, Any]) -> None:
    """Store each parameter unchanged as an attribute, as scikit-learn requires."""
    vars(estimator).update({name: value for name, value in local.items() if name not in ("self", "__class__")})


def check_together(estimator: Any) -> None:
    """Raise for values that are valid alone but contradict each other."""
    who = type(estimator).__name__
    if estimator.solver == "lbfgs":
        given = [name for name in OF_THE_STEPS if getattr(estimator, name)]
        given += ["normalization='batch'"] if estimator.normalization == "batch" else []
        if given:
            remedy = 'leave it out, or use solver="adam" or "sgd"'
            raise ValueError(sentence(f'{who}(solver="lbfgs")', "the exact loss of all rows", given[0], remedy))
    _check_rates(estimator, who)
    for name, allowed in estimator._parameter_constraints.items():
        value = getattr(estimator, name)
        if isinstance(value, (bool, np.bool_)) and not {"boolean", "verbose"} & {str(one) for one in allowed}:
            raise TypeError(sentence(who, f"{name} to be a number", repr(value)))
    for callback in estimator.callbacks or ():
        if not isinstance(callback, Callback):
            raise TypeError(sentence(who, "chainrule.Callback objects in callbacks", repr(callback)))


def _check_rates(estimator: Any, who: str) -> None:
    schedule, optimizer = estimator.schedule, estimator.optimizer
    if isinstance(schedule, type):
        expected, got = "a schedule object", f"the class {schedule.__name__}"
        raise TypeError(sentence(who, expected, got, f"write {schedule.__name__}(...)"))
    for name, other in (("schedule", schedule), ("optimizer", optimizer)):
        if estimator.learning_rate != "constant" and other is not None:
            got = f"learning_rate={estimator.learning_rate!r} and {name}={other!r}"
            raise ValueError(sentence(who, "one rule for the learning rate", got, "leave one of them out"))
    if isinstance(optimizer, Optimizer):
        for name in ("schedule", "weight_decay"):
            if getattr(estimator, name):
                got = f"{name}={getattr(estimator, name)!r} beside it"
                remedy = (
                    "give it to the optimizer" if name == "weight_decay" else "make it the optimizer's learning_rate"
                )
                raise ValueError(sentence(who, "an optimizer that is complete", got, remedy))


def hidden_sizes(estimator: Any) -> list[int]:
    """Return ``hidden_layer_sizes`` as a list; a number means one layer."""
    sizes = estimator.hidden_layer_sizes
    if isinstance(sizes, (set, frozenset, dict)):
        raise TypeError(
            sentence(type(estimator).__name__, "hidden_layer_sizes in an order", f"{sizes}", "pass a tuple")
        )
    sizes = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    if not all(isinstance(size, Integral) and not isinstance(size, (bool, np.bool_)) for size in sizes):
        raise TypeError(sentence(type(estimator).__name__, "integers in hidden_layer_sizes", f"{sizes}"))
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def activations(estimator: Any, count: int) -> list[Activation]:
    """Return an activation for each hidden layer."""
    given, who = estimator.activation, type(estimator).__name__
    each = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given] * count
    if len(each) != count:
        expected = f"one activation for each of {count} hidden layers"
        raise ValueError(sentence(who, expected, f"{len(each)}: {given!r}"))
    named = [CLASSIC.get(one, one) if isinstance(one, str) else one for one in each]
    found = [get_activation(who, one) for one in named]
    chosen = [one for one in found if one is not None]
    if len(chosen) != count:
        raise TypeError(sentence(who, "activations by name or as objects", f"{given!r}", 'write "identity" for none'))
    return chosen


def build_model(estimator: Any, inputs: int, outputs: int, dtype: Any, random: np.random.RandomState) -> Sequential:
    """Build the network for logits or numbers, with its initial weights.

    With scikit-learn's activations, the weights are drawn like scikit-learn's, from the same generator in the same
    order: the same seed gives the same network. Other activations use their own rule.
    """
    sizes = hidden_sizes(estimator)
    chosen = activations(estimator, len(sizes))
    layers: list[Layer] = [Dropout(estimator.input_dropout)] if estimator.input_dropout else []
    for width, size, activation in zip([inputs, *sizes], sizes, chosen, strict=False):
        if estimator.normalization is None:
            layers.append(Linear(width, size, activation=activation))
        else:
            layers += [Linear(width, size), NORMALIZATIONS[estimator.normalization](size), copy.copy(activation)]
        if estimator.dropout:
            layers.append(Dropout(estimator.dropout))
    layers.append(Linear([inputs, *sizes][-1], outputs))
    classic = isinstance(estimator.activation, str) and estimator.activation in CLASSIC
    noisy = estimator.dropout or estimator.input_dropout
    model = Sequential(layers, rng=0 if classic else _seed(random), dtype=dtype)
    if classic:
        factor = 2.0 if estimator.activation == "logistic" else 6.0
        for layer in linear_layers(model):
            bound = np.sqrt(factor / (layer.in_features + layer.out_features))
            layer.W[:] = random.uniform(-bound, bound, layer.W.shape)
            layer.b[:] = random.uniform(-bound, bound, layer.b.shape)
    if classic and noisy:
        model.rng = _seed(random)
    return model


def _seed(random: np.random.RandomState) -> int:
    return int(random.randint(np.iinfo(np.int32).max))


def linear_layers(model: Sequential) -> list[Linear]:
    """Return the dense layers, whose W and b are ``coefs_`` and ``intercepts_``."""
    return [layer for layer in model.layers if isinstance(layer, Linear)]


def set_penalty(model: Sequential, alpha: float) -> None:
    """Set the penalty α/2 ΣW²."""
    for layer in linear_layers(model):
        layer.l2 = alpha / 2


def build_optimizer(estimator: Any) -> Optimizer:
    """Build ``optimizer``, or else ``solver``, with the learning rate, its schedule and the weight decay."""
    chosen = estimator.optimizer
    if isinstance(chosen, Optimizer):
        return copy.deepcopy(chosen)
    rate: float | Schedule = float(estimator.learning_rate_init)
    if isinstance(estimator.schedule, str):
        rate = SCHEDULES[estimator.schedule](rate)
    elif estimator.schedule is not None:
        rate = copy.deepcopy(estimator.schedule)
    decay = float(estimator.weight_decay)
    if chosen is not None:
        return OPTIMIZERS[chosen](rate, weight_decay=decay) if decay else OPTIMIZERS[chosen](rate)
    if estimator.solver == "sgd":
        ahead = bool(estimator.nesterovs_momentum and estimator.momentum)
        return SGD(rate, momentum=float(estimator.momentum), nesterov=ahead, weight_decay=decay)
    betas = float(estimator.beta_1), float(estimator.beta_2)
    return AdamOfKingma(rate, betas=betas, epsilon=float(estimator.epsilon), weight_decay=decay)


def settings(estimator: Any, names: Sequence[str]) -> dict[str, str]:
    """Return the repr of some parameters, to detect later changes."""
    return {name: repr(getattr(estimator, name)) for name in names}


def renew_optimizer(estimator: Any, old: Optimizer) -> Optimizer:
    """Build the optimizer that the parameters describe now, with the state of the old one if it is of the same kind."""
    new = build_optimizer(estimator)
    if type(new) is type(old) and new.slots().keys() == old.slots().keys() and old.state:
        new.state = old.state
    return new


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set another learning rate for SGD between two steps.

    scikit-learn's velocity −η v contains the rates of the past steps; ours is v, so v must change with η.
    """
    if "velocity" in optimizer.state:
        optimizer.state["velocity"] *= optimizer.current_learning_rate / rate
    optimizer.learning_rate = rate


def snapshot(model: Sequential) -> list[Array]:
    """Copy everything that training changes."""
    return [array.copy() for array in learned(model)]


def restore(model: Sequential, taken: list[Array]) -> None:
    """Restore the snapshot."""
    for array, value in zip(learned(model), taken, strict=True):
        array[...] = value


@dataclass(eq=False, repr=False)
class AdamOfKingma(Adam):
    """Adam in the form of the paper's section 2, which scikit-learn uses: ε is added before the correction.

        w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    :class:`~chainrule.Adam`, like PyTorch, adds ε to √v̂. The two differ if gradients are as small as ε: for weights
    that only the penalty changes, such as those of an empty column.

    References
    ----------
    Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), section 2, last paragraph.
    """

    kernel = "adam"

    def coefficients(self, t: int, rate: float) -> tuple[float, ...]:
        """Return 1 − β₁, 1 − β₂, and the factors of √v and ε."""
        first, second, root, _ = super().coefficients(t, rate)
        return first, second, root, root * self.epsilon
