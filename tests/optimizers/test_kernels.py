"""The compiled step of each optimizer against the walk in NumPy, its reference."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule.ops.fused import compiled
from chainrule.optimizers import OPTIMIZERS, Optimizer
from chainrule.schedules import StepDecay, WarmupCosine
from optimizers.rows import ROWS, gradients, parameters, train
from parity import EACH_DTYPE

pytestmark = pytest.mark.skipif(compiled is None, reason="compiled kernels are not in use")

GROUPS = {
    "*.b": {"weight_decay_factor": 0.0},
    "1.*": {"learning_rate_factor": 0.5},
    "2.*": {"learning_rate_factor": 0.0},
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"clip_value": 0.5},
    {"clip_norm": 1.5},
    {"clip_value": 0.5, "clip_norm": 1.5},
    {"learning_rate": WarmupCosine(0.05, warmup=3), "weight_decay": StepDecay(0.1, factor=0.5, every=4)},
    {"weight_decay": 0.1, "clip_norm": 1.5, "groups": GROUPS},
]
SHAPES = {"0.W": (7, 13), "0.b": (13,), "1.W": (13, 3), "1.b": (3,), "2.b": (5,)}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 1e30, -1e30, 1e4, -300.0, 1.0]


def fused(optimizer: Optimizer) -> Optimizer:
    """A copy that fails where it would compute in NumPy."""
    made = copy.deepcopy(optimizer)

    def direction(*_: Any) -> np.ndarray:
        raise AssertionError("the step was not compiled")

    made.__class__ = type("Fused", (type(optimizer),), {"kernel": optimizer.kernel, "direction": direction})
    return made


def walking(optimizer: Optimizer) -> Optimizer:
    """A copy without kernel."""
    made = copy.deepcopy(optimizer)
    made.__class__ = type("Walking", (type(optimizer),), {"kernel": None})
    return made


def twenty_steps(optimizer: Optimizer, dtype: str) -> dict[str, np.ndarray]:
    """The weights and the state after them."""
    return {"w": train(optimizer, parameters(dtype, shapes=SHAPES), 20, total=20), **optimizer.state}


def test_every_kernel_has_a_row_and_every_elementwise_rule_a_kernel() -> None:
    assert {row.kernel for row in ROWS} == {None, *compiled.OPTIMIZERS}
    assert {name for name, made in OPTIMIZERS.items() if made.kernel is None} == {"lamb", "lars", "muon"}


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_twenty_steps_agree_with_the_walk_in_float64(elementwise: Optimizer, options: dict[str, Any]) -> None:
    vars(elementwise).update(options)
    expected = twenty_steps(walking(elementwise), "float64")
    ours, single = twenty_steps(fused(elementwise), "float64"), twenty_steps(fused(elementwise), "float32")
    assert ours.keys() == single.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-13, atol=1e-13, err_msg=name)
        scale = np.maximum(1.0, np.abs(array)) * np.finfo(np.float32).eps
        assert (np.abs(single[name] - array) / scale).max() < 20, name  # a rounding a step


@EACH_DTYPE
def test_one_step_is_right_to_a_few_units_in_the_last_place(elementwise: Optimizer, dtype: str) -> None:
    w, start = np.zeros((2, 501), dtype), gradients(1, 501, dtype)[0]
    elementwise.learning_rate = 1.0
    for row, made in zip(w, (fused(elementwise), walking(elementwise)), strict=True):
        made.step(row, start)
    np.testing.assert_array_max_ulp(*w, maxulp=4)


@EACH_DTYPE
@pytest.mark.parametrize("clipped", [{}, {"clip_value": 2.0}])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, about infinities
def test_special_gradients_come_out_as_from_the_walk(elementwise: Optimizer, dtype: str, clipped: Any) -> None:
    vars(elementwise).update(clipped)
    g = np.array(SPECIAL * 3, dtype)  # through vector instructions and their rest
    w = np.linspace(-1, 1, g.size, dtype=dtype) * np.ones((2, 1), dtype)
    ours, theirs = fused(elementwise), walking(elementwise)
    for _ in range(2):
        ours.step(w[0], g)
        theirs.step(w[1], g)
    for one, other in ((w[0], w[1]), *((ours.state[name], theirs.state[name]) for name in ours.slots())):
        np.testing.assert_allclose(one, other, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


@EACH_DTYPE
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_neither_size_nor_place_in_memory_changes_a_bit(elementwise: Optimizer, offset: int, dtype: str) -> None:
    """Each element is computed from itself alone: the first of many are those of a few, wherever they lie."""
    start, gs = gradients(1, 257, dtype)[0], gradients(3, 257, dtype)
    whole, w = fused(elementwise), start.copy()
    for g in gs:
        whole.step(w, g)
    for size in (0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 257):
        ours, few, moved = fused(elementwise), np.empty(size + offset, dtype)[offset:], np.empty(size + 1, dtype)[1:]
        few[:] = start[:size]
        for g in gs:
            moved[:] = g[:size]
            ours.step(few, moved)
        np.testing.assert_array_equal(few, w[:size], f"{size} numbers")


@EACH_DTYPE
def test_segments_change_no_bit(elementwise: Optimizer, dtype: str) -> None:
    g, results = gradients(1, 1000, dtype)[0], []
    for cuts in ([0, 1000], [0, 64, 128, 129, 500, 503, 1000], [0, 999, 1000]):
        made, w = copy.deepcopy(elementwise), g.copy()
        state, _ = made.prepare(w)
        runs = [(start, stop, 1.0, 1.0) for start, stop in pairwise(cuts)]
        compiled.update(made.kernel, (*made.plan(1)[0],), math.inf, 1.0, runs, w, g, state)
        results.append([w, *state])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_the_same_steps_give_the_same_bits(elementwise: Optimizer) -> None:
    elementwise.clip_norm = 1.5
    once, again = (twenty_steps(fused(elementwise), "float32") for _ in range(2))
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])


@EACH_DTYPE
def test_compiled_steps_over_a_plan_are_steps(elementwise: Optimizer, dtype: str) -> None:
    vars(elementwise).update(OPTIONS[-2])
    p, q, gs = parameters(dtype, shapes=SHAPES), parameters(dtype, shapes=SHAPES), gradients(20, 151, dtype)
    by_step, by_plan = fused(elementwise), copy.deepcopy(elementwise)
    by_step.setup(p, total_steps=20)
    by_plan.setup(q, total_steps=20)
    for g in gs:
        by_step.step(p.vector, g)
    for part in (gs[:13], gs[13:]):
        state, runs = by_plan.prepare(q.vector)
        for g, row in zip(part, by_plan.plan(len(part)), strict=True):
            compiled.update(by_plan.kernel, tuple(row), math.inf, 1.0, runs, q.vector, g, state)
        by_plan.state["step"] += len(part)
    np.testing.assert_array_equal(q.vector, p.vector)
    for name, array in by_step.state.items():
        np.testing.assert_array_equal(by_plan.state[name], array)


@EACH_DTYPE
@pytest.mark.parametrize("size", [0, 1, 17, 1000, 70_001])
def test_the_square_of_the_norm(size: int, dtype: str) -> None:
    g = gradients(1, size + 1, dtype)[0, 1:]
    for limit in (math.inf, 0.5):
        wide = g.astype(np.longdouble).clip(-limit, limit)
        assert compiled.square_norm(g, limit) == pytest.approx(float(wide @ wide), rel=1e-13)


@EACH_DTYPE
@pytest.mark.parametrize(("element", "square", "clipped"), [(np.nan, math.nan, math.nan), (-np.inf, math.inf, 40)])
def test_the_norm_is_nan_or_infinite_where_an_element_is(element: float, square: float, clipped: float, dtype) -> None:
    g = np.ones(40, dtype)
    g[7] = element
    np.testing.assert_equal([compiled.square_norm(g, math.inf), compiled.square_norm(g, 1.0)], [square, clipped])


def test_arrays_that_no_kernel_takes_are_left_to_the_walk(elementwise: Optimizer) -> None:
    """Strides, a foreign byte order, a state that was made read-only."""
    w, kept = np.ones(6), np.ones(6)
    kept.flags.writeable = False
    state, _ = elementwise.prepare(w)
    assert compiled.takes(w, w, state)
    assert compiled.takes(w, kept, state)
    for vector, gradient, arrays in (
        (w[::2], w[::2], []),
        (w, w.astype(">f8"), state),
        (w, w[:5], state),
        (w, [1.0] * 6, state),
        (w.astype(int), w.astype(int), []),
        (kept, w, state),
        (w, w, [kept]),
    ):
        assert not compiled.takes(vector, gradient, arrays)
