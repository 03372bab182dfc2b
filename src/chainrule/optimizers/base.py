"""What every optimizer shares: the walk along the vector, weight decay, clipping, groups, schedules and state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, check_integer, check_name, check_number, sentence
from .._support.errors import DivergenceError
from .._support.settings import Checks, checked, is_unknown, refuse_unknown
from ..ops.fused import compiled
from ..parameters import Parameters
from ..schedules import Schedule
from .checks import (
    COMMON,
    NEEDS_SETUP,
    Groups,
    Run,
    check_coefficients,
    check_gradient,
    check_state_fits,
    check_vector,
    copy_state,
    count_of,
    divide,
    merge,
    own_state,
    resolve_groups,
)
from .rule import Coefficients, Rule, Scratch, Slots, rule_kernel


def clip(g: Array, value: float | None, factor: float, out: Array) -> Array:
    """factor · min(max(g, −value), value), written to ``out``; g itself where nothing is to be done."""
    if value is not None:
        g = np.clip(g, -value, value, out=out)
    return g if factor == 1 else np.multiply(g, factor, out=out)


def norm_factor(who: str, norm: float, square: float) -> float:
    """min(1, norm / ‖g‖), given ‖g‖²."""
    length = math.sqrt(square) if square >= 0 else math.nan
    if not math.isfinite(length):
        remedy = "lower the learning rate, or look for NaN and overflow in the loss"
        raise DivergenceError(
            sentence(who, "a gradient whose norm is finite, to clip it", f"the norm {length}", remedy)
        )
    return min(1.0, norm / length) if length > 0 else 1.0


def square_norm(blocks: Iterable[Array]) -> float:
    """Σ g² over all blocks of the gradient together."""
    return sum(_square(g) for g in blocks)


def _square(g: Array) -> float:
    """Σ g²; where it overflows float32, as from elements of 2e19 on, once more in float64, ten times slower."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.dot(g, g))
        return square if math.isfinite(square) else float(np.einsum("i,i->", g, g, dtype=np.float64))


@dataclass(eq=False, repr=False)
class Optimizer(Rule):
    """An update rule for a flat vector of parameters; subclass it and define :meth:`direction` to make your own.

        g ← clip(g)
        w ← w − η λ w        weight decay λ, decoupled from the gradient
        w ← w − η d          d the direction, the rule of each optimizer

    What the rule remembers it names in :meth:`slots`. An optimizer knows arrays, not models. After the first step it
    allocates nothing large: where a compiled kernel has its rule, a step is one pass over the vector; elsewhere it
    walks along the vector in blocks that stay in the processor's cache.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η >= 0, or a callable (step, total_steps) -> η with steps counted from 0.
    weight_decay : float or schedule
        Weight decay λ >= 0, decoupled as in AdamW: for SGD too it shrinks the weights and stays out of the momentum.
    clip_norm : float, optional
        Scales the gradient of all parameters together so that its Euclidean norm is at most this.
    clip_value : float, optional
        Clips each element of the gradient into [−clip_value, clip_value], before clip_norm.
    groups : dict of pattern to dict, optional
        Patterns such as ``"*.b"`` or ``"0.*"`` on parameter names (as in fnmatch), each with
        ``learning_rate_factor`` (on η, and so on the decay) or ``weight_decay_factor`` (on λ) or both. The factors of
        all matching patterns multiply. Needs :meth:`setup`.

    Attributes
    ----------
    state : dict of name to array
        What the optimizer remembers; empty before the first step. Flat arrays of the vector's size and dtype, and
        ``"step"``, the number of steps taken, as a 0-d int64 array. Assign a copy of it to resume from there.
    total_steps : int or None
        The number of steps planned, for schedules; counted from the very first step. Set by :meth:`setup`.
    kernel : str or None
        Name of the compiled kernel that computes what :meth:`direction` does, stated in the class that defines it. It
        is not used for a subclass that changes the rule, nor for an object on which a method was replaced.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> class SignDescent(cr.Optimizer):
    ...     def direction(self, g, state, scratch, coefficients):
    ...         return np.sign(g, out=scratch[0])
    >>> w = np.array([1.0, -2.0])
    >>> SignDescent(0.5).step(w, np.array([0.3, -7.0]))
    >>> w
    array([ 0.5, -1.5])
    """

    _checks: ClassVar[Checks] = COMMON

    learning_rate: float | Schedule = 0.01
    _: KW_ONLY
    weight_decay: float | Schedule = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        self.total_steps: int | None = None
        self._state: dict[str, Array] = {}
        self._forget_model()

    def __setattr__(self, name: str, value: Any) -> None:
        """What the constructor would refuse is refused, and what was there before stays."""
        if not name.startswith("_"):
            if name not in self._checks and is_unknown(self, name):
                refuse_unknown(self, name, [*(field.name for field in fields(self)), "state", "total_steps"])
            value = checked(self, self._checks, name, value)
            if "_state" in self.__dict__:  # all of it is there
                self._check_together(name, value)
        object.__setattr__(self, name, value)

    def _check_together(self, name: str = "", value: Any = None) -> None:
        """Raise if the numbers, each right by itself, do not fit each other once ``name`` has this value."""

    def _forget_model(self) -> None:
        """Drop what belongs to one model, and what :meth:`setup` and :meth:`step` make again."""
        self._owner: Parameters | None = None
        self._layout: list[tuple[Run, tuple[int, ...]]] | None = None
        self._vector: Array | None = None
        self._runs: list[Run] = []
        self._blocks: list[tuple[slice, float, float]] = []
        self._scratch: Array = np.empty((3, 0))
        self._attributes, self._kernel = 0, self.kernel

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: everything but the ties to a model, so that a copy may serve a copied model."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._forget_model()
        return vars(twin)

    # The step, which all share.

    def setup(self, parameters: Parameters, total_steps: int | None = None) -> None:
        """Register the parameter names and shapes, and how many steps are planned.

        ``Trainer.fit`` calls it. By hand it is needed for groups, for LAMB, LARS and Muon, and for schedules that
        fit the whole training. It resets nothing: state that exists is kept.

        Parameters
        ----------
        parameters : Parameters
            The model's parameters, ``model.parameters``.
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
        check_state_fits(who, self._state, self.slots(), parameters.vector)
        if self._state and self._owner is not None and self._owner is not parameters:
            remedy = "use a new optimizer for another model, or set optimizer.state = {}"
            raise ValueError(sentence(who, "the model that its state comes from", "another model", remedy))
        runs = resolve_groups(who, self.groups or {}, parameters)
        self._layout = list(zip(runs, parameters.shapes.values(), strict=True))
        self._owner, self._vector, self._blocks = parameters, None, []
        self.total_steps = total_steps

    def step(self, vector: Array, gradient: Array) -> None:
        """Update ``vector`` in place; ``gradient`` stays as it is.

        Parameters
        ----------
        vector : array (P,), float32 or float64
            The parameters, ``model.parameters.vector``.
        gradient : array (P,), of the same dtype
            The gradient, ``model.gradients.vector``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape are wrong or differ from those of earlier steps, if setup is missing where it is needed,
            or if the gradient is to be clipped by norm and is not finite.
        """
        slots, numbers = self.slots(), self._numbers(self.steps_taken)
        known = vector is self._vector and (self._layout is not None or not self.groups)
        fused = known and self._fits_kernel(vector, gradient, slots)
        if not fused:  # what could not have changed since the last step is not checked again
            who = f"{type(self).__name__}.step"
            self._check_vector(who, vector, slots)
            check_gradient(who, gradient, vector)
            self._begin(vector, slots)
            fused = self._fits_kernel(vector, gradient, slots)
            if not fused:
                self._lay_out(vector)
        factor = 1.0 if self.clip_norm is None else self._clip_factor(gradient, self.clip_norm, fused)
        self._state["step"] += 1
        if fused:
            limit = math.inf if self.clip_value is None else self.clip_value
            arrays = [self._state[name] for name in slots]
            compiled.update(self._kernel, numbers, limit, factor, self._runs, vector, gradient, arrays)
        else:
            self._walk(numbers, factor, vector, gradient, {name: self._state[name] for name in slots})

    # Many steps at once, for a loop that is compiled itself: it runs the kernel, and counts in state["step"].

    def prepare(self, vector: Array) -> tuple[list[Array], list[Run]]:
        """Check the vector as :meth:`step` does, and create the state if there is none.

        Parameters
        ----------
        vector : array (P,), float32 or float64
            The parameters, ``model.parameters.vector``.

        Returns
        -------
        arrays : list of arrays (P,)
            The state, in the order of :meth:`slots`, to be updated in place.
        runs : list of (start, stop, rate_factor, shrink_factor)
            The parts of the vector in order, with their factors on the rate η and on the shrinking η λ.
        """
        slots = self.slots()
        self._check_vector(f"{type(self).__name__}.prepare", vector, slots)
        self._begin(vector, slots)
        return [self._state[name] for name in slots], self._runs

    def plan(self, steps: int) -> Array:
        """The numbers of the next steps, without taking them; a schedule fails here as it would in :meth:`step`.

        Parameters
        ----------
        steps : int
            How many steps.

        Returns
        -------
        array (steps, 2 + number of coefficients) of float64
            In each row the rate η, the shrink η λ and the coefficients.
        """
        done = self.steps_taken
        if callable(self.learning_rate) or callable(self.weight_decay) or steps < 2:
            return np.array([self._numbers(done + i) for i in range(steps)] or np.empty((0, 2)), float)
        rate, shrink, *_ = self._numbers(done)
        return np.array([(rate, shrink, *self.coefficients(done + i, rate)) for i in range(1, steps + 1)], float)

    @property
    def steps_taken(self) -> int:
        """The number of steps taken since the state was empty."""
        return count_of(type(self).__name__, self._state)

    @property
    def current_learning_rate(self) -> float:
        """The learning rate that the next step will take, before any factor of a group."""
        return self._now("learning_rate", self.steps_taken)

    @property
    def state(self) -> dict[str, Array]:
        """What the optimizer remembers: name -> array; assign a state saved before to resume from it."""
        return self._state

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        self._state = copy_state(f"{type(self).__name__}.state", state, self.slots())
        self._owner = self._vector = None

    def __repr__(self) -> str:
        shown = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name == "learning_rate" or getattr(self, field.name) != field.default
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    # Pieces of a step.

    def _numbers(self, step: int) -> tuple[float, ...]:
        """Rate, shrink and coefficients of the step after so many."""
        rate = self._now("learning_rate", step)
        return rate, rate * self._now("weight_decay", step), *self.coefficients(step + 1, rate)

    def _now(self, name: str, step: int) -> float:
        """A rate, constant or scheduled, at a step."""
        rate = getattr(self, name)
        if callable(rate):
            rate = rate(step, self.total_steps)
        if type(rate) is float and 0 <= rate < math.inf:
            return rate
        return check_number(f"{type(self).__name__} at step {step}", name, rate, minimum=0.0)

    def _begin(self, vector: Array, slots: Mapping[str, float]) -> None:
        """Take on a vector that was checked, and create the state if there is none; its arrays are ours to write."""
        kernel = None if compiled is None else rule_kernel(self)
        if kernel is not None:
            check_name(type(self).__name__, "a compiled rule as its kernel", kernel, compiled.OPTIMIZERS)
        if not self._state:
            self._state = {name: np.full_like(vector, value) for name, value in slots.items()}
            self._state["step"] = np.zeros((), np.int64)
        own_state(self._state, vector)
        if vector is not self._vector:
            check_coefficients(self)
            self._attributes = 0  # so that the rule is looked at again
            whole = (0, vector.size, 1.0, 1.0)
            self._runs = merge([whole] if self._layout is None else [run for run, _ in self._layout])
            self._vector = vector

    def _fits_kernel(self, vector: Array, gradient: Any, slots: Mapping[str, float]) -> bool:
        """Whether the compiled step can be taken; then vector, gradient and state fit each other, too."""
        if compiled is None:
            return False
        if self._attributes != len(vars(self)):  # one more, if a method was replaced on it
            self._attributes, self._kernel = len(vars(self)), rule_kernel(self)
        if self._kernel is None:
            return False
        if len(self._state) != 1 + len(slots) or type(self._state.get("step")) is not np.ndarray:
            return False
        fits: bool = compiled.takes(vector, gradient, [self._state.get(name) for name in slots])
        return fits

    def _clip_factor(self, gradient: Array, norm: float, fused: bool) -> float:
        if fused:
            square = compiled.square_norm(gradient, math.inf if self.clip_value is None else self.clip_value)
        else:
            blocks = (block for block, *_ in self._blocks)
            scratch = self._scratch[0]
            square = square_norm(clip(gradient[b], self.clip_value, 1.0, scratch[: b.stop - b.start]) for b in blocks)
        return norm_factor(f"{type(self).__name__}.step", norm, square)

    # The walk, where there is no kernel; and the reference where there is one.

    def _walk(
        self, numbers: tuple[float, ...], factor: float, vector: Array, gradient: Array, state: Mapping[str, Array]
    ) -> None:
        rate, shrink, *coefficients = numbers
        for block, rate_factor, shrink_factor in self._blocks:
            w = vector[block]
            g, *scratch = self._scratch[:, : w.size]
            g = clip(gradient[block], self.clip_value, factor, out=g)
            if shrink:
                w *= 1 - shrink * shrink_factor
            own = {name: array[block] for name, array in state.items()}
            d = self._block_direction(block, w, g, own, scratch, tuple(coefficients))
            w -= np.multiply(d, rate * rate_factor, out=scratch[0])

    def _lay_out(self, vector: Array) -> None:
        """Divide the vector into blocks and set scratch aside for the largest, unless that is done."""
        if self._blocks and self._blocks[-1][0].stop == vector.size and self._scratch.dtype == vector.dtype:
            return
        self._blocks = self._divide(vector.itemsize)
        longest = max((block.stop - block.start for block, *_ in self._blocks), default=0)
        self._scratch = np.empty((3, longest), vector.dtype)

    def _divide(self, itemsize: int) -> list[tuple[slice, float, float]]:
        return [block for run in self._runs for block in divide(run, itemsize)]

    def _block_direction(
        self, block: slice, w: Array, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients
    ) -> Array:
        return self.direction(g, state, scratch, coefficients)

    def _check_vector(self, who: str, vector: Any, slots: Mapping[str, float]) -> None:
        check_vector(who, vector)
        check_state_fits(who, self._state, slots, vector)
        if self._layout is None and self.groups:
            raise ValueError(sentence(who, "to know the names in groups", "none", NEEDS_SETUP))
        size = vector.size if self._layout is None else max((stop for (_, stop, *_), _ in self._layout), default=0)
        if vector.size != size:
            expected = f"the vector of the {size:,} parameters given to setup"
            raise ValueError(sentence(who, expected, f"{vector.size:,}", NEEDS_SETUP))
