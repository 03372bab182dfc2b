"""The record of training, and the progress lines printed from it."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterable, Iterator
from html import escape
from importlib import import_module
from math import isfinite, nan
from typing import Any, TextIO

from ..._support.checks import check_integer, check_name
from ..state import Row
from .base import Callback, Training


class History(Callback):
    """The record of training, one row per epoch.

    ``history["loss"]`` is a column as a list. The columns are ``loss`` (mean over the epoch's batches during training,
    penalties included), ``validation_loss``, each metric (of the outputs during training), ``validation_`` + metric,
    ``learning_rate`` and ``seconds``. Iterating gives the rows, so ``pandas.DataFrame(history)`` is the table. A
    notebook shows the curves.

    Parameters
    ----------
    rows : iterable of dict
        The first rows.

    Attributes
    ----------
    rows : list of dict
        All rows.
    interrupted : bool
        Whether Ctrl-C, or a callback that raised StopTraining, ended training early.
    reason : str
        Why a callback ended training early, or "".

    Examples
    --------
    >>> import chainrule as cr
    >>> history = cr.callbacks.History([{"loss": 0.7}, {"loss": 0.3}])
    >>> history["loss"], history.columns, len(history)
    ([0.7, 0.3], ['loss'], 2)
    """

    live = False

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = list(rows)
        self.interrupted = False
        self.reason = ""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name: str) -> list[float]:
        check_name("History", "a column", name, self.columns)
        return [row[name] for row in self.rows if name in row]

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def keys(self) -> list[str]:
        """List the columns; ``dict(history)`` needs this method.

        Returns
        -------
        list of str
            The names.
        """
        return self.columns

    def __repr__(self) -> str:
        return f"History({len(self)} epochs of {', '.join(self.columns) or 'nothing yet'})"

    def _repr_html_(self) -> str:
        """The curves of the loss and of each metric, as a notebook shows them."""
        from ..._support.notebook import chart

        drawn = []
        for name in dict.fromkeys(column.removeprefix("validation_") for column in self.columns):
            known = {"training": name, "validation": f"validation_{name}"}
            found = {label: column for label, column in known.items() if column in self}
            curves = {label: [row.get(column, nan) for row in self.rows] for label, column in found.items()}
            drawn += [chart(name, curves)] * (name not in ("learning_rate", "seconds"))
        return f"<div>{escape(repr(self))}</div>" + "".join(drawn)

    def to_json(self) -> str:
        """Write the rows as a JSON document.

        Returns
        -------
        str
            The document; infinity and NaN, which JSON lacks, are null.
        """
        import json  # training does not need it

        rows = [{name: float(value) if isfinite(value) else None for name, value in row.items()} for row in self.rows]
        return json.dumps({"interrupted": self.interrupted, "rows": rows}, indent=1, allow_nan=False)

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self.rows.append(row)


class Progress(Callback):
    """Prints a line every few epochs; on a terminal or in a notebook, also shows a bar while training runs.

    If the environment variable ``CI`` is set, there are only lines.

    Parameters
    ----------
    every : int, >= 1
        Epochs from line to line; the first and the last epoch always have one.
    file : text file, optional
        Where to write; standard error by default, and standard output in notebooks, which show errors in red.

    Examples
    --------
    >>> import sys
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 1], rng=0)
    >>> progress = cr.callbacks.Progress(every=50, file=sys.stdout)
    >>> trainer = cr.Trainer(model, "squared_error", cr.SGD(0.1), callbacks=[progress])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=100)  # doctest: +ELLIPSIS
    epoch   1/100  loss ...
    epoch  50/100  loss ...
    epoch 100/100  loss ...
    """

    live = False
    writes = True

    def __init__(self, every: int = 1, file: TextIO | None = None) -> None:
        self.every = check_integer("Progress", "every", every)
        self.file = file
        self._bar: Any = None
        self._out: TextIO | None = None

    def __copy__(self) -> Progress:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _bar=None)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Progress:
        return copy.copy(self)  # to the same file

    def __getstate__(self) -> dict[str, Any]:
        """Leave out streams, which cannot be pickled: only standard output and error can be restored."""
        name = next((name for name in ("stdout", "stderr") if self.file is getattr(sys, name)), None)
        return vars(self) | {"file": name, "_bar": None, "_out": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.file = None if state["file"] is None else getattr(sys, state["file"])

    def on_train_begin(self, trainer: Training) -> None:
        notebook = self.file is None and _in_notebook()
        self._out = out = self.file if self.file is not None else sys.stdout if notebook else sys.stderr
        if out is None:  # closed, as under pythonw
            return
        if (notebook or out.isatty()) and os.environ.get("CI", "").lower() in ("", "0", "false"):
            # tqdm.auto adapts to the notebook, and takes 30 ms to load
            tqdm = import_module("tqdm.auto" if notebook else "tqdm").tqdm
            done, steps = (epochs * trainer.steps_per_epoch for epochs in (trainer.epoch, trainer.epochs))
            done += len(trainer.state.position.records)  # of a checkpoint
            look = {"file": self._out, "leave": False, "unit": "batch", "dynamic_ncols": True}
            self._bar = tqdm(initial=done, total=steps, **look)

    def on_epoch_begin(self, trainer: Training) -> None:
        if self._bar is not None:
            self._bar.set_description(f"epoch {trainer.epoch}/{trainer.epochs}", refresh=False)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        last = trainer.epoch == trainer.epochs or trainer.stop
        if self._out is None or not (trainer.epoch == 1 or trainer.epoch % self.every == 0 or last):
            return
        width = len(str(trainer.epochs))
        numbers = [f"{name} {value:.4g}" for name, value in row.items() if name not in ("learning_rate", "seconds")]
        line = "  ".join([f"epoch {trainer.epoch:>{width}}/{trainer.epochs}", *numbers, f"{row['seconds']:.2g} s"])
        if self._bar is not None:
            self._bar.write(line, file=self._out)
        else:
            print(line, file=self._out, flush=True)

    def on_train_end(self, trainer: Training) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if trainer.history.reason and self._out is not None:
            print(f"stopped: {trainer.history.reason}", file=self._out, flush=True)


def _in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, which imports IPython."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"
