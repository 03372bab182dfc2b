"""Rows from tables and named sets: divided fairly, and encoded by what the training rows alone say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.sources import named_problem, resolve, table_problem

DEFAULTS = {"target": None, "task": None, "columns": None, "text": (), "header": None}
DIVIDED = {"test": 0.2, "validation": 0.1, "seed": 0}


def test_only_the_training_rows_are_standardized_to_mean_0(prices: Path) -> None:
    problem = table_problem(prices, **DEFAULTS | {"target": "price"}, **DIVIDED)
    assert problem.validation is not None
    for part in (0, 1):
        np.testing.assert_allclose(problem.train[part].mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(problem.train[part].std(axis=0), 1, atol=1e-6)
        assert np.abs(problem.test[part].mean(axis=0)).max() > 1e-3
        assert np.abs(problem.validation[part].mean(axis=0)).max() > 1e-3


def test_every_row_is_in_one_part(prices: Path) -> None:
    problem = table_problem(prices, **DEFAULTS | {"target": "price"}, **DIVIDED)
    parts = [problem.train, problem.validation, problem.test]
    rows = np.concatenate([np.column_stack(part) for part in parts if part is not None])
    assert len(rows) == 200
    assert len(np.unique(rows, axis=0)) == 200


def test_every_class_keeps_its_share(flowers: Path) -> None:
    problem = table_problem(flowers, **DEFAULTS, **DIVIDED)
    assert problem.validation is not None
    shares = [
        np.bincount(part[1], minlength=3) / len(part[1]) for part in (problem.train, problem.validation, problem.test)
    ]
    np.testing.assert_allclose(shares[1], shares[0], atol=0.1)
    np.testing.assert_allclose(shares[2], shares[0], atol=0.05)


def test_a_seed_divides_in_its_own_way(flowers: Path) -> None:
    first, again, other = (table_problem(flowers, **DEFAULTS, **DIVIDED | {"seed": seed}) for seed in (0, 0, 1))
    assert first.test[0].tobytes() == again.test[0].tobytes()
    assert first.test[0].tobytes() != other.test[0].tobytes()


def test_a_named_set_keeps_its_own_test_part() -> None:
    pytest.importorskip("sklearn")
    problems = [named_problem("digits", validation=fraction, seed=seed) for fraction, seed in ((0.1, 0), (0.0, 1))]
    assert problems[0].test[0].tobytes() == problems[1].test[0].tobytes()
    assert problems[0].validation is not None
    assert [len(problems[0].train[0]), len(problems[0].validation[0]), len(problems[0].test[0])] == [1294, 144, 359]
    assert problems[1].validation is None
    assert len(problems[1].train[0]) == 1438
    assert problems[0].facts.inputs == 64


def test_an_existing_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("train", "digits") == "digits"
    Path("digits").mkdir()  # a folder is no table
    assert resolve("train", "digits") == "digits"
    Path("mnist").touch()
    assert resolve("train", "mnist") == Path("mnist")
