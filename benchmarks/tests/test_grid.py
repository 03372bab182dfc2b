"""The rows, their names, and the data that every contestant is given."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.grid import GRID, ROWS, VARIANTS, WIDTHS, Row, choose, make_model, make_problem
from benchmarks.peers.ours import Ours
from benchmarks.step import losses


def test_the_names_tell_the_rows_apart() -> None:
    assert len(ROWS) == len(GRID) + len(WIDTHS) + len(VARIANTS) == 16
    assert list(ROWS)[:4] == ["784-32-10x32", "784-128-10x32", "784-512-256-10x32", "784-512-256-10x128"]
    assert "20-64-64-1x64+regression" in ROWS
    assert "784-512-256-10x128+batch-norm" in ROWS


def test_rows_are_chosen_by_name_each_once() -> None:
    assert choose(["784-32-10×32", "784-32-10x32", " variants"]) == [GRID[0], *VARIANTS]
    assert choose(["all"]) == list(ROWS.values())
    with pytest.raises(ValueError, match="did you mean '784-32-10x32'"):
        choose(["784-32-10x33"])


@pytest.mark.parametrize("row", [Row((6, 5, 3), 8), Row((4, 3), 9, full_batch=True)])
def test_a_pass_is_an_epoch_or_as_many_steps_on_the_full_batch(row: Row) -> None:
    problem = make_problem(row)
    assert len(problem.x) == len(problem.y) == row.rows
    assert row.rows * row.epochs == row.batch * row.steps
    assert [part.stop - part.start for part in problem.batches] == [row.batch] * row.steps


@pytest.mark.parametrize("row", [Row((20, 8, 10), 16), Row((20, 8, 1), 16, loss="squared_error", dtype="float64")])
def test_a_problem_is_the_same_each_time_in_the_rows_dtype(row: Row) -> None:
    first, second = make_problem(row), make_problem(row)
    assert first.x.dtype == row.dtype
    for a, b in ((first.x, second.x), (first.y, second.y), (first.weights[0][0], second.weights[0][0])):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row", [ROWS["784-32-10x32"], ROWS["4-32-16-4x150"], ROWS["20-64-64-1x64+regression"]])
def test_there_is_something_to_learn(row: Row) -> None:
    """If the loss stayed where it was, losses would agree whatever is trained."""
    problem = make_problem(row)
    found = losses(Ours(problem), problem)
    assert found.in_order < 0.6 * found.start
    assert found.shuffled < 0.9 * found.in_order


def test_a_network_has_the_layers_of_its_row() -> None:
    kinds = [type(layer).__name__ for layer in make_model(Row((4, 3, 3, 2), 8, dropout=0.1, batch_norm=True)).layers]
    assert kinds == ["Linear", "BatchNorm", "ReLU", "Dropout"] * 2 + ["Linear"]
