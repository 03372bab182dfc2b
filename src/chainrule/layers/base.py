"""What a layer is: parameters, a forward and a backward."""

from __future__ import annotations

import inspect
import itertools
import math
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, as_numeric, check_integer, check_shape, sentence
from .._support.overrides import note_methods
from .._support.settings import Checks, is_unknown, refuse_unknown
from .program import EQUATIONS, Program
from .workspace import Workspace

Shape = tuple[int, ...]

#: The methods of layers and activations that kernels replace.
COMPUTES = (*EQUATIONS, "apply_blocked", "pull_back_blocked")


@lru_cache(maxsize=256)  # an error may write out thousands of layers
def arguments_of(cls: type[Layer]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a layer's constructor, by name."""
    return inspect.signature(cls).parameters


class Changes:
    """A number that changes when an attribute of any layer or layer class is assigned: caches are then stale."""

    __slots__ = ("stamp",)

    def __init__(self) -> None:
        self.stamp = 0


changes, _stamps = Changes(), itertools.count(1)


class _LayerType(ABCMeta):
    """The type of layers, which notices assignments to a class."""

    __instancecheck__ = type.__instancecheck__  # ABCMeta's is Python

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        changes.stamp = next(_stamps)


class Layer(metaclass=_LayerType):
    """A differentiable map of a batch, with its derivative written beside it.

    A subclass defines :meth:`forward` and :meth:`backward`; if it learns, also :meth:`parameter_shapes` and
    :meth:`initialize`. Parameter ``W`` is then the attribute ``self.W`` and its gradient ``self.dW``, both views into
    the model's flat vectors. Each constructor argument must be stored as an attribute of the same name, because
    :meth:`config` and ``repr`` read it. A layer never stores a batch: batches go into ``work``.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> class Square(cr.Layer):
    ...     def forward(self, x, work):
    ...         work["x"] = x
    ...         return x * x
    ...     def backward(self, dy, work, input_gradient=True):
    ...         return 2 * work["x"] * dy
    >>> model = cr.Sequential([cr.Linear(3, 2), Square()], rng=0)
    >>> cr.gradcheck(model, np.ones((4, 3)), np.zeros((4, 2)), loss="squared_error").passed
    True
    """

    #: The inner layers (of Residual, for example), in the order that numbers their parameters.
    children: Sequence[Layer] = ()

    #: Names of the attributes that are views into a model's vectors; none before the layer is in a model.
    _bound: frozenset[str] = frozenset()

    #: Checks of the attributes, in the constructor and later.
    _checks: ClassVar[Checks] = {}

    #: Attributes that are fixed once the layer is made: its shape, initial values and parts.
    _made_with: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_methods(cls, *COMPUTES)

    @abstractmethod
    def forward(self, x: Array, work: Workspace) -> Array:
        """Compute y, and store in ``work`` what :meth:`backward` will need.

        Parameters
        ----------
        x : array (N, ...)
            Input; must not be modified.
        work : Workspace
            Storage for this batch.

        Returns
        -------
        array (N, ...)
            Output y.
        """

    @abstractmethod
    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        """Compute dx from dy, and set the gradients of the parameters.

        Parameters
        ----------
        dy : array of y's shape
            Gradient ∂L/∂y of the loss with respect to the output; must not be modified.
        work : Workspace
            Storage that :meth:`forward` has filled.
        input_gradient : bool
            Whether dx is needed; if not, the layer may return None.

        Returns
        -------
        array of x's shape or None
            Gradient ∂L/∂x.
        """

    def parameter_shapes(self) -> dict[str, Shape]:
        """Return the shape of each parameter of this layer, inner layers excluded.

        Returns
        -------
        dict of str to tuple of int
            The shapes by name.
        """
        return {}

    def initialize(self, rng: np.random.Generator) -> None:
        """Fill the parameters with their initial values; not called for a model loaded from a file.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        """

    def buffers(self) -> dict[str, Array]:
        """Return arrays that are saved with the layer but not learned by gradient, such as running statistics.

        Returns
        -------
        dict of str to array
            The arrays by name.
        """
        return {}

    def penalty(self) -> float:
        """Return what this layer adds to the loss; :meth:`backward` includes its gradient.

        Returns
        -------
        float
            The penalty.
        """
        return 0.0

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        """Return the shape of an output row.

        Parameters
        ----------
        input_shape : tuple of int or None
            Shape of an input row; None if unknown.

        Returns
        -------
        tuple of int or None
            Shape of an output row; None if only a batch will tell.

        Raises
        ------
        ValueError
            If the layer does not accept rows of this shape.
        """
        return input_shape

    @property
    def input_width(self) -> int | None:
        """Number of input columns; None if the layer takes any."""
        return None

    def program(self, training: bool = False) -> Program | None:
        """Describe what :meth:`forward` computes as calls of primitives (:mod:`chainrule.layers.program`).

        Compiled kernels predict a layer that has a program, and train it if it has one for training; ``export`` accepts
        it too.

        Parameters
        ----------
        training : bool
            Whether the program is the one for training.

        Returns
        -------
        tuple of Call or None
            The program; None, the default, if only Python can run the layer.
        """
        return None

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments in JSON types, enough to rebuild the layer around saved parameters.

        Functions such as initializers are left out: they matter only before training.

        Returns
        -------
        dict
            ``"type"`` and the arguments by name.

        Raises
        ------
        TypeError
            If an argument is not a number, text, None, layer, function or list of these; override this method then.
        """
        arguments = {name: getattr(self, name) for name in arguments_of(type(self))}
        kept = {name: value for name, value in arguments.items() if isinstance(value, Layer) or not callable(value)}
        return {"type": type(self).__name__} | {name: self._described(name, value) for name, value in kept.items()}

    def _described(self, name: str, value: Any) -> Any:
        if isinstance(value, Layer):
            return value.config()
        if isinstance(value, (list, tuple)):
            return [self._described(name, item) for item in value]
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or isinstance(plain, (bool, int, float, str)):
            return plain
        expected = "constructor arguments that JSON can hold (numbers, text, lists, layers)"
        raise TypeError(
            sentence(type(self).__name__, expected, f"{name} of type {type(value).__name__}", "override config()")
        )

    def __repr__(self) -> str:
        """Show the class and the arguments that differ from their defaults."""
        written = []
        for name, parameter in arguments_of(type(self)).items():
            value = getattr(self, name)
            if parameter.default is parameter.empty:
                written.append(repr(value))
            elif value != parameter.default:
                written.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(written)})"

    def __setattr__(self, name: str, value: Any) -> None:
        """Check the value as the constructor would; copy an array assigned to a parameter into the model's vector.

        The assigned array itself would be one that no optimizer updates and no file contains.
        """
        if name not in self._bound:
            if name in self._checks:
                value = self._checks[name](type(self).__name__, name, value)
            else:
                self._check_name(name)
            if name in self._made_with and name in self.__dict__:
                self._check_unchanged(name, value)
            object.__setattr__(self, name, value)
            changes.stamp = next(_stamps)
        elif value is not (view := self.__dict__[name]):
            fill(self, name, view, value)

    def _check_name(self, name: str) -> None:
        """Raise if nothing would ever read the value."""
        if is_unknown(self, name) and name not in arguments_of(type(self)):
            parameters = self.parameter_shapes()
            if name in parameters:
                remedy = "put the layer into Sequential([...]) first"
                raise AttributeError(sentence(repr(self), f"to be in a model when {name} is assigned", "none", remedy))
            refuse_unknown(self, name, [*arguments_of(type(self)), *parameters, *self.buffers()])

    def _check_unchanged(self, name: str, value: Any) -> None:
        """Raise if the value would come too late."""
        present = self.__dict__[name]
        if value is not present and value != present:
            raise ValueError(sentence(repr(self), f"{name} to stay {present!r}", repr(value), "make a new layer"))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the views: a copy or pickle gets its arrays from its own model."""
        return {name: value for name, value in self.__dict__.items() if name not in self._bound and name != "_bound"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copy the arrays: joblib may have memory-mapped read-only ones."""
        own = {name: np.array(value) for name, value in state.items() if isinstance(value, np.ndarray)}
        self.__dict__.update(state | own)


class FeatureLayer(Layer):
    """A layer with parameters or statistics for each of a fixed number of input features."""

    _checks: ClassVar[Checks] = {"features": check_integer}
    _made_with = frozenset({"features"})

    def __init__(self, features: int) -> None:
        self.features = features

    @property
    def input_width(self) -> int | None:
        return self.features

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        return (self.features,)

    def _check_input(self, x: Array) -> None:
        check_rows(self, x, self.features)


def fill(layer: Layer, name: str, array: Array, values: Any) -> None:
    """Copy the values assigned to ``layer.name`` into its array."""
    numbers = as_numeric(repr(layer), name, values, array.dtype)
    check_shape(layer, f"an array for {name}", numbers, array.shape)
    array[...] = numbers


def check_width(layer: Layer, features: int, input_shape: Shape | None) -> None:
    """Raise unless the layer before this one has as many outputs as this one has inputs."""
    if input_shape is not None and input_shape != (features,):
        got = f"{' × '.join(map(str, input_shape))} from the layer before it"
        remedy = "put Flatten() between them" if len(input_shape) > 1 else "make the two widths equal"
        raise ValueError(sentence(repr(layer), f"{features} inputs", got, remedy))


def check_rows(layer: Layer, x: Array, features: int) -> None:
    """Raise unless the batch is (N, features), with a remedy for a single row, images or another width."""
    if x.ndim != 2 or x.shape[1] != features:
        check_shape(layer, "input", x, ("N", features), shape_remedy(x.shape, features))


def shape_remedy(shape: Shape, features: int, flattened: bool = False) -> str:
    """What to do with x of this shape before a layer for so many features; ``flattened`` if Flatten comes between."""
    found = math.prod(shape[1:])
    if len(shape) == 1 and features == 1:
        return "pass x[:, None]"
    if len(shape) == 1 and shape == (features,):
        return "pass x[None] for a single sample"
    if len(shape) == 1:
        return f"pass a matrix with one row for each sample and {features} columns"
    if len(shape) > 2 and not flattened:
        return "put Flatten() in front" + ("" if found == features else f", and make the layer for {found}")
    return f"pass {features} columns, or make the layer for {found}"


def as_layers(who: str, layers: Any) -> list[Layer]:
    """Return the layers as a list; raise if it is empty or an item is not a layer."""
    found = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    if not found:
        raise ValueError(sentence(who, "at least one layer", "an empty list"))
    for index, layer in enumerate(found):
        if not isinstance(layer, Layer):
            remedy = "write [Linear(...), ReLU(), ...]"
            raise TypeError(sentence(who, "a list of layers", f"{layer!r} at position {index}", remedy))
    return found


def walk(layers: Sequence[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Each layer, inner ones included, with the prefix of its parameters' names ("0.", "2.1.")."""
    for index, layer in enumerate(layers):
        yield f"{prefix}{index}.", layer
        if layer.children:
            yield from walk(layer.children, f"{prefix}{index}.")


def all_within(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Each layer, its inner layers, and layers that are its attributes, such as an activation."""
    for layer in layers:
        yield layer
        if inner := [*layer.children, *[one for one in vars(layer).values() if isinstance(one, Layer)]]:
            yield from all_within(inner)


def parameter_shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """Return the shape of every parameter of these layers, by name, without allocating anything."""
    return {prefix + name: shape for prefix, layer in walk(layers) for name, shape in layer.parameter_shapes().items()}


def bind(layers: Sequence[Layer], parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
    """Give each layer its views: ``layer.W`` into the parameters, ``layer.dW`` into the gradients."""
    for prefix, layer in walk(layers):
        for name in layer.parameter_shapes():
            object.__setattr__(layer, name, parameters[prefix + name])
            object.__setattr__(layer, "d" + name, gradients[prefix + name])
    for _, layer in walk(layers):  # only now: if one layer had raised, the others would still be unbound
        layer._bound = frozenset(name for own in layer.parameter_shapes() for name in (own, "d" + own))


def unbind(layers: Sequence[Layer]) -> None:
    """Remove the views, so that another model can take the layers."""
    for _, layer in walk(layers):
        for name in [*layer._bound, "_bound"]:
            layer.__dict__.pop(name, None)
