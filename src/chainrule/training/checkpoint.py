"""Checkpoints: all that a training is, so that one that is broken off goes on as if it had not been."""

from __future__ import annotations

import json
import operator
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, check_integer, check_number, sentence
from .._support.files import DIGEST, digest, read_arrays, refusal, remove_partials, writable_folder, write_arrays
from ..runtime.sharing import started
from ..runtime.signals import asking
from .callbacks import Callback, History, Row, Training
from .callbacks.best import Best
from .interpreted import Progressed, Underway

FORMAT = 1
KEY = "chainrule_checkpoint"
SUFFIX = ".safetensors"
BEST = f"best{SUFFIX}"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
ANOTHER = "resume with the network, optimizer and callbacks that were trained"


class Checkpoint(Callback):
    """Writes all that the training is into a file, so that it can go on from there: see ``Trainer.resume``.

    Parameters, running statistics, the optimizer's state and schedule, epoch and batch, the random generators, the
    History and the state of the callbacks are in it. It is written beside its place, flushed to the disk and moved: a
    crash at any moment leaves the one before. Meanwhile the training goes on. Ctrl-C and SIGTERM wait for the end of a
    step, write a last checkpoint and end the training. ``load`` gives the model of a checkpoint, to predict with.

    Parameters
    ----------
    folder : where the files ``step-00000123.safetensors`` go, and ``best.safetensors``; made if it does not exist
    every : int, epochs from checkpoint to checkpoint, or None: as ``seconds`` say
    seconds : float or None, also write when so many seconds have passed, in the midst of an epoch
    keep : int, how many of the newest files in the folder stay, those of an earlier training included
    monitor : a column of the History ("validation_loss", "validation_accuracy", ...) or None: the checkpoint of the
        epoch in which it was best, of the last one where several are as good, stays as ``best.safetensors``
    higher_is_better : bool or None; None means: yes, unless the name of the column ends in "loss" or "error"

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y = np.eye(8), np.arange(8) % 2
    >>> def trainer(folder):
    ...     callbacks = [cr.Checkpoint(folder, monitor="loss")]
    ...     return cr.Trainer(cr.MLP([8, 4, 2], rng=0), "cross_entropy", callbacks=callbacks)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = trainer(folder).fit(x, y, epochs=2, verbose=0)  # and here the lights go out
    ...     history = trainer(folder).resume(folder).fit(x, y, epochs=5, verbose=0)
    ...     model = cr.load(folder + "/best.safetensors")
    >>> len(history)
    5
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: int | None = 1,
        seconds: float | None = None,
        keep: int = 2,
        monitor: str | None = None,
        higher_is_better: bool | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.every = None if every is None else check_integer("Checkpoint", "every", every)
        self.seconds = None if seconds is None else check_number("Checkpoint", "seconds", seconds, above=0)
        self.keep = check_integer("Checkpoint", "keep", keep)
        self.monitor, self.higher_is_better = monitor, higher_is_better
        self._asked: int | None = None  # the signal that asks to end
        self._signals = ExitStack()
        self._writer = Background()

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to the training that is under way."""
        return vars(self) | {"_signals": ExitStack(), "_writer": Background()}

    def on_train_begin(self, trainer: Any) -> None:
        remove_partials(writable_folder("Checkpoint", self.folder), f"step-*{SUFFIX}", BEST)
        self._written = time.monotonic()
        self._asked = None
        self._best = None if self.monitor is None else Best("Checkpoint", self.monitor, self.higher_is_better)
        self._improved = False
        for epoch, row in enumerate(trainer.history.rows, start=1):  # of a training that goes on
            if self._best is not None and self.monitor in row:
                self._best.look(row, epoch)
        self._signals.enter_context(asking(SIGNALS, self._ask))

    def _ask(self, number: int) -> None:
        self._asked = number

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self._improved = self._best is not None and self._best.look(row, trainer.epoch)

    def on_pause(self, trainer: Any) -> None:
        between = trainer.progress.underway is None
        names = [BEST] if between and self._improved else []  # first: the History in the next already tells of it
        due = between and self.every is not None and trainer.epoch % self.every == 0
        late = self.seconds is not None and time.monotonic() - self._written > self.seconds
        if due or late or self._asked is not None:
            names.append(_name(trainer))
        if names:
            self._begin(trainer, names)
        if self._asked is not None:
            self._writer.wait()
            self.say()
            raise KeyboardInterrupt
        self._writer.look()

    def say(self) -> None:
        """Tell the user who interrupted the training how it can go on."""
        newest = next(iter(checkpoints(self.folder)), None)
        print(f"Interrupted: resume from {newest}" if newest else "Interrupted before any checkpoint", flush=True)

    def write(self, trainer: Any) -> Path:
        """Write a checkpoint now, and remove those that are too many."""
        name = _name(trainer)
        self._begin(trainer, [name])
        self._writer.wait()
        return self.folder / name

    def _begin(self, trainer: Any, names: list[str]) -> None:
        """Take the state, which the next step changes, and leave the rest to the background."""
        self._writer.wait()
        state = capture(trainer)
        self._writer.begin(lambda: self._write(names, *state))
        self._improved = self._improved and BEST not in names
        self._written = self._written if names == [BEST] else time.monotonic()

    def _write(self, names: list[str], arrays: dict[str, Array], facts: dict[str, Any]) -> None:
        header = {KEY: json.dumps(facts)}
        header[DIGEST] = digest(arrays, header)
        for name in names:
            write_arrays("Checkpoint", self.folder / name, arrays, header)
        for old in checkpoints(self.folder)[self.keep :]:
            old.unlink(missing_ok=True)

    def on_train_end(self, trainer: Training) -> None:
        self._signals.close()
        self._writer.wait()


class Background:
    """One piece of work at a time in a thread of its own, if it can be had; look and wait raise what goes wrong."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def begin(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(work,))
        if not started(self._thread):
            self._run(work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._error = error

    def look(self) -> None:
        """Wait if there is nothing to wait for."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        if self._thread is not None and self._thread.ident is not None:  # else it could not start
            self._thread.join()
        self._thread, error, self._error = None, self._error, None
        if error is not None:
            raise error


def _name(trainer: Any) -> str:
    return f"step-{int(trainer.optimizer.state['step']):08d}{SUFFIX}"


def checkpoints(folder: Path) -> list[Path]:
    """The files in a folder, the last written first, whatever an earlier training left there."""
    files = (path for path in folder.glob(f"step-*{SUFFIX}") if path.is_file())
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def capture(trainer: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """The state of a training, as arrays and as facts that JSON can hold."""
    model, optimizer, progress = trainer.model, trainer.optimizer, trainer.progress
    arrays = dict(of_model(model)) | {f"optimizer/{name}": array for name, array in optimizer.state.items()}
    underway = progress.underway
    if underway is not None:
        found = {"order": underway.order, "keys": underway.keys, "taken": np.array(progress.taken, np.float64)}
        found |= {f"seen/{index}": array for index, array in enumerate(underway.seen)}
        arrays |= {f"epoch/{name}": array for name, array in found.items() if array is not None}
    states = []
    for index, callback in enumerate(_stateful(trainer)):
        state = callback.state()
        held = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        arrays |= {f"callback/{index}/{name}": array for name, array in held.items()}
        states.append([type(callback).__name__, {name: value for name, value in state.items() if name not in held}])
    facts = {
        "format": FORMAT,
        "version": __version__,
        "model": model.config(),
        "optimizer": type(optimizer).__name__,
        "schedule": _observed(optimizer),
        "epoch": progress.epoch,
        "done": None if underway is None else underway.done,
        "rows": _plain(progress.rows),
        "data_rows": progress.data_rows,
        "generators_at_first": _plain(trainer.generators_at_first),
        "generators": _plain(progress.generators),
        "callbacks": states,
    }
    return {name: np.array(array, order="C") for name, array in arrays.items()}, facts


def restore(trainer: Any, path: Path) -> Progressed:
    """Give a trainer the state that a checkpoint holds; how far that training had come."""
    path, arrays, facts = _read(path)
    model, optimizer = trainer.model, trainer.optimizer
    for what, have, want in (
        ("network", facts.get("model"), model.config()),
        ("optimizer", facts.get("optimizer"), type(optimizer).__name__),
        ("callbacks", [name for name, _ in facts.get("callbacks", [])], [type(c).__name__ for c in _stateful(trainer)]),
    ):
        if have != want:
            raise refusal("resume", path, f"to be of this {what}, {want}", str(have), ANOTHER)
    held = dict(of_model(model))
    if {name: array.shape for name, array in held.items()} != _shapes(arrays, tuple(held)):
        raise refusal("resume", path, "to hold every parameter", "others", ANOTHER)
    try:
        return _restored(trainer, arrays, facts)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # written by another hand than ours
        got = f"{type(error).__name__}: {error}"
        raise refusal("resume", path, "to hold the state of a training", got, ANOTHER) from None


def _restored(trainer: Any, arrays: dict[str, Array], facts: dict[str, Any]) -> Progressed:
    epoch_number = operator.index(facts["epoch"])
    progress = Progressed(epoch_number, facts["rows"], data_rows=facts["data_rows"], generators=facts["generators"])
    if facts["done"] is not None:
        epoch = _under(arrays, "epoch/")
        seen = [epoch[f"seen/{index}"] for index in range(sum(name.startswith("seen/") for name in epoch))]
        progress.underway = Underway(epoch.get("order"), epoch.get("keys"), operator.index(facts["done"]), seen)
        progress.taken = [(float(loss), float(weight), float(rate)) for loss, weight, rate in epoch["taken"]]
    History(progress.rows).to_json()  # raises unless they are rows of numbers
    trainer.generators = facts["generators"]
    trainer.generators = facts["generators_at_first"]  # fit sets the same rows aside again
    trainer.optimizer.state = _under(arrays, "optimizer/")
    for index, (callback, (_, state)) in enumerate(zip(_stateful(trainer), facts["callbacks"], strict=True)):
        callback.load_state(state | _under(arrays, f"callback/{index}/"))
    for name in _observed(trainer.optimizer) or ():
        setattr(trainer.optimizer.learning_rate, name, facts["schedule"][name])
    for name, array in of_model(trainer.model):
        array[...] = arrays[name]
    return progress


def _read(path: Path) -> tuple[Path, dict[str, Array], dict[str, Any]]:
    """The checkpoint, or of a folder the newest that is whole."""
    if not path.is_dir():
        return path, *read_checkpoint("resume", path)
    found = checkpoints(path)
    for index, candidate in enumerate(found):
        try:
            return candidate, *read_checkpoint("resume", candidate)
        except (ValueError, OSError) as error:
            if index == len(found) - 1:
                raise
            warnings.warn(f"{error} The one before it is taken.", stacklevel=4)
    raise FileNotFoundError(sentence("resume", f"a checkpoint in {path}", "none"))


def read_checkpoint(who: str, path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the facts that :func:`capture` gave."""
    arrays, header = read_arrays(who, path)
    if KEY not in header:
        raise refusal(who, path, "to be a checkpoint", "another safetensors file", "pass what Checkpoint wrote")
    try:
        facts = json.loads(header[KEY])
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise refusal(who, path, "to say what it holds", "no facts as JSON")
    if facts.get("format") != FORMAT:
        got = f"format {facts.get('format')!r}, written by version {facts.get('version')!r}"
        raise refusal(who, path, f"to be of format {FORMAT}", got, "install the version that wrote it")
    return arrays, facts


def of_model(model: Any) -> Iterator[tuple[str, Array]]:
    """The arrays of a model, by their names in a checkpoint."""
    yield "model/parameters", model.parameters.vector
    for name, array in model.buffers.items():
        yield f"buffer/{name}", array


def _under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _shapes(arrays: Mapping[str, Array], names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    return {name: arrays[name].shape for name in names if name in arrays}


def _observed(optimizer: Any) -> dict[str, float] | None:
    """What a schedule that watches the loss remembers."""
    schedule = optimizer.learning_rate
    return dict(vars(schedule)) if hasattr(schedule, "observe") else None


def _stateful(trainer: Any) -> list[Callback]:
    """The callbacks that remember something."""
    return [callback for callback in trainer.callbacks if type(callback).state is not Callback.state]


def _plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
