"""Sparse rows are predicted, and differentiated, as dense ones, and never made dense."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest

import chainrule as cr
from effort import peak_of

SPARSE = ["csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "lil_array", "dok_array", "bsr_matrix"]


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse")


@pytest.fixture
def zeros(x):
    """Most numbers are 0, and some rows and a column."""
    x[x < 0.8] = 0
    x[10:14] = x[:, 3] = 0
    return x


def forbid_dense(sparse, monkeypatch):
    for kind in ("matrix", "array"):
        for form in ("csr", "csc"):
            for name in ("toarray", "todense"):
                monkeypatch.setattr(getattr(sparse, f"{form}_{kind}"), name, None)


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [float, np.float32, int, bool])
def test_sparse_rows_are_predicted_as_dense_ones(model, zeros, sparse, kind, dtype, monkeypatch):
    zeros = zeros.astype(dtype)
    x = getattr(sparse, kind)(zeros)
    expected = model.predict(zeros)
    forbid_dense(sparse, monkeypatch)
    for y in (model.predict(x), model.predict(x, batch_size=7), model.forward(x)):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
        assert y.dtype == np.float32


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_array"])
def test_the_gradients_of_sparse_rows_are_those_of_dense_ones(model, zeros, sparse, kind, monkeypatch):
    model = model.astype("float64")
    twin = copy.deepcopy(model)
    x = getattr(sparse, kind)(zeros)
    expected = model.forward(zeros, training=True)
    dx = model.backward(np.cos(expected), input_gradient=True)
    forbid_dense(sparse, monkeypatch)
    y = twin.forward(x, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert twin.backward(np.cos(expected)) is None
    np.testing.assert_allclose(twin.gradients.vector, model.gradients.vector, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(twin.backward(np.cos(expected), input_gradient=True), dx, rtol=1e-10, atol=1e-13)


def test_sparse_rows_are_left_as_they_are(model, sparse):
    """Unsorted, with a number in two parts: what SciPy would put in order in place."""
    parts = np.array([1.0, 2.0, 3.0, 4.0], np.float32), np.array([3, 0, 0, 1]), np.array([0, 3, 4])
    x = sparse.csr_array(tuple(part.copy() for part in parts), shape=(2, 4))
    y = model.predict(x)
    np.testing.assert_allclose(y, model.predict([[5.0, 0, 0, 1], [0, 4, 0, 0]]), rtol=1e-5)
    for part, before in zip((x.data, x.indices, x.indptr), parts, strict=True):
        np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_sparse_rows_are_predicted(model, sparse, rows):
    assert model.predict(sparse.csr_array((rows, 4))).shape == (rows, 3)


def test_memory_is_bounded_by_the_numbers_of_a_sparse_matrix(sparse):
    """Dense, 2 000 000 by 1000 numbers would be 8 GB; a batch of them, 16 MB."""
    rows = np.arange(0, 2_000_000, 100)
    x = sparse.csr_array((np.ones(rows.size, np.float32), (rows, rows % 1000)), shape=(2_000_000, 1000))
    model = cr.MLP([1000, 4, 1], rng=0)
    y, peak = peak_of(lambda: model.predict(x))
    assert peak < y.nbytes + 2_000_000


@pytest.mark.parametrize(
    "first",
    [cr.BatchNorm(4), cr.LayerNorm(4), cr.Flatten(), cr.Dropout(0.5), cr.GaussianNoise(), cr.ReLU(), cr.Scale(4)],
    ids=repr,
)
@pytest.mark.parametrize("how", ["predict", "forward"])
def test_sparse_rows_meet_a_dense_layer_first(sparse, first, how):
    model = cr.Sequential([copy.deepcopy(first), cr.Linear(4, 2)], rng=0)
    says = rf"{re.escape(repr(first))} expects dense x, got a sparse one; begin the model with Linear.* x\.toarray\(\)"
    with pytest.raises(TypeError, match=says):
        getattr(model, how)(sparse.csr_array((3, 4)))


def test_dropout_of_nothing_does_not_matter_to_sparse_rows(sparse, zeros):
    model = cr.Sequential([cr.Dropout(0.0), cr.Linear(4, 2)], rng=0, dtype="float64")
    y = model.forward(sparse.csr_array(zeros), training=True)
    np.testing.assert_allclose(y, model.predict(zeros), rtol=1e-12)
    model.backward(y)
    np.testing.assert_allclose(model.gradients["1.W"], zeros.T @ y, rtol=1e-12)
    with pytest.raises(TypeError, match="the model expects dense x, got a sparse one"):
        cr.Sequential([cr.Dropout(0.0)]).predict(sparse.csr_array(zeros))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (
            lambda s: s.csr_array((3, 5)),
            ValueError,
            r"Linear\(4 → 6.*expects input of shape \(N, 4\), got \(3, 5\); pass 4",
        ),
        (
            lambda s: s.csr_array((3, 4), dtype=complex),
            TypeError,
            "x to be sparse and of numbers, got dtype complex128",
        ),
        (lambda s: s.coo_array(np.ones(4)), ValueError, r"the model expects sparse x of shape \(N, I\), got \(4,\)"),
    ],
)
def test_sparse_rows_that_do_not_fit_are_refused(model, sparse, make, error, says):
    try:
        x = make(sparse)
    except TypeError:
        pytest.skip("this SciPy has no sparse arrays of one dimension")
    with pytest.raises(error, match=says):
        model.predict(x)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300], ids=str)
def test_a_sparse_nan_or_infinity_is_located(model, sparse, wrong):
    x = np.zeros((9, 4))
    x[3, 1], x[7, 2] = 1, wrong
    says = r"(finite numbers in x, got (nan|inf)|numbers in x that float32 can hold, .* got 1e\+300) at row 7, column 2"
    with pytest.raises(ValueError, match=rf"predict expects {says} \(1"):
        model.predict(sparse.csc_array(x), batch_size=4)
