"""The eleven real tables, as they come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chainrule.tabular.reading import read_table

from .written import kinds

#: rows, and how many columns are integers, decimals and text
TABLES = {
    "abalone/abalone.csv": (4177, 1, 7, 1),
    "adult/adult-train.csv": (32561, 6, 0, 9),
    "adult/adult-test.csv": (16281, 6, 0, 9),
    "ames/AmesHousing.csv": (2930, 37, 0, 45),
    "bike-sharing/hour.csv": (17379, 12, 4, 1),
    "california-housing/housing.csv": (20640, 0, 9, 1),
    "diamonds/diamonds.csv": (53940, 1, 6, 3),
    "higgs-lgb/binary.train": (7000, 1, 28, 0),
    "higgs-lgb/binary.test": (500, 1, 28, 0),
    "letter/letter-recognition.data": (20000, 16, 0, 1),
    "magic/magic.tsv.gz": (19020, 1, 10, 0),
    "power-plant/data.txt": (9568, 0, 5, 0),
    "wine-quality/winequality-red.csv": (1599, 1, 11, 0),
    "wine-quality/winequality-white.csv": (4898, 1, 11, 0),
}
HEADLESS = ("abalone", "adult", "higgs", "power", "wine")


@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_is_read_as_it_comes(data_dir: Path, name: str) -> None:
    if not (data_dir / name).is_file():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    table = read_table(data_dir / name)
    rows, integers, decimals, texts = TABLES[name]
    counts = Counter(kinds(table).values())
    assert len(table.frame) == rows
    assert (counts["Int64"], counts["Float64"], counts["String"]) == (integers, decimals, texts)
    assert table.frame.columns[0].startswith("c0") == name.startswith(HEADLESS)


def test_words_for_no_value_in_text_are_left_as_they_are(data_dir: Path) -> None:
    if not (data_dir / "ames").is_dir():
        pytest.skip("the folder named by CHAINRULE_DATA holds no ames")
    frame = read_table(data_dir / "ames" / "AmesHousing.csv").frame
    assert set(frame["Alley"].to_list()) == {"NA", "Grvl", "Pave"}
    assert frame["Lot Frontage"].null_count() == 490
    assert frame["MS SubClass"].to_list()[:2] == ["020", "020"]
