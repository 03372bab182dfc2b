"""What the parts of our recipe are worth, and ideas beside it: each changes this process, which makes one fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from chainrule import layers
from chainrule._support.checks import check_name
from chainrule.optimizers import Muon
from chainrule.schedules import Constant
from chainrule.tabular import TableEncoder, recipe
from chainrule.training.callbacks import LayerScheduler, WeightAverage

from ..grid import NotOffered

Change = Callable[[], None]


def take_out(name: str) -> None:
    """Take a part out of the recipe, for as long as this process lives."""
    _apply(name, "a part of the recipe", PARTS)


def put_in(name: str) -> None:
    """Put an idea into the recipe, for as long as this process lives."""
    _apply(name, "an idea", IDEAS)


def _apply(name: str, what: str, changes: dict[str, Change]) -> None:
    check_name("bench", what, name, changes)
    try:
        changes[name]()
    except (AttributeError, KeyError, TypeError) as error:
        raise NotOffered(f"the recipe has no place for {name}: {error}") from None


def _put(name: str, value: Any, place: Any = recipe) -> None:
    getattr(place, name)  # AttributeError: a part that has another name now would otherwise stay
    setattr(place, name, value)


def _factors(*names: str, rate: float, decay: float) -> None:
    """Factors of the learning rate and of the decay for these parameters; a rate of 0 keeps their initial values."""
    if missing := set(names) - set(recipe.FACTORS):
        raise KeyError(*missing)
    recipe.FACTORS |= dict.fromkeys(names, (rate, decay))


def _dropout(rate: float, *names: str) -> None:
    from chainrule.tabular.estimators import learners

    for name in names:
        cls = getattr(learners, name)
        _put("_recipe", replace(cls._recipe, dropout=rate), cls)


def _one_hot() -> None:
    from chainrule.tabular.estimators import base

    _put("TableEncoder", partial(TableEncoder, max_one_hot=None), base)


def _muon() -> None:
    """Muon for all matrices, at the rate of Adam: its updates have the same root mean square."""
    make = recipe.optimizer

    def optimizer(*given: Any) -> Any:
        adam = make(*given)
        return Muon(adam.learning_rate, betas=adam.betas, weight_decay=adam.weight_decay, groups=adam.groups)

    _put("optimizer", optimizer)


def _averaged(decay: float) -> None:
    """The running mean of the weights is what is scored and kept."""
    from chainrule.tabular import estimators

    place = next(module for module in vars(estimators).values() if hasattr(module, "Trainer"))
    make = place.Trainer

    def trainer(*given: Any, callbacks: Any, **named: Any) -> Any:
        return make(*given, callbacks=[WeightAverage(decay), *callbacks], **named)

    _put("Trainer", trainer, place)


def _numbers(first: Callable[[int], Any]) -> None:
    """Other layers for numbers, of how many there are; every other network of an ensemble keeps its bins."""
    usual = vars(recipe)["_layers"]

    def layers_for(role: str, count: int, binned: Any) -> Any:
        return usual(role, count, binned) if role != "number" or binned is not None else first(count)

    _put("_layers", layers_for)


def _waves_for_all() -> None:
    make = recipe.network
    _put("network", lambda encoder, outputs, given, rng, x=None: make(encoder, outputs, given, rng))


#: Sixteen bins of one width between -2 and 2, where most of what the encoder gives lies.
EDGES = [-2 + place / 4 for place in range(17)]
ESTIMATORS = "TabularClassifier", "TabularRegressor"
_WAVES = ("w1", "b1", "W2", "b2")
PARTS: dict[str, Change] = {
    "waves": lambda: _numbers(lambda count: []),
    "bins": _waves_for_all,
    "learned-waves": lambda: _factors(*_WAVES, rate=0, decay=0),
    "learned-activations": lambda: _factors("amount", rate=0, decay=0),
    "front-scale": lambda: _factors("gain", rate=0, decay=0),
    "decay-of-front-scale": lambda: _factors("gain", rate=6, decay=1 / 6),
    "slow-biases": lambda: _factors("b", rate=1, decay=0),
    "rate-factors": lambda: _factors(*recipe.FACTORS, rate=1, decay=1),
    "data-driven-weights": lambda: _put("begin", lambda *given: None),
    "dropout": lambda: _dropout(0.0, *ESTIMATORS),
    "doubled-dropout": lambda: _dropout(0.15, ESTIMATORS[0]),
    "fading-dropout": lambda: _put(
        "fading_dropout", lambda given: LayerScheduler(layers.Dropout, "rate", Constant(given.dropout))
    ),
    "weight-decay": lambda: _put("DECAY", 0.0),
    "cosine-cycles": lambda: _put("CosLog4", Constant),
    "category-embeddings": _one_hot,
}
IDEAS: dict[str, Change] = {
    "256-units": lambda: _put("WIDTHS", (256, 256, 256)),
    "muon": _muon,
    "weight-average": lambda: _averaged(0.95),
    "piecewise-linear": lambda: _numbers(lambda count: [layers.PiecewiseLinear([EDGES] * count, 4)]),
}
