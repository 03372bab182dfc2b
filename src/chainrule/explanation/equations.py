"""The equations of layers, losses and optimizers, read from the docstrings that state them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .. import ops
from .._support.overrides import is_of_package
from ..layers import Activation, Linear

# A gradient begins with d and what it is the gradient of: dx, dW, dŷ, dE[k], dw1_j.
_GRADIENT = re.compile(r"d[^\s\d=]\w*(\[\w+\])?\u0302? = ")
_APART = re.compile(r"\s{3,}")
_ROLE = re.compile(r":\w+:`~?([^`]*)`")
Equations = tuple[tuple[str, ...], tuple[str, ...]]


def equations_of(thing: Any) -> Equations:
    """Return the equations of a layer, loss or optimizer: those of its value, and those of its gradient.

    They are the indented lines at the start of its class's docstring, or of the op that computes an activation. A class
    without any is described by its first sentence.
    """
    op = getattr(thing, "op", None)
    if isinstance(thing, Activation) and isinstance(op, str) and is_of_package(thing):
        return _split(getattr(ops, op).__doc__)
    of_loss = getattr(thing, "from_logits", None)
    return _split(thing.__doc__, None if of_loss is None else bool(of_loss))


def affine_equations(layer: Linear) -> Equations:
    """Return those of a dense layer without its activation; with its penalty if it has one."""
    value, gradient = _split(ops.affine.__doc__)
    if not (layer.l1 or layer.l2):
        return value, gradient
    own = (line.replace("dz", "dy") for line in _split(Linear.__doc__)[1] if not line.startswith("dz"))
    return value, tuple(own)


def _split(docstring: str | None, from_logits: bool | None = None) -> Equations:
    """Divide the indented lines into values and gradients; a loss has a second set of them, from probabilities."""
    head = inspect.cleandoc(docstring or "").split("\n\nParameters\n")[0].split("\n\nExamples\n")[0]
    if from_logits is not None:
        of_logits, _, of_probabilities = head.partition("From probabilities")
        head = of_logits if from_logits else of_probabilities
    lines = [line.strip() for line in head.split("\n") if line.startswith("    ")]
    pieces = [piece.removesuffix(",") for line in lines for piece in _APART.split(line)]
    if not pieces:
        return ((_ROLE.sub(r"\1", head.split(". ")[0].split("\n\n")[0].replace("\n", " ")),), ()) if head else ((), ())
    gradient = [bool(_GRADIENT.match(piece)) for piece in pieces]
    return (
        tuple(piece for piece, is_gradient in zip(pieces, gradient, strict=True) if not is_gradient),
        tuple(piece for piece, is_gradient in zip(pieces, gradient, strict=True) if is_gradient),
    )
