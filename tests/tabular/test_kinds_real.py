"""The eleven real tables, understood as a reader of their descriptions would."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chainrule.tabular.kinds import Kinds, understand
from chainrule.tabular.leaks import find_leaks
from chainrule.tabular.reading import Table, read_table

#: file, target, how many inputs of each kind, and what is no number among them
TABLES: dict[str, tuple[str, dict[str, int]]] = {
    "abalone/abalone.csv": ("c8", {"number": 7, "category": 1}),
    "adult/adult-train.csv": ("c14", {"number": 6, "category": 8}),
    "adult/adult-test.csv": ("c14", {"number": 6, "category": 8}),
    "ames/AmesHousing.csv": ("SalePrice", {"number": 35, "category": 43, "flag": 1}),
    "bike-sharing/hour.csv": ("cnt", {"number": 11, "flag": 3, "date": 1}),
    "california-housing/housing.csv": ("median_house_value", {"number": 8, "category": 1}),
    "diamonds/diamonds.csv": ("price", {"number": 6, "category": 3}),
    "higgs-lgb/binary.train": ("c0", {"number": 28}),
    "letter/letter-recognition.data": ("Letter", {"number": 16}),
    "magic/magic.tsv.gz": ("target", {"number": 10}),
    "power-plant/data.txt": ("c4", {"number": 4}),
    "wine-quality/winequality-red.csv": ("c11", {"number": 11}),
}
CLASSES = {"adult": 2, "higgs-lgb": 2, "letter": 26, "magic": 2, "wine-quality": 6}


def understood(folder: Path, name: str) -> tuple[Table, Kinds]:
    if not (folder / name).is_file():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    table = read_table(folder / name)
    return table, understand(table, target=TABLES[name][0])


@pytest.mark.parametrize("name", TABLES)
def test_the_inputs_of_a_real_table(data_dir: Path, name: str) -> None:
    _, found = understood(data_dir, name)
    assert Counter(kind.kind for kind in found if kind.is_input) == TABLES[name][1]


@pytest.mark.parametrize("name", TABLES)
def test_the_target_of_a_real_table(data_dir: Path, name: str) -> None:
    _, found = understood(data_dir, name)
    (target,) = [kind for kind in found if kind.is_target]
    classes = CLASSES.get(name.split("/")[0])
    assert target.kind == ("number" if classes is None else "category")
    assert classes in (None, target.distinct)


def test_ames_is_understood_as_its_description_says(data_dir: Path) -> None:
    table, found = understood(data_dir, "ames/AmesHousing.csv")
    assert [kind.name for kind in found if kind.kind == "id"] == ["Order", "PID"]
    assert (found.of("MS SubClass").kind, found.of("Central Air").kind) == ("category", "flag")
    assert (found.of("Alley").missing, found.of("Lot Frontage").missing) == (2732, 490)
    assert find_leaks(table, found) == []


def test_the_sum_of_two_columns_is_a_leak_in_bike_sharing(data_dir: Path) -> None:
    table, found = understood(data_dir, "bike-sharing/hour.csv")
    (leak,) = find_leaks(table, found)
    assert leak.columns == ("casual", "registered")
    assert found.of("instant").kind == "id"
    assert found.of("dteday").kind == "date"
    without = understand(table, {"casual": "drop", "registered": "drop"}, "cnt")
    assert find_leaks(table, without) == []


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"bike-sharing/hour.csv"}))
def test_no_other_table_leaks(data_dir: Path, name: str) -> None:
    assert find_leaks(*understood(data_dir, name)) == []
