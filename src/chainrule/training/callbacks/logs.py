"""The record of training for other tools: a CSV file, TensorBoard, MLflow."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._support.checks import check_integer, require, sentence
from ..._support.files import WRITABLE, hidden_beside, in_our_words, write_text
from ..state import Row
from .base import Callback, Training
from .place import WritesFiles

METRICS_A_CALL = 1000  # MLflow's limit


class _Log(Callback, ABC):
    """Writes each new row of the History once, after every callback has added to it; not the rows of a checkpoint."""

    live = False
    writes = True
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
        self.on_pause(trainer)  # the rows of an interrupted training

    @abstractmethod
    def _begin(self, trainer: Training) -> None:
        """Prepare the log for a training."""

    @abstractmethod
    def _write(self, trainer: Training, epoch: int, rows: Sequence[Row]) -> None:
        """Write the rows of ``epoch`` and the epochs after it."""


class CSVLog(WritesFiles, _Log):
    """Writes the History to a CSV file, one row after each epoch: ``epoch``, then the History's columns.

    Parameters
    ----------
    path : path
        The file, in an existing folder.
    append : bool
        Whether to keep the rows of earlier runs; the epochs of the new run begin at 1. By default the file is replaced.

    Raises
    ------
    OSError
        Before the first epoch, if the file cannot be written.
    ValueError
        If the file to append to holds another table, or another run is writing to it.

    Notes
    -----
    A column that appears later is added, and is empty in earlier rows. Training that resumes from a checkpoint
    continues the file, which holds each epoch once. A copy, which GridSearchCV makes for each fit, writes to a file
    beside it, such as ``log-3f2a9c1b.csv``.

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
        rows = trainer.history.rows
        with in_our_words("CSVLog", f"to write {self.path}", WRITABLE):
            if self.path.exists() and not self.path.is_file():
                raise OSError("it is not a file")
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
            self._write_history(trainer)  # each row once, even if a part was written
            raise

    def on_train_end(self, trainer: Training) -> None:
        try:
            super().on_train_end(trainer)
        finally:
            self.unlock()

    def _beside(self, given: Path, token: str) -> Path:
        return given.with_name(f"{given.stem}-{token}{given.suffix}")

    def _earlier(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the lines of runs other than the one that resumes with these rows."""
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
        self._columns = list(dict.fromkeys(name for line in lines for name in line))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, self._columns, lineterminator="\n")
        if lines:
            table.writeheader()
        table.writerows(lines)
        write_text("CSVLog", self.path, text.getvalue())


class TensorBoard(WritesFiles, _Log):
    """Writes the History for TensorBoard; view it with ``tensorboard --logdir FOLDER``.

    Parameters
    ----------
    folder : path
        Folder of the files; created if it does not exist.
    histograms : bool
        Whether to record the distribution of each parameter, such as ``parameters/0.W``.
    every : int, >= 1
        Epochs from histogram to histogram.

    Raises
    ------
    ModuleNotFoundError
        If tensorboardX is missing.
    OSError
        Before the first epoch, if the folder cannot be written to.

    Notes
    -----
    The loss and each metric form a family of charts, such as ``loss/training`` and ``loss/validation``. Training that
    resumes from a checkpoint continues in its folder, and TensorBoard shows only the new numbers of the epochs after
    it. A new run replaces an earlier one in the same folder: to compare runs, give each a folder. A copy, which
    GridSearchCV makes for each fit, writes to a folder inside, such as ``copy-3f2a9c1b``.

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
            # Not SummaryWriter: its thread dies silently when the disk is full, and training waits for it forever. Its
            # file names resolve seconds only, ours nanoseconds.
            self._events = writer.EventsWriter(str(self.folder / "events"), f".{time.time_ns()}")
            self._add(trainer.epoch + 1, session_log={"status": "START"})  # discards what it showed from there on
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
    """Logs training as an MLflow run: settings as params, the columns of the History as metrics by epoch.

    Parameters
    ----------
    experiment : str, optional
        As for ``mlflow.set_experiment``, for a new run.
    run_name : str, optional
        Name of a new run; MLflow invents one by default.
    tracking_uri : str, optional
        As for ``mlflow.set_tracking_uri``: a server ("http://...") or a database ("sqlite:///mlflow.db"), which needs
        the full ``pip install mlflow``.

    Attributes
    ----------
    run_id : str or None
        Identifier of the last run.

    Raises
    ------
    ModuleNotFoundError
        If mlflow is missing.
    ValueError
        Before the first epoch, if no run can begin.

    Notes
    -----
    Params are ``batch_size``, ``epochs``, ``loss``, ``optimizer``, ``model`` and ``parameters``, their number; params
    that the run already has are kept. The run ends as FINISHED, as KILLED (Ctrl-C, SIGTERM or
    :class:`~chainrule.callbacks.TimeLimit`) or as FAILED (an error). An active run, as in
    ``with mlflow.start_run(): trainer.fit(...)``, is used and left active. Training that resumes from a checkpoint
    continues in its run and logs the epochs after the checkpoint again, with the same numbers.

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
        self._resumed_run: str | None = None
        self._client: Any = None
        self._handled: BaseException | None = None
        self._ours = False

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_client": None, "_handled": None}

    def _begin(self, trainer: Training) -> None:
        mlflow = require("mlflow", "mlflow", "MLflow")
        self._handled = sys.exc_info()[1]  # if fit is called in an except block
        try:
            active = mlflow.active_run()
            self._ours = active is None
            run = self._start(mlflow) if active is None else active
            self.run_id, self._resumed_run, self._client = run.info.run_id, None, mlflow.MlflowClient()
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
        return mlflow.start_run(run_id=self._resumed_run, run_name=self.run_name)

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
        self._resumed_run = state["run_id"]


def _settings(trainer: Training) -> dict[str, str]:
    model = trainer.model
    settings = {"loss": trainer.loss, "optimizer": trainer.optimizer, "model": model}
    numbers = {"batch_size": trainer.batch_size, "epochs": trainer.epochs, "parameters": model.parameters.vector.size}
    return {name: str(value) for name, value in (numbers | settings).items()}


def _numbered(rows: Sequence[Row], first: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, **row} for epoch, row in enumerate(rows, start=first)]


def _tag(name: str, families: set[str]) -> str:
    """Return the tag of a column; training and validation of a metric share a family."""
    bare = name.removeprefix("validation_")
    if bare not in families:
        return name
    return f"{bare}/{'training' if name == bare else 'validation'}"
