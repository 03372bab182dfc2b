"""Networks side by side, or members that share most of their layers, whose predictions are averaged."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .. import ops
from .._support.checks import Array, check_integer, check_name, sentence
from .._support.settings import Checks, optional
from .base import FeatureLayer, Layer, Shape, as_layers, check_width, walk
from .chain import backward_through, forward_through, input_width
from .columns import codes_of
from .program import LEAST_PROBABILITY, MEANINGS, Call, Program, programs
from .workspace import Workspace

__all__ = ["Members", "TabM"]

Given: TypeAlias = "list[tuple[list[Layer], Mapping[str, Array]]]"
#: What makes logits of averaged probabilities.
LOGITS = {"softmax": "log", "sigmoid": "logit"}


def _as_networks(who: str, name: str, networks: Any) -> list[list[Layer]]:
    if not isinstance(networks, (list, tuple)) or not networks:
        raise TypeError(sentence(who, "a list of networks", f"{networks!r:.80}", f"write {who}([model1, model2])"))
    return [as_layers(who, network) for network in networks]


def _averaged(members: Sequence[Program], activation: str | None) -> Program:
    if activation is None:
        return (Call("mean", branches=tuple(members)),)
    branches = tuple((*member, Call(activation)) for member in members)
    return (Call("mean", branches=branches), Call(LOGITS[activation]))


def _as_groups(who: str, name: str, groups: Any) -> list[int]:
    if not isinstance(groups, (list, tuple)):
        raise TypeError(sentence(who, "groups as a list of widths", f"{groups!r:.80}"))
    return [check_integer(who, "each of groups", one) for one in groups]


class Members(Layer):
    """Networks over one input, whose outputs or probabilities are averaged.

        y = mean of f_i(x)                       p = mean of softmax f_i(x),  y = log p
                                                 p = mean of σ(f_i(x)),       y = log p − log(1 − p)

        dz_i = dy / k                            dz_i = softmax′ᵀ dp / k,     dp = dy / p
                                                 dz_i = σ′ · dp / k,          dp = dy / p + dy / (1 − p)

    with z_i = f_i(x) for k members. With an activation, y are the logits of averaged probabilities: whatever follows
    an output of one member follows y. The vector of each member is a slice of the model's.

    Parameters
    ----------
    networks : list of Sequential, or of lists of layers
        The members, of equal input and output shapes. A Sequential is copied, with its parameters.
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
    Lakshminarayanan, Pritzel and Blundell, Simple and Scalable Predictive Uncertainty Estimation (2017), section 2.4.
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
        known = [program for program in found if program is not None]
        return _averaged(known, self.activation) if len(known) == len(found) else None

    def __repr__(self) -> str:
        """``Members(8 × [Linear(4 → 8, relu), Linear(8 → 1)])``."""
        activation = "" if self.activation is None else f", {self.activation!r}"
        return f"Members({len(self.networks)} × {self.networks[0]!r}{activation})"


class TabM(FeatureLayer):
    """Members that share all layers but the scale of their inputs and their last layer: TabM-mini.

        z_i = f(r_i ∘ x) A_i + c_i          y = mean of z_i, or of their probabilities as in :class:`Members`

        dA_i = f_iᵀ dz_i      dc_i = Σₙ dz_i      df_i = dz_i A_iᵀ
        dr_i = Σₙ x ∘ dx_i      dx = Σᵢ r_i ∘ dx_i,    dx_i = f′ᵀ df_i

    for k members over the layers f, which get k rows for each row of x. In training the output holds all z_i,
    (N, k, O), and ``losses.EachMember`` trains each member on its own error, not on that of the mean. Put the layer
    last. Initially r is ±1, or N(0, 1) and the same for the columns of a group; A and c ~ U(−1/√H, 1/√H).

    Parameters
    ----------
    features : int
        Number of inputs I.
    layers : list of layers
        The shared layers f, from I inputs to H outputs.
    outputs : int
        Number O of outputs.
    members : int
        Number k of members.
    groups : list of int, optional
        Widths of groups of columns: with embeddings, the outputs of each feature.
    activation : None, "softmax" or "sigmoid"
        What makes probabilities of a member's outputs.

    Attributes
    ----------
    r : array (k, I)
        Scales, learned.
    A, c : arrays (k, H, O) and (k, O)
        Last layers, learned.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.TabM(4, [cr.Linear(4, 32, "relu")], outputs=1, members=8)], rng=0)
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> trainer = cr.Trainer(model, cr.losses.EachMember("squared_error"), cr.AdamW(2e-3), rng=0)
    >>> history = trainer.fit(x, x[:, :1] * x[:, 1:2], epochs=2, verbose=0)
    >>> model.predict(x).shape
    (200, 1)

    References
    ----------
    Gorishniy, Kotelnikov and Babenko, TabM (2024), arXiv:2410.24210, section 3.
    """

    r: Array
    dr: Array
    A: Array
    dA: Array
    c: Array
    dc: Array

    _checks: ClassVar[Checks] = {
        **FeatureLayer._checks,
        "layers": lambda who, name, value: as_layers(who, value),
        "outputs": check_integer,
        "members": check_integer,
        "groups": optional(_as_groups),
        "activation": Members._checks["activation"],
    }
    _made_with = frozenset({"features", "layers", "outputs", "members", "groups", "children"})

    def __init__(
        self,
        features: int,
        layers: Sequence[Layer],
        outputs: int,
        members: int = 16,
        groups: Sequence[int] | None = None,
        activation: str | None = None,
    ) -> None:
        super().__init__(features)
        self.layers = self.children = as_layers(type(self).__name__, layers)
        self.outputs = outputs
        self.members = members
        self.groups = groups
        self.activation = activation
        self._inner_width()
        if self.groups is not None and sum(self.groups) != features:
            raise ValueError(sentence(repr(self), f"groups of {features} columns in all", f"{sum(self.groups)}"))

    def _inner_width(self) -> int:
        shape: Shape | None = (self.features,)
        for layer in self.layers:
            shape = layer.output_shape(shape)
        if shape is None or len(shape) != 1:
            raise ValueError(sentence(repr(self), "layers whose outputs are rows of known width", f"shape {shape}"))
        return shape[0]

    def parameter_shapes(self) -> dict[str, Shape]:
        k, width = self.members, self._inner_width()
        return {"r": (k, self.features), "A": (k, width, self.outputs), "c": (k, self.outputs)}

    def initialize(self, rng: np.random.Generator) -> None:
        if self.groups is None:
            self.r[:] = rng.choice([-1.0, 1.0], self.r.shape)
        else:
            self.r[:] = np.repeat(rng.standard_normal((self.members, len(self.groups))), self.groups, axis=1)
        bound = 1 / np.sqrt(self.A.shape[1])
        self.A[:] = rng.uniform(-bound, bound, self.A.shape)
        self.c[:] = rng.uniform(-bound, bound, self.c.shape)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        return (self.outputs,)

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        k, n = self.members, len(x)
        each = work.array("each", x, k * self.features).reshape(n, k, self.features)
        np.multiply(x[:, None], self.r, out=each)
        h = forward_through(self.layers, each.reshape(n * k, self.features), work).reshape(n, k, self.A.shape[1])
        work["x"], work["h"] = x, h
        z = work.array("z", x, k * self.outputs).reshape(n, k, self.outputs)
        np.matmul(h.transpose(1, 0, 2), self.A, out=z.transpose(1, 0, 2))
        z += self.c
        return z if work.training else self._averaged(z)

    def _averaged(self, z: Array) -> Array:
        """Return what prediction makes of the outputs of all members."""
        p: Array = np.mean(z if self.activation is None else getattr(ops, self.activation)(z), axis=1)
        return p if self.activation is None else MEANINGS[LOGITS[self.activation]](p)

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x, h = work["x"], work["h"]
        dz, flat = dy.transpose(1, 0, 2), (len(x) * self.members, self.A.shape[1])
        np.matmul(h.transpose(1, 2, 0), dz, out=self.dA)
        np.sum(dy, axis=0, out=self.dc)
        dh = work.array("dh", h.reshape(flat)).reshape(h.shape)
        np.matmul(dz, self.A.transpose(0, 2, 1), out=dh.transpose(1, 0, 2))
        each: Any = backward_through(self.layers, dh.reshape(flat), work, True)
        each = each.reshape(len(x), *self.r.shape)
        np.einsum("ni,nki->ki", x, each, out=self.dr)
        return np.einsum("nki,ki->ni", each, self.r, out=work.array("dx", x)) if input_gradient else None

    def program(self, training: bool = False) -> Program | None:
        shared = programs(self.layers)
        if training or shared is None:
            return None
        own = zip(self.r, self.A, self.c, strict=True)
        members = [(Call("scale", {"gain": r}), *shared, Call("affine", {"W": A, "b": c})) for r, A, c in own]
        return _averaged(members, self.activation)
