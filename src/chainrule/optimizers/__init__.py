"""Optimizers: rules that move a flat vector of parameters against its gradient.

``optimizer.step(vector, gradient)`` updates the vector in place. Optimizers know arrays, not models; what they remember
is ``optimizer.state``, a plain dict of arrays.
"""

from __future__ import annotations

from typing import Any

from .._support.checks import resolve, sentence
from .adaptive import Adagrad, Adam, AdamW, NAdam, RMSprop
from .base import Optimizer
from .lion import Lion
from .muon import Muon
from .sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "get_optimizer",
]

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "lion": Lion,
    "muon": Muon,
    "nadam": NAdam,
    "rmsprop": RMSprop,
    "sgd": SGD,
}


def get_optimizer(optimizer: str | Optimizer | Any) -> Optimizer:
    """A new optimizer of this name with its default parameters; an optimizer object as it is.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest is suggested.
    TypeError
        If it is neither a name nor an optimizer object.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.optimizers.get_optimizer("adam")
    Adam(learning_rate=0.001)
    """
    found = resolve("get_optimizer", "an optimizer", optimizer, OPTIMIZERS)
    if isinstance(found, type):
        found = found()
    if not isinstance(found, Optimizer):
        expected = "the name of an optimizer or an Optimizer"
        raise TypeError(sentence("get_optimizer", expected, repr(optimizer), 'try "adam"'))
    return found
