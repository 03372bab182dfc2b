"""Predictions leave no trace, take bounded memory, and refuse anything but a batch."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chainrule as cr
from chainrule.model import prediction
from chainrule.ops.fused import KERNELS
from effort import peak_of
from model.steps import snapshot, step


@pytest.mark.parametrize("batch_size", [None, 1, 7, 49, 50, 51, 10_000])
def test_the_size_of_batches_changes_no_prediction(model, x, batch_size):
    step(model, x)
    np.testing.assert_allclose(model.predict(x, batch_size), model.predict(x), rtol=1e-5, atol=1e-6)


def test_prediction_is_forward_without_training(model, x):
    np.testing.assert_array_equal(model.predict(x), model.forward(x))


def test_predicting_leaves_the_model_untouched(model, x):
    """Also between a forward and its backward."""
    dy = np.ones_like(model.forward(x, training=True))
    before = snapshot(model)
    model.predict(x[::-1], batch_size=7)
    model.forward(x[::-1])
    assert snapshot(model) == before
    model.backward(dy)
    gradients = model.gradients.vector.copy()
    model.backward(dy)
    np.testing.assert_array_equal(model.gradients.vector, gradients)


def test_eight_threads_may_predict_with_one_model(model, rng):
    batches = [rng.standard_normal((300, 4)) for _ in range(32)]
    alone = [model.predict(batch, batch_size=32) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda batch: model.predict(batch, batch_size=32), batches))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("rows", [1, 8, 9, 5000])
def test_eight_threads_predict_any_number_of_rows(rows, rng):
    """A few in one compiled call, more in room that other predictions used before."""
    model = cr.MLP([20, 60, 30, 3], rng=0)
    batches = [rng.standard_normal((rows, 20)) for _ in range(32)]
    alone = [model.predict(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            np.testing.assert_array_equal(list(pool.map(model.predict, batches)), alone)


@pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("rows", [4000, 10_000, 10_001])
def test_no_thread_has_more_rows_than_another(rows, threads, monkeypatch):
    """Beyond a row a part: 10,000 rows in parts of 4,096 would leave one of two threads idle a third of the time."""
    monkeypatch.setattr(prediction, "available_threads", lambda: threads)
    starts = []
    monkeypatch.setattr(prediction, "share", lambda work, parts, threads: starts.extend(parts))
    cr.MLP([784, 512, 10], rng=0).predict(np.zeros((rows, 784), np.float32))
    lengths = np.diff([*starts, rows])
    assert len(starts) % threads == 0
    assert lengths.max() - lengths.min() <= len(starts)


@pytest.mark.parametrize("rows", [1, 9, 300])
def test_a_prediction_is_the_callers_own(model, rng, rows):
    """Later predictions do not write into it, and none keeps the rows that it was given."""
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    y = model.predict(x)
    before = y.copy()
    model.predict(2 * x)
    np.testing.assert_array_equal(y, before)
    seen = weakref.ref(x)
    del x
    assert seen() is None


@pytest.mark.parametrize("rows", [9, 10_000])
def test_a_prediction_allocates_nothing_but_its_outputs_once_it_is_warm(rows):
    model, x = cr.MLP([100, 200, 10], rng=0), np.ones((rows, 100), np.float32)
    model.predict(x)
    y, peak = peak_of(lambda: model.predict(x))
    assert peak < y.nbytes + 64_000


def test_nothing_predicted_for_no_rows(model):
    y = model.predict(np.empty((0, 4)))
    assert (y.shape, y.dtype) == ((0, 3), np.float32)


def test_memory_stays_bounded(model):
    """A million rows that take no memory themselves are not converted at once."""
    x = np.broadcast_to(np.float64(1), (1_000_000, 4))
    y, peak = peak_of(lambda: model.predict(x))
    assert peak < y.nbytes + 2_000_000


@pytest.mark.parametrize("batch", [[[1, 2, 3, 4]], np.ones((1, 4), np.int8), np.ones((1, 4), bool), np.ones((4, 1)).T])
def test_anything_with_rows_of_numbers_is_predicted(model, batch):
    assert model.predict(batch).dtype == np.float32


@pytest.mark.parametrize(
    ("batch", "error", "says"),
    [
        (3.0, ValueError, r"the model expects a batch of samples, got a single number; pass x of shape \(N, \.\.\.\)"),
        ([["a", "b", "c", "d"]], TypeError, "the model expects x to be an array of numbers, got dtype <U1"),
        (np.ones((2, 5)), ValueError, r"Linear\(4 → 6, relu, l2=0.1\) expects input of shape \(N, 4\), got \(2, 5\)"),
        (np.ones((2, 2, 2)), ValueError, r"got \(2, 2, 2\); put Flatten\(\) in front"),
        (np.ones(4), ValueError, r"expects input of shape \(N, 4\), got \(4,\)"),
    ],
)
@pytest.mark.parametrize("how", ["predict", "forward"])
def test_anything_but_a_batch_is_refused(model, how, batch, error, says):
    with pytest.raises(error, match=says):
        getattr(model, how)(batch)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300], ids=str)
def test_nothing_is_predicted_for_nan_or_infinity(model, wrong):
    """1e300 is infinite in float32."""
    x = np.ones((9, 4))
    x[7, 2] = wrong
    says = r"(finite numbers in x, got (nan|inf)|numbers in x that float32 can hold, .* got 1e\+300) at row 7, column 2"
    with pytest.raises(ValueError, match=f"predict expects {says}"):
        model.predict(x, batch_size=4)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (1.5, TypeError)])
def test_a_batch_size_is_a_positive_integer(model, x, size, error):
    with pytest.raises(error, match="predict expects batch_size"):
        model.predict(x, batch_size=size)


class Groups:
    """The rows 0 to 4, as two groups and an empty one between them; ``found`` is what it reads."""

    lengths = np.array([2, 0, 3])

    def __init__(self, *found: np.ndarray) -> None:
        self.found = found or (np.arange(10.0).reshape(5, 2),)

    def read(self, group: int, start: int, stop: int) -> tuple[np.ndarray, ...]:
        first = [0, 2, 2][group]
        return tuple(array[first + start : first + stop] for array in self.found)


def test_a_source_is_predicted_group_by_group():
    source, model = Groups(), cr.MLP([2, 3], rng=0)
    np.testing.assert_allclose(model.predict(source), model.predict(*source.found), rtol=1e-5)
    np.testing.assert_array_equal(model.predict(Groups(*source.found, np.zeros(5))), model.predict(source))


def test_what_a_source_cannot_be_predicted_for_names_its_row():
    source, model = Groups(), cr.MLP([2, 3], rng=0)
    source.found[0][3, 1] = np.nan
    with pytest.raises(ValueError, match=r"finite numbers in x, got nan at .*1.* Row 0 is row 2 of the source\.$"):
        model.predict(source)
    with pytest.raises(
        ValueError, match=r"^predict expects 3 rows from read\(2, 0, 3\) of .*Groups.*, got shape \(2, 2\)"
    ):
        model.predict(Groups(source.found[0][:4]))
    empty = Groups()
    empty.lengths = empty.lengths[:0]
    with pytest.raises(ValueError, match=r"^predict expects a source with at least one row, got none"):
        model.predict(empty)
