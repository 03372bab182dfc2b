"""What every optimizer promises: in place, in the dtype given, resumable, decayed, scheduled, frugal."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import chainrule.optimizers as package
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Muon, Optimizer, get_optimizer
from chainrule.parameters import Parameters
from chainrule.schedules import Constant, FlatCos, StepDecay, WarmupCosine
from effort import peak_of
from optimizers.rows import ROWS, parameters, train
from parity import EACH_DTYPE


def test_every_optimizer_has_a_row_and_a_name() -> None:
    classes = {
        value
        for value in vars(package).values()
        if inspect.isclass(value) and issubclass(value, Optimizer) and value is not Optimizer
    }
    assert classes == {type(row) for row in ROWS} == set(OPTIMIZERS.values())
    assert all(name == made.__name__.lower() for name, made in OPTIMIZERS.items())


@EACH_DTYPE
def test_the_vector_changes_in_place_and_the_gradient_does_not(optimizer: Optimizer, dtype: str) -> None:
    optimizer.clip_norm, optimizer.clip_value, optimizer.weight_decay = 0.5, 0.3, 0.1
    p = parameters(dtype)
    w, before = p.vector, p.vector.copy()
    g = np.linspace(-1, 1, w.size, dtype=dtype)
    kept = g.copy()
    g.flags.writeable = False
    optimizer.setup(p)
    for _ in range(3):
        optimizer.step(w, g)
    assert w.dtype == dtype
    assert (w != before).sum() > w.size / 2
    np.testing.assert_array_equal(g, kept)


@EACH_DTYPE
def test_state_is_a_dict_of_flat_arrays_and_a_step(optimizer: Optimizer, dtype: str) -> None:
    assert optimizer.state == {}
    p = parameters(dtype)
    train(optimizer, p, steps=3)
    step = optimizer.state["step"]
    assert type(optimizer.state) is dict
    assert isinstance(step, np.ndarray)
    assert (step.dtype, step.shape, int(step)) == (np.int64, (), 3)
    arrays = [array for name, array in optimizer.state.items() if name != "step"]
    assert {(array.dtype, array.shape) for array in arrays} <= {(p.vector.dtype, p.vector.shape)}
    assert len(arrays) == len(optimizer.slots())


def test_training_resumes_from_a_saved_state_as_if_never_stopped(optimizer: Optimizer) -> None:
    whole = train(copy.deepcopy(optimizer), parameters(), steps=6)
    p, second = parameters(), copy.deepcopy(optimizer)
    train(optimizer, p, steps=3)
    second.state = optimizer.state
    optimizer.step(np.zeros_like(p.vector), np.ones_like(p.vector))  # the state was copied: this changes nothing
    np.testing.assert_array_equal(train(second, p, steps=3, first=3), whole)


def test_an_empty_state_starts_over(optimizer: Optimizer) -> None:
    once = train(optimizer, parameters(), steps=3).copy()
    optimizer.state = {}
    np.testing.assert_array_equal(train(optimizer, parameters(), steps=3), once)


def test_setup_resets_nothing(optimizer: Optimizer) -> None:
    whole = train(copy.deepcopy(optimizer), parameters(), steps=4)
    p = parameters()
    train(optimizer, p, steps=2)
    np.testing.assert_array_equal(train(optimizer, p, steps=2, first=2), whole)


def test_a_second_model_of_the_same_size_is_refused(optimizer: Optimizer) -> None:
    p, other = parameters(), parameters(seed=1)
    optimizer.setup(p)
    optimizer.setup(other)  # nothing learnt so far
    train(optimizer, other, steps=1)
    remedy = r"use a new optimizer for another model, or set optimizer.state = \{\}"
    with pytest.raises(ValueError, match=rf"{type(optimizer).__name__}\.setup expects .*; {remedy}"):
        optimizer.setup(p)
    train(optimizer, other, steps=1)
    optimizer.state = {}
    train(optimizer, p, steps=1)
    assert int(optimizer.state["step"]) == 1


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["copy", "pickle"])
def test_a_copy_of_model_and_optimizer_continues_as_the_original(optimizer: Optimizer, twin) -> None:
    optimizer.groups = {"*.b": {"learning_rate_factor": 0.5, "weight_decay_factor": 0.0}}
    p = parameters()
    train(optimizer, p, steps=3)
    other, q = twin((optimizer, p))
    np.testing.assert_array_equal(train(other, q, steps=3, first=3), train(optimizer, p, steps=3, first=3))
    assert repr(other) == repr(optimizer)
    with pytest.raises(ValueError, match="another model"):
        other.setup(p)


def test_an_unpickled_optimizer_steps_without_setup(elementwise: Optimizer) -> None:
    p = parameters()
    elementwise.setup(p, total_steps=9)
    elementwise.step(p.vector, np.ones_like(p.vector))
    other, w = pickle.loads(pickle.dumps(elementwise)), p.vector.copy()
    assert other.total_steps == 9
    other.step(w, np.ones_like(w))
    elementwise.step(p.vector, np.ones_like(w))
    np.testing.assert_array_equal(w, p.vector)


@pytest.mark.parametrize("make", [SGD, Muon])
def test_a_pickled_optimizer_carries_no_model(make: type[Optimizer]) -> None:
    optimizer, p = make(groups={"b": {"learning_rate_factor": 0.5}}), Parameters({"W": (300, 300), "b": (300,)})
    empty = len(pickle.dumps(optimizer))
    optimizer.setup(p)
    assert len(pickle.dumps(optimizer)) == empty


def test_float32_follows_float64_to_rounding(optimizer: Optimizer) -> None:
    wide = train(copy.deepcopy(optimizer), parameters("float64"), steps=5)
    narrow = train(optimizer, parameters("float32"), steps=5)
    np.testing.assert_allclose(narrow, wide, atol=1e-4)


def test_blocks_do_not_show(elementwise: Optimizer, rng: np.random.Generator) -> None:
    elementwise.weight_decay = 0.1
    size = 40_000  # two and a half blocks of float64
    w, g = rng.standard_normal(size), rng.standard_normal((2, size))
    one_by_one = w.copy()
    for part in (slice(0, 9_000), slice(9_000, 9_001), slice(9_001, size)):
        own = copy.deepcopy(elementwise)
        for k in range(2):
            own.step(one_by_one[part], g[k, part])
    for k in range(2):
        elementwise.step(w, g[k])
    np.testing.assert_allclose(w, one_by_one, rtol=1e-14)


def test_a_strided_vector_is_updated_too(elementwise: Optimizer, rng: np.random.Generator) -> None:
    w, g = rng.standard_normal(20), rng.standard_normal(20)
    dense, own = w[::2].copy(), copy.deepcopy(elementwise)
    own.step(dense, g[::2].copy())
    elementwise.step(w[::2], g[::2])
    np.testing.assert_allclose(w[::2], dense, rtol=1e-14)


def test_an_empty_vector_is_no_trouble(elementwise: Optimizer) -> None:
    elementwise.clip_norm = 1.0
    elementwise.step(np.zeros(0), np.zeros(0))
    assert int(elementwise.state["step"]) == 1


def test_no_step_after_the_first_allocates_anything_large(optimizer: Optimizer, rng: np.random.Generator) -> None:
    optimizer.clip_norm, optimizer.clip_value, optimizer.weight_decay = 1.0, 0.5, 0.1
    side = 200 if isinstance(optimizer, Muon) else 999
    p = Parameters({"0.W": (side, 1000), "0.b": (1000,)})
    optimizer.groups = {"*.b": {"weight_decay_factor": 0.0, "learning_rate_factor": 0.5}}
    optimizer.setup(p)
    g = rng.standard_normal(p.vector.size, dtype=np.float32)
    optimizer.step(p.vector, g)
    assert peak_of(lambda: optimizer.step(p.vector, g))[1] < 64 * 1024


# Weight decay


def test_without_a_gradient_decay_alone_shrinks_the_weights(decoupled: Optimizer) -> None:
    decoupled.weight_decay = 0.3
    p = parameters()
    before = p.vector.copy()
    decoupled.setup(p)
    for _ in range(4):
        decoupled.step(p.vector, np.zeros_like(p.vector))
    np.testing.assert_allclose(p.vector, before * (1 - 0.1 * 0.3) ** 4, rtol=1e-12)


def test_decay_stays_out_of_the_direction(decoupled: Optimizer) -> None:
    """The step with decay is the step without it from weights shrunk before."""
    plain, decayed = copy.deepcopy(decoupled), copy.deepcopy(decoupled)
    plain.weight_decay, decayed.weight_decay = 0.0, 0.3
    p, q = parameters(), parameters()
    q.vector[:] *= 1 - 0.1 * 0.3
    train(decayed, p, steps=1)
    train(plain, q, steps=1)
    np.testing.assert_allclose(p.vector, q.vector, rtol=1e-12)


def test_decay_follows_a_schedule() -> None:
    w, sgd = np.array([1.0]), SGD(0.5, weight_decay=StepDecay(0.4, factor=0.5, every=1))
    for _ in range(2):
        sgd.step(w, np.zeros(1))
    assert w[0] == pytest.approx((1 - 0.5 * 0.4) * (1 - 0.5 * 0.2))


# Schedules


def test_each_step_takes_the_rate_of_its_number() -> None:
    schedule = WarmupCosine(0.5, warmup=2)
    p = Parameters({"w": (1,)}, "float64")
    sgd = SGD(schedule)
    sgd.setup(p, total_steps=5)
    for step in range(5):
        before = p.vector[0]
        assert sgd.current_learning_rate == schedule(step, 5)
        sgd.step(p.vector, np.ones(1))
        assert before - p.vector[0] == pytest.approx(schedule(step, 5), rel=1e-12)


def test_a_rate_may_be_changed_between_steps_and_by_any_callable() -> None:
    w, sgd = np.array([1.0]), SGD(0.5)
    sgd.step(w, np.ones(1))
    sgd.learning_rate = 0.25
    sgd.step(w, np.ones(1))
    sgd.learning_rate = lambda step, total: step / 16
    sgd.step(w, np.ones(1))
    assert w[0] == 1 - 0.5 - 0.25 - 0.125


def test_a_schedule_without_its_total_fails_before_anything_changes() -> None:
    w, adam = np.ones(2), Adam(FlatCos(0.1))
    with pytest.raises(ValueError, match=r"FlatCos expects total_steps.*optimizer\.setup"):
        adam.step(w, np.ones(2))
    assert adam.state == {}
    np.testing.assert_array_equal(w, 1)


def test_a_schedule_that_gives_no_rate_is_named() -> None:
    with pytest.raises(ValueError, match="SGD at step 0 expects learning_rate >= 0, got nan"):
        SGD(lambda step, total: float("nan")).step(np.ones(2), np.ones(2))


# Names


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        (SGD(0.1, momentum=0.9), "SGD(learning_rate=0.1, momentum=0.9)"),
        (Adam(), "Adam(learning_rate=0.001)"),
        (AdamW(Constant(0.1), weight_decay=0.5), "AdamW(learning_rate=Constant(rate=0.1), weight_decay=0.5)"),
    ],
)
def test_repr_is_one_line_of_what_is_not_default(optimizer: Optimizer, says: str) -> None:
    assert repr(optimizer) == says


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_each_name_gives_a_new_optimizer(name: str) -> None:
    first = get_optimizer(name)
    assert type(first) is OPTIMIZERS[name]
    assert get_optimizer(name) is not first
    assert get_optimizer(first) is first


def test_an_unknown_optimizer_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'adamw'"):
        get_optimizer("admw")
    with pytest.raises(TypeError, match=r"write Adam\(\)"):
        get_optimizer(Adam)
    with pytest.raises(TypeError, match="the name of an optimizer or an Optimizer, got None"):
        get_optimizer(None)
