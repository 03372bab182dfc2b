"""Optimizers: rules that move a flat vector of parameters against its gradient.

``optimizer.step(vector, gradient)`` updates the vector in place. Optimizers know arrays, not models; what they remember
is ``optimizer.state``, a plain dict of arrays.
"""

from __future__ import annotations

from collections.abc import Callable

from .._support.registry import Registry, concrete
from . import adaptive, arraywise, momentum
from .adaptive import *  # noqa: F403
from .arraywise import *  # noqa: F403
from .base import Optimizer
from .momentum import *  # noqa: F403

__all__ = ["OPTIMIZERS", "Optimizer", "get_optimizer"]
__all__ += adaptive.__all__
__all__ += arraywise.__all__
__all__ += momentum.__all__

OPTIMIZERS: Registry[type[Optimizer]] = Registry(
    "an optimizer",
    {name.lower(): optimizer for name, optimizer in concrete(globals(), Optimizer).items()},
    accepts=lambda value: isinstance(value, Optimizer),
    expected="the name of an optimizer or an Optimizer",
    remedy='try "adam"',
)

#: The optimizer of a name, a new one with its default parameters; an optimizer stands for itself.
get_optimizer: Callable[[str | Optimizer], Optimizer] = OPTIMIZERS.resolve
