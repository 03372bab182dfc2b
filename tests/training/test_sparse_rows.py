"""Sparse rows teach what dense ones do, and neither they nor rows on the disk are copied."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from training.small import regression
from training.test_refusals import WITH_NAN, X, Y


@pytest.fixture
def words(rng):
    """Counts of words, most of them 0; some texts are empty."""
    x = rng.poisson(0.15, (60, 30)).astype(float)
    x[5:8] = 0
    return x, (x[:, :10].sum(axis=1) > x[:, 10:20].sum(axis=1)).astype(int) + (x[:, 20:].sum(axis=1) > 1)


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_array", "coo_matrix"])
@pytest.mark.parametrize("optimizer", [cr.Adam, lambda: cr.SGD(0.1, momentum=0.9)], ids=["Adam", "momentum"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_sparse_rows_teach_what_dense_ones_do(words, kind, optimizer, weighted, rng):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = words
    weight = rng.random(60) if weighted else None
    models, histories = [], []
    for data in (x, getattr(sparse, kind)(x)):
        model = cr.MLP([30, 16, 3], dropout=0.1, l2=1e-3, rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy", optimizer(), batch_size=16, metrics=["accuracy"])
        histories.append(trainer.fit(data, y, weight, validation=(data, y), epochs=8, verbose=0))
        models.append(model)
        assert trainer.evaluate(data, y, weight) == pytest.approx(trainer.evaluate(x, y, weight), rel=1e-12)
    np.testing.assert_allclose(models[1].parameters.vector, models[0].parameters.vector, rtol=1e-8, atol=1e-11)
    for column in ("loss", "accuracy", "validation_loss"):
        np.testing.assert_allclose(histories[1][column], histories[0][column], rtol=1e-9)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(batch_size=None),
        dict(batch_size=16, sample="one"),
        dict(batch_size=16, drop_last=True),
        dict(batch_size=16, sample=lambda rows: np.arange(rows)[::-1]),
    ],
    ids=["the full batch", "one batch", "whole batches", "a custom order"],
)
def test_sparse_rows_are_drawn_like_dense_ones(words, arguments):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = words
    models = [cr.MLP([30, 8, 3], rng=0, dtype="float64") for _ in range(2)]
    for model, data in zip(models, (x, sparse.csr_matrix(x)), strict=True):
        cr.Trainer(model, "cross_entropy", cr.SGD(0.1), **arguments).fit(data, y, validation=0.2, epochs=4, verbose=0)
    np.testing.assert_allclose(models[1].parameters.vector, models[0].parameters.vector, rtol=1e-9, atol=1e-12)


def test_sparse_data_that_do_not_fit_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="fit expects finite numbers in x, got nan at row 2, column 1"):
        regression().fit(sparse.csr_array(WITH_NAN), Y, verbose=0)
    with pytest.raises(ValueError, match=r"x, y and weights of equal length, got x \(8, 3\), y \(7, 2\)"):
        regression().fit(sparse.csr_array(X), Y[:7], verbose=0)
    with pytest.raises(TypeError, match=r"fit expects y to be an array of numbers, got a sparse one; pass y\.toarray"):
        regression().fit(X, sparse.csr_array(Y), verbose=0)
    with pytest.raises(ValueError, match="fit expects at least one row"):
        regression().fit(sparse.csr_array((0, 3)), Y[:0], verbose=0)
    normalised = cr.Sequential([cr.BatchNorm(3), cr.Linear(3, 2)], rng=0)
    with pytest.raises(TypeError, match=r"BatchNorm\(3\) expects dense x, got a sparse one"):
        regression(normalised).fit(sparse.csr_array(X), Y, verbose=0)


# ---- memory


def test_a_sparse_x_never_becomes_dense():
    """Dense, 200 000 by 2000 numbers would be 1.6 GB."""
    sparse = pytest.importorskip("scipy.sparse")
    rows = np.arange(200_000)
    x = sparse.csr_array((np.ones(rows.size), (rows, rows % 2000)), shape=(200_000, 2000))
    model = cr.MLP([2000, 4, 1], rng=0)
    trainer = regression(model, batch_size=4096)
    tracemalloc.start()
    trainer.fit(x, np.zeros((200_000, 1)), epochs=1, verbose=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000  # 1.6 MB of numbers here, with their columns and their rows, y and an order


def test_what_lies_on_the_disk_stays_there(tmp_path):
    """200 MB of a file that is nearly all holes: neither training nor prediction copies it."""
    rows, columns = 100_000, 512
    path = tmp_path / "x.f32"
    with path.open("wb") as file:
        file.truncate(4 * rows * columns)
    x = np.memmap(path, np.float32, "r+", shape=(rows, columns))
    x[::1000, 3] = 1.0
    y = np.zeros((rows, 1), np.float32)
    model = cr.MLP([columns, 4, 1], rng=0)
    peaks = []
    for use in (
        lambda: regression(model, cr.Adam(), batch_size=4096).fit(x, y, epochs=1, verbose=0),
        lambda: model.predict(x),
        lambda: regression(model).evaluate(x, y),
    ):
        tracemalloc.start()
        use()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    fitting, predicting, evaluating = peaks
    assert fitting < 30_000_000
    assert max(predicting, evaluating) < 5_000_000
