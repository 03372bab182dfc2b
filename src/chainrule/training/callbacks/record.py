"""The record of training, and the lines that a user sees of it."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterable, Iterator
from html import escape
from importlib import import_module
from math import isfinite
from typing import Any, TextIO

from ..._support.checks import check_integer, check_name
from ..state import Row
from .base import Callback, Training


class History(Callback):
    """The record of a training: one row an epoch.

    ``history["loss"]`` is the list of a column: ``loss`` (mean over the epoch's batches as they were trained, penalties
    included), ``validation_loss``, each metric (of the outputs as they were during training) and ``validation_`` +
    metric, ``learning_rate``, ``seconds``. Iteration gives the rows, so ``pandas.DataFrame(history)`` is the table.
    A notebook shows the curves.

    Attributes
    ----------
    rows : list of dict
    interrupted : bool, whether Ctrl-C, or a callback that raised StopTraining, ended training early
    reason : str, why a callback ended training early, if it said so

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
        """The names that ``history[name]`` knows."""
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
        """The columns again, so that ``dict(history)`` gives the lists."""
        return self.columns

    def __repr__(self) -> str:
        return f"History({len(self)} epochs of {', '.join(self.columns) or 'nothing yet'})"

    def _repr_html_(self) -> str:
        """The curves of the loss and of each metric, as a notebook shows them."""
        from ..._support.notebook import chart

        drawn = []
        for name in dict.fromkeys(column.removeprefix("validation_") for column in self.columns):
            known = {"training": name, "validation": f"validation_{name}"}
            curves = {label: self[column] for label, column in known.items() if column in self}
            drawn += [chart(name, curves)] * (name not in ("learning_rate", "seconds"))
        return f"<div>{escape(repr(self))}</div>" + "".join(drawn)

    def to_json(self) -> str:
        """The rows as a JSON document; JSON has no infinity and no NaN, they become null."""
        import json  # no training needs it

        rows = [{name: float(value) if isfinite(value) else None for name, value in row.items()} for row in self.rows]
        return json.dumps({"interrupted": self.interrupted, "rows": rows}, indent=1, allow_nan=False)

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self.rows.append(row)


class Progress(Callback):
    """A line for every few epochs; on a terminal or in a notebook also a bar that moves with the batches, then goes.

    Where the environment variable ``CI`` is set there are lines alone, whatever the output is.

    Parameters
    ----------
    every : int, epochs from line to line; the first and the last epoch always have one
    file : where to write; default standard error, in a notebook standard output, which has no red ground there

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
        """Without streams, which cannot be pickled: standard output and error are found again, other files are not."""
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
            # tqdm.auto knows what the notebook can show, and takes 30 ms to load
            tqdm = import_module("tqdm.auto" if notebook else "tqdm").tqdm
            done, steps = (epochs * trainer.steps_per_epoch for epochs in (trainer.epoch, trainer.epochs))
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
    """Whether this runs in a kernel of Jupyter's: who is in one has imported IPython."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"
