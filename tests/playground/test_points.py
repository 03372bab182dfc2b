"""The points of the page: within the plane, in equal classes, the same for the same seed; tables of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.playground.data import DOMAIN, KINDS, points, table_columns, table_points
from chainrule.playground.session import Session


@pytest.mark.parametrize("kind", KINDS)
def test_points_lie_in_the_plane_in_equal_classes(kind: str) -> None:
    x, y, x_test, y_test = points(kind, 400, noise=0, test_share=0.25)
    assert (x.shape, x_test.shape) == ((300, 2), (100, 2))
    assert np.abs(np.concatenate([x, x_test])).max() <= DOMAIN
    if KINDS[kind].classes:
        counts = np.bincount(np.concatenate([y, y_test]), minlength=KINDS[kind].classes)
        assert counts.min() > 0.8 * counts.mean()
        assert len(counts) == KINDS[kind].classes
    else:
        assert y.shape == (300, 1)
        assert np.abs(y).max() <= 1


@pytest.mark.parametrize("kind", [*KINDS, "digits"])
def test_a_seed_draws_the_same_points_again(kind: str) -> None:
    first, again, other = (points(kind, 50, seed=seed) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.x, other.x)


def test_noise_moves_the_points_by_as_much_as_it_says() -> None:
    clean, noisy = points("spirals", 2000, noise=0), points("spirals", 2000, noise=0.3)
    moved = noisy.x - clean.x
    assert moved.std() == pytest.approx(0.3, rel=0.1)
    np.testing.assert_array_equal(clean.y, noisy.y)
    clean, noisy = points("plane", 2000, noise=0), points("plane", 2000, noise=0.3)
    np.testing.assert_array_equal(clean.x, noisy.x)
    assert (noisy.y - clean.y).std() == pytest.approx(0.3, rel=0.1)


CSV = "a,b,c,kind\n" + "".join(f"{i},{i % 7}.5,4,{'xyz'[i % 3]}\n" for i in range(30))


def test_a_table_becomes_standardised_points_and_classes() -> None:
    found, classes = table_points(table_columns(CSV), ["a", "b"], "kind", test_share=0.2)
    assert classes == ["x", "y", "z"]
    both = np.concatenate([found.x, found.x_test])
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(both.std(axis=0), 1)
    assert len(found.x_test) == 6
    found, classes = table_points(table_columns(CSV), ["b", "a"], "a")
    assert (classes, found.y.shape) == ([], (15, 1))
    assert table_points(table_columns(CSV), ["a", "b"], "b")[1] == []  # not whole numbers
    assert table_points(table_columns(CSV.replace(".5", "")), ["a", "b"], "b")[1] == [str(i) for i in range(7)]


REFUSED: dict[str, Any] = {
    "a column that is not there": (["a", "x"], "kind"),
    "text as a coordinate": (["a", "kind"], "kind"),
    "a constant": (["a", "c"], "kind"),
    "one class": (["a", "b"], "c"),
    "one coordinate": (["a"], "kind"),
    "no target": (["a", "b"], None),
    "odd names": ([["a"], {}], []),
    "no names": (None, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_columns_that_cannot_be_drawn_are_refused(case: str) -> None:
    columns, target = REFUSED[case]
    session = Session()
    found = session.handle({"do": "table", "text": CSV})
    assert found["rows"] == 30
    assert [column["numbers"] for column in found["columns"]] == [True, True, True, False]
    answer = session.handle({"do": "build", "settings": {"data": "table", "columns": columns, "target": target}})
    assert list(answer) == ["error"]
    assert " expects " in answer["error"]


@pytest.mark.parametrize("gap", ["", "NA"])
def test_a_gap_among_the_coordinates_is_refused(gap: str) -> None:
    session = Session()
    session.handle({"do": "table", "text": CSV.replace("\n4,4.5", f"\n{gap},4.5")})
    answer = session.handle({"do": "build", "settings": {"data": "table", "columns": ["a", "b"], "target": "kind"}})
    assert "column 'a'" in answer["error"]
