"""A confusion matrix is the same for labels in every shape and holder, and tells integers apart to the last digit."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

from chainrule import plots

TRUE, SAID = np.array([0, 1, 2, 1, 0]), np.array([0, 2, 2, 1, 0])
HOLDERS = {
    "column": lambda y: y[:, None],
    "list": lambda y: y.tolist(),
    "objects": lambda y: y.astype(object),
    "Series": lambda y: pytest.importorskip("pandas").Series(y, index=range(9, 14)),
    "frame of one column": lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    "categorical": lambda y: pytest.importorskip("pandas").Series(y).astype("category"),
    "nullable": lambda y: pytest.importorskip("pandas").Series(y).convert_dtypes(),
    "polars": lambda y: pytest.importorskip("polars").Series(y.tolist()),
}
LABELS = {
    "numbers": np.array([0, 1, 2]),
    "text": np.array(["a", "b", "c"]),
    "ids": 2**62 + np.array([1, 2, 3]),
    "beyond 2^63": np.array([2**63 + 1, 2**63 + 2, 2**64 - 1], np.uint64),
}


def seen(figure):
    ax = figure.axes[0]
    return ax.get_title(), [tick.get_text() for tick in ax.get_xticklabels()], [cell.get_text() for cell in ax.texts]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_every_holder_are_counted_alike(kind, holder):
    true, said = LABELS[kind][TRUE], LABELS[kind][SAID]
    found = seen(plots.confusion(HOLDERS[holder](true), HOLDERS[holder](said)))
    assert found == seen(plots.confusion(true, said))
    assert found[:2] == ("accuracy 80.0 % (4 of 5)", [str(label) for label in LABELS[kind].tolist()])


def test_signed_and_unsigned_labels_do_not_meet_as_floats():
    unsigned = np.array([2**62, 2**62 + 1], np.uint64)
    assert seen(plots.confusion(unsigned, unsigned.astype(np.int64)))[0] == "accuracy 100.0 % (2 of 2)"
    assert seen(plots.confusion(unsigned, unsigned[::-1].astype(np.int64)))[0] == "accuracy 0.0 % (0 of 2)"
