"""Real tables train as they come, with no option but the target, and the raw file without it is predicted."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROWS = 400
#: File, target (None: the last column), its place in a row, and what sets off the cells.
TABLES: dict[str, tuple[str, str | None, int, str | None]] = {
    "adult": ("adult/adult-train.csv", None, -1, ","),
    "letter": ("letter/letter-recognition.data", "Letter", 0, ","),
    "higgs": ("higgs-lgb/binary.train", "c0", 0, "\t"),
    "magic": ("magic/magic.tsv.gz", None, -1, "\t"),
    "housing": ("california-housing/housing.csv", "median_house_value", 8, ","),
    "diamonds": ("diamonds/diamonds.csv", "price", 6, ","),
    "power": ("power-plant/data.txt", None, -1, None),
    "bike": ("bike-sharing/hour.csv", None, -1, ","),
    "ames": ("ames/AmesHousing.csv", None, -1, ","),
    "abalone": ("abalone/abalone.csv", None, -1, ","),
    "wine red": ("wine-quality/winequality-red.csv", None, -1, ","),
    "wine white": ("wine-quality/winequality-white.csv", None, -1, ","),
}
HEADLESS = {"adult", "higgs", "power", "abalone", "wine red", "wine white"}


def some_lines(path: Path, name: str) -> list[str]:
    """The header, and rows from all over the file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        header = [] if name in HEADLESS else [next(file)]
        rows = file.readlines()
    return header + rows[:: max(len(rows) // ROWS, 1)][:ROWS]


def without(line: str, place: int, mark: str | None) -> str:
    """A line without one of its cells."""
    cells = line.split() if mark is None else next(csv.reader([line.strip("\r\n\ufeff")], delimiter=mark))
    del cells[place]
    text = io.StringIO()
    csv.writer(text, delimiter=mark or " ", lineterminator="\n").writerow(cells)
    return text.getvalue()


@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_trains_and_predicts_as_it_comes(
    shell, data_dir: Path, tmp_path: Path, name: str, without_pictures: None
) -> None:
    file, target, place, mark = TABLES[name]
    lines = some_lines(data_dir / file, name)
    table, raw = tmp_path / Path(file).name.removesuffix(".gz"), tmp_path / f"raw-{Path(file).name}".removesuffix(".gz")
    table.write_text("".join(lines), encoding="utf-8")
    raw.write_text("".join(without(line, place, mark) for line in lines), encoding="utf-8")
    options = [] if target is None else ["--target", target]
    answer = shell("train", table, *options, "--time-limit", 1, "--quiet", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "to overrule: " in answer.out
    assert ("give the target 'cnt'" in answer.err) == (name == "bike")
    whole, bare = (shell("predict", tmp_path / "out", path) for path in (table, raw))
    assert (whole.code, bare.code) == (0, 0), bare.err
    assert bare.out == whole.out
    assert len(bare.out.splitlines()) == len(lines) + (name in HEADLESS)
    assert shell("evaluate", tmp_path / "out", table).code == 0
    assert shell("report", tmp_path / "out").code == 0
