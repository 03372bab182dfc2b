"""Measure training on data larger than memory: its speed and memory, and what shuffling by blocks costs.

    python -m benchmarks.streams speed --gigabytes 20 --folder FOLDER   # a memory map, then Parquet, 50 columns
    python -m benchmarks.streams shuffle                                # two sets sorted by label, in CHAINRULE_DATA

``speed`` makes the files, unless they are there from an earlier run, and trains 50-256-256-2 on batches of 256 rows for
one epoch, in a process limited to ``--limit`` GB. It prints the peak of anonymous memory, and rows per second beside
those of a part of the rows in memory, before and after. ``shuffle`` trains pairs from the same seed, one on arrays in
random order and one on a stream of rows sorted by label, and prints the mean difference in accuracy, and that of
another random order.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule._support.checks import Array
from chainrule.data.streams import Source
from chainrule.training import streaming

COLUMNS, BATCH, HIDDEN = 50, 256, 256
ROW_GROUP = 65_536  # rows
CHUNK = 2**18  # rows that are made at a time
PART = 2**21  # rows, 0.4 GB, of the measurement in memory
SETS = ("mnist", "letter")
FORMATS = ("npy", "parquet")


def rows_made(rows: int) -> Iterator[tuple[Array, Array]]:
    """Rows x and labels y, in chunks."""
    truth = np.random.default_rng(0).normal(size=COLUMNS).astype(np.float32)
    for start in range(0, rows, CHUNK):
        rng = np.random.default_rng([1, start])
        x = rng.standard_normal((min(CHUNK, rows - start), COLUMNS), dtype=np.float32)
        yield x, (np.sin(x @ truth) > 0).astype(np.int64)


def write_npy(folder: Path, rows: int) -> None:
    """Write ``x.npy`` and ``y.npy``."""
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, COLUMNS))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.int64, (rows,))
    done = 0
    for some_x, some_y in rows_made(rows):
        x[done : done + len(some_x)], y[done : done + len(some_x)] = some_x, some_y
        done += len(some_x)


def write_parquet(folder: Path, rows: int) -> None:
    """Write ``rows.parquet``."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    names = [f"x{column}" for column in range(COLUMNS)]
    schema = pyarrow.schema([*((name, pyarrow.float32()) for name in names), ("y", pyarrow.int64())])
    with ParquetWriter(folder / "rows.parquet", schema) as writer:
        for x, y in rows_made(rows):
            arrays = [np.ascontiguousarray(column) for column in x.T]
            writer.write_table(pyarrow.table([*arrays, y], schema=schema), row_group_size=ROW_GROUP)


def opened(kind: str, folder: Path) -> Source:
    """The files as a source."""
    if kind == "npy":
        return cr.data.stream(folder / "x.npy", folder / "y.npy")
    return cr.data.stream(folder / "rows.parquet", target="y")


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its cache."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Peak(threading.Thread):
    """The most anonymous memory of this process, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self.start()

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            text = Path("/proc/self/status").read_text(encoding="ascii")
            self.bytes = max(self.bytes, int(text.split("RssAnon:")[1].split()[0]) * 1024)
            time.sleep(0.1)


def rows_a_second(rows: int, x: Any, y: Any = None) -> float:
    """The speed of one epoch."""
    trainer = cr.Trainer(cr.MLP([COLUMNS, HIDDEN, HIDDEN, 2], rng=0), "cross_entropy", "adam", batch_size=BATCH)
    start = time.perf_counter()
    trainer.fit(x, y, epochs=1, verbose=int(sys.stderr.isatty()))
    return rows / (time.perf_counter() - start)


def measure(kind: str, folder: Path, limit: float) -> None:
    """Train on the files, limited to ``limit`` GB meanwhile, and before and after on a part of them in memory."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    source = opened(kind, folder)
    rows = int(source.lengths.sum())
    usual = speeds_in_memory(rows)
    forget(folder)
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9), most))
    peak = Peak()
    speed = rows_a_second(rows, source)
    memory = peak.bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    in_memory = float(np.median([*usual, *speeds_in_memory(rows)]))
    print(f"{kind:8} {rows:,} rows, {rows * (COLUMNS * 4 + 8) / 1e9:.1f} GB: {speed:,.0f} rows/s,", end=" ")
    print(f"{speed / in_memory:.0%} of {in_memory:,.0f} in memory; anonymous memory {memory / 1e6:,.0f} MB", flush=True)


def speeds_in_memory(rows: int) -> list[float]:
    """The speeds of three epochs of a part of the rows."""
    x, y = (np.concatenate(arrays) for arrays in zip(*rows_made(min(PART, rows)), strict=True))
    return [rows_a_second(len(x), x, y) for _ in range(3)]


def sorted_set(name: str) -> tuple[Array, Array, Array, Array]:
    """A set, its training rows sorted by label: x, y, and those of the test."""
    if name == "letter":
        import pandas

        frame = pandas.read_csv(Path(os.environ["CHAINRULE_DATA"]) / "letter" / "letter-recognition.data")
        y, x = np.unique(frame["Letter"], return_inverse=True)[1], frame.iloc[:, 1:].to_numpy(np.float32)
        x = (x - x.mean(0)) / x.std(0)
        x, y, x_test, y_test = cr.data.split(x, y, 0.25, rng=0, stratify=True)
    else:
        named = cr.data.load_named(name)
        x, y, x_test, y_test = named.x, named.y, named.x_test, named.y_test
    order = np.argsort(y, kind="stable")
    return x[order], y[order], x_test, y_test


class Groups:
    """Rows in memory as a source of groups of equal length."""

    def __init__(self, x: Array, y: Array, rows: int) -> None:
        self.x, self.y, self.rows = x, y, rows
        self.lengths = np.diff([*range(0, len(y), rows), len(y)])

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read rows of a group."""
        part = slice(group * self.rows + start, group * self.rows + stop)
        return self.x[part], self.y[part]


def compare(name: str, seeds: int, windows: int, groups: int, epochs: int) -> None:
    """Print the accuracy of a full shuffle, and the mean difference of shuffling by blocks from it."""
    x, y, x_test, y_test = sorted_set(name)
    rows = len(y) // windows
    streaming.WINDOW_BYTES = rows * (x[0].nbytes + y[0].nbytes) + 1
    source = Groups(x, y, max(1, rows // groups))
    found = []
    for seed in range(seeds):
        scores = []
        three: list[tuple[Any, Any, int]] = [(x, y, seed), (source, None, seed), (x, y, seed + 1000)]
        for data, target, rng in three:
            model = cr.MLP([x.shape[1], 128, int(y.max()) + 1], rng=seed)
            adam = cr.Adam(cr.schedules.FlatCos(2e-3))
            trainer = cr.Trainer(model, "cross_entropy", adam, batch_size=128, metrics=["accuracy"], rng=rng)
            trainer.fit(data, target, epochs=epochs, verbose=0)
            scores.append(100 * trainer.evaluate(x_test, y_test)["accuracy"])
        found.append(scores)
    full, blocks, again = np.array(found).T
    print(f"{name:7} {windows} windows of {groups} groups, {epochs} epochs: full shuffle {full.mean():.2f} %,", end=" ")
    print(f"blocks {difference(blocks, full)}, another full shuffle {difference(again, full)} points", flush=True)


def difference(mine: Array, theirs: Array) -> str:
    """The mean of paired differences, and its standard error."""
    apart = mine - theirs
    return f"{apart.mean():+.2f} ± {apart.std(ddof=1) / np.sqrt(len(apart)):.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the part that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("speed", "shuffle", "measure"), help="measure is what speed runs by itself")
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, default=Path("streams-of-rows"))
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--limit", type=float, default=2.0, help="of the process, in GB")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--windows", type=int, default=8, help="of an epoch")
    parser.add_argument("--groups", type=int, default=512, help="in a window; arrays on disk have as many")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    args = parser.parse_args(argv)
    if args.part == "measure":
        measure(args.formats[0], args.folder, args.limit)
    elif args.part == "shuffle":
        for name in args.sets:
            compare(name, args.seeds, args.windows, args.groups, args.epochs)
    else:
        rows = int(args.gigabytes * 1e9 / (COLUMNS * 4 + 8))
        for kind in args.formats:
            folder = args.folder / f"{kind}-{rows}"
            if not (folder / "whole").exists():
                folder.mkdir(parents=True, exist_ok=True)
                {"npy": write_npy, "parquet": write_parquet}[kind](folder, rows)
                (folder / "whole").touch()
            command = [sys.executable, "-m", "benchmarks.streams", "measure", "--formats", kind]
            subprocess.run([*command, "--folder", str(folder), "--limit", str(args.limit)], check=True)


if __name__ == "__main__":
    main()
