"""The compiled step of each optimizer against the walk in NumPy, its reference."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule.ops.fused import compiled
from chainrule.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RMSprop
from chainrule.parameters import Parameters
from chainrule.schedules import StepDecay, WarmupCosine

pytestmark = pytest.mark.skipif(compiled is None, reason="compiled kernels are not in use")

ROWS = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, dampening=0.5),
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(0.01),
    RMSprop(0.01, rho=0.9, momentum=0.5, epsilon=1e-3),
    Adagrad(0.1),
    Adagrad(0.1, initial_accumulator=0.5, epsilon=1e-3),
    Adam(0.01),
    Adam(0.01, betas=(0.0, 0.9), epsilon=1e-3),
    AdamW(0.01),
    NAdam(0.01),
    NAdam(0.01, betas=(0.5, 0.9), momentum_decay=0.1),
    Lion(0.01),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"clip_value": 0.5},
    {"clip_norm": 1.5},
    {"clip_value": 0.5, "clip_norm": 1.5},
    {"learning_rate": WarmupCosine(0.05, warmup=3), "weight_decay": StepDecay(0.1, factor=0.5, every=4)},
    {
        "weight_decay": 0.1,
        "clip_norm": 1.5,
        "groups": {
            "*.b": {"weight_decay_factor": 0.0},
            "1.*": {"learning_rate_factor": 0.5},
            "2.*": {"learning_rate_factor": 0.0},
        },
    },
]
SHAPES = {"0.W": (7, 13), "0.b": (13,), "1.W": (13, 3), "1.b": (3,), "2.b": (5,)}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 1e30, -1e30, 1e4, -300.0, 1.0]


@pytest.fixture(params=ROWS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return copy.deepcopy(request.param)


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


def gradients(steps: int, size: int, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(1).standard_normal((steps, size)).astype(dtype)


def train(optimizer: Optimizer, dtype: str, steps: int = 20, seen: str = "float64") -> dict[str, np.ndarray]:
    """The weights and the state after some steps along gradients rounded to ``seen``."""
    p = Parameters(SHAPES, dtype)
    p.vector[:] = np.random.default_rng(0).standard_normal(p.vector.size).astype(seen)
    optimizer.setup(p, total_steps=steps)
    for g in gradients(steps, p.vector.size, seen):
        optimizer.step(p.vector, g.astype(dtype))
    return {"w": p.vector, **optimizer.state}


def test_every_kernel_has_a_row_and_every_optimizer_but_muon_a_kernel() -> None:
    assert {row.kernel for row in ROWS} == set(compiled.OPTIMIZERS)
    assert {type(row) for row in ROWS} == {made for made in OPTIMIZERS.values() if made.kernel is not None}
    assert [name for name, made in OPTIMIZERS.items() if made.kernel is None] == ["muon"]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_twenty_steps_in_float64_agree_with_the_walk(optimizer: Optimizer, options: dict[str, Any]) -> None:
    vars(optimizer).update(options)
    ours, theirs = train(fused(optimizer), "float64"), train(walking(optimizer), "float64")
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-13, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_twenty_steps_in_float32_follow_the_walk_in_float64(optimizer: Optimizer, options: dict[str, Any]) -> None:
    vars(optimizer).update(options)
    ours, exact = (
        train(fused(optimizer), "float32", seen="float32"),
        train(walking(optimizer), "float64", seen="float32"),
    )
    for name, array in exact.items():
        scale = np.maximum(1.0, np.abs(array)) * np.finfo(np.float32).eps
        assert (np.abs(ours[name] - array) / scale).max() < 20, name  # a rounding a step


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_step_is_right_to_a_few_units_in_the_last_place(optimizer: Optimizer, dtype: str) -> None:
    w, start = np.zeros((2, 501), dtype), gradients(1, 501, dtype)[0]
    optimizer.learning_rate = 1.0
    for row, made in zip(w, (fused(optimizer), walking(optimizer)), strict=True):
        made.step(row, start)
    np.testing.assert_array_max_ulp(*w, maxulp=4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clipped", [{}, {"clip_value": 2.0}])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, about infinities
def test_special_gradients_come_out_as_from_the_walk(optimizer: Optimizer, dtype: str, clipped: dict[str, Any]) -> None:
    vars(optimizer).update(clipped)
    g = np.array(SPECIAL * 3, dtype)  # through vector instructions and their rest
    w = np.linspace(-1, 1, 2 * g.size, dtype=dtype).reshape(2, -1)
    w[1] = w[0]
    ours, theirs = fused(optimizer), walking(optimizer)
    for _ in range(2):
        ours.step(w[0], g)
        theirs.step(w[1], g)
    for one, other in ((w[0], w[1]), *((ours.state[name], theirs.state[name]) for name in ours.slots())):
        np.testing.assert_allclose(one, other, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0, 1, 3])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 257])
def test_neither_size_nor_place_in_memory_changes_a_bit(
    optimizer: Optimizer, size: int, offset: int, dtype: str
) -> None:
    """Each element is computed from itself alone: the first of many are those of a few, wherever they lie."""
    start, gs = gradients(1, 257, dtype)[0], gradients(3, 257, dtype)
    ours, whole, w = fused(optimizer), fused(optimizer), start.copy()
    few = np.empty(size + offset, dtype)[offset:]
    few[:] = start[:size]
    for g in gs:
        moved = np.empty(size + 1, dtype)[1:]
        moved[:] = g[:size]
        ours.step(few, moved)
        whole.step(w, g)
    np.testing.assert_array_equal(few, w[:size])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_segments_change_no_bit(optimizer: Optimizer, dtype: str) -> None:
    g = gradients(1, 1000, dtype)[0]
    results = []
    for cuts in ([0, 1000], [0, 64, 128, 129, 500, 503, 1000], [0, 999, 1000]):
        made, w = copy.deepcopy(optimizer), gradients(1, 1000, dtype)[0]
        state, _ = made.prepare(w)
        runs = [(start, stop, 1.0, 1.0) for start, stop in pairwise(cuts)]
        compiled.update(made.kernel, (*made.plan(1)[0],), math.inf, 1.0, runs, w, g, state)
        results.append([w, *state])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_the_same_steps_give_the_same_bits(optimizer: Optimizer) -> None:
    optimizer.clip_norm = 1.5
    once, again = train(fused(optimizer), "float32"), train(fused(optimizer), "float32")
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_steps_over_a_plan_are_steps(optimizer: Optimizer, dtype: str) -> None:
    vars(optimizer).update(OPTIONS[-2])
    p, q, gs = Parameters(SHAPES, dtype), Parameters(SHAPES, dtype), gradients(20, 151, dtype)
    by_step, by_plan = fused(optimizer), copy.deepcopy(optimizer)
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0, 1, 17, 1000, 70_001])
def test_the_square_of_the_norm(size: int, dtype: str) -> None:
    g = gradients(1, size + 1, dtype)[0, 1:]
    wide = g.astype(np.longdouble)
    assert compiled.square_norm(g, math.inf) == pytest.approx(float(wide @ wide), rel=1e-13)
    wide = wide.clip(-0.5, 0.5)
    assert compiled.square_norm(g, 0.5) == pytest.approx(float(wide @ wide), rel=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_norm_is_not_a_number_where_an_element_is_none(dtype: str) -> None:
    g = np.ones(40, dtype)
    g[7] = np.nan
    assert math.isnan(compiled.square_norm(g, math.inf))
    assert math.isnan(compiled.square_norm(g, 1.0))
    g[7] = -np.inf
    assert compiled.square_norm(g, math.inf) == math.inf
    assert compiled.square_norm(g, 1.0) == 40


def test_what_no_kernel_takes_is_left_to_the_walk(optimizer: Optimizer) -> None:
    """Strides, a foreign byte order, a state that was made read-only."""
    w = np.ones(6)
    state, _ = optimizer.prepare(w)
    assert compiled.takes(w, w, state)
    assert not compiled.takes(w[::2], w[::2], [])
    assert not compiled.takes(w, w.astype(">f8"), state)
    assert not compiled.takes(w, w[:5], state)
    assert not compiled.takes(w, [1.0] * 6, state)
    assert not compiled.takes(w.astype(int), w.astype(int), [])
    kept = np.ones(6)
    kept.flags.writeable = False
    assert not compiled.takes(kept, w, state)
    assert not compiled.takes(w, w, [kept])
    assert compiled.takes(w, kept, state)
