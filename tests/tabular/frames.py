"""The same table as every kind of frame holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

#: Each makes a frame of a dict of lists, in which None is a missing value.
FRAMES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "dict": lambda table: table,
    "pandas": pd.DataFrame,
    "pandas with missing values of its own": lambda table: pd.DataFrame(table).convert_dtypes(),
    "pandas on Arrow": lambda table: pa.table(table).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "Arrow": pa.table,
    "Arrow in chunks": lambda table: pa.concat_tables([pa.table(table).slice(0, 1), pa.table(table).slice(1)]),
    "narwhals": lambda table: nw.from_native(pl.DataFrame(table)),
}
