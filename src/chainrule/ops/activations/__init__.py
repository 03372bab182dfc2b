"""Activation functions, each forward beside its backward under one equation; each file names its own in ``__all__``.

The elementwise ones take the same arguments. Their docstrings state the equations, and this file adds the arguments.
"""

from collections.abc import Callable
from typing import Any

from . import gated, piecewise, smooth
from .gated import *  # noqa: F403
from .piecewise import *  # noqa: F403
from .smooth import *  # noqa: F403

__all__: list[str] = []
__all__ += gated.__all__
__all__ += piecewise.__all__
__all__ += smooth.__all__

_TEXTS = {
    "x": "x : array of any shape\n    Input.",
    "dy": "dy : array of any shape\n    Gradient ∂L/∂y of the loss with respect to the output.",
    "y": "y : array of dy's shape\n    Output of the forward.",
    "slope": "slope : float in [0, 1]\n    Slope a below zero.",
    "alpha": "alpha : float, > 0\n    Number α; the output never falls below −α.",
    "out": "out : array of the first argument's shape, optional\n    Where to write the result; may be that argument.",
}


def _document(op: Callable[..., Any]) -> None:
    """Add the sections Parameters and Returns to the docstring of an elementwise op."""
    equations, mark, example = (op.__doc__ or "").partition("    Examples\n")
    names = op.__code__.co_varnames[: op.__code__.co_argcount]
    result = "array of dy's shape\n    Gradient ∂L/∂x." if names[0] == "dy" else "array of x's shape\n    Output."
    texts = ["Parameters", "-" * 10, *(_TEXTS[name] for name in names), "", "Returns", "-" * 7, result]
    sections = "".join(f"    {line}\n" if line else "\n" for line in "\n".join(texts).split("\n"))
    op.__doc__ = f"{equations.rstrip()}\n\n{sections}" + (f"\n{mark}{example}" if mark else "    ")


for _name in __all__:
    if globals()[_name].__doc__ and not _name.startswith("prelu"):  # no docstrings under -OO
        _document(globals()[_name])
