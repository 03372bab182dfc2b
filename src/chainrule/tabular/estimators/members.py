"""Train the members of an ensemble side by side, each in a thread of its own, on a part of the processors.

The kernels release the interpreter, so members never wait for one another, as the threads of one network do after every
layer. A member is the same, bit for bit, whatever is trained beside it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Event, get_ident
from typing import Any, NamedTuple

import numpy as np

from ..._support.checks import Array
from ...distributed.serial import SERIAL, Serial
from ...layers import Members
from ...losses import Loss
from ...model import Sequential
from ...runtime.sharing import Thread, Threads, share
from ...runtime.signals import deferred, deliver, released
from ...runtime.threads import available_threads, blas_threads, own_threads
from ...training.callbacks import Callback, History
from ...training.trainer import Trainer
from .. import recipe
from ..encoding import TableEncoder
from ..plans import Plan
from .tables import folds, set_aside
from .watching import BestEpoch, Deadline, Report, Reports, Shortened

TRIAL_STEPS, TRIAL_EPOCHS = 4, 3  # that time a step; the first is slower
SCORED = 0.5  # share of the epochs that are scored, about
PATIENCE = 0.1  # seconds between two looks whether all threads have ended
Tell = Callable[[int, Report], None]


class Rows(NamedTuple):
    """Encoded rows: x (N, I), y as the error takes it, and weights or None; they are some of those in a stream."""

    x: Array
    y: Array
    weight: Array | None
    stream: Any = None

    @property
    def total(self) -> int:
        return len(self.y) if self.stream is None else int(sum(self.stream.lengths))

    def data(self, targets: Callable[[Array], Array]) -> dict[str, Any]:
        """Return the rows as a trainer takes them."""
        if self.stream is not None:
            return {"x": self.stream}
        return {"x": self.x, "y": targets(self.y), "sample_weight": self.weight}

    def at(self, chosen: Any) -> Rows:
        return Rows(self.x[chosen], self.y[chosen], None if self.weight is None else self.weight[chosen])


class Trained(NamedTuple):
    """A member, and how it was trained; the error is of its best epoch, None without validation rows."""

    fold: int
    model: Sequential
    history: History
    best_epoch: int
    n_epochs: int
    error: float | None
    changes: list[tuple[int, int]]  # of the schedule

    def facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("fold", "best_epoch", "n_epochs", "error")}


class Pace(NamedTuple):
    """The seconds that a member takes for an epoch, for its start and end, and for a score of its validation rows."""

    epoch: float
    start: float
    score: float


class Division:
    """Which rows a member learns from, and which judge it; they are encoded when they are asked for.

    ``fold_of`` numbers the sets of rows by member; ``aside`` chooses the rows of a set, in place of ``own``.
    """

    def __init__(
        self,
        part: Any,
        own: Any,
        encode: Callable[[Any], Rows],
        fold_of: Callable[[int], int],
        aside: Callable[[int], Array] | None = None,
    ) -> None:
        self._part, self._own, self._encode, self.fold_of, self._aside = part, own, encode, fold_of, aside
        self.learned, self.held_out = lru_cache(1)(self._learned), lru_cache(1)(self._held_out)  # the last are kept

    def places(self, fold: int) -> Array:
        """Return where in the table the rows of a set were."""
        return np.asarray(self._part.at(self._aside(fold)).places)  # type: ignore[misc]

    def _learned(self, fold: int) -> Rows:
        return self._encode(self._part if self._aside is None else self._part.at(~self._aside(fold)))

    def _held_out(self, fold: int) -> Rows | None:
        part = self._own if self._aside is None else self._part.at(self._aside(fold))
        return None if part is None or not len(part.y) else self._encode(part)


def divided(
    plan: Plan, part: Any, own: Any, encode: Callable[[Any], Rows], labels: Array | None, share: float
) -> Division:
    """Set aside the rows of each fold, or a share for each member; with the user's own validation rows, none."""
    count = len(part.y)
    if plan.n_folds > 1:
        ids = folds(labels, count, plan.n_folds, np.random.default_rng(plan.seed))
        return Division(part, None, encode, lambda member: member // plan.n_ensemble, lambda fold: ids == fold)
    if own is not None or part.stream is not None or not share:
        return Division(part, own, encode, lambda member: 0)
    return Division(
        part,
        None,
        encode,
        lambda member: member % int(1 / share),  # after so many sets no other rows are left
        lambda fold: set_aside(labels, count, share, np.random.default_rng(plan.seed), fold),
    )


@dataclass(frozen=True)
class Task:
    """What the members of an ensemble share."""

    plan: Plan
    recipe: recipe.Recipe
    encoder: TableEncoder
    loss: Loss
    outputs: int
    targets: Callable[[Array], Array]
    error: Callable[[Array, Array, Array | None], float]
    metric: str
    stops: bool
    rows: Division

    def network(self, rng: np.random.Generator, x: Array | None = None) -> Sequential:
        return recipe.network(self.encoder, self.outputs, self.recipe, rng, x)

    def trainer(self, model: Sequential, watchers: Sequence[Callback], rng: np.random.Generator) -> Trainer:
        size, optimizer = self.plan.batch_size, recipe.optimizer(model, self.recipe)
        return Trainer(model, self.loss, optimizer, size, callbacks=watchers, rng=rng, drop_last=True)

    def pace(self, threads: int) -> Pace:
        """Time networks side by side, on so many threads each, as they will be trained."""
        found: list[Pace] = []
        beside = max(1, min(available_threads() // threads, self.plan.members))
        began = time.monotonic()
        rows, held_out = self.rows.learned(0), self.rows.held_out(0)
        encoding = time.monotonic() - began
        with blas_threads(0.0, exactly=1):
            share(lambda place: found.append(self._tried(place, threads, rows, held_out)), range(beside), beside)
        epoch, start, score = map(max, zip(*found, strict=True))
        return Pace(epoch, start + beside * (encoding + score), score)

    def _tried(self, place: int, threads: int, rows: Rows, held_out: Rows | None) -> Pace:
        """Time some steps that change nothing."""
        began, rng = time.monotonic(), np.random.default_rng(0)
        still, size = replace(self, recipe=replace(self.recipe, learning_rate=0.0)), self.plan.batch_size
        few = Rows(*rows[:3]).at(slice(TRIAL_STEPS * size))
        with own_threads(threads):
            model = self.network(rng, rows.x if place % 2 else None)
            recipe.begin(model, rows.x, rng)
            trainer = still.trainer(model, [], rng)
            history = trainer.fit(**few.data(self.targets), epochs=TRIAL_EPOCHS, verbose=0)
            if history.interrupted:
                raise KeyboardInterrupt
            trained = time.monotonic()
            if held_out is not None:
                self._score(model, held_out)
        score = time.monotonic() - trained
        step = min(history["seconds"][1:]) / trainer.steps_per_epoch
        start = trained - began - sum(history["seconds"])
        return Pace(step * (rows.total // size) + SCORED * score, start, score)

    def train(
        self,
        member: int,
        limit: Deadline | Shortened | None,
        tell: Callable[[Report], None],
        is_over: Callable[[], bool],
    ) -> Trained:
        """Train a member."""
        place = divmod(member, self.plan.n_ensemble)
        rng = np.random.default_rng((self.plan.seed, *place))
        fold = self.rows.fold_of(member)
        rows, held_out = self.rows.learned(fold), self.rows.held_out(fold)
        model = self.network(rng, rows.x if sum(place) % 2 else None)  # the more members differ, the better
        recipe.begin(model, rows.x, rng)
        watchers: list[Callback] = [recipe.fading_dropout(self.recipe)]
        best = None
        if held_out is not None:
            best = BestEpoch(f"validation_{self.metric}", lambda: self._score(model, held_out), self.stops)
            watchers.append(best)
        watchers += [*([limit] if limit else []), Reports(tell, is_over)]
        trainer = self.trainer(model, watchers, rng)
        history = trainer.fit(**rows.data(self.targets), epochs=self.plan.epochs, verbose=0)
        tell(Report(None, 0))
        epoch, error = (trainer.epoch, None) if best is None or not best.epoch else (best.epoch, best.best)
        return Trained(fold, model, history, epoch, trainer.epoch, error, limit.changes if limit else [])

    def _score(self, model: Sequential, rows: Rows) -> float:
        return self.error(rows.y, model.predict(rows.x).astype(np.float64), rows.weight)


class Crew:
    """The threads that train members; the caller's waits, passes on reports, errors and Ctrl-C."""

    def __init__(
        self, task: Task, seconds: float | None, end: float, tell: Tell, communicator: Serial = SERIAL
    ) -> None:
        self._task, self._seconds, self._end, self._tell, self._communicator = task, seconds, end, tell, communicator
        mine = range(communicator.rank, task.plan.members, communicator.size)
        self._left, self._ending = deque(mine), Event()
        self._trained: dict[int, Trained] = {}
        self._errors: dict[int, BaseException] = {}
        self._ended: list[None] = []  # an entry by each thread
        self._reports: SimpleQueue[tuple[int, Report] | None] = SimpleQueue()
        self._processors, self._caller = available_threads(), get_ident()
        self._side_by_side = max(1, min(self._processors, len(mine)))

    def train(self) -> list[Trained]:
        """Train all members; after Ctrl-C, those that have begun are returned as they are."""
        with blas_threads(0.0, exactly=1):  # first weights and validation round alike, whatever runs beside them
            if self._side_by_side == 1:
                self._work(self._tell)
            else:
                with deferred(), Threads(self._run, self._side_by_side, self._ending.set) as threads:
                    self._wait(threads.started)
        try:
            if self._errors:
                raise self._errors[min(self._errors)]
        finally:
            self._errors.clear()  # their tracebacks refer to this frame
        trained = {member: one for each in self._communicator.allgather(self._trained) for member, one in each.items()}
        if not trained:
            raise KeyboardInterrupt
        return [trained[member] for member in sorted(trained)]

    def _is_over(self) -> bool:
        """Whether all members are to end; a caller that trains answers the other ranks meanwhile."""
        if get_ident() == self._caller:
            self._communicator.answer()
        return self._ending.is_set()

    def _wait(self, threads: list[Thread]) -> None:
        if not threads:  # the system allows none
            self._work(self._tell)
        while (len(self._ended) < len(threads) and any(map(Thread.is_alive, threads))) or not self._reports.empty():
            try:
                deliver()
                with released:
                    self._listen()
            except KeyboardInterrupt:
                if self._ending.is_set():
                    raise
                self._ending.set()

    def _listen(self) -> None:
        self._communicator.answer()
        try:
            report = self._reports.get(timeout=PATIENCE)
        except Empty:
            return
        if report is not None:
            self._tell(*report)

    def _run(self) -> None:
        with own_threads(max(1, self._processors // self._side_by_side)):
            self._work(lambda member, report: self._reports.put((member, report)))
        self._ended.append(None)
        self._reports.put(None)

    def _work(self, tell: Tell) -> None:
        """Train members as long as some are left."""
        while self._left and not self._ending.is_set():
            try:
                member = self._left.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                told = lambda report, member=member: tell(member, report)  # noqa: E731
                self._trained[member] = trained = self._task.train(member, self._limit(member), told, self._is_over)
                if trained.history.interrupted and not trained.history.reason:
                    self._ending.set()
            except BaseException as error:
                self._errors[member] = error
                self._ending.set()

    def _limit(self, member: int) -> Deadline | Shortened | None:
        """Return the time limit of a member: its share of the time left; or how its plan was shortened."""
        if self._seconds is None:
            changes = [(step, steps) for one, step, steps in self._task.plan.shortened if one == member]
            return Shortened(changes) if changes else None
        now, waiting = time.monotonic(), len(self._left) // self._side_by_side
        return Deadline(self._seconds, now + (self._end - now) / (1 + waiting))


def scale_outputs(model: Sequential, factor: float, shift: Array) -> None:
    """Multiply the outputs of a network by a factor, and shift them, in its last layer."""
    last: Any = model.layers[-1]
    last.W[...] *= factor
    last.b[...] = last.b * factor + shift


def joined(trained: Sequence[Trained], rng: Any) -> Sequential:
    """Return one model that averages the outputs of all members."""
    if len(trained) == 1:
        return trained[0].model
    return Sequential([Members([member.model for member in trained])], rng=rng)
