"""The multilayer perceptron: dense layers of given sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._support.checks import RandomState, check_number, sentence
from ..layers import Activation, Dropout, Layer, Linear, Softmax
from ..layers.activations import get_activation
from ..layers.linear import InitializerLike
from .sequential import Sequential


def MLP(
    sizes: Sequence[int],
    activation: str | Activation = "relu",
    *,
    output_activation: str | Activation | None = None,
    softmax: bool = False,
    dropout: float = 0.0,
    bias: bool = True,
    l1: float = 0.0,
    l2: float = 0.0,
    initializer: InitializerLike | None = None,
    rng: RandomState = None,
    dtype: Any = "float32",
) -> Sequential:
    """Build a multilayer perceptron: dense layers of the given sizes, from input to output.

        h₀ = x,    hᵢ = dropout(σ(hᵢ₋₁ Wᵢ + bᵢ)),    y = σₒ(hₙ₋₁ Wₙ + bₙ),  σₒ the output_activation, if any

    Parameters
    ----------
    sizes : list of at least two ints
        Sizes of the input, the hidden layers and the output.
    activation : str or Activation
        Activation σ after every hidden layer.
    output_activation : str, Activation or None
        Activation σₒ of the output; by default none, which gives plain numbers or logits.
    softmax : bool
        Whether to end with a Softmax layer; train with ``CrossEntropy(from_logits=False)`` then.
    dropout : float in [0, 1)
        Dropout rate after every hidden layer.
    bias, l1, l2, initializer, rng, dtype : optional
        As in :class:`~chainrule.Linear`, for every layer, and :class:`~chainrule.Sequential`.

    Returns
    -------
    Sequential
        A new model.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([784, 512, 256, 10], activation="relu", dropout=0.2, rng=0)
    >>> model.parameters.vector.size
    535818
    """
    if not hasattr(sizes, "__len__") or len(sizes) < 2:
        remedy = "for a network without hidden layers write MLP([inputs, outputs])"
        raise ValueError(sentence("MLP", "the sizes of at least the input and the output", repr(sizes), remedy))
    if softmax and output_activation is not None:
        raise ValueError(sentence("MLP", "softmax=True or an output_activation", "both", "leave one of them out"))
    check_number("MLP", "dropout", dropout, minimum=0, below=1)
    get_activation("MLP", activation)  # even if no hidden layer uses it
    layers: list[Layer] = []
    for index in range(len(sizes) - 1):
        last = index == len(sizes) - 2
        sigma = output_activation if last else activation
        layers.append(Linear(sizes[index], sizes[index + 1], sigma, bias, l1, l2, initializer))
        if dropout and not last:
            layers.append(Dropout(dropout))
    return Sequential([*layers, Softmax()] if softmax else layers, rng=rng, dtype=dtype)
