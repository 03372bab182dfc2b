"""How weights begin: functions of a shape and a random generator.

An initializer is any callable ``initializer(shape, rng, dtype) -> array``. A shape is (I, O) for a weight matrix, I
inputs and O outputs, or (O,) for a bias. The rules that keep the variance of signals need I and O, and refuse any other
rank. Numbers are drawn in float64 and then rounded to ``dtype``: a seed's float32 network is its float64 one, rounded.
"""

from __future__ import annotations

from .._support.checks import resolve, sentence
from .base import Initializer, InitializerFunction
from .plain import Normal, Ones, Orthogonal, Uniform, Zeros
from .scaled import GlorotNormal, GlorotUniform, HeNormal, HeNormalWithBias, HeUniform, LecunNormal, LecunUniform

__all__ = [
    "INITIALIZERS",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeNormalWithBias",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Ones",
    "Orthogonal",
    "Uniform",
    "Zeros",
    "get_initializer",
]

INITIALIZERS: dict[str, type[Initializer]] = {
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_normal_with_bias": HeNormalWithBias,
    "he_uniform": HeUniform,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "normal": Normal,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "uniform": Uniform,
    "zeros": Zeros,
}


def get_initializer(initializer: str | InitializerFunction) -> InitializerFunction:
    """The initializer of this name with its default parameters; any other callable (shape, rng, dtype) as it is.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest is suggested.
    TypeError
        If it is neither a name nor a callable object.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.get_initializer("normal")
    Normal(sigma=0.1)
    """
    found = resolve("get_initializer", "an initializer", initializer, INITIALIZERS)
    if not callable(found):
        expected = "the name of an initializer or a callable"
        raise TypeError(sentence("get_initializer", expected, repr(initializer), 'try "he_normal"'))
    rule: InitializerFunction = found() if isinstance(found, type) else found
    return rule
