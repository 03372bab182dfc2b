"""Tables larger than memory in the shell: trained, predicted and reported as others are, or refused in one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainrule.tabular import streaming

from .conftest import Answer, Shell

ROWS, FILES = 1500, 3


@pytest.fixture(autouse=True)
def streams(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every table is a stream with a sample of 500 rows, and this folder the present one."""
    for name, value in {"WHOLE": 0, "ROWS": 500, "LEAST": 500}.items():
        monkeypatch.setattr(streaming, name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def flats(tmp_path: Path) -> Path:
    """Three files of text."""
    rng = np.random.default_rng(0)
    (tmp_path / "flats").mkdir()
    for place in range(FILES):
        lines = ["id,size,town,weight,rent"]
        for row in range(ROWS // FILES):
            size, town = rng.integers(20, 120), rng.choice(["Ulm", "Bonn"])
            lines.append(f"F{place}{row:03},{size},{town},{1 + row % 2},{9 * size + 200 * (town == 'Bonn')}.5")
        (tmp_path / f"flats/{place}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "flats"


def trained(shell: Shell, source: str = "flats/*.csv", *more: str) -> Answer:
    return shell("train", source, "--target", "rent", "--epochs", "2", "--preset", "fast", "--quiet", *more)


def test_a_pattern_is_trained_and_predicted_and_reported(shell: Shell, flats: Path) -> None:
    answer = trained(shell, "flats/*.csv", "--sample-weight", "weight")
    assert answer.code == 0, answer.err
    assert "note: read in parts: a random sample of 500 of 1,500 rows decides about the columns" in answer.err
    assert "1,500 rows: 1,400 training, 100 test" in answer.out
    assert shell("predict", "flats-model", "flats/*.csv", "--keep", "id", "--out", "said.csv").code == 0
    with Path("said.csv").open(encoding="utf-8") as file:
        said = list(csv.DictReader(file))
    assert [row["id"] for row in said] == [f"F{place}{row:03}" for place in range(3) for row in range(500)]
    parts = [shell("predict", "flats-model", flats / f"{place}.csv").out.splitlines()[1:] for place in range(3)]
    assert [row["prediction"] for row in said] == [line for part in parts for line in part]
    assert shell("report", "flats-model").code == 0
    rows = json.loads(Path("flats-model/run.json").read_text(encoding="utf-8"))["data"]["rows"]
    assert rows == {"training": 1400, "test": 100}


def test_a_run_is_repeated_bit_for_bit(shell: Shell, flats: Path) -> None:
    assert trained(shell).code == 0
    answer = shell("train", "--repeat", "flats-model", "--quiet")
    assert answer.code == 0
    assert "bit-identical to the earlier run" in answer.out


def test_classes_are_those_of_all_rows(shell: Shell, flats: Path) -> None:
    with (flats / "2.csv").open("a", encoding="utf-8") as file:
        file.write("F9,50,Kiel,1,650.5\n")
    answer = shell("train", "flats/*.csv", "--target", "town", "--epochs", "2", "--preset", "fast", "--quiet")
    assert answer.code == 0, answer.err
    said = shell("predict", "flats-model", flats / "0.csv", "--probabilities").out
    assert said.startswith("prediction,probability_Bonn,probability_Kiel,probability_Ulm\n")


def test_a_url_is_trained_and_predicted(shell: Shell, flats: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    csv = pytest.importorskip("pyarrow.csv")
    parquet = pytest.importorskip("pyarrow.parquet")
    for path in sorted(flats.iterdir()):
        with memory.open(f"/flats/{path.stem}.parquet", "wb") as file:
            parquet.write_table(csv.read_csv(path), file)
    assert trained(shell, "memory://flats/*.parquet").code == 0
    said = shell("predict", "flats-model", "memory://flats/*.parquet")
    assert len(said.out.splitlines()) == 1 + ROWS


def test_groups_and_times_are_divided_by_the_whole_table(shell: Shell, flats: Path) -> None:
    answer = trained(shell, "flats/*.csv", "--group", "town", "--validation", "0")
    assert answer.code == 0, answer.err
    assert "random sample" not in answer.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("F9,oak,Ulm,1,3.5", "numbers in column 'size' of flats/2.csv, got 'oak' in row 501"),
        ("F9,3,Ulm,1,oak", "numbers in column 'rent' of flats/2.csv, got 'oak' in row 501"),
        ("F9,3,Ulm,1", "5 cells on each line of flats/2.csv, got 4 on line 502"),
    ],
)
def test_a_line_that_contradicts_the_others_is_refused(
    refuses: Callable[..., str], flats: Path, line: str, says: str
) -> None:
    with (flats / "2.csv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    assert says in refuses("train", "flats/*.csv", "--target", "rent", "--quiet")
    assert not Path("flats-model/model.safetensors").exists()


def test_what_cannot_be_read_is_refused(refuses: Callable[..., str], flats: Path) -> None:
    assert "files that match none/*.csv, got none" in refuses("train", "none/*.csv")
    (flats / "1.csv").write_text("id,size\n1,2\n3,4\n", encoding="utf-8")
    assert "the column 'town' of flats/0.csv in all files of flats/*.csv" in refuses("train", "flats/*.csv")
    assert "--out DIR for a pattern" in refuses("train", "*.csv")
    assert not Path("flats-model").exists()


def test_a_prediction_that_fails_late_leaves_no_file(shell: Shell, refuses: Callable[..., str], flats: Path) -> None:
    assert trained(shell).code == 0
    with (flats / "2.csv").open("a", encoding="utf-8") as file:
        file.write("F9,oak,Ulm,1,3.5\n")
    said = refuses("predict", "flats-model", "flats/*.csv", "--out", "said.csv")
    assert "'oak' in row 501" in said
    assert sorted(path.name for path in Path().iterdir()) == ["flats", "flats-model"]
