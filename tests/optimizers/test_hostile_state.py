"""State of any layout, dtype, shape or class is used through a contiguous copy or refused; the rest stays unwritten."""

from __future__ import annotations

import copy
import pickle
from itertools import product

import numpy as np
import pytest

import chainrule as cr
import hostile
from chainrule.ops.fused import KERNELS
from chainrule.optimizers import LAMB, SGD, Adagrad, Adam, Lion, Muon, NAdam, Optimizer, RMSprop

SIZES = [4, 6, 3]
X, Y = np.random.default_rng(0).normal(size=(48, 4)).astype("f4"), np.arange(48) % 3
OPTIMIZERS = [
    SGD(0.1, momentum=0.9),
    RMSprop(0.01, momentum=0.5),
    Adagrad(0.1),
    Adam(),
    NAdam(),
    Lion(),
    Muon(0.01),
    LAMB(),
]
KINDS = hostile.SAME | hostile.OTHER
TAKEN = ("plain", "reversed", "every second", "misaligned", "read-only", "mapped", "broadcast")


@pytest.fixture(params=OPTIMIZERS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return copy.deepcopy(request.param)


def by_fit(model: cr.Sequential, optimizer: Optimizer) -> None:
    cr.Trainer(model, "cross_entropy", optimizer, batch_size=16, rng=1).fit(X, Y, epochs=2, verbose=0)


def by_steps(model: cr.Sequential, optimizer: Optimizer) -> None:
    optimizer.setup(model.parameters)
    for i in range(3):
        optimizer.step(model.parameters.vector, np.full_like(model.parameters.vector, 0.1 * i))


EACH_WAY = pytest.mark.parametrize("how", [by_fit, by_steps])


def trained(optimizer: Optimizer, name: str, array: object, how: object) -> np.ndarray | str:
    """The parameters after a training that finds ``array`` in the state; or that it is refused."""
    model = cr.MLP(SIZES, rng=0)
    optimizer = copy.deepcopy(optimizer)
    how(model, optimizer)
    optimizer.state[name] = array
    try:
        how(model, optimizer)
    except (ValueError, TypeError) as error:
        return str(error)
    assert all(isinstance(one, np.ndarray) and one.flags.carray for one in optimizer.state.values())
    return model.parameters.vector


@EACH_WAY
def test_an_array_of_the_state(optimizer: Optimizer, how: object) -> None:
    values = np.random.default_rng(1).random(cr.MLP(SIZES).parameters.vector.size).astype("f4")
    for name, kind in product(optimizer.slots(), KINDS):
        guarded = hostile.Guarded()
        array = KINDS[kind](guarded, values.copy())
        before = np.array(array)
        actual = trained(optimizer, name, array, how)
        if not isinstance(actual, str):
            expected = trained(optimizer, name, before.astype("f4"), how)
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6, err_msg=kind)
        assert guarded.intact(), kind
        if not array.flags.writeable:
            np.testing.assert_array_equal(np.array(array), before, kind)
        assert not isinstance(actual, str) or (" expects " in actual and kind not in TAKEN), kind


THREE = np.array(3)
STEPS = [3, np.int32(3), THREE.astype(np.int32), THREE.astype(">i8"), hostile.read_only(THREE), THREE.astype(np.uint8)]
NO_STEPS = [-1, 1.5, "3", None, np.array([3]), np.array(-1), np.array(3.0), [3], True]


@EACH_WAY
@pytest.mark.parametrize("count", STEPS + NO_STEPS, ids=repr)
def test_the_count_of_steps(count: object, how: object) -> None:
    actual = trained(Adam(), "step", count, how)
    if any(count is one for one in NO_STEPS):
        assert "expects step " in actual
    else:
        np.testing.assert_array_equal(actual, trained(Adam(), "step", np.array(3), how))


def test_the_count_rises_from_where_it_was_set_to() -> None:
    for how, steps in ((by_steps, 3), (by_fit, 6)):
        model, optimizer = cr.MLP(SIZES, rng=0), Adam()
        how(model, optimizer)
        optimizer.state["step"] = 40
        how(model, optimizer)
        assert optimizer.state["step"] == 40 + steps


@EACH_WAY
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("mean"),
        lambda state: state.pop("step"),
        lambda state: state.update(more=np.zeros(3)),
        lambda state: state.update(mean=[0.0, 1.0]),
        lambda state: state.update(mean=None),
        lambda state: state.update(other=state.pop("mean")),
    ],
)
def test_a_state_with_other_names_is_refused(change: object, how: object) -> None:
    model, optimizer = cr.MLP(SIZES, rng=0), Adam()
    how(model, optimizer)
    change(optimizer.state)
    before = model.parameters.vector.copy()
    with pytest.raises((ValueError, TypeError), match=" expects "):
        how(model, optimizer)
    np.testing.assert_array_equal(model.parameters.vector, before)


@EACH_WAY
def test_arrays_that_share_memory_are_separated(how: object) -> None:
    """One array under two names, or the parameters themselves, or parts of them."""
    size = cr.MLP(SIZES).parameters.vector.size
    room = np.linspace(0.1, 1, size + 8, dtype="f4")
    apart, shared = {}, {}
    for where, together in ((apart, False), (shared, True)):
        model, optimizer = cr.MLP(SIZES, rng=0), Adam()
        how(model, optimizer)
        optimizer.state["mean"], optimizer.state["square"] = room[:size], room[8:]
        if not together:
            optimizer.state = optimizer.state
        how(model, optimizer)
        where["first"] = model.parameters.vector.copy()
        vector = model.parameters.vector
        optimizer.state["mean"] = vector if together else vector.copy()
        how(model, optimizer)
        where["then"] = vector
    for name in apart:
        np.testing.assert_array_equal(shared[name], apart[name])


class OneArray(Adam):
    """Says that Adam's kernel computes the same, with one array too few."""

    kernel = "adam"

    def slots(self):
        return {"mean": 0.0}


class Unknown(Adam):
    """Names a kernel that does not exist."""

    kernel = "adamant"

    def slots(self):
        return {"mean": 0.0, "square": 0.0}


@pytest.mark.skipif(KERNELS != "fused", reason="without kernels nothing is said of them")
@EACH_WAY
@pytest.mark.parametrize(("made", "says"), [(OneArray, "2 arrays of state, got 1"), (Unknown, "got 'adamant'")])
def test_a_kernel_that_needs_another_state_is_refused(made: type[Optimizer], says: str, how: object) -> None:
    with pytest.raises(ValueError, match=says):
        how(cr.MLP(SIZES, rng=0), made())


@EACH_WAY
@pytest.mark.parametrize("which", ["vector", "gradient"])
def test_a_vector_that_is_read_only_is_refused(which: str, how: object) -> None:
    model, optimizer = cr.MLP(SIZES, rng=0), Adam()
    how(model, optimizer)
    array = model.parameters.vector if which == "vector" else model.gradients.vector
    array.setflags(write=False)
    before = array.copy()
    if which == "gradient" and (how is by_steps or KERNELS != "fused"):
        return how(model, optimizer)  # a step only reads it, as does a layer that writes through its own views
    with pytest.raises(ValueError, match=r"read-only"):
        how(model, optimizer)
    return np.testing.assert_array_equal(array, before)


def test_a_state_that_was_mapped_can_be_trained_further(tmp_path) -> None:
    joblib = pytest.importorskip("joblib")
    for how in (by_fit, by_steps):
        model, optimizer = cr.MLP(SIZES, rng=0), Adam()
        how(model, optimizer)
        joblib.dump((model, optimizer), tmp_path / "both")
        twins = pickle.loads(pickle.dumps((model, optimizer)))
        mapped = joblib.load(tmp_path / "both", mmap_mode="r")
        for one in (twins, mapped):
            how(*one)
        np.testing.assert_array_equal(mapped[0].parameters.vector, twins[0].parameters.vector)
        for name, array in twins[1].state.items():
            np.testing.assert_array_equal(mapped[1].state[name], array)
