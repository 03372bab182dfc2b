"""The record of a training where other tools read it: a table, TensorBoard, MLflow."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._support.checks import check_integer, require, sentence
from ..._support.files import WRITABLE, hidden_beside, in_our_words, write_text
from ..state import Row
from .base import Callback, Training
from .place import WritesFiles

METRICS_A_CALL = 1000  # that MLflow takes at once


class _Log(Callback):
    """Writes each row of the History once, when every callback has added to it; not those that a checkpoint brought."""

    live = False
    _written = 0

    def on_train_begin(self, trainer: Training) -> None:
        self._written = len(trainer.history.rows)
        self._begin(trainer)

    def on_pause(self, trainer: Training) -> None:
        rows = trainer.history.rows[self._written :]
        if rows:
            self._write(trainer, self._written + 1, rows)
            self._written += len(rows)

    def on_train_end(self, trainer: Training) -> None:
        self.on_pause(trainer)  # what an interrupted training had come to

    def _begin(self, trainer: Training) -> None:
        raise NotImplementedError

    def _write(self, trainer: Training, epoch: int, rows: Sequence[Row]) -> None:
        """Write the rows of ``epoch`` and of those after it."""
        raise NotImplementedError


class CSVLog(WritesFiles, _Log):
    """Writes the History into a table, a row an epoch as soon as it is over: ``epoch``, then the History's columns.

    A column that appears only later, such as the number of a callback, is added and is empty in the rows before: the
    file is then written again beside its place, and moved. Training that resumes from a checkpoint continues the file:
    it holds each epoch once, whatever was written of epochs after the checkpoint. One run at a time writes to a file; a
    copy, as GridSearchCV makes one for each fit, writes to a file beside it, such as ``log-3f2a9c1b.csv``.

    Parameters
    ----------
    path : the file, in a folder that exists
    append : bool, whether to keep the rows of earlier trainings in the file, whose epochs begin at 1 again; False
        begins a new file

    Raises
    ------
    OSError before the first epoch if the file cannot be written; ValueError if there is another table to append to.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "log.csv")
    ...     trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[cr.callbacks.CSVLog(path)])
    ...     history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=2, verbose=0)
    ...     print(path.read_text())
    epoch,loss,learning_rate,seconds
    1,...,0.001,...
    2,...,0.001,...
    """

    place_name = "path"
    path: Path

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        super().__init__(path)
        if not self._given.name:
            raise ValueError(sentence("CSVLog", "the path of a file", f"the folder {self._given}", "add a file name"))
        self.append = append
        self._columns: list[str] = []

    def _begin(self, trainer: Training) -> None:
        path = self.own_place()
        with in_our_words("CSVLog", f"to write {path}", WRITABLE):
            self.lock(hidden_beside(path, "lock"))
        self._write_history(trainer)

    def _write_history(self, trainer: Training) -> None:
        """The file as of now, with what is kept of earlier runs."""
        rows = trainer.history.rows
        with in_our_words("CSVLog", f"to write {self.path}", WRITABLE):
            if self.path.exists() and not self.path.is_file():
                raise OSError("it is no file")
            earlier = self._earlier(rows) if self.append and self.path.exists() else []
            self._rewrite([*earlier, *_numbered(rows, 1)])

    def _write(self, trainer: Training, epoch: int, rows: Sequence[Row]) -> None:
        lines = _numbered(rows, epoch)
        try:
            with in_our_words("CSVLog", f"to write {self.path}", WRITABLE):
                if any(line.keys() - set(self._columns) for line in lines):
                    self._rewrite([*self._read(), *lines])
                    return
                with self.path.open("a", newline="", encoding="utf-8") as stream:
                    csv.DictWriter(stream, self._columns, lineterminator="\n").writerows(lines)
        except KeyboardInterrupt:
            self._written = len(trainer.history.rows)
            self._write_history(trainer)  # whatever part of it was written: each row once
            raise

    def on_train_end(self, trainer: Training) -> None:
        try:
            super().on_train_end(trainer)
        finally:
            self.unlock()

    def _beside(self, given: Path, token: str) -> Path:
        return given.with_name(f"{given.stem}-{token}{given.suffix}")

    def _earlier(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """What the file holds of other runs than the one that resumes with these rows."""
        lines = self._read()
        first = max((index for index, line in enumerate(lines) if line["epoch"] == "1"), default=0)
        this = bool(rows and lines) and lines[first].get("loss") == str(rows[0]["loss"])
        return lines[:first] if this else lines

    def _read(self) -> list[dict[str, Any]]:
        with self.path.open(newline="", encoding="utf-8", errors="replace") as stream:
            table = csv.DictReader(stream, restkey="more")
            try:
                if not table.fieldnames or table.fieldnames[0] == "epoch":
                    return list(table)
                got = f"columns {', '.join(table.fieldnames)[:80]}"
            except csv.Error as error:
                got = f"a damaged one ({error})"
            raise ValueError(sentence("CSVLog", f"a log in {self.path} to append to", got, "choose another file"))

    def _rewrite(self, lines: Sequence[dict[str, Any]]) -> None:
        """All lines, with the columns of all of them, in one move."""
        self._columns = list(dict.fromkeys(name for line in lines for name in line))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, self._columns, lineterminator="\n")
        if lines:
            table.writeheader()
        table.writerows(lines)
        write_text("CSVLog", self.path, text.getvalue())


class TensorBoard(WritesFiles, _Log):
    """Writes the History for TensorBoard: look at it with ``tensorboard --logdir FOLDER``.

    The loss and each metric are a family of charts, such as ``loss/training`` and ``loss/validation``; the others
    (``learning_rate``, ``seconds``, what callbacks add) stand alone. Training that resumes from a checkpoint continues
    in its folder: of epochs after the checkpoint, TensorBoard shows the new numbers only. Training from the start
    replaces what an earlier run showed there; to compare runs, give each a folder of its own, side by side. A copy, as
    GridSearchCV makes one for each fit, writes to a folder inside, such as ``copy-3f2a9c1b``.

    Parameters
    ----------
    folder : where the files go; made if it does not exist
    histograms : bool, whether to draw the distribution of each parameter too, as ``parameters/0.W``
    every : int, epochs from histogram to histogram

    Raises
    ------
    ModuleNotFoundError without tensorboardX; OSError before the first epoch if the folder cannot be written to.

    Examples
    --------
    >>> import chainrule as cr
    >>> log = cr.callbacks.TensorBoard("runs/wider", histograms=True, every=10)
    >>> trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[log])  # and fit
    """

    folder: Path

    def __init__(self, folder: str | os.PathLike[str], histograms: bool = False, every: int = 1) -> None:
        super().__init__(folder)
        self.histograms = histograms
        self.every = check_integer("TensorBoard", "every", every)
        self.live = histograms
        self._events: Any = None

    def _begin(self, trainer: Training) -> None:
        writer = require("tensorboardX.event_file_writer", "logging", "TensorBoard")
        with in_our_words("TensorBoard", f"to write {self.own_place()}", WRITABLE):
            self.folder.mkdir(parents=True, exist_ok=True)
            # The file's own writer: SummaryWriter's thread dies in silence when the disk is full, and training waits
            # for it forever. Its names tell seconds apart, ours also what begins within one.
            self._events = writer.EventsWriter(str(self.folder / "events"), f".{time.time_ns()}")
            self._add(trainer.epoch + 1, session_log={"status": "START"})  # what it showed from there on is void
            self._events.flush()

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_events": None}

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        if self.histograms and trainer.epoch % self.every == 0:
            from tensorboardX.summary import histogram

            with in_our_words("TensorBoard", f"to write {self.folder}", WRITABLE):
                for name, array in trainer.model.parameters.items():
                    self._add(trainer.epoch, summary=histogram(f"parameters/{name}", array, bins=64))

    def _write(self, trainer: Training, epoch: int, rows: Sequence[Row]) -> None:
        families = {"loss", *trainer.metrics}
        with in_our_words("TensorBoard", f"to write {self.folder}", WRITABLE):
            for step, row in enumerate(rows, start=epoch):
                scalars = [{"tag": _tag(name, families), "simple_value": float(value)} for name, value in row.items()]
                self._add(step, summary={"value": scalars})
            self._events.flush()

    def _add(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._events.write_event(Event(wall_time=time.time(), step=step, **what))

    def on_train_end(self, trainer: Training) -> None:
        if self._events is None:  # it could not begin
            return
        try:
            super().on_train_end(trainer)
        finally:
            with in_our_words("TensorBoard", f"to write {self.folder}", WRITABLE):
                self._events.close()
            self._events = None


class MLflow(_Log):
    """Logs the training as a run of MLflow: its settings as params, the columns of the History as metrics by epoch.

    Params are ``batch_size``, ``epochs``, ``loss``, ``optimizer``, ``model`` and ``parameters``, their number; one that
    the run has already stays as it is. The run ends as FINISHED; as KILLED where Ctrl-C, SIGTERM or a
    :class:`~chainrule.callbacks.TimeLimit` ended the training; as FAILED where an error did. An active run, as in
    ``with mlflow.start_run(): trainer.fit(...)``, is used and left active.

    Training that resumes from a checkpoint continues in its run. MLflow takes nothing back: epochs that were logged
    after the checkpoint are then logged again, with the same numbers.

    Parameters
    ----------
    experiment : str or None, as for ``mlflow.set_experiment``, of the run that is begun
    run_name : str or None; MLflow makes one up
    tracking_uri : str or None, as for ``mlflow.set_tracking_uri``: a server ("http://...") or a database
        ("sqlite:///mlflow.db"), which needs the whole of ``pip install mlflow``

    Attributes
    ----------
    run_id : str or None, of the last run

    Raises
    ------
    ModuleNotFoundError without mlflow; ValueError before the first epoch if no run can begin.

    Examples
    --------
    >>> import chainrule as cr
    >>> log = cr.callbacks.MLflow("digits", run_name="wider", tracking_uri="http://localhost:5000")
    >>> trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[log])  # and fit
    """

    def __init__(
        self, experiment: str | None = None, run_name: str | None = None, tracking_uri: str | None = None
    ) -> None:
        self.experiment, self.run_name, self.tracking_uri = experiment, run_name, tracking_uri
        self.run_id: str | None = None
        self._go_on: str | None = None  # with this run
        self._client: Any = None
        self._handled: BaseException | None = None
        self._ours = False

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_client": None, "_handled": None}

    def _begin(self, trainer: Training) -> None:
        mlflow = require("mlflow", "mlflow", "MLflow")
        self._handled = sys.exc_info()[1]  # where fit is called in the except of something else
        try:
            active = mlflow.active_run()
            self._ours = active is None
            run = self._start(mlflow) if active is None else active
            self.run_id, self._go_on, self._client = run.info.run_id, None, mlflow.MlflowClient()
            held = self._client.get_run(self.run_id).data.params
            settings = _settings(trainer).items()
            params = [mlflow.entities.Param(name, text) for name, text in settings if name not in held]
            self._client.log_batch(self.run_id, params=params)
        except mlflow.exceptions.MlflowException as error:
            remedy = "pass the tracking_uri of a server, or pip install mlflow, which keeps runs in a file"
            raise ValueError(sentence("MLflow", "a run that can begin", str(error)[:300], remedy)) from error

    def _start(self, mlflow: Any) -> Any:
        if self.tracking_uri is not None:
            mlflow.set_tracking_uri(self.tracking_uri)
        if self.experiment is not None:
            mlflow.set_experiment(self.experiment)
        return mlflow.start_run(run_id=self._go_on, run_name=self.run_name)

    def _write(self, trainer: Training, epoch: int, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII), float(value), now, step)
            for step, row in enumerate(rows, start=epoch)
            for name, value in row.items()
        ]
        for start in range(0, len(metrics), METRICS_A_CALL):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + METRICS_A_CALL])

    def on_train_end(self, trainer: Training) -> None:
        if self._client is None:  # it could not begin
            return
        status, error = "FINISHED", sys.exc_info()[1]
        if trainer.history.interrupted or isinstance(error, KeyboardInterrupt):
            status = "KILLED"
        elif error is not self._handled:
            status = "FAILED"
        try:
            super().on_train_end(trainer)
        finally:
            self._client = self._handled = None
            if self._ours:
                sys.modules["mlflow"].end_run(status)

    def state(self) -> dict[str, Any]:
        return {"run_id": self.run_id}

    def load_state(self, state: dict[str, Any]) -> None:
        self._go_on = state["run_id"]


def _settings(trainer: Training) -> dict[str, str]:
    model = trainer.model
    settings = {"loss": trainer.loss, "optimizer": trainer.optimizer, "model": model}
    numbers = {"batch_size": trainer.batch_size, "epochs": trainer.epochs, "parameters": model.parameters.vector.size}
    return {name: str(value) for name, value in (numbers | settings).items()}


def _numbered(rows: Sequence[Row], first: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, **row} for epoch, row in enumerate(rows, start=first)]


def _tag(name: str, families: set[str]) -> str:
    """The name of a column, so that what belongs together is side by side."""
    bare = name.removeprefix("validation_")
    if bare not in families:
        return name
    return f"{bare}/{'training' if name == bare else 'validation'}"
