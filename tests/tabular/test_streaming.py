"""Tables larger than memory: a fair sample decides, every row is learned from, and nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import databases
from chainrule.data import read_table
from chainrule.ops.fused import KERNELS
from chainrule.tabular import streaming
from chainrule.tabular.files import columnar

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
FEW = {"max_epochs": 3, "random_state": 0, "preset": "fast"}
ROWS = 3000


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is a stream, in blocks of 700 rows."""
    monkeypatch.setattr(streaming, "WHOLE", 0)
    monkeypatch.setattr(columnar, "BLOCK", 700)


@pytest.fixture
def small_sample(streams: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample has 600 rows."""
    monkeypatch.setattr(streaming, "ROWS", 600)
    monkeypatch.setattr(streaming, "LEAST", 600)


def flats() -> dict[str, Any]:
    """Sorted by town, so a part of the rows is not like the others."""
    rng = np.random.default_rng(0)
    size = rng.integers(20, 120, ROWS).astype(float)
    town = np.sort(rng.choice(["Bonn", "Kiel", "Ulm"], ROWS))
    rent = 9 * size + 200 * (town == "Bonn") + rng.normal(0, 10, ROWS)
    size[::50] = np.nan
    kind = np.where(rent > 700, "dear", "cheap")
    return {"size": arrow.array(size, from_pandas=True), "town": town, "rent": rent, "kind": kind}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "flats", flats())


def write(folder: Path, columns: dict[str, Any]) -> Path:
    """Three files of Parquet."""
    folder.mkdir(exist_ok=True)
    table = arrow.table(columns)
    for place in range(3):
        parquet.write_table(table.slice(place * ROWS // 3, ROWS // 3), folder / f"{place}.parquet")
    return folder


def whole(folder: Path, target: str) -> tuple[Any, Any]:
    frame = read_table(folder).frame
    return frame.drop(target), frame[target]


# --- as in memory ---------------------------------------------------------------------------------------------------


def test_small_files_are_learned_as_in_memory(folder: Path) -> None:
    model = cr.TabularRegressor(**FEW).fit(folder / "*.parquet", "rent")
    X, y = whole(folder, "rent")
    same = cr.TabularRegressor(**FEW).fit(X, y)
    assert np.array_equal(model.predict(X), same.predict(X))
    assert list(model.feature_names_in_) == ["size", "town", "kind"]


def at_url(folder: Path) -> str:
    """The same files in an object store."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in folder.iterdir():
        memory.pipe(f"{folder}/{path.name}", path.read_bytes())
    return f"memory:/{folder}/*.parquet"


def csv(folder: Path) -> Path:
    pytest.importorskip("pyarrow.csv").write_csv(read_table(folder).frame.to_arrow(), folder / "t.csv")
    return folder / "t.csv"


def cursor(folder: Path) -> Any:
    connection = databases.connected()
    read_table(folder).frame.to_pandas().to_sql("flats", connection, index=False)
    return connection.execute("select * from flats")


def relation(folder: Path) -> Any:
    return pytest.importorskip("duckdb").sql(f"from '{folder}/*.parquet' order by filename, file_row_number")


GIVEN: dict[str, Callable[[Path], Any]] = {
    "folder": lambda folder: folder,
    "list": lambda folder: sorted(map(str, folder.iterdir())),
    "csv": csv,
    "lazy": lambda folder: pytest.importorskip("polars").scan_parquet(folder / "*.parquet"),
    "dataset": lambda folder: pytest.importorskip("pyarrow.dataset").dataset(folder),
    "reader": lambda folder: read_table(folder).frame.to_arrow().to_reader(700),
    "URL": at_url,
    "cursor": cursor,
    "DuckDB": relation,
    "chunks of pandas": lambda folder: pytest.importorskip("pandas").read_csv(csv(folder), chunksize=700),
    "frames of polars": lambda folder: read_table(folder).frame.to_polars().iter_slices(700),
    "batches": lambda folder: iter(read_table(folder).frame.to_arrow().to_batches(700)),
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_sample_of_all_rows_decides_as_in_memory(streams: None, folder: Path, given: str) -> None:
    X, y = whole(folder, "rent")
    source = GIVEN[given](folder)
    model = cr.TabularRegressor(**FEW).fit(source, "rent")
    same = cr.TabularRegressor(**FEW).fit(X, y)
    assert model.encoder_.to_dict() == same.encoder_.to_dict()
    assert model.column_kinds_ == same.column_kinds_
    assert model.plan_ == same.plan_
    assert np.array_equal(model.low_, same.low_)
    assert np.array_equal(model.scale_, same.scale_)
    assert model.score(X, y) > 0.8


def test_a_stream_learns_as_well_as_memory_does(small_sample: None, folder: Path) -> None:
    settings = FEW | {"max_epochs": 20}
    model = cr.TabularRegressor(**settings).fit(folder, "rent")
    X, y = whole(folder, "rent")
    same = cr.TabularRegressor(**settings).fit(X, y)
    assert model.score(X, y) > same.score(X, y) - 0.01
    assert model.score(X, y) > 0.95


def test_the_same_seed_gives_the_same_bits(small_sample: None, folder: Path) -> None:
    first, second = (cr.TabularClassifier(**FEW).fit(folder, "kind") for _ in range(2))
    assert np.array_equal(first.model_.parameters.vector, second.model_.parameters.vector)


def test_predictions_of_a_stream_are_those_in_memory(small_sample: None, folder: Path, tmp_path: Path) -> None:
    model = cr.TabularClassifier(**FEW).fit(folder, "kind")
    X, _ = whole(folder, "kind")
    expected = model.predict_proba(X)
    found = model.predict_proba(folder)
    assert np.allclose(found, expected, rtol=1e-9, atol=0)
    assert KERNELS != "fused" or np.array_equal(found, expected)  # BLAS rounds a row by its place in its block
    cr.save(model, tmp_path / "model.safetensors")
    assert np.array_equal(cr.load(tmp_path / "model.safetensors").predict_proba(folder), found)


def test_validation_rows_may_be_a_file(small_sample: None, folder: Path) -> None:
    X, y = whole(folder, "rent")
    model = cr.TabularRegressor(**FEW).fit(folder, "rent", X_val=folder / "1.parquet", y_val="rent")
    same = cr.TabularRegressor(**FEW).fit(folder, "rent", X_val=X[1000:2000], y_val=y[1000:2000])
    assert model.validation_error_ == same.validation_error_ is not None


# --- all rows -------------------------------------------------------------------------------------------------------


def unseen(folder: Path) -> int:
    """Return a row that the sample does not have."""
    stored = streaming.open_table(write(folder / "flats", flats()), "rent")
    return int(np.setdiff1d(np.arange(ROWS), stored.places)[0])


def test_classes_are_those_of_all_rows(small_sample: None, tmp_path: Path) -> None:
    columns = flats()
    columns["kind"] = np.where(np.arange(ROWS) == unseen(tmp_path), "unique", columns["kind"])
    model = cr.TabularClassifier(**FEW).fit(write(tmp_path / "flats", columns), "kind")
    assert model.classes_.tolist() == ["cheap", "dear", "unique"]
    columns["kind"] = np.where(columns["rent"] > 700, 10, 9)
    model = cr.TabularClassifier(**FEW).fit(write(tmp_path / "flats", columns), "kind")
    assert model.classes_.tolist() == [9, 10]


def test_predictions_may_have_the_range_of_all_targets(small_sample: None, tmp_path: Path) -> None:
    columns = flats()
    columns["rent"][[77, 2222]] = -5000, 9000
    model = cr.TabularRegressor(**FEW).fit(write(tmp_path / "flats", columns), "rent")
    assert (model.low_[0], model.high_[0]) == (-5000, 9000)


def test_rows_without_a_target_or_of_weight_0_are_left_out(small_sample: None, tmp_path: Path) -> None:
    columns = flats()
    rent = columns["rent"].copy()
    columns["rent"][::3], columns["weight"] = 1e6, np.tile([0.0, 1.0, 2.0], ROWS // 3)
    X, _ = whole(write(tmp_path / "flats", columns), "rent")
    model = cr.TabularRegressor(**FEW).fit(tmp_path / "flats", "rent", sample_weight="weight")
    assert model.high_[0] < 2000
    assert "weight" not in model.feature_names_in_
    rent[::3] = np.nan
    with pytest.warns(UserWarning, match="1,000 rows without a value in column 'rent' are left out"):
        model = cr.TabularRegressor(**FEW).fit(write(tmp_path / "flats", flats() | {"rent": rent}), "rent")
    assert np.isfinite(model.predict(X)).all()


def test_balanced_classes_weigh_by_all_rows(small_sample: None, tmp_path: Path) -> None:
    columns = flats()
    columns["kind"] = np.where(np.arange(ROWS) % 10 == 3, "rare", "often")
    model = cr.TabularClassifier(class_weight="balanced", **FEW).fit(write(tmp_path / "flats", columns), "kind")
    stated = cr.TabularClassifier(class_weight={"rare": 5.0, "often": 5 / 9}, **FEW).fit(tmp_path / "flats", "kind")
    assert np.array_equal(model.model_.parameters.vector, stated.model_.parameters.vector)


def test_a_gap_that_the_sample_lacks_becomes_the_median_with_a_warning(small_sample: None, tmp_path: Path) -> None:
    columns = flats()
    gap = unseen(tmp_path)
    columns["floor"] = arrow.array([None if row == gap else float(row % 7) for row in range(ROWS)])
    write(tmp_path / "flats", columns)
    with pytest.warns(UserWarning, match="column 'floor' has missing values, but not in the sample of rows"):
        cr.TabularRegressor(**FEW).fit(tmp_path / "flats", "rent")


def test_every_row_is_as_likely_in_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 rows, 10 are drawn: from blocks of 7, each row in a quarter of 400 samples, a binomial of sd 8.7."""
    monkeypatch.setattr(streaming, "ROWS", 10)
    monkeypatch.setattr(streaming, "LEAST", 10)
    counts, table = np.zeros(40), arrow.table({"a": range(40)})
    for seed in range(400):
        sample = streaming.Sample()
        sample._rng = np.random.default_rng(seed)
        for start in range(0, 40, 7):
            sample.add(table.slice(start, 7))
        drawn, places = sample.drawn()
        assert drawn["a"].to_pylist() == places.tolist() == sorted(set(places.tolist()))
        counts[places] += 1
    assert counts.sum() == 4000
    assert np.abs(counts - 100).max() < 5 * 8.7


# --- refused --------------------------------------------------------------------------------------------------------


def refused(source: Any, target: Any = "rent", **settings: Any) -> str:
    with pytest.raises((ValueError, TypeError), match=r"^TabularRegressor expects ") as caught:
        cr.TabularRegressor(**FEW | settings).fit(source, target)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("form", "is_seen"), [("parquet", False), ("csv", False), ("csv", True)])
def test_a_value_that_contradicts_its_column_is_refused_with_file_and_row(
    small_sample: None, tmp_path: Path, form: str, is_seen: bool
) -> None:
    columns, row = flats(), unseen(tmp_path)
    if is_seen:
        row = int(streaming.open_table(tmp_path / "flats", "rent").places[100])
    size = ["" if value is None else str(value) for value in columns["size"].to_pylist()]
    columns["size"] = [*size[:row], "oak", *size[row + 1 :]]
    write(tmp_path / "flats", columns)
    file, place = tmp_path / f"flats/{row // 1000}.parquet", row % 1000
    if form == "csv":
        frame = read_table(tmp_path / "flats").frame.to_arrow()
        file, place = tmp_path / "t.csv", row
        pytest.importorskip("pyarrow.csv").write_csv(frame, file)
    said = refused(tmp_path / "flats" if form == "parquet" else file)
    assert "column 'size'" in said
    assert "'oak'" in said
    assert f"in row {place + 1:,}" in said or f"in row {place + 1} of" in said
    assert str(file) in said


def test_what_is_not_the_name_of_a_column_is_refused(folder: Path) -> None:
    assert "y to be the name of a column of X, got a value of type ndarray" in refused(folder, np.zeros(3))
    with pytest.raises(TypeError, match=r"y_val to be the name of a column of X, got .*; pass y_val="):
        cr.TabularRegressor(**FEW).fit(folder, "rent", X_val=folder)
    with pytest.raises(FileNotFoundError, match=r"^TabularRegressor expects files that match none/\*, got none"):
        cr.TabularRegressor(**FEW).fit("none/*", "rent")
    assert "got 'rant' (did you mean 'rent'?)" in refused(folder, "rant")
    with pytest.raises(ValueError, match="TabularClassifier expects at least two classes in y, got one class, 'Bonn'"):
        cr.TabularClassifier(**FEW).fit(folder / "0.parquet", "town")


def test_folds_need_memory(streams: None, folder: Path) -> None:
    assert "n_folds=1 for a table larger than memory, got 3" in refused(folder, n_folds=3)
    assert cr.TabularRegressor(max_epochs=1, preset="best").fit(folder, "rent").plan_["n_folds"] == 1


def test_more_classes_than_can_be_counted_are_refused(
    streams: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_CLASSES", 2)
    with pytest.raises(ValueError, match=r"^TabularClassifier expects at most 2 classes in column 'town', got more"):
        cr.TabularClassifier(**FEW).fit(folder, "town")


def test_scores_of_files_are_those_in_memory(small_sample: None, folder: Path) -> None:
    X, y = whole(folder, "rent")
    model = cr.TabularRegressor(**FEW).fit(X, y)
    assert model.score(folder, "rent") == pytest.approx(model.score(X, y), rel=1e-9)
    X, y = whole(folder, "kind")
    classifier = cr.TabularClassifier(**FEW).fit(X, y)
    assert classifier.score(iter([read_table(folder).frame]), "kind") == classifier.score(X, y)


@pytest.mark.filterwarnings("error")
def test_a_lazyframe_is_predicted_without_a_warning(folder: Path) -> None:
    model = cr.TabularRegressor(**FEW).fit(folder, "rent")
    assert np.array_equal(model.predict(GIVEN["lazy"](folder)), model.predict(folder))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "rows, got none"),
        ([{"rent": [1]}, {"size": [1]}], "tables like the first, got .*'size'.*; state the types"),
        ([{"rent": [1]}, {"rent": [1.5]}], "tables like the first, got .*; state the types"),
        ([5], "tables like the first, got "),
    ],
)
def test_an_iterator_of_other_tables_is_refused(parts: list[Any], says: str) -> None:
    assert re.search(says, refused(iter(parts)))


def test_what_no_url_has_is_refused() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(FileNotFoundError, match=r"^TabularRegressor expects files that match .*, got none"):
        cr.TabularRegressor().fit("memory://none/*.parquet", "rent")
    with pytest.raises(ValueError, match=r"^read_table expects to read nowhere://a, got "):
        read_table("nowhere://a")


def test_files_that_change_under_way_are_refused(streams: None, folder: Path) -> None:
    stored = streaming.open_table(folder, "rent")
    parquet.write_table(parquet.read_table(folder / "2.parquet").slice(1), folder / "2.parquet")
    assert f"no changes while it is read of {folder}" in refused(stored)


def test_a_column_that_a_file_lacks_is_refused(streams: None, folder: Path) -> None:
    parquet.write_table(parquet.read_table(folder / "2.parquet").drop_columns(["size"]), folder / "2.parquet")
    assert f"{folder / '2.parquet'} without it" in refused(folder)


def test_new_rows_that_do_not_fit_are_refused_with_file_and_row(folder: Path) -> None:
    model = cr.TabularRegressor(**FEW).fit(folder, "rent")
    table = parquet.read_table(folder / "1.parquet")
    words = ["oak" if row == 7 else "3" for row in range(table.num_rows)]
    parquet.write_table(table.set_column(0, "size", arrow.array(words)), folder / "1.parquet")
    with pytest.raises(ValueError, match=f"^TabularRegressor expects .*'oak' in row 8 of {folder}/1.parquet"):
        model.predict(folder / "1.parquet")
    parquet.write_table(table.drop_columns(["size"]), folder / "1.parquet")
    with pytest.raises(ValueError, match=r"^TabularRegressor expects .*'size'"):
        model.predict(folder / "1.parquet")


def test_a_name_that_is_not_utf_8_and_a_folder_named_like_a_file(streams: None, folder: Path) -> None:
    (folder / "old.parquet").mkdir()
    cr.TabularRegressor(**FEW).fit(folder, "rent")
    try:
        (folder / "2.parquet").rename(folder / os.fsdecode(b"\xff.parquet"))
    except OSError:
        pytest.skip("names are text here")
    assert f"a whole file in {folder}, got 'utf-8' codec can't" in refused(folder)


def test_a_file_that_vanishes_under_way_is_refused(streams: None, folder: Path) -> None:
    stored = streaming.open_table(folder, "rent")
    (folder / "0.parquet").unlink()
    assert f"{folder}" in refused(stored)


FULL = """
import resource, signal, sys, warnings
import chainrule as cr
from chainrule.tabular import streaming

streaming.WHOLE, streaming.ROWS, streaming.LEAST = 0, 600, 600
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a disk that is full: writing fails
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    cr.TabularRegressor(max_epochs=1, random_state=0).fit(sys.argv[1], "rent")
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
def test_a_disk_too_small_for_the_encoded_rows(folder: Path) -> None:
    found = subprocess.run([sys.executable, "-c", FULL, folder], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("stream expects room for a copy of the rows in ")
    assert "; set the environment variable TMPDIR" in found.stdout
    assert found.stderr == ""
