"""A network: layers in a row over one flat vector of parameters."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import (
    Array,
    RandomState,
    as_numeric,
    as_rng,
    check_shape,
    sentence,
)
from .._support.errors import Elsewhere
from .._support.overrides import note_methods
from ..layers import LAYERS, Layer, Workspace, layer_from_config
from ..layers.base import Shape, as_layers, bind, parameter_shapes, unbind, walk
from ..layers.chain import backward_through, forward_through
from ..layers.columns import check_all_codes
from ..parameters import Parameters, as_float_dtype
from .prediction import Predictor, as_batch


class Sequential:
    """Layers in sequence: the output of each is the input of the next.

        y = fₙ(… f₂(f₁(x)))          dx = f₁′ᵀ (… fₙ′ᵀ dy)

    Parameters
    ----------
    layers : list of layers; each object once
    rng : int, numpy.random.Generator or None; draws the first parameters, later dropout and the order of batches
    dtype : float32 (default) or float64, of parameters, computation and predictions; data are converted to it

    Attributes
    ----------
    layers : list of Layer
    parameters, gradients : :class:`~chainrule.Parameters`, twins: ``parameters["0.W"]``, ``parameters.vector``
    buffers : dict of arrays that are saved but not learned, such as running means
    rng : numpy.random.Generator; another may be assigned
    metadata : dict of facts that JSON can hold, saved with the model

    Raises
    ------
    ValueError if neighbouring layers do not fit, or a layer is used twice.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.Linear(2, 8, activation="tanh"), cr.Dropout(0.1), cr.Linear(8, 1)], rng=0)
    >>> model.predict(np.zeros((5, 2))).shape
    (5, 1)
    >>> print(model.summary())
    layer                   output shape  parameters
    Linear(2 → 8, tanh)     (N, 8)                24
    Dropout(rate=0.1)       (N, 8)                 0
    Linear(8 → 1)           (N, 1)                 9
    total                                         33
    """

    if not TYPE_CHECKING:
        fit = Elsewhere("write Trainer(model, loss).fit(x, y)")

    def __init__(self, layers: Sequence[Layer], *, rng: RandomState = None, dtype: Any = "float32") -> None:
        self._assemble(layers, rng, dtype)
        try:
            for _, layer in walk(self.layers):
                layer.initialize(self.rng)
        except BaseException:
            unbind(self.layers)  # they are free for another attempt
            raise

    def _assemble(self, layers: Sequence[Layer], rng: RandomState, dtype: Any) -> None:
        """All but the first values of the parameters, which are zero."""
        self.layers = as_layers("Sequential", layers)
        self._rng = as_rng(rng, "Sequential")
        self.dtype = as_float_dtype("Sequential", dtype)
        self.metadata: dict[str, Any] = {}
        self._widest = _check_layers(self.layers)
        self.forget_batches()
        self._bind(Parameters(parameter_shapes(self.layers), self.dtype))

    def forget_batches(self) -> None:
        """Let go of the last batch, which :meth:`backward` needs, and of all memory for others."""
        self._workspace: Workspace | None = None  # from forward to backward
        self._predictor = Predictor(self._widest)

    def _bind(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.gradients = Parameters(parameters.shapes, parameters.vector.dtype)
        bind(self.layers, self.parameters, self.gradients)

    @property
    def rng(self) -> np.random.Generator:
        """Where dropout, noise and the order of batches come from."""
        return self._rng

    @rng.setter
    def rng(self, rng: RandomState) -> None:
        self._rng = as_rng(rng, "Sequential")
        self.forget_batches()  # they hold the generator that was

    @property
    def buffers(self) -> dict[str, Array]:
        """Arrays that are saved with the model but not learned by gradient, by name."""
        return {prefix + name: array for prefix, layer in walk(self.layers) for name, array in layer.buffers().items()}

    def forward(self, x: Any, training: bool = False) -> Array:
        """The outputs y for a batch x (N, ...), which may be sparse as for :meth:`predict`.

        With ``training=True`` dropout and batch statistics are on, and what :meth:`backward` needs is kept in a
        workspace that the next such call reuses: y is then valid until that call. Where no layer changes it, y may be
        x itself. x and y are part of it and are not copied: :meth:`backward` is wrong if they, or the parameters, are
        changed in place before it.
        """
        x = as_batch(self.layers, x, self.dtype)
        check_all_codes("the model", self.layers, x)
        if not training:
            return forward_through(self.layers, x, Workspace(False, self.rng))
        if self._workspace is None:
            self._workspace = Workspace(True, self.rng)
        self._workspace.pop("output", None)  # should a layer fail now, backward must not run on half of each batch
        y = self._workspace["output"] = forward_through(self.layers, x, self._workspace)
        return y

    def backward(self, dy: Array, input_gradient: bool = False) -> Array | None:
        """Set ``gradients`` from dy (the shape of y) for the last ``forward(training=True)``; return dx if asked for.

        The layers' L1 and L2 penalties are part of the gradients, as they are of :meth:`penalty`. dx lies in the
        workspace, or is dy itself where no layer changes it: it is valid until the next step.
        """
        if self._workspace is None or "output" not in self._workspace:
            raise ValueError(sentence("backward", "a forward pass before it", "none", "call forward(x, training=True)"))
        output = self._workspace["output"]
        dy = as_numeric("backward", "dy", dy)
        check_shape("backward", "a gradient", dy, output.shape)
        with np.errstate(over="ignore"):  # a training that diverges shows in the gradient, inf or NaN
            dy = dy.astype(output.dtype, copy=False)
        return backward_through(self.layers, dy, self._workspace, input_gradient)

    def penalty(self) -> float:
        """The sum of the layers' L1 and L2 penalties, part of the loss."""
        return sum(layer.penalty() for _, layer in walk(self.layers))

    def predict(self, x: Any, batch_size: int | None = None) -> Array:
        """The outputs y for any number of rows, ``batch_size`` at a time, so that memory stays bounded.

        None chooses it by the width of the layers. Many threads may predict with one model: nothing that they share is
        written. NaN or infinity in x raises ValueError. Where the first layer is Linear, x may be one of SciPy's sparse
        matrices, which is not made dense.
        """
        by_forward = type(self).forward is not FORWARD or "forward" in vars(self)
        return self._predictor.predict(self, x, batch_size, by_forward)

    def summary(self) -> str:
        """A table of the layers: what they are, the shape of their output, how many parameters they have."""
        rows = [SUMMARY, *self._summary_rows()]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        wide[0] = max(wide[0], 22)
        return "\n".join(f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in rows)

    def _repr_html_(self) -> str:
        """The summary, as a notebook shows it."""
        from .._support.notebook import table

        return table(SUMMARY, self._summary_rows(), caption="Sequential")

    def _summary_rows(self) -> list[tuple[str, str, str]]:
        rows = []
        shape: Shape | None = None
        for index, layer in enumerate(self.layers):
            shape = layer.output_shape(shape)
            written = "(N, …)" if shape is None else f"({', '.join(['N', *map(str, shape)])})"
            count = sum(
                int(np.prod(size)) for name, size in self.parameters.shapes.items() if name.startswith(f"{index}.")
            )
            rows.append((repr(layer), written, f"{count:,}"))
        return [*rows, ("total", "", f"{self.parameters.vector.size:,}")]

    def astype(self, dtype: Any) -> Sequential:
        """A copy of the model, parameters and all, that computes in another dtype."""
        twin = copy.deepcopy(self)
        twin.dtype = as_float_dtype("astype", dtype)
        parameters = Parameters(self.parameters.shapes, twin.dtype)
        parameters.vector[:] = self.parameters.vector
        twin._bind(parameters)
        return twin

    def config(self) -> dict[str, Any]:
        """The architecture, as JSON can hold it; :meth:`from_config` is its inverse.

        An initializer that is a function or an object is not part of it: it is needed only before training.
        """
        return {"layers": [layer.config() for layer in self.layers], "dtype": self.dtype.name}

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        rng: RandomState = None,
        custom_layers: Mapping[str, type[Layer]] | None = None,
    ) -> Sequential:
        """A new model of the architecture that :meth:`config` described, freshly initialised.

        An initializer that the description does not name is the layer's default.
        """
        return cls(layers_from_config(config, custom_layers), rng=rng, dtype=config.get("dtype", "float32"))

    def __copy__(self) -> Sequential:
        """A deep copy: a layer belongs to one model."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Without workspace and gradients: a copy or a pickle holds no batch, and its parameters once."""
        return self.__dict__ | {"_workspace": None, "gradients": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind(self.parameters)

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(map(repr, self.layers))}])"


SUMMARY = ("layer", "output shape", "parameters")
FORWARD = Sequential.forward  # as it was made, whatever is put in its place
note_methods(Sequential, "forward", "backward", "penalty")


def uninitialized_model(layers: Sequence[Layer], dtype: Any) -> Sequential:
    """A model whose parameters are zero, for which no rule is run: a file's are about to be put in."""
    model = Sequential.__new__(Sequential)
    model._assemble(layers, None, dtype)
    return model


def layers_from_config(
    config: Mapping[str, Any], custom_layers: Mapping[str, type[Layer]] | None = None
) -> list[Layer]:
    """The layers that :meth:`Sequential.config` described, without arrays."""
    descriptions = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(descriptions, list):
        raise ValueError(sentence("a model's description", 'a list "layers"', repr(descriptions)))
    return [layer_from_config(item, LAYERS | dict(custom_layers or {})) for item in descriptions]


def _check_layers(layers: Sequence[Layer]) -> int:
    """Each once and in one model only, each as wide as the one before gives; the widest output that is known."""
    seen: set[int] = set()
    for _, layer in walk(layers):
        if id(layer) in seen or layer._bound:
            where = "twice in this model" if id(layer) in seen else "already in another model"
            remedy = "make a new layer; to share weights copy them"
            raise ValueError(sentence("Sequential", "each layer object once", f"{layer!r} {where}", remedy))
        seen.add(id(layer))
        names = layer.parameter_shapes()
        for name in names:
            if "d" + name in names:
                expected = "parameters that are not called as the gradient of another"
                raise ValueError(sentence(repr(layer), expected, f"{name!r} and 'd{name}'", "rename one of them"))
    shape: Shape | None = None
    widest = 1
    for layer in layers:
        shape = layer.output_shape(shape)
        widest = max(widest, math.prod(shape or ()))
    return widest
