"""Training on a source: the steps of an epoch, window after window, of which a thread reads the next one ahead."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from functools import cached_property, partial
from hashlib import sha256
from itertools import takewhile
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, as_samples, sentence
from ..data.batches import Batches, Sample
from ..data.streams import Piece, Source, Windows, joined, lengths_of, read_pieces
from ..metrics import Metric
from ..model import Sequential
from ..runtime.sharing import Thread
from ..runtime.signals import deliver, released
from ..runtime.temporary import Temporary
from .engine import Average, Engine, Parts
from .evaluation import measure_outputs
from .inputs import Data, as_rows, check_resolved, check_targets
from .ranks import Shares, keep_in_step
from .run import Claim, Run
from .state import SAME_DATA, EpochState, Position, StepRecord

WINDOW_BYTES = 2**27  # of the rows of a window; training holds two of them
PROBE = 256  # rows that are read and checked before training
SAMPLES = 64  # rows of each piece, or a few more, in whose columns the model's dtype must resolve differences
ADVICE = 2048  # rows


class Stream:
    """The rows of a source, converted to the model's dtype and checked; iterating gives windows, in the source's order.

    Attributes
    ----------
    first, probe : list of Piece, tuple of arrays
        The first rows.
    lengths : array (G,)
        Rows of each group.
    """

    def __init__(self, who: str, model: Sequential, source: Source) -> None:
        self._who, self._model, self._source = who, model, source
        columns = getattr(source, "columns", None)
        self.columns = columns if isinstance(columns, list) else []  # names, if known
        self._kinds: list[Array] = []  # an array like each
        self.lengths = lengths_of(who, source)
        self._starts = np.cumsum(self.lengths) - self.lengths
        first = int(np.argmax(self.lengths > 0))
        self.first = [Piece(first, 0, min(int(self.lengths[first]), PROBE))]
        self.probe = self.read(self.first)
        self._kinds = [array for array in self.probe if array is not None]
        self._most_rows = max(1, WINDOW_BYTES // sum(array.nbytes // len(array) for array in self._kinds))

    @property
    def rows(self) -> int:
        return int(self.lengths.sum())

    @cached_property
    def groups(self) -> str:
        """A digest of the lengths of all groups."""
        return sha256(self.lengths.tobytes()).hexdigest()

    def check_columns(self, held_out: Stream) -> None:
        """Raise if the columns of the validation data are others, or in another order."""
        for place, (ours, theirs) in enumerate(zip(self.columns, held_out.columns, strict=False)):
            if ours != theirs:
                expected, remedy = f"the columns of the training data, {ours!r} at place {place}", "pass columns=[...]"
                raise ValueError(sentence("validation", expected, repr(theirs), f"{remedy} to cr.data.stream"))

    def windows(self, size: int, drop_last: bool, steps: int | None = None) -> Windows:
        """Return the windows of epochs of ``size`` rows a batch, of so many steps each if given."""
        return Windows(self.lengths, size, drop_last, self._most_rows if steps is None else steps * size)

    def __iter__(self) -> Iterator[Data]:
        windows, weighs = self.windows(min(self._most_rows, self.rows), drop_last=False), False
        with Ahead(self.read) as ahead:
            for index in range(windows.count):
                window = ahead.take(windows.pieces(None, index))
                ahead.ask(windows.pieces(None, index + 1))
                if _weighs(window):  # otherwise no metric is defined on it
                    weighs = True
                    yield window
        if not weighs:
            raise _weightless(self._who)

    def read(self, pieces: list[Piece], is_due: Callable[[], bool] = lambda: True, mixed: bool = False) -> Data:
        """Read these rows into new arrays, as long as they are due; if they are mixed, check that columns vary."""
        samples: list[tuple[Array, Array]] = []

        def converted(piece: Piece, x: Any, y: Any, weight: Any) -> Data:
            x, y = as_samples(self._who, x), as_numeric(self._who, "y", y)
            step = max(1, len(x) // SAMPLES)
            samples.append((x[::step].copy(), y[::step].copy()))
            first_row = int(self._starts[piece.group]) + piece.start
            return as_rows(self._who, self._model, x, y, weight, first_row)

        due = takewhile(lambda piece: is_due(), pieces)
        rows = sum(piece.stop - piece.start for piece in pieces)
        x, y, *weight = joined(self._source, read_pieces(self._source, due, converted), rows, self._kinds)
        if mixed:  # rows that follow one another may differ by less
            some_x, some_y = (np.concatenate(some) for some in zip(*samples, strict=True))
            check_resolved(self._who, self._model, some_x, some_y)
        return x, y, weight[0] if weight else None

    def numbers(self, pieces: list[Piece]) -> Array:
        """Return the numbers of these rows in the source."""
        return np.concatenate([self._starts[group] + np.arange(start, stop) for group, start, stop in pieces])


def _weighs(data: Data) -> bool:
    return data[2] is None or bool(data[2].any())


def _weightless(who: str) -> ValueError:
    return ValueError(sentence(who, "a sample_weight above 0", "zeros only"))


class Ahead(Temporary):
    """Reads the next window in a thread, which has finished at the end."""

    def __init__(self, read: Callable[[list[Piece], Callable[[], bool]], Data]) -> None:
        self._read = read
        self._is_due = True
        self._thread: Thread | None = None
        self._pieces: list[Piece] | None = None
        self._found: list[Data | BaseException] = []

    def begin(self) -> None:
        """Nothing is read before it is asked for."""

    def ask(self, pieces: list[Piece]) -> None:
        """Begin to read these rows, if there are any."""
        self._pieces, self._found = pieces, []
        self._thread = Thread(self._run, pieces, self._found)
        if pieces:
            self._thread.start()

    def take(self, pieces: list[Piece]) -> Data:
        """Return these rows, as soon as they are read."""
        with released:  # so that Ctrl-C need not wait for a slow disk,
            deliver()  # even if it came before
            self._wait()
            if self._pieces != pieces or not self._found:  # also after a fork, or if there can be no more threads
                self.ask(pieces)
                self._wait()
        found = self._found.pop() if self._found else self._read(pieces, lambda: True)
        if isinstance(found, BaseException):
            try:
                raise found
            finally:
                del found  # a cycle with its traceback would keep the data alive
        return found

    def _run(self, pieces: list[Piece], found: list[Data | BaseException]) -> None:
        try:
            found.append(self._read(pieces, lambda: self._is_due))
        except BaseException as error:  # raised where the rows are taken
            found.append(error)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def end(self) -> None:
        """Wait for the thread, which ends after the piece that it is reading."""
        self._is_due = False
        self._wait()
        self._found = []


class StreamRun(Run):
    """The steps of a fit to a stream: in each window, those of a fit to its arrays."""

    batches: Batches

    def __init__(
        self,
        parts: Callable[[], Parts],
        stream: Stream,
        held_out: Any,
        claim: Claim,
        total_steps: Callable[[bool], int],
    ) -> None:
        super().__init__(parts, stream.probe, None, held_out, claim, total_steps)
        self._stream, self._read = stream, partial(stream.read, mixed=True)
        self._windows: Windows
        self._pieces: list[Piece] = []  # of the present arrays; none of the probe

    @property
    def data(self) -> Stream:
        return self._stream

    @property
    def rows(self) -> int:
        return self._stream.rows

    def check(self, position: Position) -> None:
        position.check(self.rows, self._windows.rows)
        epoch = position.current
        if epoch is not None:
            if epoch.seed is None or epoch.seed < 0 or epoch.window < 1 or not 0 <= epoch.done <= len(self._windows):
                raise ValueError(sentence("fit", "to continue within an epoch of this stream", "another", SAME_DATA))
            if epoch.groups not in ("", self._stream.groups):
                got = "groups of other lengths"
                raise ValueError(
                    sentence("fit", "to continue within an epoch of the same groups of rows", got, SAME_DATA)
                )
            self._windows = self._stream.windows(self._windows.size, self._settings[1], epoch.window)

    def cut(self, size: int | None, drop_last: bool, sample: Sample) -> Windows:
        settings = size, drop_last, sample
        if settings != self._settings:
            if size is None or sample != "all":
                got = f"batch_size={size}, sample={sample!r}"
                raise ValueError(sentence("fit", 'a batch_size and sample="all" for a stream', got))
            self._windows, self._settings, self._engine = self._stream.windows(size, drop_last), settings, None
            self._show([], self._stream.probe)
        return self._windows

    def _show(self, pieces: list[Piece], data: Data) -> None:
        """Train on these arrays."""
        self._pieces, self._data, self._loss = pieces, data, None
        size, rng = self._windows.size, self._parts().rng
        self.batches = Batches(*data, size=size, rng=rng, drop_last=self._settings[1], sample="all")

    def begin(self, most: int) -> EpochState:
        """Draw the seed of the next epoch."""
        keep_in_step(self._parts())
        seed = int(self._parts().rng.integers(2**63))
        return EpochState(None, seed=seed, window=self._windows.each, groups=self._stream.groups)

    def steps(
        self, epoch: EpochState, metrics: Mapping[str, Metric], single_step: bool, average: Average | None
    ) -> Generator[list[StepRecord], None, None]:
        weighs = epoch.done > 0  # what was read before an interruption is not known
        with Ahead(self._read) as ahead:
            while epoch.done < len(self._windows):
                index, done = divmod(epoch.done, self._windows.each)
                if not done:
                    measure_outputs(self._parts(), metrics, epoch)  # those of the window before
                pieces, following = (self._windows.pieces(epoch.seed, i) for i in (index, index + 1))
                if pieces != self._pieces:  # otherwise all rows fit into one window
                    shares, own = self._shares(index), self._own(index, pieces)
                    data = ahead.take(own)
                    if shares is not None:
                        self._parts().communicator.agree()  # that none of them was interrupted
                        data = shares.whole(data, sum(piece.stop - piece.start for piece in pieces))
                    self._show(pieces, data)
                    del data
                    self.engine()  # lets go of the window before
                    ahead.ask(self._own(index + 1, following))
                weighs = weighs or _weighs(self._data)
                part = EpochState(self._order(epoch, index), done, outputs=epoch.outputs)
                part.check(self.batches)
                with closing(super().steps(part, metrics, single_step, average)) as steps:
                    for records in steps:
                        epoch.done, epoch.outputs = index * self._windows.each + part.done, part.outputs
                        yield records
        if not weighs:
            raise _weightless("fit")

    def _make_engine(self, parts: Parts) -> Engine:
        try:
            return super()._make_engine(parts)
        except ValueError as error:
            row = self._first_refused(parts)
            if row is None:
                raise
            raise ValueError(f"{error} See row {row} of the source.") from None

    def _first_refused(self, parts: Parts) -> int | None:
        """Return the number of the first row whose target the loss refuses, if it accepts those before."""
        x, y, weight = self._data
        accepted, refused = 0, len(x) + 1
        while refused - accepted > 1:
            rows = slice((accepted + refused) // 2)
            try:
                check_targets(parts.model, parts.loss, (x[rows], y[rows], None if weight is None else weight[rows]))
                accepted = rows.stop
            except ValueError:
                refused = rows.stop
        return int(self.numbers[accepted]) if 0 < accepted < len(x) else None

    def _order(self, epoch: EpochState, index: int) -> Array:
        order = self._windows.order(epoch.seed or 0, index)
        shares = self._shares(index)
        return order if shares is None else shares.order(epoch.seed or 0, index)

    def _shares(self, index: int) -> Shares | None:
        """Return which rows of a window each rank reads; None where one reads all, or mixes its rows with others."""
        parts, size = self._parts(), self._windows.size
        if parts.communicator.size == 1 or parts.augment or size < parts.communicator.size:
            return None
        return Shares(parts.communicator, self._windows.used(index), size)

    def _own(self, index: int, pieces: list[Piece]) -> list[Piece]:
        shares = self._shares(index) if pieces else None
        return pieces if shares is None else shares.pieces(pieces)

    def rows_at(self, epoch: EpochState, step: int) -> tuple[list[Array], Array, Array]:
        index, step = divmod(step, self._windows.each)
        pieces = self._windows.pieces(epoch.seed, index)
        if pieces != self._pieces or self._shares(index) is not None:
            self._show(pieces, self._read(pieces))
        arrays, rows, _ = super().rows_at(EpochState(self._order(epoch, index)), step)
        return arrays, rows, self.numbers[rows]

    @property
    def numbers(self) -> Array:
        """The numbers of the rows of the present arrays in the source."""
        return self._stream.numbers(self._pieces or self._stream.first)

    def some(self) -> Data:
        if self._shares(0) is not None:
            return self._stream.probe
        rows = np.random.default_rng(0).permutation(len(self._data[0]))[:ADVICE]
        x, y, weight = self._data
        return x[rows], y[rows], None if weight is None else weight[rows]
