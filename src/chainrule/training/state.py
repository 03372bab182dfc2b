"""The complete state of training, and how files hold it: checkpoints write it, rollbacks copy it, resume takes it."""

from __future__ import annotations

import copy
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol, TypeAlias

import numpy as np

from .._support.checks import Array, sentence, within
from ..data.batches import Batches
from ..model import Sequential
from ..optimizers import Optimizer
from .settings import Configured, Settings, assign, settings_of

ARRAY = "$array"  # stands for an array in the facts, with its name
KINDS = "biuf"  # of the numbers that a file holds


def refer(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """Convert the value to JSON types; its arrays go into ``arrays``, under names that begin with ``name``."""
    if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, dict):
        return {key: refer(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [refer(item, f"{name}/{index}", arrays) for index, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Restore the value from :func:`refer`, with lists for tuples and Python numbers for NumPy's."""
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: unpack(item, arrays) for key, item in value.items()}
    return [unpack(item, arrays) for item in value] if isinstance(value, list) else value


def columns_of(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the number of rows and each column: its name, its values, and the rows that have one if not all do."""
    found: dict[str, tuple[list[float], list[int]]] = {}
    for index, row in enumerate(rows):
        for name, value in row.items():
            values, places = found.setdefault(name, ([], []))
            values.append(value)
            places.append(index)
    columns = []
    for name, (values, places) in found.items():
        array = np.array(values)
        if array.dtype.kind not in KINDS or array.ndim != 1:
            got = f"a value like {values[0]!r} in column {name!r}"
            raise TypeError(sentence("Checkpoint", "numbers in the rows of the history", got))
        columns.append([name, array, None if len(places) == len(rows) else np.array(places)])
    return {"count": len(rows), "columns": columns}


def rows_of(history: Mapping[str, Any]) -> list[dict[str, float]]:
    """Restore the rows from :func:`columns_of`."""
    count, columns = history["count"], history["columns"]
    if count > sum(len(values) for _, values, _ in columns):
        raise ValueError(f"{count} rows of fewer numbers")
    rows: list[dict[str, float]] = [{} for _ in range(count)]
    for name, values, places in columns:
        chosen = rows if places is None else [rows[place] for place in places.tolist()]
        for row, value in zip(chosen, values.tolist(), strict=True):
            isfinite(value)  # raises unless it is a number
            row[name] = value
    return rows


SAME_DATA = "pass the data that were trained on"

Row: TypeAlias = dict[str, float]
#: A step's loss, the weight of its batch and the learning rate. A plain tuple, because small networks take a hundred
#: thousand steps a second.
StepRecord: TypeAlias = tuple[float, float, float]


def epoch_summary(records: list[StepRecord]) -> Row:
    """Return an epoch's loss, the weighted mean over its batches, and its first learning rate."""
    total, weights = 0.0, 0.0
    for loss, weight, _ in records:
        total, weights = total + loss * weight, weights + weight
    return {"loss": total / weights if weights else 0.0, "learning_rate": records[0][2]}


@dataclass(eq=False, repr=False)  # each method that dataclasses compiles adds 0.1 ms to the import
class EpochState:
    """An epoch, or ``count`` short ones drawn at once, after ``done`` steps: what an exact resume needs."""

    order: Array | None  # row numbers; None for the rows in their own order
    done: int = 0
    count: int = 1
    keys: Array | None = None  # of the dropouts and noises in each step, if drawn in advance
    outputs: list[Array] = field(default_factory=list)  # and targets and weights, in the epoch's order, if recorded
    means: Row = field(default_factory=dict)  # of the metrics over earlier outputs, which are no longer there
    weight: float = 0.0  # of these
    seed: int | None = None  # of the order of a stream,
    window: int = 0  # which is read so many steps at a time,
    groups: str = ""  # and a digest of the lengths of its groups

    def check(self, batches: Batches) -> None:
        """Raise unless it fits the batches: kernels trust it, and it may come from a forged file."""
        rows, order = batches.rows, self.order
        last = batches.arrays[0].shape[0] - 1
        if not (
            (
                order is None
                or (order.shape == (rows,) and order.dtype in (np.int64, np.intp) and within(order, 0, last))
            )
            and 0 <= self.done <= len(batches)
            and self.seed is None
            and all(array.shape[:1] == (rows,) for array in self.outputs)
        ):
            raise ValueError(sentence("fit", "to continue within an epoch of these rows", "another one", SAME_DATA))


@dataclass(eq=False, repr=False)
class Position:
    """How far training has come."""

    epoch: int = 0  # completed epochs
    current: EpochState | None = None  # the running epoch
    records: list[StepRecord] = field(default_factory=list)  # of the running epoch's steps
    row: Row | None = None  # of the epoch, while its last hook runs
    hook: str = ""  # the hook that is running
    told: list[str] = field(default_factory=list)  # classes of the callbacks that it has reached
    steps: int | None = 0  # steps taken; None in an old checkpoint
    before: int | None = 0  # the optimizer's steps when training began; None in an old checkpoint
    stopped: bool = False  # whether a callback ended training
    seconds: float = 0.0  # of training, up to `since`
    since: float | None = None  # the start of the running fit
    length: int | None = None  # rows to train on; None in an old checkpoint, which has data_rows
    data_rows: int | None = None  # rows of an epoch
    cut: list[Any] | None = None  # batch_size, drop_last and sample of the running or the last epoch
    first: Settings | None = None  # as the user asked for them
    left: Settings | None = None  # as a fit, or resume, left them
    generators: list[Any] | None = None  # their states, in a checkpoint
    generators_at_first: list[Any] | None = None  # before the validation rows were drawn
    resumed: bool = False  # whether it comes from a checkpoint

    @property
    def elapsed(self) -> float:
        return self.seconds + (0.0 if self.since is None else time.perf_counter() - self.since)

    def check(self, rows: int, of_epoch: int) -> None:
        """Raise unless the data are as long as before."""
        if self.length not in (None, rows):
            raise ValueError(sentence("fit", f"data of {self.length} rows, as before", str(rows), SAME_DATA))
        if self.data_rows not in (None, of_epoch):
            expected = f"data of {self.data_rows} rows an epoch, as before"
            raise ValueError(sentence("fit", expected, str(of_epoch), SAME_DATA))
        done = 0 if self.current is None else self.current.done
        if done != len(self.records):
            raise ValueError(
                sentence("fit", f"to continue after {done} steps of an epoch", f"{len(self.records)} losses")
            )


class Stateful(Protocol):
    """What a checkpoint needs of a callback."""

    follows: bool

    @property
    def remembers(self) -> bool: ...
    def state(self) -> dict[str, Any]: ...
    def load_state(self, state: dict[str, Any]) -> None: ...


@dataclass(eq=False, repr=False)
class TrainingState:
    """A training by reference: model, optimizer, callbacks, generators, History, position and trainer."""

    trainer: Configured
    model: Sequential
    optimizer: Optimizer
    callbacks: Sequence[Stateful]
    rng: np.random.Generator
    rows: list[Row]
    position: Position

    @property
    def generators(self) -> list[Any]:
        """The states of the model's random generator and of the one that orders batches."""
        return [rng.bit_generator.state for rng in (self.model.rng, self.rng)]

    @generators.setter
    def generators(self, states: list[Any]) -> None:
        for rng, state in zip((self.model.rng, self.rng), states, strict=True):
            rng.bit_generator.state = state

    @property
    def remembering(self) -> list[Stateful]:
        return [callback for callback in self.callbacks if callback.remembers]

    def to_arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Copy the state: arrays by name, and facts in JSON types that refer to arrays by name."""
        arrays, facts = self._described()
        return {name: np.array(array, order="C") for name, array in arrays.items()}, facts

    def _described(self) -> tuple[dict[str, Array], dict[str, Any]]:
        position, current = self.position, self.position.current
        arrays = dict(arrays_of(self.model)) | {
            f"optimizer/{name}": array for name, array in self.optimizer.state.items()
        }
        schedules = {name: _attributes_of(schedule) for name, schedule in watching_schedules(self.optimizer)}
        facts = {
            "model": self.model.config(),
            "optimizer": type(self.optimizer).__name__,
            "schedules": refer(schedules, "schedule", arrays),
            "callbacks": [
                [type(callback).__name__, refer(callback.state(), f"callback/{index}", arrays)]
                for index, callback in enumerate(self.remembering)
            ],
            "history": refer(columns_of(self.rows), "history", arrays),
            "generators": refer(self.generators, "generators", arrays),
            "own_generator": self.rng is not self.model.rng,
            "settings": settings_of(self.trainer),
            "records": refer(np.array(position.records, np.float64).reshape(-1, 3), "epoch/records", arrays),
            "current": current and refer(vars(current), "epoch", arrays),
        }
        facts |= {name: refer(getattr(position, name), name, arrays) for name in PLAIN}
        return arrays, facts | {"seconds": position.elapsed}

    def from_arrays(self, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        """Restore the state that :meth:`to_arrays` returned; after an error, nothing has changed."""
        before, rng = self._described(), self.rng
        try:
            self._take(arrays, {name: unpack(value, arrays) for name, value in facts.items()})
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            self.rng = self.trainer.rng = rng
            self._take(before[0], {name: unpack(value, before[0]) for name, value in before[1].items()})
            raise

    def _take(self, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        position, rows = _position(facts), rows_of(facts["history"])
        if facts["own_generator"] and self.rng is self.model.rng:
            self.rng = self.trainer.rng = copy.deepcopy(self.rng)
        self.generators = facts["generators"]
        self.generators = facts["generators_at_first"] or facts["generators"]  # fit draws the same rows again
        self.optimizer.state = {
            name.removeprefix("optimizer/"): array for name, array in arrays.items() if name.startswith("optimizer/")
        }
        for callback, (_, state) in zip(self.remembering, facts["callbacks"], strict=True):
            callback.load_state(state)
        for name, remembered in facts["schedules"].items():
            vars(getattr(self.optimizer, name)).update(remembered)
        assign(self.trainer, facts["settings"])
        for name, array in arrays_of(self.model):
            array[...] = arrays[name]
        vars(self.position).update(vars(position))
        self.rows[:] = rows


def _position(facts: Mapping[str, Any]) -> Position:
    current = None
    if (epoch := facts["current"]) is not None:
        arrays = [array for array in (epoch["order"], epoch["keys"], *epoch["outputs"]) if array is not None]
        if not all(isinstance(array, np.ndarray) for array in arrays):
            raise TypeError("an epoch that does not consist of arrays")
        done, outputs = operator.index(epoch["done"]), list(epoch["outputs"])
        current = EpochState(epoch["order"], done, keys=epoch["keys"], outputs=outputs)
        current.means = {str(name): float(mean) for name, mean in epoch.get("means", {}).items()}
        current.weight, current.window = float(epoch.get("weight", 0)), operator.index(epoch.get("window", 0))
        current.groups = str(epoch.get("groups", ""))
        current.seed = None if epoch.get("seed") is None else operator.index(epoch["seed"])
    records = [(float(loss), float(weight), float(rate)) for loss, weight, rate in facts["records"]]
    position = Position(current=current, records=records, generators=facts["generators"], resumed=True)
    for name, convert in PLAIN.items():
        setattr(position, name, None if facts[name] is None else convert(facts[name]))
    return position


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list that does not consist of text")
    return values


#: The other attributes of a position, and their types.
PLAIN: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("epoch", "steps", "before", "length", "data_rows"), operator.index),
    "hook": str,
    "told": _texts,
    "row": dict,
    "seconds": float,
    "stopped": bool,
    "generators_at_first": list,
    "cut": list,
    "first": dict,
}
#: Defaults for older checkpoints.
UNSAID: dict[str, Any] = {"own_generator": False, "settings": {}, "length": None, "cut": None, "first": None}


def watching_schedules(optimizer: Optimizer) -> Iterator[tuple[str, Any]]:
    """Yield the optimizer's schedules that observe the loss, with their attributes; each object once."""
    decay, rate = optimizer.weight_decay, optimizer.learning_rate
    if hasattr(decay, "observe") and decay is not rate:
        yield "weight_decay", decay
    if hasattr(rate, "observe"):
        yield "learning_rate", rate


def _attributes_of(schedule: Any) -> dict[str, Any]:
    if not hasattr(schedule, "__dict__"):
        who, remedy = type(schedule).__name__, "remove __slots__ from the class"
        raise TypeError(sentence(who, "its attributes in __dict__, to be saved in a checkpoint", "__slots__", remedy))
    attributes: dict[str, Any] = vars(schedule)
    return attributes


def arrays_of(model: Sequential) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a model that training changes, with their names in a checkpoint."""
    yield "model/parameters", model.parameters.vector
    for name, array in model.buffers.items():
        yield f"buffer/{name}", array


# --- files of format 1 --------------------------------------------------------------------------------------------

LISTS = {"EarlyStopping": "weights", "WeightAverage": "other"}  # of arrays in the state, each under a name of its own
NEW: dict[str, Any] = {"row": None, "hook": "", "told": [], "steps": None, "before": None}
NEW |= {"seconds": 0.0, "stopped": False} | UNSAID


def upgraded(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and facts in format 2."""
    arrays = dict(arrays)
    schedule, done = facts.get("schedule"), facts["done"]
    callbacks = [
        [name, state | _state(name, f"callback/{index}/", arrays)]
        for index, (name, state) in enumerate(facts["callbacks"])
    ]
    current = None
    if done is not None:
        epoch = {name: _reference(f"epoch/{name}", arrays) for name in ("order", "keys")}
        current = epoch | {"done": done, "outputs": _list("epoch/seen/", arrays)}
    changed = {
        "schedules": {"learning_rate": schedule} if schedule else {},
        "callbacks": callbacks,
        "history": refer(columns_of(facts["rows"]), "history", arrays),
        "records": [] if done is None else _reference("epoch/taken", arrays),
        "current": current,
    }
    return arrays, NEW | dict(facts) | changed


def _state(name: str, prefix: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
    if name in LISTS:
        return {LISTS[name]: _list(f"{prefix}{LISTS[name]}/", arrays)}
    return {key.removeprefix(prefix): {ARRAY: key} for key in arrays if key.startswith(prefix)}


def _list(prefix: str, arrays: Mapping[str, Array]) -> list[dict[str, str]]:
    count = sum(name.startswith(prefix) for name in arrays)
    return [{ARRAY: f"{prefix}{index}"} for index in range(count)]


def _reference(name: str, arrays: Mapping[str, Array]) -> dict[str, str] | None:
    return {ARRAY: name} if name in arrays else None
