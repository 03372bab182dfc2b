"""Whatever holds rows on disk is a source of the same rows."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import databases
from chainrule.data.streams import Source

ROWS = 5000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 3)).astype(np.float32)
Y = RNG.integers(0, 4, ROWS)
WEIGHT = RNG.random(ROWS).astype(np.float32)


def whole(source: Source) -> list[np.ndarray]:
    """All rows, read in parts."""
    parts = []
    for group, rows in enumerate(source.lengths.tolist()):
        half = rows // 2
        parts += [source.read(group, 0, half)] * (half > 0) + [source.read(group, half, rows)]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def table() -> Any:
    arrow = pytest.importorskip("pyarrow")
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y, "w": WEIGHT}
    return arrow.table({name: np.ascontiguousarray(column) for name, column in columns.items()})


def npy(folder: Path) -> Source:
    for name, array in (("x", X), ("y", Y), ("w", WEIGHT)):
        np.save(folder / f"{name}.npy", array)
    return cr.data.stream(str(folder / "x.npy"), folder / "y.npy", folder / "w.npy")


def maps(folder: Path) -> Source:
    npy(folder)
    return cr.data.stream(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in "xyw"))


def hdf5(folder: Path) -> Source:
    h5py = pytest.importorskip("h5py")
    file = h5py.File(folder / "rows.h5", "w")
    file.create_dataset("x", data=X, chunks=(700, 3), compression="gzip")
    return cr.data.stream(file["x"], file.create_dataset("y", data=Y), file.create_dataset("w", data=WEIGHT))


def zarr(folder: Path) -> Source:
    module = pytest.importorskip("zarr")
    group = module.open_group(str(folder / "rows.zarr"), mode="w")
    for name, array in (("x", X), ("y", Y), ("w", WEIGHT)):
        made = group.create_array(name, shape=array.shape, dtype=array.dtype, chunks=(700, *array.shape[1:]))
        made[:] = array
    return cr.data.stream(group["x"], group["y"], group["w"])


def parquet(folder: Path) -> Path:
    from pyarrow.parquet import write_table

    (folder / "parts").mkdir()
    write_table(table().slice(0, 2000), folder / "parts" / "1.parquet", row_group_size=900)
    write_table(table().slice(2000), folder / "parts" / "2.parquet")
    return folder / "parts"


def arrow_files(folder: Path) -> Source:
    rows = table()
    arrow = pytest.importorskip("pyarrow")
    with arrow.OSFile(str(folder / "rows.arrow"), "wb") as file, arrow.ipc.new_file(file, rows.schema) as writer:
        for batch in rows.to_batches(max_chunksize=900):
            writer.write_batch(batch)
    return of_table(folder / "rows.arrow")


def of_table(x: Any) -> Source:
    return cr.data.stream(x, target="y", sample_weight="w")


def csv(folder: Path) -> Source:
    pandas = pytest.importorskip("pandas")
    table().to_pandas().to_csv(folder / "rows.csv", index=False)
    return of_table(pandas.read_csv(folder / "rows.csv", chunksize=600))


def sql(folder: Path) -> Source:
    connection = databases.connected(folder / "rows.db")
    connection.execute("create table rows (a, b, c, y, w)")
    rows = zip(*X.T.tolist(), Y.tolist(), WEIGHT.tolist(), strict=True)
    connection.executemany("insert into rows values (?, ?, ?, ?, ?)", rows)
    return of_table(connection.execute("select * from rows"))


def duckdb(folder: Path) -> Source:
    module = pytest.importorskip("duckdb")
    path = parquet(folder)
    return of_table(module.connect().sql(f"from '{path}/*.parquet' order by filename, file_row_number"))


def duckdb_connection(folder: Path) -> Source:
    connection = pytest.importorskip("duckdb").connect()
    return of_table(connection.execute(f"from '{parquet(folder)}/*.parquet' order by filename, file_row_number"))


def lazy(folder: Path) -> Source:
    frame = pytest.importorskip("polars").scan_parquet(parquet(folder))
    if not hasattr(frame, "collect_batches"):
        pytest.skip("this polars collects no batches")
    return of_table(frame)


def batches(folder: Path) -> Source:
    return cr.data.stream((X[i : i + 600], Y[i : i + 600], WEIGHT[i : i + 600]) for i in range(0, ROWS, 600))


def fsspec(folder: Path) -> Source:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in parquet(folder).iterdir():
        memory.pipe(f"/parts/{path.name}", path.read_bytes())
    return of_table("memory://parts/*.parquet")


SOURCES: dict[str, Callable[[Path], Source]] = {
    "arrays": lambda folder: cr.data.stream(X, Y, WEIGHT),
    ".npy files": npy,
    "memory maps": maps,
    "HDF5": hdf5,
    "Zarr": zarr,
    "a Parquet file": lambda folder: of_table(sorted(map(str, parquet(folder).iterdir()))),
    "a folder": lambda folder: of_table(parquet(folder)),
    "a pattern": lambda folder: of_table(f"{parquet(folder)}/*.parquet"),
    "a URL": fsspec,
    "Arrow IPC": arrow_files,
    "an Arrow table": lambda folder: of_table(table()),
    "record batches": lambda folder: of_table(iter(table().to_batches(max_chunksize=600))),
    "CSV in chunks": csv,
    "a polars LazyFrame": lazy,
    "a DuckDB relation": duckdb,
    "a DuckDB connection": duckdb_connection,
    "an SQL cursor": sql,
    "a generator": batches,
    "a source": lambda folder: cr.data.stream(cr.data.stream(X, Y, WEIGHT)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_rows_come_back_in_their_order(name, tmp_path):
    x, y, weight = whole(SOURCES[name](tmp_path))
    np.testing.assert_allclose(x, X, rtol=1e-6)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_allclose(weight, WEIGHT, rtol=1e-6)


@pytest.mark.parametrize("name", SOURCES)
def test_a_network_trains_on_them(name, tmp_path):
    source = SOURCES[name](tmp_path)
    trainer = cr.Trainer(cr.MLP([3, 4], rng=0), "cross_entropy", batch_size=100)
    assert len(trainer.fit(source, validation=source, epochs=1, verbose=0)) == 1
    assert trainer.step == 50


@pytest.mark.parametrize("name", SOURCES)
def test_a_network_predicts_them_in_their_order(name, tmp_path):
    model = cr.MLP([3, 8, 4], rng=0)
    np.testing.assert_allclose(model.predict(SOURCES[name](tmp_path)), model.predict(X), rtol=1e-4, atol=1e-6)


def test_rows_to_predict_need_no_target(tmp_path):
    model = cr.MLP([2, 4], rng=0)
    source = cr.data.stream(parquet(tmp_path), columns=["c", "b"])
    np.testing.assert_allclose(model.predict(source), model.predict(X[:, [2, 1]]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [".npy files", "a folder", "Arrow IPC", "a URL"])
def test_files_are_read_by_another_process(name, tmp_path):
    source = SOURCES[name](tmp_path)
    np.testing.assert_array_equal(whole(pickle.loads(pickle.dumps(source)))[0], whole(source)[0])


def test_groups_are_small_and_whole_chunks(tmp_path):
    rows = np.zeros((3000, 1000), np.float32)
    assert cr.data.stream(rows, rows[:, 0]).lengths.max() * 4004 <= 2**18
    assert hdf5(tmp_path).lengths.tolist() == [ROWS]
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "chunks.h5", "w") as file:
        chunked = file.create_dataset("x", data=rows, chunks=(300, 1000))
        assert cr.data.stream(chunked, rows[:, 0]).lengths.tolist() == [300] * 10


def test_folders_give_a_column(tmp_path):
    arrow = pytest.importorskip("pyarrow.dataset")
    rows = table()
    by = arrow.partitioning(rows.select(["y"]).schema, flavor="hive")
    arrow.write_dataset(rows, tmp_path / "parts", format="parquet", partitioning=by)
    for path in (tmp_path / "parts", f"{tmp_path}/parts/**/*.parquet"):
        x, y, _ = whole(of_table(path))
        np.testing.assert_array_equal(np.sort(y), np.sort(Y))
        np.testing.assert_array_equal(x[y == 2], X[Y == 2])


def test_columns_and_targets_by_name(tmp_path):
    x, y = whole(cr.data.stream(parquet(tmp_path), target=["w", "a"], columns=["c", "b"]))
    np.testing.assert_array_equal(x, X[:, [2, 1]])
    np.testing.assert_array_equal(y, np.column_stack([WEIGHT, X[:, 0]]))


@pytest.mark.parametrize("name", ["a folder", "an Arrow table"])
def test_columns_that_nobody_needs_may_hold_anything(name, tmp_path):
    from pyarrow.parquet import write_table

    rows = table().append_column("city", [["Kiel"] * ROWS])
    write_table(rows, tmp_path / "rows.parquet")
    x, _ = whole(cr.data.stream(tmp_path if name == "a folder" else rows, target="y", columns=["b"]))
    np.testing.assert_array_equal(x[:, 0], X[:, 1])


@pytest.mark.parametrize("kind", ["int8", "uint16", "bool", "float16", "int32", "int64", "float64"])
def test_columns_of_any_numbers_become_floats(kind, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    a = np.arange(10).astype(kind)
    write_table(arrow.table({"a": a, "b": np.arange(10, dtype="f4"), "y": a}), tmp_path / "a.parquet", row_group_size=3)
    x, y = whole(cr.data.stream(tmp_path / "a.parquet", target="y"))
    np.testing.assert_array_equal(x[:, 0], a)
    assert x.dtype == (np.float64 if kind in ("int32", "int64", "float64") else np.float32)
    np.testing.assert_array_equal(y, a)


def test_files_of_other_types_of_a_number_fit_together(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    for name, kind in (("1", "i4"), ("2", "f8")):
        write_table(arrow.table({"a": np.arange(3, dtype=kind) / 1, "y": [1, 2, 3]}), tmp_path / f"{name}.parquet")
    assert whole(cr.data.stream(tmp_path, target="y"))[0].ravel().tolist() == [0, 1, 2, 0, 1, 2]


def test_the_copy_of_a_generator_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    source = batches(tmp_path)
    np.testing.assert_array_equal(whole(source)[0], X)
    assert list(tmp_path.iterdir()) == [] or os.name == "nt"
    del source
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("part", [np.s_[:], np.s_[7:4001], np.s_[5:, 1:], np.s_[::-2]])
def test_rows_of_a_part_of_a_memory_map(mode: Any, part: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    rows = np.load(tmp_path / "x.npy", mmap_mode=mode)[part]
    if mode != "r":
        rows[3] = -1.0  # in the file, or in this process alone
    x, y = whole(cr.data.stream(rows, Y[: len(rows)]))
    np.testing.assert_array_equal(x, rows)
    np.testing.assert_array_equal(y, Y[: len(rows)])
