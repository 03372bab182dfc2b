"""Sparse rows give the weights of dense ones, and neither they nor memory-mapped rows are copied."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from effort import peak_of
from estimators.small import X, Y, assert_same, classifier, regressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_array], ids=lambda form: form.__name__)
@pytest.mark.parametrize(
    "settings", [dict(), dict(solver="lbfgs"), dict(early_stopping=True), dict(dropout=0.2)], ids=str
)
def test_sparse_rows_give_the_weights_of_dense_ones(settings, form):
    dense = np.where(X > 2, X, 0)
    first, second = classifier(**settings).fit(dense, Y), classifier(**settings).fit(form(dense), Y)
    assert_same(first, second, 1e-6)
    np.testing.assert_allclose(second.predict_proba(form(dense)), first.predict_proba(dense), atol=1e-6)
    held_out = classifier(**settings | dict(solver="adam")).fit(form(dense), Y, X_val=form(dense), y_val=Y)
    assert np.isfinite(held_out.validation_loss_curve_).all()


def test_sparse_rows_are_scaled_but_not_shifted():
    sparse = sp.csr_matrix(np.where(X > 2, X, 0))
    scaler = StandardScaler(with_mean=False).fit(sparse)
    inside = classifier(scale=True).fit(sparse, Y)
    assert_same(inside, classifier().fit(scaler.transform(sparse), Y))
    np.testing.assert_allclose(inside.predict_proba(sparse.toarray()), inside.predict_proba(sparse), rtol=1e-9)


def test_sparse_rows_where_dense_ones_are_needed():
    sparse = sp.csr_matrix(X)
    with pytest.raises(TypeError, match=r"MLPClassifier\(input_dropout=0.1\) expects dense X, got a sparse one"):
        classifier(input_dropout=0.1).fit(sparse, Y)
    model = classifier(scale=True).fit(X, Y)
    with pytest.raises(
        TypeError, match=r"MLPClassifier\(scale=True\) expects dense X, as it was fitted on, got a sparse"
    ):
        model.predict(sparse)
    with pytest.raises(TypeError, match=r"expects dense X, as it was fitted on"):
        classifier(scale=True).fit(X, Y, X_val=sparse, y_val=Y)


def test_sparse_rows_are_never_made_dense():
    rng = np.random.default_rng(0)
    rows, columns, each = 20_000, 50_000, 10
    places = rng.integers(0, columns, rows * each)
    values = rng.normal(size=rows * each).astype(np.float32)
    sparse = sp.csr_matrix((values, places, np.arange(0, rows * each + 1, each)), (rows, columns))
    labels = (np.asarray(sparse.sum(axis=1)).ravel() > 0).astype(int)
    model = classifier(hidden_layer_sizes=(4,), max_iter=1)
    assert peak_of(lambda: model.fit(sparse, labels))[1] < 40e6  # MB; dense they are 3,800, a batch of 200 is 38
    assert peak_of(lambda: model.predict(sparse))[1] < 20e6


def test_memory_mapped_rows_are_not_copied(tmp_path):
    shape = 52_000, 1_000  # 200 MB
    mapped = np.memmap(tmp_path / "rows.f32", np.float32, "w+", shape=shape)
    for start in range(0, shape[0], 4_000):
        mapped[start : start + 4_000] = np.random.default_rng(start).random((4_000, 1_000), np.float32)[
            : shape[0] - start
        ]
    labels = (mapped[:, 0] > 0.5).astype(int)
    model = classifier(hidden_layer_sizes=(4,), max_iter=1)
    assert peak_of(lambda: model.fit(mapped, labels))[1] < 60e6
    assert peak_of(lambda: model.predict(mapped))[1] < 60e6
    assert peak_of(lambda: regressor(hidden_layer_sizes=(4,), max_iter=1).fit(mapped, labels))[1] < 60e6
    scaled = classifier(hidden_layer_sizes=(4,), max_iter=1, scale=True).fit(mapped[:3_000], labels[:3_000])
    assert peak_of(lambda: scaled.predict(mapped))[1] < 60e6
    ends = np.r_[0:5, len(mapped) - 5 : len(mapped)]
    np.testing.assert_allclose(scaled.predict_proba(mapped)[ends], scaled.predict_proba(mapped[ends]), rtol=1e-5)
