"""Sources of rows larger than memory: arrays and tables on disk, and whatever comes in batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from ..._support.checks import is_source, sentence
from ..streams import Source

KNOWN = "files, arrays on disk or batches"
READ_ONCE = ("collect_batches", "fetchmany", "__arrow_c_stream__")


def stream(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> Source:
    """Return data larger than memory as a source, for ``fit`` and ``evaluate`` of a Trainer, and ``model.predict``.

    Parameters
    ----------
    x : path, array, table or iterable
        With y, the inputs: a ``.npy`` file, a memory map, an HDF5 data set or a Zarr array. Otherwise, with ``target``:
        Parquet or Arrow files, as a path, a pattern, a folder (partitioned or not), a list or a URL for fsspec; a
        polars LazyFrame, a DuckDB relation, or an SQL cursor; or an iterable of tables. Or an iterable of batches
        (x, y) or (x, y, sample_weight).
    y, sample_weight : as x, optional
        Targets and weights. Of a table, ``sample_weight`` is the name of a column.
    target : str or list of str, optional
        The column of the targets, or several; none for new rows, whose inputs ``columns`` names.
    columns : list of str, optional
        The columns of the inputs, in order; all others by default.

    Returns
    -------
    Source
        An object with ``lengths``, the rows of each group, and ``read(group, start, stop)``.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit together, or a column is missing or does not hold numbers.
    OSError, ModuleNotFoundError
        If a file cannot be read, or pyarrow is not installed.

    Notes
    -----
    Rows are shuffled as groups, and then within windows of about 128 MB, which contain parts of many groups if these
    are small: groups of arrays have a quarter of a megabyte, those of a Parquet file are its row groups. What can be
    read only once, from its beginning, is first copied to a temporary file, in the folder that the environment variable
    ``TMPDIR`` names.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> batches = ((np.full((100, 2), i), np.full(100, i % 2)) for i in range(5))
    >>> source = cr.data.stream(batches)
    >>> int(source.lengths.sum())
    500
    >>> model = cr.MLP([2, 2], rng=0)
    >>> history = cr.Trainer(model, "cross_entropy", batch_size=20).fit(source, epochs=2, verbose=0)
    """
    if is_source(x):
        if any(given is not None for given in (y, sample_weight, target, columns)):
            raise TypeError(sentence("stream", "a source alone", "arguments beside it", "return all from its read"))
        return x  # type: ignore[no-any-return]
    return _source(x, y, sample_weight, target, columns)


def _source(x: Any, y: Any, sample_weight: Any, target: Any, columns: Any) -> Source:
    if y is not None:
        if target is not None or columns is not None:
            raise TypeError(sentence("stream", "y, or the target's column", "both"))
        from .arrays import Arrays

        return Arrays([one for one in (x, y, sample_weight) if one is not None])
    from .tables import Split, tables_in

    split = Split(target, columns, sample_weight)
    if isinstance(x, (str, os.PathLike)) or _are_paths(x):
        from .arrow import ArrowFiles, Numbers

        if not _are_paths(x) and str(x).endswith(".npy"):
            raise TypeError(sentence("stream", f"y beside the array in {x}", "none", "pass y=, such as another file"))
        return Numbers(ArrowFiles(x), split)
    if not isinstance(x, Iterable) and not any(hasattr(x, name) for name in READ_ONCE):
        remedy = "call it" if callable(x) else "pass y, too" if hasattr(x, "dtype") else ""
        raise TypeError(sentence("stream", KNOWN, f"a {type(x).__name__}", remedy))
    from .spool import spooled

    source = spooled(split.batch(part) for part in tables_in(x))
    source.columns = split.columns
    return source


def _are_paths(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(isinstance(one, (str, os.PathLike)) for one in x)
