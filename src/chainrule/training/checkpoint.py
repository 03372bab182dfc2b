"""Checkpoints: the complete state of training, from which an interrupted run resumes exactly."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, check_integer, check_number, sentence
from .._support.files import DIGEST, digest, read_arrays, refusal, remove_partials, writable_folder, write_arrays
from .._support.notices import warn
from ..runtime.sharing import Thread
from ..runtime.signals import asking
from .callbacks import Row, StopTraining, Training
from .callbacks.ending import Best
from .callbacks.place import WritesFiles
from .settings import Settings, asked, differences, in_code, other_objects, resumed, settings_of, written
from .state import UNSAID, Position, TrainingState, arrays_of, rows_of, unpack, upgraded

FORMAT = 2
KEY = "chainrule_checkpoint"  # in the header
FACTS = "facts"  # among the arrays
LOCK = ".lock"
SUFFIX = ".safetensors"
BEST = f"best{SUFFIX}"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
ANOTHER = "build the trainer as it was when this was written"
WHERE = "pass the folder that was given to Checkpoint, or one of the files in it"


class Checkpoint(WritesFiles):
    """Writes checkpoints of the complete training, from which ``Trainer.resume`` continues.

    Parameters
    ----------
    folder : path
        Folder of the files ``step-00000123.safetensors`` and ``best.safetensors``; created if it does not exist.
    every : int or None
        Epochs from checkpoint to checkpoint; with None, only ``seconds`` counts.
    seconds : float, optional
        Also write after so many seconds, even in the middle of an epoch.
    keep : int, >= 1
        Number of the newest files in the folder that are kept, those of earlier runs included.
    monitor : str, optional
        A column of the History, such as ``"validation_loss"``: the checkpoint of its best epoch, the last one in a tie,
        is kept as ``best.safetensors``.
    higher_is_better : bool or None
        None means True unless the name of the column ends in "loss" or "error".

    Attributes
    ----------
    asked : int or None
        Number of the signal that ended the last run.

    Notes
    -----
    A checkpoint holds parameters, running statistics, the optimizer's state and schedule, the position in the epoch,
    random generators, the History and the callbacks' states. A background thread writes it to a temporary file, flushes
    that to the disk and renames it: a crash at any moment leaves the previous checkpoint. Ctrl-C and SIGTERM wait for
    the end of the step, write a last checkpoint and end training. ``load`` reads the model of a checkpoint.

    One run at a time writes to a folder. A copy, which GridSearchCV makes for each fit, writes to a folder inside, such
    as ``copy-3f2a9c1b``, which becomes its ``folder``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y = np.eye(8), np.arange(8) % 2
    >>> def trainer(folder):
    ...     callbacks = [cr.callbacks.Checkpoint(folder, monitor="loss")]
    ...     return cr.Trainer(cr.MLP([8, 4, 2], rng=0), "cross_entropy", callbacks=callbacks)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = trainer(folder).fit(x, y, epochs=2, verbose=0)  # interrupted here
    ...     history = trainer(folder).resume(folder).fit(x, y, epochs=5, verbose=0)
    ...     model = cr.load(folder + "/best.safetensors")
    >>> len(history)
    5
    """

    folder: Path
    saves = True
    writes = False  # itself: each rank takes note of signals

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: int | None = 1,
        seconds: float | None = None,
        keep: int = 2,
        monitor: str | None = None,
        higher_is_better: bool | None = None,
    ) -> None:
        super().__init__(folder)
        self.every = None if every is None else check_integer("Checkpoint", "every", every)
        self.seconds = None if seconds is None else check_number("Checkpoint", "seconds", seconds, above=0)
        self.keep = check_integer("Checkpoint", "keep", keep)
        self.monitor, self.higher_is_better = monitor, higher_is_better
        self.asked: int | None = None
        self._best: Best | None = None
        self._improved = self._began = False
        self._writes = True  # of several ranks, the first
        self._written = 0.0  # on the monotonic clock
        self._signals = ExitStack()
        self._writer = Background()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to the running training."""
        return super().__getstate__() | {"_signals": None, "_writer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | {"_signals": ExitStack(), "_writer": Background()})

    def on_train_begin(self, trainer: Training) -> None:
        self.asked = None
        self._signals.enter_context(asking(SIGNALS, self._ask))
        self._writes = trainer.communicator.rank == 0
        if not self._writes:
            return
        folder = writable_folder("Checkpoint", self.own_place())
        self.lock(folder / LOCK)
        remove_partials(folder, f"step-*{SUFFIX}", BEST)
        self._written = time.monotonic()
        if self.monitor is not None and not (trainer.resumed or self._began) and (folder / BEST).exists():
            remedy = "resume that run, or choose another folder"
            warn(sentence("Checkpoint", f"a folder for one run, {folder}", f"the {BEST} of an earlier run", remedy))
        self._began = True
        self._best = None if self.monitor is None else Best("Checkpoint", self.monitor, self.higher_is_better)
        self._improved = False
        for epoch, row in enumerate(trainer.history.rows, start=1):  # of resumed training
            if self._best is not None and self.monitor in row:
                self._best.look(row, epoch)

    def _ask(self, number: int) -> None:
        self.asked = number

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self._improved = self._best is not None and self._best.look(row, trainer.epoch)

    def on_pause(self, trainer: Training) -> None:
        if not self._writes:  # rank 0 receives the signal too, and ends the training
            return
        between = trainer.state.position.current is None
        names = [BEST] if between and self._improved else []  # first: the History of the next file includes its row
        due = between and self.every is not None and trainer.epoch % self.every == 0
        late = self.seconds is not None and time.monotonic() - self._written > self.seconds
        if due or late or self.asked is not None:
            names.append(_name(trainer))
        if names:
            self._begin(trainer, names)
        if self.asked is not None:
            self._writer.wait()
            self.print_resume_hint()
            raise StopTraining(f"received {signal.Signals(self.asked).name}")
        self._writer.look()

    def print_resume_hint(self) -> None:
        """Print how interrupted training can resume."""
        newest = next(iter(checkpoints(self.folder)), None)
        print(f"Interrupted: resume from {newest}" if newest else "Interrupted before any checkpoint", flush=True)

    def write(self, trainer: Training) -> Path:
        """Write a checkpoint now, and remove old ones.

        Parameters
        ----------
        trainer : Training
            The trainer.

        Returns
        -------
        pathlib.Path
            The file.
        """
        name = _name(trainer)
        if trainer.communicator.rank > 0:
            return self.folder / name
        writable_folder("Checkpoint", self.own_place())
        self._begin(trainer, [name])
        self._writer.wait()
        return self.folder / name

    def _begin(self, trainer: Training, names: list[str]) -> None:
        """Copy the state, which the next step changes, and write it in the background."""
        self._writer.wait()
        state = trainer.state.to_arrays()
        self._writer.begin(lambda: self._write(names, *state))
        self._improved = self._improved and BEST not in names
        self._written = self._written if names == [BEST] else time.monotonic()

    def _write(self, names: list[str], arrays: dict[str, Array], facts: dict[str, Any]) -> None:
        for name in names:
            write_checkpoint(self.folder / name, arrays, facts)
        for old in checkpoints(self.folder)[self.keep :]:
            old.unlink(missing_ok=True)

    def on_train_end(self, trainer: Training) -> None:
        self._signals.close()
        try:
            self._writer.wait()
        finally:
            self.unlock()


class Background:
    """Runs one piece of work at a time, in a thread if possible; ``look`` and ``wait`` raise its errors."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def begin(self, work: Callable[[], None]) -> None:
        self._thread = Thread(self._run, work)
        if not self._thread.start():
            self._run(work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._error = error

    def look(self) -> None:
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread, error, self._error = None, self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # a cycle with its traceback would keep the data alive


def _name(trainer: Training) -> str:
    return f"step-{trainer.optimizer.steps_taken:08d}{SUFFIX}"


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, those of earlier runs included, newest first."""
    files = (path for path in folder.glob(f"step-*{SUFFIX}") if path.stem[5:].isdecimal() and path.is_file())
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def restore(state: TrainingState, path: Path, before: Position) -> None:
    """Restore a checkpoint; ``before`` is the position at which the last fit of its trainer ended."""
    path, arrays, facts = _read(path)
    first, theirs = (fact if isinstance(fact, dict) else {} for fact in (facts.get("first"), facts.get("settings")))
    mine = asked(settings_of(state.trainer), before.first, before.left)
    mine["epochs"] = first.get("epochs", mine["epochs"])  # fit will ask for this number
    settings = resumed(first, theirs, mine)
    for what, want, have in _unlike(state, facts, settings):
        expected = f"to be of this trainer, whose {in_code(what)} is {written(want)}"
        raise refusal("resume", path, expected, written(have), ANOTHER)
    every = dict(arrays_of(state.model))
    if {name: array.shape for name, array in every.items()} != _shapes(arrays, tuple(every)):
        raise refusal("resume", path, "to hold every parameter", "others", ANOTHER)
    try:
        state.from_arrays(arrays, facts | {"settings": settings, "first": mine})
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # not written by chainrule
        got = f"{type(error).__name__}: {error}"
        raise refusal("resume", path, "to hold the state of a training", got, ANOTHER) from None


def _unlike(state: TrainingState, facts: dict[str, Any], settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Yield what a checkpoint cannot restore and the trainer has differently: the path, and the two values."""
    for path, have, want in differences(facts.get("model"), state.model.config(), "model"):
        numbers = isinstance(want, (int, float)) and isinstance(have, (int, float))  # a user may change these
        if path not in settings or (settings[path] != have and not numbers):
            yield path, want, have
    optimizer, callbacks = type(state.optimizer).__name__, [type(one).__name__ for one in state.remembering]
    if facts.get("optimizer") != optimizer:
        yield "optimizer", {"type": optimizer}, {"type": facts.get("optimizer")}
    if _names(facts.get("callbacks")) != callbacks:
        yield "list of callbacks", callbacks, _names(facts.get("callbacks"))
    yield from other_objects(state.trainer, settings)


def _names(callbacks: Any) -> list[Any]:
    pairs = callbacks if isinstance(callbacks, list) else []
    return [pair[0] if isinstance(pair, list) and pair else pair for pair in pairs]


def _read(path: Path) -> tuple[Path, dict[str, Array], dict[str, Any]]:
    if not path.exists():
        raise FileNotFoundError(sentence("resume", f"a checkpoint at {path}", "no such file or folder", WHERE))
    if not path.is_dir():
        return path, *read_checkpoint("resume", path)
    found = checkpoints(path)
    for index, candidate in enumerate(found):
        try:
            return candidate, *read_checkpoint("resume", candidate)
        except (ValueError, OSError) as error:
            if index == len(found) - 1:
                raise
            warn(f"{error} The one before it is used.")
    raise FileNotFoundError(sentence("resume", f"a checkpoint in {path}", "none", WHERE))


def write_checkpoint(path: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """Write the arrays and facts of a training, atomically.

    The facts form an array of their own: they grow with the training, and the size of the header is limited.
    """
    try:
        text = json.dumps(facts).encode()
    except (TypeError, ValueError) as error:
        expected = "the state of callbacks and schedules to be numbers, text, arrays, lists and dicts"
        raise TypeError(sentence("Checkpoint", expected, str(error))) from None
    arrays = {**arrays, FACTS: np.frombuffer(text, np.uint8)}
    header = {KEY: json.dumps({"format": FORMAT, "version": __version__})}
    write_arrays("Checkpoint", path, arrays, header | {DIGEST: digest(arrays, header)})


def read_checkpoint(who: str, path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what :func:`write_checkpoint` wrote; the facts include its format and version."""
    arrays, header = read_arrays(who, path)
    if KEY not in header:
        raise refusal(who, path, "to be a checkpoint", "another safetensors file", "pass what Checkpoint wrote")
    facts = _mapping(header[KEY])
    if facts is not None and facts.get("format") == FORMAT:
        more = _mapping(arrays.pop(FACTS, np.zeros(0, np.uint8)).tobytes())
        facts = None if more is None else UNSAID | more | facts
    elif facts is not None and facts.get("format") == 1:
        try:
            arrays, facts = upgraded(arrays, facts)
        except (KeyError, TypeError, ValueError, AttributeError):
            facts = None
    if facts is None:
        raise refusal(who, path, "to describe its contents", "no JSON facts")
    if facts.get("format") not in (1, FORMAT):
        got = f"format {facts.get('format')!r}, written by version {facts.get('version')!r}"
        raise refusal(who, path, f"to be of format {FORMAT}", got, "install the version that wrote it")
    return arrays, facts


def _mapping(text: str | bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _shapes(arrays: Mapping[str, Array], names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    return {name: arrays[name].shape for name in names if name in arrays}


def last_row(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> dict[str, float] | None:
    """The last row of the history in a checkpoint, if it has any."""
    try:
        return rows_of(unpack(facts["history"], arrays))[-1]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
