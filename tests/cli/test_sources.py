"""Rows of tables and named sets, divided fairly: each in one part, classes alike, groups whole, times in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.cli import images
from chainrule.cli.reading import Source, resolve
from chainrule.cli.targets import divide

FRACTIONS = {"test": 0.2, "validation": 0.25, "seed": 0}


@pytest.mark.parametrize("labels", [None, np.arange(200) % 3])
def test_every_row_is_in_one_part(labels: np.ndarray | None) -> None:
    parts = divide(labels, 200, **FRACTIONS)
    assert [len(part) for part in parts] == [120, 40, 40]
    assert sorted(np.concatenate(parts)) == list(range(200))


def test_every_class_keeps_its_share() -> None:
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    for part in divide(labels, 200, **FRACTIONS):
        np.testing.assert_allclose(np.bincount(labels[part]) / len(part), [0.5, 0.3, 0.2], atol=0.03)


def test_every_class_trains_however_few_rows_it_has() -> None:
    labels = np.concatenate([np.zeros(50, int), np.arange(1, 20)])
    for seed in range(20):
        parts = divide(labels, len(labels), test=0.2, validation=0.2, seed=seed)
        assert set(labels[parts.train]) == set(range(20))
        assert sorted(np.concatenate(parts)) == list(range(len(labels)))


def test_a_seed_divides_in_its_own_way() -> None:
    first, again, other = (divide(None, 100, test=0.2, validation=0, seed=seed) for seed in (0, 0, 1))
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    assert not len(first.validation)


@pytest.mark.parametrize("count", [3, 4, 10, 100])
@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_groups_stay_whole(count: int, validation: float) -> None:
    rng = np.random.default_rng(count)
    groups = np.concatenate([np.arange(count), rng.integers(0, count, 500)])
    for seed in range(5):
        parts = divide(None, len(groups), test=0.2, validation=validation, seed=seed, groups=groups)
        held = [set(groups[part]) for part in parts]
        assert sum(map(len, held)) == count == len(set.union(*held))
        assert held[0]
        assert held[2]
        assert bool(held[1]) == bool(validation)
        if count == 100:
            np.testing.assert_allclose(len(parts.test) / len(groups), 0.2, atol=0.02)


def test_times_are_in_order_and_equal_ones_in_one_part() -> None:
    times = np.random.default_rng(0).integers(0, 40, 300)
    train, validation, test = divide(np.arange(300) % 2, 300, **FRACTIONS, times=times)
    assert times[train].max() < times[validation].min()
    assert times[validation].max() < times[test].min()
    np.testing.assert_allclose([len(validation) / 300, len(test) / 300], 0.2, atol=0.04)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"groups": np.zeros(10, int)}, "at least 3 groups for --group, got 1"),
        ({"groups": np.arange(10) % 2}, "at least 3 groups for --group, got 2"),
        ({"times": np.zeros(10)}, "different times for --time"),
    ],
)
def test_rows_that_cannot_be_divided_are_refused(options: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        divide(None, 10, **FRACTIONS, **options)


def test_a_named_set_keeps_its_own_test_part() -> None:
    pytest.importorskip("sklearn")
    from chainrule.cli import make_parser

    def prepared(*words: str) -> images.Images:
        args = make_parser().parse_args(["train", "digits", "--seed", "0", *words])
        return images.prepare(args, Source("digits", is_table=False))

    with_validation, without = prepared("--validation", "0.1"), prepared("--validation", "0", "--seed", "1")
    assert with_validation.test[0].tobytes() == without.test[0].tobytes()
    assert with_validation.data["rows"] == {"training": 1294, "validation": 144, "test": 359}
    assert without.validation is None
    assert without.data["rows"]["training"] == 1438
    assert with_validation.facts.inputs == 64


def test_an_existing_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not resolve("train", "digits").is_table
    Path("digits").mkdir()  # a folder is no table
    assert not resolve("train", "digits").is_table
    Path("mnist").touch()
    assert resolve("train", "mnist") == Source("mnist", is_table=True, file=Path("mnist"))
    assert resolve("train", "-").name == "standard input"
    Path("shop.db").touch()
    for table in ("orders", "SELECT " + ", ".join(f"price_of_article_{i}" for i in range(50)) + " FROM orders"):
        assert resolve("train", f"shop.db::{table}").file == Path("shop.db")
