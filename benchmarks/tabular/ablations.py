"""What the parts of our recipe are worth: each taken out of ``chainrule.tabular.recipe`` in the process of one fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from chainrule._support.checks import check_name
from chainrule.layers import Dropout
from chainrule.schedules import Constant
from chainrule.tabular import TableEncoder, recipe
from chainrule.training.callbacks import LayerScheduler

from ..grid import NotOffered

Change = Callable[[], None]


def apply(name: str) -> None:
    """Take a part out, for as long as this process lives."""
    check_name("bench", "a part of the recipe", name, PARTS)
    try:
        PARTS[name]()
    except (AttributeError, KeyError, TypeError) as error:
        raise NotOffered(f"the recipe has no {name} to take out: {error}") from None


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


ESTIMATORS = "TabularClassifier", "TabularRegressor"
_WAVES = ("w1", "b1", "W2", "b2")
PARTS: dict[str, Change] = {
    "waves": lambda: _put("_part", lambda role, count: (count, [])),
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
        "fading_dropout", lambda given: LayerScheduler(Dropout, "rate", Constant(given.dropout))
    ),
    "weight-decay": lambda: _put("DECAY", 0.0),
    "cosine-cycles": lambda: _put("CosLog4", Constant),
    "category-embeddings": _one_hot,
}
