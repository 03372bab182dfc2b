"""How weights begin: functions of a shape and a random generator.

An initializer is any callable ``initializer(shape, rng, dtype) -> array``. A shape is (I, O) for a weight matrix, I
inputs and O outputs, or (O,) for a bias. The rules that keep the variance of signals need I and O, and refuse any other
rank. Numbers are drawn in float64 and then rounded to ``dtype``: a seed's float32 network is its float64 one, rounded.
"""

from __future__ import annotations

from collections.abc import Callable

from .._support.registry import Registry, concrete, snake_case
from . import plain, scaled
from .base import Initializer, InitializerFunction
from .plain import *  # noqa: F403
from .scaled import *  # noqa: F403

__all__ = ["INITIALIZERS", "Initializer", "get_initializer"]
__all__ += plain.__all__
__all__ += scaled.__all__

INITIALIZERS: Registry[type[Initializer]] = Registry(
    "an initializer",
    {snake_case(name): initializer for name, initializer in concrete(globals(), Initializer).items()},
    accepts=callable,
    expected="the name of an initializer or a callable",
    remedy='try "he_normal"',
    elsewhere={
        "kaiming_normal": "he_normal",
        "kaiming_uniform": "he_uniform",
        "xavier_normal": "glorot_normal",
        "xavier_uniform": "glorot_uniform",
    },
)

#: The initializer of a name, with its default parameters; any other callable (shape, rng, dtype) stands for itself.
get_initializer: Callable[[str | InitializerFunction], InitializerFunction] = INITIALIZERS.resolve
