"""What a layer is: parameters, a forward, a backward; and the workspace that carries a batch between the two."""

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
from .._support.settings import Checks, checked, is_unknown, refuse_unknown
from .program import EQUATIONS, Program

Shape = tuple[int, ...]

#: The methods of layers and activations that kernels stand in for.
COMPUTES = (*EQUATIONS, "apply_blocked", "pull_back_blocked")


@lru_cache(maxsize=256)  # an error may write out thousands of layers
def arguments_of(cls: type[Layer]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a layer's constructor, by name."""
    return inspect.signature(cls).parameters


class Workspace(dict[str, Array]):
    """What one layer remembers of a batch from forward to backward, in arrays reused from step to step.

    A layer stores what it needs by name, ``work["x"] = x``, and asks for room with :meth:`array`. A model opens
    one workspace for training and keeps it; prediction uses one of its own, so concurrent predictions share nothing.

    Attributes
    ----------
    training : bool, whether dropout, noise and batch statistics are on
    rng : numpy.random.Generator for the layers that draw
    """

    def __init__(self, training: bool, rng: np.random.Generator) -> None:
        super().__init__()
        self.training = training
        self.rng = rng
        self._arrays: dict[str, Array] = {}
        self._children: dict[int, Workspace] = {}

    def array(self, name: str, like: Array, width: int | None = None) -> Array:
        """An uninitialised array with the rows, dtype and (unless ``width`` is given) row shape of ``like``.

        The same memory comes back at each step; it grows when a batch is longer, a shorter batch uses its beginning.
        """
        shape = like.shape if width is None else (like.shape[0], width)
        room = self._arrays.get(name)
        if room is not None and room.shape == shape and room.dtype == like.dtype:
            return room
        if room is None or len(room) < shape[0] or room.shape[1:] != shape[1:] or room.dtype != like.dtype:
            room = self._arrays[name] = np.empty(shape, like.dtype)
        return room[: shape[0]]

    def forget(self) -> None:
        """Let go of the batch, part of which is the caller's own; the room for the next stays."""
        self.clear()
        for child in self._children.values():
            child.forget()

    def child(self, index: int) -> Workspace:
        """The workspace of the layer's ``index``-th own layer."""
        if index not in self._children:
            self._children[index] = Workspace(self.training, self.rng)
        return self._children[index]


class Changes:
    """A number that changes whenever an attribute of any layer, or of its class, is assigned.

    What was made of the layers before is then old.
    """

    __slots__ = ("stamp",)

    def __init__(self) -> None:
        self.stamp = 0


changes, _stamps = Changes(), itertools.count(1)


class _LayerType(ABCMeta):
    """The type of layers, which notices what is replaced on a class."""

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        changes.stamp = next(_stamps)


class Layer(metaclass=_LayerType):
    """A differentiable map of a batch, with its derivative written beside it.

    A subclass defines :meth:`forward` and :meth:`backward`; if it learns, also :meth:`parameter_shapes` and
    :meth:`initialize`. Parameter ``W`` is then the attribute ``self.W`` and its gradient ``self.dW``, both views into
    the model's flat vectors. Each constructor argument is kept as the attribute of the same name, from which
    :meth:`config` and ``repr`` are made. No batch is ever stored on the layer: it goes into ``work``.

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

    #: Layers inside this one (of Residual, say), in the order in which their parameters are numbered.
    children: Sequence[Layer] = ()

    #: The names of the attributes that are views into a model's vectors; none before the layer is in a model.
    _bound: frozenset[str] = frozenset()

    #: What an attribute may be, in the constructor and later.
    _checks: ClassVar[Checks] = {}

    #: The attributes that only count while the layer is made: its shape, its first values, what it is made of.
    _made_with: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_methods(cls, *COMPUTES)

    @abstractmethod
    def forward(self, x: Array, work: Workspace) -> Array:
        """y from x (N, ...); what :meth:`backward` will need goes into ``work``. x is not modified."""

    @abstractmethod
    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        """dx from dy (same shape as y), and the parameters' gradients set on the way. dy is not modified.

        With ``input_gradient=False`` dx is not asked for, and a layer for which it costs much may return None.
        """

    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of each parameter of this layer itself."""
        return {}

    def initialize(self, rng: np.random.Generator) -> None:
        """Fill the parameters with their first values; a model that is loaded from a file has no need of it."""

    def buffers(self) -> dict[str, Array]:
        """Arrays that are saved with the layer but not learned by gradient: running statistics."""
        return {}

    def penalty(self) -> float:
        """What this layer adds to the loss; its gradient is part of :meth:`backward`."""
        return 0.0

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        """The shape of one output row for an input row of this shape; None where it is not known before a batch.

        A layer that cannot take such an input raises ValueError.
        """
        return input_shape

    def program(self, training: bool = False) -> Program | None:
        """What :meth:`forward` computes as calls of primitives (:mod:`chainrule.layers.program`).

        A layer that gives its program is predicted and, where it gives one for training, trained by compiled kernels,
        and it can be exported. None, the default, where only Python knows what it computes.
        """
        return None

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON holds them, enough to build the layer again around saved parameters.

        A function, such as an initializer, is left out: it only matters before training. Override this method in a
        layer whose arguments are neither that nor numbers, text, None, layers, or lists of them; else TypeError.
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
        """The class and the arguments that differ from their defaults."""
        written = []
        for name, parameter in arguments_of(type(self)).items():
            value = getattr(self, name)
            if parameter.default is parameter.empty:
                written.append(repr(value))
            elif value != parameter.default:
                written.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(written)})"

    def __setattr__(self, name: str, value: Any) -> None:
        """What the constructor would refuse is refused; an array for a parameter is copied into the model's vector.

        In its place it would be an array that no optimizer moves and no file holds.
        """
        if name not in self._bound:
            self._check_name(name)
            value = checked(self, self._checks, name, value)
            self._check_unchanged(name, value)
            object.__setattr__(self, name, value)
            changes.stamp = next(_stamps)
        elif value is not (view := self.__dict__[name]):
            fill(self, name, view, value)

    def _check_name(self, name: str) -> None:
        """Raise where a value would be kept and never read."""
        if name not in self._checks and is_unknown(self, name) and name not in arguments_of(type(self)):
            parameters = self.parameter_shapes()
            if name in parameters:
                remedy = "put the layer into Sequential([...]) first"
                raise AttributeError(sentence(repr(self), f"to be in a model when {name} is assigned", "none", remedy))
            refuse_unknown(self, name, [*arguments_of(type(self)), *parameters, *self.buffers()])

    def _check_unchanged(self, name: str, value: Any) -> None:
        """Raise where a value would come too late."""
        if name in self._made_with and name in self.__dict__:
            present = self.__dict__[name]
            if value is not present and value != present:
                expected = f"{name} to stay {present!r}"
                raise ValueError(sentence(repr(self), expected, repr(value), "make a new layer"))

    def __getstate__(self) -> dict[str, Any]:
        """Without the views: a copy or a pickle gets its arrays from its own model."""
        return {name: value for name, value in self.__dict__.items() if name not in self._bound and name != "_bound"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With arrays of its own: joblib may have mapped those of a file, to be read alone."""
        own = {name: np.array(value) for name, value in state.items() if isinstance(value, np.ndarray)}
        self.__dict__.update(state | own)


class FeatureLayer(Layer):
    """A layer that has parameters or statistics for each of a fixed number of input features."""

    _checks: ClassVar[Checks] = {"features": check_integer}
    _made_with = frozenset({"features"})

    def __init__(self, features: int) -> None:
        self.features = features

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        return (self.features,)

    def _check_input(self, x: Array) -> None:
        check_rows(self, x, self.features)


def fill(layer: Layer, name: str, array: Array, values: Any) -> None:
    """Copy what is assigned to ``layer.name`` into the array that stands there."""
    numbers = as_numeric(repr(layer), name, values, array.dtype)
    check_shape(layer, f"an array for {name}", numbers, array.shape)
    array[...] = numbers


def check_width(layer: Layer, features: int, input_shape: Shape | None) -> None:
    """Raise when a model is put together if the layer in front does not give as many features as this one takes."""
    if input_shape is not None and input_shape != (features,):
        got = f"{' × '.join(map(str, input_shape))} from the layer in front of it"
        remedy = "put Flatten() between them" if len(input_shape) > 1 else "make the two widths equal"
        raise ValueError(sentence(repr(layer), f"{features} inputs", got, remedy))


def check_rows(layer: Layer, x: Array, features: int) -> None:
    """Raise unless the batch is (N, features), and say what to do about a single row, images or another width."""
    if x.ndim != 2 or x.shape[1] != features:
        check_shape(layer, "input", x, ("N", features), shape_remedy(x.shape, features))


def shape_remedy(shape: Shape, features: int, flattened: bool = False) -> str:
    """What to do with x of this shape in front of a layer for so many features; Flatten may stand between them."""
    found = math.prod(shape[1:])
    if len(shape) == 1 and features == 1:
        return "pass x[:, None]"
    if len(shape) == 1 and shape == (features,):
        return "pass x[None] for a single sample"
    if len(shape) == 1:
        return f"pass a matrix with a row for each sample and {features} columns"
    if len(shape) > 2 and not flattened:
        return "put Flatten() in front" + ("" if found == features else f", and make the layer for {found}")
    return f"pass {features} columns, or make the layer for {found}"


def as_layers(who: str, layers: Any) -> list[Layer]:
    """The layers as a list, at least one and each of them a layer."""
    found = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    if not found:
        raise ValueError(sentence(who, "at least one layer", "an empty list"))
    for index, layer in enumerate(found):
        if not isinstance(layer, Layer):
            remedy = "write [Linear(...), ReLU(), ...]"
            raise TypeError(sentence(who, "a list of layers", f"{layer!r} at position {index}", remedy))
    return found


def walk(layers: Sequence[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Each layer with the prefix of its parameters' names ("0.", "2.1."), layers inside layers included."""
    for index, layer in enumerate(layers):
        yield f"{prefix}{index}.", layer
        yield from walk(layer.children, f"{prefix}{index}.")


def all_within(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Each layer, those inside it, and those that are its attributes, such as an activation."""
    for layer in layers:
        yield layer
        yield from all_within([*layer.children, *(value for value in vars(layer).values() if isinstance(value, Layer))])


def parameter_shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """The shape of every parameter of these layers, by name; nothing is allocated."""
    return {prefix + name: shape for prefix, layer in walk(layers) for name, shape in layer.parameter_shapes().items()}


def bind(layers: Sequence[Layer], parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
    """Give each layer its views: ``layer.W`` into the parameters, ``layer.dW`` into the gradients."""
    for prefix, layer in walk(layers):
        for name in layer.parameter_shapes():
            object.__setattr__(layer, name, parameters[prefix + name])
            object.__setattr__(layer, "d" + name, gradients[prefix + name])
    for _, layer in walk(layers):  # only now: had one refused its arrays, the others would still be free
        layer._bound = frozenset(name for own in layer.parameter_shapes() for name in (own, "d" + own))


def unbind(layers: Sequence[Layer]) -> None:
    """Take the views away again, so that another model may have the layers."""
    for _, layer in walk(layers):
        for name in [*layer._bound, "_bound"]:
            layer.__dict__.pop(name, None)
