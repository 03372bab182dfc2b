"""A network: layers in sequence over one flat vector of parameters."""

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
    layers : list of layers
        The layers; an object may occur only once.
    rng : int, numpy.random.Generator or None
        Source of the initial parameters, and later of dropout and the order of batches.
    dtype : float32 or float64
        The dtype of parameters, computation and predictions; data are converted to it.

    Attributes
    ----------
    parameters, gradients : Parameters
        Two mappings of equal layout: ``parameters["0.W"]`` is an array, ``parameters.vector`` holds all of them.
    metadata : dict
        Facts in JSON types, saved with the model.

    Raises
    ------
    ValueError
        If neighbouring layers do not fit, or a layer is used twice.

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
            self._initialize(self.layers)
        except BaseException:
            unbind(self.layers)  # another attempt may use them
            raise

    def _initialize(self, layers: Sequence[Layer]) -> None:
        """Fill the parameters, those of inner layers first: Members then copy what they were made of."""
        for layer in layers:
            self._initialize(layer.children)
            layer.initialize(self.rng)

    def _assemble(self, layers: Sequence[Layer], rng: RandomState, dtype: Any) -> None:
        """Set up everything but the initial values of the parameters, which are zero."""
        self.layers = as_layers("Sequential", layers)
        self._rng = as_rng(rng, "Sequential")
        self.dtype = as_float_dtype("Sequential", dtype)
        self.metadata: dict[str, Any] = {}
        self._widest = _check_layers(self.layers)
        self.forget_batches()
        self._bind(Parameters(parameter_shapes(self.layers), self.dtype))

    def forget_batches(self) -> None:
        """Drop the last batch, which :meth:`backward` needs, and all memory kept for the next ones."""
        self._workspace: Workspace | None = None  # from forward to backward
        self._predictor = Predictor(self._widest)

    def _bind(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.gradients = Parameters(parameters.shapes, parameters.vector.dtype)
        bind(self.layers, self.parameters, self.gradients)

    @property
    def rng(self) -> np.random.Generator:
        """The generator behind dropout, noise and the order of batches; assign an int or generator to replace it."""
        return self._rng

    @rng.setter
    def rng(self, rng: RandomState) -> None:
        self._rng = as_rng(rng, "Sequential")
        self.forget_batches()  # the workspaces hold the old generator

    @property
    def buffers(self) -> dict[str, Array]:
        """Arrays that are saved with the model but not learned by gradient, such as running means, by name."""
        return {prefix + name: array for prefix, layer in walk(self.layers) for name, array in layer.buffers().items()}

    def forward(self, x: Any, training: bool = False) -> Array:
        """Compute the outputs y of a batch.

        Parameters
        ----------
        x : array or SciPy sparse matrix (N, ...)
            Input; may be sparse if the first layer is Linear.
        training : bool
            Whether dropout and batch statistics are on, and :meth:`backward` will follow.

        Returns
        -------
        array (N, ...)
            Outputs y; x itself if no layer changes it.

        Notes
        -----
        In training, y is valid until the next call, which reuses its memory. :meth:`backward` needs x, y and the
        parameters as they were: do not modify them in place before it.
        """
        x = as_batch(self.layers, x, self.dtype)
        check_all_codes("the model", self.layers, x)
        if not training:
            return forward_through(self.layers, x, Workspace(False, self.rng))
        work = self._opened_workspace()
        work.pop("output", None)  # if a layer fails now, backward must not run on a mix of two batches
        y = work["output"] = forward_through(self.layers, x, work)
        return y

    def _opened_workspace(self) -> Workspace:
        """Return the workspace of training, a new one after :meth:`forget_batches`."""
        if self._workspace is None:
            self._workspace = Workspace(True, self.rng)
        return self._workspace

    def backward(self, dy: Array, input_gradient: bool = False) -> Array | None:
        """Set ``gradients`` for the last ``forward(training=True)``, L1 and L2 penalties included.

        Parameters
        ----------
        dy : array of y's shape
            Gradient ∂L/∂y of the loss with respect to the outputs.
        input_gradient : bool
            Whether to compute dx.

        Returns
        -------
        array of x's shape or None
            Gradient ∂L/∂x, valid until the next step; dy itself if no layer changes it.

        Raises
        ------
        ValueError
            If there was no such forward, or dy has another shape than y.
        """
        if self._workspace is None or "output" not in self._workspace:
            raise ValueError(sentence("backward", "a forward pass before it", "none", "call forward(x, training=True)"))
        output = self._workspace["output"]
        dy = as_numeric("backward", "dy", dy)
        check_shape("backward", "a gradient", dy, output.shape)
        with np.errstate(over="ignore"):  # divergence shows in the gradient as inf or NaN
            dy = dy.astype(output.dtype, copy=False)
        return backward_through(self.layers, dy, self._workspace, input_gradient)

    def penalty(self) -> float:
        """Compute the sum of the layers' L1 and L2 penalties, which is part of the loss.

        Returns
        -------
        float
            The sum.
        """
        return sum([layer.penalty() for _, layer in walk(self.layers)])

    def predict(self, x: Any, batch_size: int | None = None) -> Array:
        """Compute the outputs y of any number of rows, in bounded memory; threads may share a model.

        Parameters
        ----------
        x : array, SciPy sparse matrix (N, ...) or Source
            Input; may be sparse if the first layer is Linear. Data larger than memory come as a source, such as
            :func:`~chainrule.data.stream` returns, whose targets are ignored.
        batch_size : int, optional
            Rows computed at a time; chosen by the width of the layers by default.

        Returns
        -------
        array (N, ...)
            Outputs y, in the order of the rows.

        Raises
        ------
        ValueError
            If x has another shape than the layers expect, or contains NaN or infinity.
        """
        by_forward = type(self).forward is not FORWARD or "forward" in vars(self)
        return self._predictor.predict(self, x, batch_size, by_forward)

    def summary(self) -> str:
        """Describe the layers in a table: their settings, output shapes and numbers of parameters.

        Returns
        -------
        str
            The table.
        """
        rows = [SUMMARY, *self._summary_rows()]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        wide[0] = max(wide[0], 22)
        return "\n".join(f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in rows)

    def _repr_html_(self) -> str:
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
        """Copy the model, parameters included, to another dtype.

        Parameters
        ----------
        dtype : float32 or float64
            The dtype of the copy.

        Returns
        -------
        Sequential
            The copy.
        """
        twin = copy.deepcopy(self)
        twin.dtype = as_float_dtype("astype", dtype)
        parameters = Parameters(self.parameters.shapes, twin.dtype)
        parameters.vector[:] = self.parameters.vector
        twin._bind(parameters)
        return twin

    def config(self) -> dict[str, Any]:
        """Describe the architecture in JSON types; :meth:`from_config` is the inverse.

        Returns
        -------
        dict
            The layers' descriptions and the dtype; initializers that are functions or objects are left out.
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
        """Build a new model of the architecture that :meth:`config` described, with new initial parameters.

        Parameters
        ----------
        config : dict
            The description; initializers that it does not name are the layers' defaults.
        rng : int, numpy.random.Generator or None
            As in the constructor.
        custom_layers : mapping of name to class, optional
            Your own layer classes.

        Returns
        -------
        Sequential
            A new model.
        """
        return cls(layers_from_config(config, custom_layers), rng=rng, dtype=config.get("dtype", "float32"))

    def __copy__(self) -> Sequential:
        """Make a deep copy: a layer belongs to one model."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out workspace and gradients: a copy or pickle holds no batch, and its parameters once."""
        return self.__dict__ | {"_workspace": None, "gradients": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind(self.parameters)

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(map(repr, self.layers))}])"


SUMMARY = ("layer", "output shape", "parameters")
FORWARD = Sequential.forward  # the original, even if someone replaces it
note_methods(Sequential, "forward", "backward", "penalty")


def uninitialized_model(layers: Sequence[Layer], dtype: Any) -> Sequential:
    """Build a model with zero parameters, to be filled from a file: no initializer runs.

    Parameters
    ----------
    layers : list of layers
        The layers.
    dtype : float32 or float64
        The dtype of the parameters.

    Returns
    -------
    Sequential
        A new model.
    """
    model = Sequential.__new__(Sequential)
    model._assemble(layers, None, dtype)
    return model


def layers_from_config(
    config: Mapping[str, Any], custom_layers: Mapping[str, type[Layer]] | None = None
) -> list[Layer]:
    """Build the layers that :meth:`Sequential.config` described, without arrays.

    Parameters
    ----------
    config : dict
        The description of a model.
    custom_layers : mapping of name to class, optional
        Your own layer classes.

    Returns
    -------
    list of Layer
        New layers.
    """
    descriptions = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(descriptions, list):
        raise ValueError(sentence("a model's description", 'a list "layers"', repr(descriptions)))
    return [layer_from_config(item, LAYERS | dict(custom_layers or {})) for item in descriptions]


def _check_layers(layers: Sequence[Layer]) -> int:
    """Return the widest known output; raise if a layer is reused or does not fit the one before it."""
    seen: set[int] = set()
    for _, layer in walk(layers):
        if id(layer) in seen or layer._bound:
            where = "twice in this model" if id(layer) in seen else "already in another model"
            remedy = "make a new layer; to share weights, copy them"
            raise ValueError(sentence("Sequential", "each layer object once", f"{layer!r} {where}", remedy))
        seen.add(id(layer))
        names = layer.parameter_shapes()
        for name in names:
            if "d" + name in names:
                expected = "parameters whose names are not those of other parameters' gradients"
                raise ValueError(sentence(repr(layer), expected, f"{name!r} and 'd{name}'", "rename one of them"))
    shape: Shape | None = None
    widest = 1
    for layer in layers:
        shape = layer.output_shape(shape)
        widest = max(widest, math.prod(shape or ()))
    return widest
