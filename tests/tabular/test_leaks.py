"""Columns that give the target away by a line."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.tabular.kinds import understand
from chainrule.tabular.leaks import find_leaks

RNG = np.random.default_rng(0)
A, B, NOISE = RNG.normal(size=(3, 500))


def leaks(table: dict[str, object], target: str = "y") -> list[tuple[str, ...]]:
    return [leak.columns for leak in find_leaks(table, understand(table, target=target))]


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (3 * A - 7, [("a",)]),
        (A + 2 * B, [("a", "b")]),
        (1e9 + A, [("a",)]),
        (A + 0.01 * NOISE, [("a",)]),
        (A + 0.2 * NOISE, []),
        (A * B, []),
        (NOISE, []),
    ],
)
def test_one_or_two_columns(y, found: list[tuple[str, ...]]) -> None:
    assert leaks({"a": A, "b": B, "y": y}) == found


def test_two_columns_that_are_nearly_the_same_are_no_leak() -> None:
    assert leaks({"a": A, "b": A + 1e-12 * B, "y": A + NOISE}) == []


def test_gaps_words_and_constants_do_no_harm() -> None:
    x = A.copy()
    x[::10] = np.nan
    words = np.where(A > 0, "yes", "no")
    table = {"a": x, "word": words, "one": np.ones(500), "big": A * 1e300, "y": np.where(A > 0, 1.5, 2.5)}
    assert leaks(table) == [("word",)]
    table["y"] = NOISE
    assert leaks(table) == []


def test_without_a_target_there_is_no_leak() -> None:
    table = {"a": A, "b": A}
    assert find_leaks(table, understand(table)) == []


def test_a_leak_is_a_sentence() -> None:
    table = {"a": A, "b": B, "y": A - B}
    (leak,) = find_leaks(table, understand(table, target="y"))
    assert str(leak).startswith("'a' and 'b' give the target 'y' (R² 1.0")
