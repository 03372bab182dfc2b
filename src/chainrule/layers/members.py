"""Networks side by side, whose predictions are averaged: an ensemble as one layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .. import ops
from .._support.checks import Array, check_name, sentence
from .._support.settings import Checks, optional
from .base import Layer, Shape, as_layers, walk
from .chain import backward_through, forward_through, input_width
from .columns import codes_of
from .program import LEAST_PROBABILITY, MEANINGS, Call, Program, programs
from .workspace import Workspace

__all__ = ["Members"]

Given: TypeAlias = "list[tuple[list[Layer], Mapping[str, Array]]]"
#: What makes logits of averaged probabilities.
LOGITS = {"softmax": "log", "sigmoid": "logit"}


def _as_networks(who: str, name: str, networks: Any) -> list[list[Layer]]:
    if not isinstance(networks, (list, tuple)) or not networks:
        raise TypeError(sentence(who, "a list of networks", f"{networks!r:.80}", f"write {who}([model1, model2])"))
    return [as_layers(who, network) for network in networks]


class Members(Layer):
    """Networks over one input, whose outputs or probabilities are averaged.

        y = mean of f_i(x)                       p = mean of softmax f_i(x),  y = log p
                                                 p = mean of σ(f_i(x)),       y = log p − log(1 − p)

        dz_i = dy / k                            dz_i = softmax′ᵀ dp / k,     dp = dy / p
                                                 dz_i = σ′ · dp / k,          dp = dy / p + dy / (1 − p)

    with z_i = f_i(x) for k members. With an activation, y are the logits of averaged probabilities, no less than
    1e-30, so whatever follows an output of one member follows y. Parameters are those of all members in turn: each
    member's vector is a slice of the model's.

    Parameters
    ----------
    networks : list of Sequential, or of lists of layers
        The members, of equal input and output shapes. Those of a Sequential are copied, with its parameters.
    activation : None, "softmax" or "sigmoid"
        What makes probabilities of a member's outputs.

    Raises
    ------
    ValueError
        If members differ in the shape of their inputs or outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> trained = [cr.MLP([2, 8, 3], rng=seed) for seed in range(5)]
    >>> model = cr.Sequential([cr.Members(trained, "softmax"), cr.Softmax()])
    >>> x = np.ones((1, 2))
    >>> probabilities = np.mean([cr.ops.softmax(member.predict(x)) for member in trained], axis=0)
    >>> bool(np.allclose(model.predict(x), probabilities))
    True

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell, Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles
    (2017), section 2.4.
    """

    _checks: ClassVar[Checks] = {
        "networks": _as_networks,
        "activation": optional(lambda who, name, value: check_name(who, "an activation of members", value, LOGITS)),
    }
    _made_with = frozenset({"networks", "children"})

    def __init__(self, networks: Sequence[Any], activation: str | None = None) -> None:
        self._given: Given = []
        taken: Any = list(map(self._taken, networks)) if isinstance(networks, (list, tuple)) else networks
        self.networks: list[list[Layer]] = taken
        self.activation = activation
        self.children = [layer for layers in self.networks for layer in layers]
        self._same("inputs", map(input_width, self.networks))
        self._codes = codes_of([self])

    def _taken(self, network: Any) -> Any:
        """Return the layers of a network; those of a Sequential as copies, whose parameters will be set to its own."""
        if isinstance(network, Layer) or not hasattr(network, "parameters"):
            return network
        layers = copy.deepcopy(network.layers)
        self._given.append((layers, {**network.parameters, **network.buffers}))
        return layers

    def _same(self, what: str, of_each: Iterable[Any]) -> Any:
        """Return what is known of any member; raise if it is not the same of all."""
        found = [one for one in of_each if one is not None]
        if any(one != found[0] for one in found):
            got = f"{found[0]} and {next(one for one in found if one != found[0])}"
            raise ValueError(sentence(repr(self), f"members of equal {what}", got))
        return found[0] if found else None

    def initialize(self, rng: np.random.Generator) -> None:
        for layers, arrays in self._given:
            for prefix, layer in walk(layers):
                own = {name: getattr(layer, name) for name in layer.parameter_shapes()} | layer.buffers()
                for name, array in own.items():
                    array[...] = arrays[prefix + name]
        self._given = []

    def forward(self, x: Array, work: Workspace) -> Array:
        outputs = [forward_through(layers, x, work.child(index)) for index, layers in enumerate(self.networks)]
        self._same("outputs", [z.shape[1:] for z in outputs])
        if self.activation is not None:
            each = enumerate(outputs)
            outputs = [getattr(ops, self.activation)(z, out=work.array(f"p{index}", z)) for index, z in each]
            work.update((f"p{index}", p) for index, p in enumerate(outputs))
        y = work["y"] = np.divide(outputs[0], len(outputs), out=work.array("y", outputs[0]))
        for z in outputs[1:]:
            y += np.divide(z, len(outputs), out=work.array("z", z))
        return y if self.activation is None else MEANINGS[LOGITS[self.activation]](y)

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        k, room, least = len(self.networks), work.array("dz", dy), LEAST_PROBABILITY
        dz = np.divide(dy, k, out=room)
        if self.activation is not None:
            p = work["y"]
            dp = dz / (p + least) + (dz / (1 - p + least) if self.activation == "sigmoid" else 0)
        dx = None
        for index, layers in enumerate(self.networks):
            if self.activation is not None:
                dz = getattr(ops, f"{self.activation}_backward")(dp, work[f"p{index}"], out=room)
            own = backward_through(layers, dz, work.child(index), input_gradient)
            if own is not None:
                dx = own if dx is None else np.add(dx, own, out=work.array("dx", own))
        return dx

    @property
    def input_width(self) -> int | None:
        width: int | None = self._same("inputs", map(input_width, self.networks))
        return width

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        shapes = [input_shape] * len(self.networks)
        for index, layers in enumerate(self.networks):
            for layer in layers:
                shapes[index] = layer.output_shape(shapes[index])
        shape: Shape | None = self._same("outputs", shapes)
        return shape

    def program(self, training: bool = False) -> Program | None:
        found = [programs(layers, training) for layers in self.networks]
        own = () if self.activation is None else (Call(self.activation),)
        then = () if self.activation is None else (Call(LOGITS[self.activation]),)
        branches = tuple((*program, *own) for program in found if program is not None)
        return (Call("mean", branches=branches), *then) if len(branches) == len(found) else None

    def __repr__(self) -> str:
        """``Members(8 × [Linear(4 → 8, relu), Linear(8 → 1)])``."""
        activation = "" if self.activation is None else f", {self.activation!r}"
        return f"Members({len(self.networks)} × {self.networks[0]!r}{activation})"
