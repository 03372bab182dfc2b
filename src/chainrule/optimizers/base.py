"""What every optimizer shares: the walk along the vector, weight decay, clipping, groups, schedules and state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

import numpy as np

from .._checks import Array, check_integer, check_number, sentence
from ..parameters import Parameters
from ..schedules import Schedule
from .clipping import clip, norm_factor
from .groups import Groups, check_groups, resolve_groups

BLOCK_BYTES = 131_072  # a block of the weights, of the gradient, of the state and the scratch stay in a core's cache


@dataclass(eq=False, repr=False)
class Optimizer(ABC):
    """An update rule for a flat vector of parameters; subclass it and define :meth:`slots` and :meth:`direction`.

        g ← clip(g)
        w ← w − η λ w        weight decay λ, decoupled from the gradient
        w ← w − η d          d the direction, the rule of each optimizer

    An optimizer knows arrays, not models. It walks along the vector in blocks that stay in the processor's cache, and
    after the first step it allocates nothing large.

    Parameters
    ----------
    learning_rate : float or schedule
        η >= 0, or a callable (step, total_steps) -> η with steps counted from 0.
    weight_decay : float or schedule
        λ >= 0. Decoupled, as in AdamW: for SGD too it shrinks the weights and stays out of the momentum.
    clip_norm : float, optional
        Scales the gradient of all parameters together so that its Euclidean norm is at most this.
    clip_value : float, optional
        Clips each element of the gradient into [−clip_value, clip_value], before clip_norm.
    groups : dict from pattern to dict, optional
        Patterns such as ``"*.b"`` or ``"0.*"`` on parameter names (as in fnmatch), each with
        ``learning_rate_factor`` (on η, and so on the decay) or ``weight_decay_factor`` (on λ) or both. The factors of
        all matching patterns multiply. Needs :meth:`setup`.

    Attributes
    ----------
    state : dict from name to array
        What the optimizer remembers; empty before the first step. Flat arrays of the vector's size and dtype, and
        ``"step"``, the number of steps taken, as a 0-d int64 array. Assign a copy of it to go on from there.
    total_steps : int or None
        The number of steps planned, for schedules; counted from the very first step. Set by :meth:`setup`.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> class SignDescent(cr.Optimizer):
    ...     def direction(self, t, rate, g, d, s, *slots):
    ...         return np.sign(g, out=d)
    >>> w = np.array([1.0, -2.0])
    >>> SignDescent(0.5).step(w, np.array([0.3, -7.0]))
    >>> w
    array([ 0.5, -1.5])
    """

    learning_rate: float | Schedule = 0.01
    _: KW_ONLY
    weight_decay: float | Schedule = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        who = type(self).__name__
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            if not callable(value) or isinstance(value, type):
                setattr(self, name, check_number(who, name, value, minimum=0.0))
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                setattr(self, name, check_number(who, name, getattr(self, name), above=0.0))
        if self.groups is not None:
            check_groups(who, self.groups)
        self.total_steps: int | None = None
        self._state: dict[str, Array] = {}
        self._forget_model()

    def _forget_model(self) -> None:
        """Drop what belongs to one model, and what :meth:`setup` and :meth:`step` make again."""
        self._owner: Parameters | None = None
        self._layout: dict[str, tuple[slice, tuple[int, ...]]] | None = None
        self._rate_factor: Array | None = None
        self._decay_factor: Array | None = None
        self._blocks: list[slice] = []
        self._scratch: Array = np.empty((3, 0))

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: everything but the ties to a model, so that a copy may serve a copied model."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._forget_model()
        return vars(twin)

    # The rule, which each optimizer states.

    def slots(self) -> dict[str, float]:
        """Name and first value of each array of the state."""
        return {}

    @abstractmethod
    def direction(self, t: int, rate: float, g: Array, d: Array, s: Array, *slots: Array) -> Array:
        """The direction d of a block: w ← w − η d.

        Parameters
        ----------
        t : int
            The step, counted from 1.
        rate : float
            η of this step, before any factor of a group; d is multiplied by it afterwards.
        g : array (B,)
            The gradient, clipped; not to be modified.
        d, s : arrays (B,)
            Scratch.
        *slots : arrays (B,)
            The block's part of each array of the state, updated in place.

        Returns
        -------
        array (B,)
            d, or any other of the arrays.
        """

    # The walk, which all share.

    def setup(self, parameters: Parameters, total_steps: int | None = None) -> None:
        """Register the parameter names and shapes, and how many steps are planned.

        ``Trainer.fit`` calls it. By hand it is needed for groups, for Muon and for schedules that fit the whole
        training. It resets nothing: state that exists is kept.

        Parameters
        ----------
        parameters : Parameters
            ``model.parameters``.
        total_steps : int, optional
            Counted from the first step ever taken, so that a second training passes the steps done plus those to come.

        Raises
        ------
        TypeError
            If ``parameters`` are not a model's parameters.
        ValueError
            If a pattern of ``groups`` matches no name, if the state is of another size or dtype, or if it comes from
            steps on another model.
        """
        who = f"{type(self).__name__}.setup"
        if not isinstance(parameters, Parameters):
            raise TypeError(sentence(who, "a model's parameters", type(parameters).__name__, "pass model.parameters"))
        if total_steps is not None:
            check_integer(who, "total_steps", total_steps, minimum=0)
        self._check_state_fits(who, parameters.vector, self.slots())
        if self._state and self._owner is not None and self._owner is not parameters:
            remedy = "use a new optimizer for another model, or set optimizer.state = {}"
            raise ValueError(sentence(who, "the model that its state comes from", "another model", remedy))
        self._rate_factor, self._decay_factor = resolve_groups(who, self.groups or {}, parameters)
        self._layout = {name: (parameters.slices[name], shape) for name, shape in parameters.shapes.items()}
        self._owner = parameters
        self.total_steps = total_steps
        self._prepare(parameters.vector)

    def step(self, vector: Array, gradient: Array) -> None:
        """Update ``vector`` in place; ``gradient`` stays as it is.

        Parameters
        ----------
        vector : array (P,), float32 or float64
            ``model.parameters.vector``.
        gradient : array (P,), of the same dtype
            ``model.gradients.vector``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape are wrong or differ from those of earlier steps, if setup is missing where it is needed,
            or if the gradient is to be clipped by norm and is not finite.
        """
        who = f"{type(self).__name__}.step"
        slots = self.slots()
        self._check(who, vector, gradient, slots)
        if not self._blocks or self._blocks[-1].stop != vector.size or self._scratch.dtype != vector.dtype:
            self._prepare(vector)
        rate, decay, factor = self.current_learning_rate, self._now("weight_decay"), self._clip_factor(who, gradient)
        if not self._state:
            self._state = {name: np.full_like(vector, value) for name, value in slots.items()}
            self._state["step"] = np.zeros((), np.int64)
        self._state["step"] += 1
        t, arrays = int(self._state["step"]), [self._state[name] for name in slots]
        for block in self._blocks:
            w = vector[block]
            g, d, s = self._scratch[:, : w.size]
            g = clip(gradient[block], self.clip_value, factor, out=g)
            if decay:
                self._shrink(w, block, rate * decay, d)
            np.multiply(self._block_direction(t, rate, block, g, d, s, arrays), rate, out=d)
            if self._rate_factor is not None:
                d *= self._rate_factor[block]
            w -= d

    @property
    def current_learning_rate(self) -> float:
        """The learning rate that the next step will take, before any factor of a group."""
        return self._now("learning_rate")

    @property
    def state(self) -> dict[str, Array]:
        """What the optimizer remembers: name -> array; assign to go on from a state saved before."""
        return self._state

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        who = f"{type(self).__name__}.state"
        names = sorted(["step", *self.slots()])
        if state and sorted(state) != names:
            raise ValueError(sentence(who, "the arrays " + ", ".join(names), ", ".join(sorted(state)) or "none"))
        copy = {name: np.array(state[name]) for name in state}
        shapes = {name: (array.shape, array.dtype) for name, array in copy.items() if name != "step"}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape, _ in shapes.values()):
            raise ValueError(sentence(who, "flat arrays of one size and dtype", repr(shapes)))
        if copy:
            if copy["step"].ndim != 0:
                raise ValueError(sentence(who, "step as a 0-d array", f"shape {copy['step'].shape}"))
            copy["step"] = np.array(check_integer(who, "step", copy["step"].item(), minimum=0), np.int64)
        self._state, self._owner = copy, None

    def __repr__(self) -> str:
        shown = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name == "learning_rate" or getattr(self, field.name) != field.default
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    # Pieces of a step.

    def _prepare(self, vector: Array) -> None:
        """Divide the vector into blocks and set scratch aside for the largest."""
        self._blocks = self._divide(vector)
        longest = max((block.stop - block.start for block in self._blocks), default=0)
        self._scratch = np.empty((3, longest), vector.dtype)

    def _divide(self, vector: Array) -> list[slice]:
        return divide(0, vector.size, vector.itemsize)

    def _block_direction(
        self, t: int, rate: float, block: slice, g: Array, d: Array, s: Array, arrays: list[Array]
    ) -> Array:
        return self.direction(t, rate, g, d, s, *(array[block] for array in arrays))

    def _shrink(self, w: Array, block: slice, amount: float, scratch: Array) -> None:
        """Weight decay: w ← w − amount · w, each element by its group's share."""
        if self._decay_factor is None:
            w *= 1 - amount
        else:
            np.multiply(self._decay_factor[block], w, out=scratch)
            scratch *= amount
            w -= scratch

    def _clip_factor(self, who: str, gradient: Array) -> float:
        if self.clip_norm is None:
            return 1.0
        blocks = (clip(gradient[b], self.clip_value, 1.0, self._scratch[0, : b.stop - b.start]) for b in self._blocks)
        return norm_factor(who, self.clip_norm, blocks)

    def _now(self, name: str) -> float:
        """A rate, constant or scheduled, at the next step."""
        value = getattr(self, name)
        step = int(self._state["step"]) if self._state else 0
        rate = value(step, self.total_steps) if callable(value) else value
        return check_number(f"{type(self).__name__} at step {step}", name, rate, minimum=0.0)

    def _check(self, who: str, vector: Any, gradient: Any, slots: Mapping[str, float]) -> None:
        for what, array in (("vector", vector), ("gradient", gradient)):
            if not isinstance(array, np.ndarray):
                remedy = "pass model.parameters.vector and model.gradients.vector"
                raise TypeError(sentence(who, f"{what} as a NumPy array", type(array).__name__, remedy))
        if vector.dtype not in (np.float32, np.float64):
            raise TypeError(sentence(who, "a vector of float32 or float64", str(vector.dtype), "convert it first"))
        if vector.ndim != 1 or not vector.flags.writeable:
            got = f"shape {vector.shape}" if vector.ndim != 1 else "a read-only one"
            raise ValueError(sentence(who, "a flat vector that can be written", got))
        if gradient.shape != vector.shape or gradient.dtype != vector.dtype:
            expected = f"a gradient of shape {vector.shape} and dtype {vector.dtype}, as the vector has"
            raise ValueError(sentence(who, expected, f"{gradient.shape} and {gradient.dtype}"))
        self._check_state_fits(who, vector, slots)
        if self._layout is None and self.groups:
            raise ValueError(sentence(who, "to know the names in groups", "none", NEEDS_SETUP))
        size = vector.size if self._layout is None else max((part.stop for part, _ in self._layout.values()), default=0)
        if vector.size != size:
            expected = f"the vector of the {size:,} parameters given to setup"
            raise ValueError(sentence(who, expected, f"{vector.size:,}", NEEDS_SETUP))

    def _check_state_fits(self, who: str, vector: Array, slots: Mapping[str, float]) -> None:
        if self._state and len(self._state) != 1 + len(slots):
            expected = "the state of its present parameters: " + ", ".join(["step", *slots])
            raise ValueError(
                sentence(who, expected, ", ".join(self._state), "assign optimizer.state = {} to begin anew")
            )
        for name, array in self._state.items():
            if name != "step" and (array.shape != vector.shape or array.dtype != vector.dtype):
                expected = f"a vector of shape {array.shape} and dtype {array.dtype}, as state[{name!r}] has"
                got = f"{vector.shape} and {vector.dtype}"
                raise ValueError(sentence(who, expected, got, "use a new optimizer for another model"))


NEEDS_SETUP = "call optimizer.setup(model.parameters) first"


def divide(start: int, stop: int, itemsize: int) -> list[slice]:
    """The slices, short enough for the cache, that make up start:stop."""
    length = BLOCK_BYTES // itemsize
    return [slice(i, min(i + length, stop)) for i in range(start, stop, length)]


def approach(mean: Array, target: Array, weight: float, scratch: Array) -> None:
    """mean ← (1 − weight) · mean + weight · target, in place; ``scratch`` may be the target."""
    np.subtract(target, mean, out=scratch)
    scratch *= weight
    mean += scratch


def check_betas(optimizer: Any, betas: tuple[float, float]) -> tuple[float, float]:
    """The pair as floats; an error unless both are in [0, 1)."""
    who = type(optimizer).__name__
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(sentence(who, "betas as a pair", repr(betas), "for instance betas=(0.9, 0.999)"))
    first, second = (check_number(who, "each of betas", beta, minimum=0.0, below=1.0) for beta in betas)
    return first, second
