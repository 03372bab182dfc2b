"""The open tables of the folder CHAINRULE_DATA, and their splits: 4,000 rows for training, at most 10,000 for the test.

Text stays text and a missing cell stays missing: what a learner cannot take, its own preparation mends. A table whose
source has a training and a test file is put together first, so that every table is split in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule._support.checks import Array

from ..estimators import PEOPLE

TRAIN_ROWS, TEST_ROWS = 4_000, 10_000
TRAIN_SHARE = 0.8  # of a table that has fewer than 5,000 rows


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a frame, and their classes, numbered from 0, or numbers."""

    x: Any
    y: Array


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to learn from, and rows to be tested on."""

    train: Part
    test: Part
    classes: int  # 0 for numbers


def names() -> list[str]:
    """The tables that the folder holds."""
    return [name for name in TABLES if (folder() / FOLDERS.get(name, name)).is_dir()]


def folder() -> Path:
    """CHAINRULE_DATA."""
    return Path(os.environ.get("CHAINRULE_DATA") or os.devnull)


def load(name: str, number: int, rows: int = TRAIN_ROWS) -> Split:
    """A split of a table; the same name and number give the same rows on every machine."""
    from sklearn.model_selection import train_test_split

    frame = _made(*MADE[name]) if name in MADE else TABLES[name](folder() / FOLDERS.get(name, name))
    target = frame.columns[-1]
    y, classes = np.asarray(frame.pop(target)), 0
    if y.dtype.kind != "f":
        labels, y = np.unique(y.astype(str), return_inverse=True)
        classes = len(labels)
    count = min(rows, int(TRAIN_SHARE * len(y)))
    order, test = train_test_split(
        np.arange(len(y)),
        train_size=count,
        test_size=min(TEST_ROWS, len(y) - count),
        random_state=number,
        stratify=y if classes else None,
    )
    train, tested = (Part(frame.iloc[each].reset_index(drop=True), y[each]) for each in (order, test))
    return Split(train, tested, classes)


# --- each table as a frame whose last column is the target: floats, or classes of any other type --------------------


def _csv(path: Path, **how: Any) -> Any:
    import pandas as pd

    return pd.read_csv(path, **how)


def _abalone(place: Path) -> Any:
    """The number of rings, from the shell."""
    frame = _csv(place / "abalone.csv", header=None)
    frame.columns = ["sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell", "rings"]
    return frame.assign(rings=frame["rings"].astype(float))


def _adult(place: Path) -> Any:
    """Who earns more than 50,000 $."""
    import pandas as pd

    how = dict(header=None, names=list(PEOPLE), skipinitialspace=True, na_values="?")
    frame = pd.concat([_csv(place / f"adult-{part}.csv", **how) for part in ("train", "test")], ignore_index=True)
    return frame.assign(income=frame["income"].str.rstrip("."))


def _ames(place: Path) -> Any:
    """The logarithm of a house's price."""
    frame = _csv(place / "AmesHousing.csv", encoding="utf-8-sig").drop(columns=["Order", "PID"])
    return _last(frame.assign(SalePrice=np.log(frame["SalePrice"])), "SalePrice")


def _bike(place: Path) -> Any:
    """How many bicycles are hired in an hour; without the two columns whose sum that is."""
    frame = _csv(place / "hour.csv").drop(columns=["instant", "dteday", "casual", "registered"])
    return _last(frame.assign(cnt=frame["cnt"].astype(float)), "cnt")


def _california(place: Path) -> Any:
    """The median value of a block's houses."""
    frame = _csv(place / "housing.csv")
    return _last(frame.assign(median_house_value=frame["median_house_value"].astype(float)), "median_house_value")


def _diamonds(place: Path) -> Any:
    """The logarithm of the price."""
    frame = _csv(place / "diamonds.csv")
    return _last(frame.assign(price=np.log(frame["price"])), "price")


def _higgs(place: Path) -> Any:
    """Signal or background."""
    import pandas as pd

    parts = [_csv(place / f"binary.{part}", sep="\t", header=None) for part in ("train", "test")]
    frame = pd.concat(parts, ignore_index=True)
    frame.columns = ["signal", *(f"x{index}" for index in range(1, frame.shape[1]))]
    return _last(frame.astype({"signal": int}), "signal")


def _letter(place: Path) -> Any:
    """Which letter it is, of 26."""
    return _last(_csv(place / "letter-recognition.data"), "Letter")


def _magic(place: Path) -> Any:
    """Gamma or hadron."""
    return _csv(place / "magic.tsv.gz", sep="\t")


def _power_plant(place: Path) -> Any:
    """The energy that it gives in an hour."""
    frame = _csv(place / "data.txt", sep=r"\s+", header=None)
    frame.columns = ["temperature", "vacuum", "pressure", "humidity", "energy"]
    return frame


def _wine(place: Path) -> Any:
    """The grade of a red or white wine, as a class."""
    import pandas as pd

    kinds = {kind: _csv(place / f"winequality-{kind}.csv", header=None) for kind in ("red", "white")}
    frame = pd.concat([part.assign(kind=kind) for kind, part in kinds.items()], ignore_index=True)
    frame.columns = [f"x{index}" if isinstance(index, int) else index for index in frame.columns]
    return _last(frame, "x11")


def _made(rows: int, columns: int) -> Any:
    """Numbers, and as every fifth column words, of 8 to 1,000 values; rows enough to learn from so many."""
    import pandas as pd

    count, rng = int(rows / TRAIN_SHARE), np.random.default_rng(0)
    made: dict[str, Any] = {}
    y = rng.normal(scale=0.1, size=count)
    for place in range(columns):
        if place % 5 == 4:
            values = rng.integers(0, int(rng.choice([8, 40, 1000])), count)
            made[f"word {place}"] = np.char.add("value ", values.astype(str)).astype(object)
            y += np.sin(values)
        else:
            made[f"number {place}"] = numbers = rng.normal(size=count)
            y += np.sin(place * numbers) / (1 + place)
    return pd.DataFrame(made | {"y": y})


def _last(frame: Any, target: str) -> Any:
    """The same with the target as the last column."""
    return frame[[*(name for name in frame.columns if name != target), target]]


FOLDERS = {"bike": "bike-sharing", "california": "california-housing", "higgs": "higgs-lgb", "wine": "wine-quality"}
MADE = {f"made-{rows}x{columns}": (rows, columns) for rows, columns in ((500_000, 50), (200, 2_000), (1_000_000, 5))}
TABLES: dict[str, Callable[[Path], Any]] = {
    "adult": _adult,
    "higgs": _higgs,
    "letter": _letter,
    "magic": _magic,
    "wine": _wine,
    "abalone": _abalone,
    "ames": _ames,
    "bike": _bike,
    "california": _california,
    "diamonds": _diamonds,
    "power-plant": _power_plant,
}
