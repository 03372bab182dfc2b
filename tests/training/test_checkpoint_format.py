"""What a checkpoint file holds: nothing in its header grows with the training, and what it cannot hold is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule._support import files
from chainrule.training import checkpoint, state

X, Y = np.eye(4, dtype="f4"), np.array([[0.0], [1.0], [1.0], [0.0]], "f4")


class Note(cr.Callback):
    """A row of its own, and a state."""

    def __init__(self, row: Callable[[int], dict[str, Any]] = lambda epoch: {}, state: Any = None) -> None:
        self.row, self.held = row, state
        self.found: Any = None

    def on_epoch_end(self, trainer: Any, row: dict[str, Any]) -> None:
        row |= self.row(trainer.epoch)

    def state(self) -> dict[str, Any]:
        return {"held": self.held}

    def load_state(self, state: dict[str, Any]) -> None:
        self.found = state["held"]


def trainer(folder: Path, *callbacks: cr.Callback, every: int = 1) -> cr.Trainer:
    model = cr.MLP([4, 4, 1], rng=0)
    callbacks = (*callbacks, cr.callbacks.Checkpoint(folder, every=every))
    return cr.Trainer(model, "squared_error", cr.SGD(1e-6), batch_size=None, callbacks=callbacks)


def fit(one: cr.Trainer, epochs: int) -> cr.callbacks.History:
    return one.fit(X, Y, epochs=epochs, verbose=0)


def header_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 : 8 + struct.unpack("<Q", data[:8])[0]]


def test_the_header_does_not_grow_with_the_history_or_with_states(tmp_path: Path) -> None:
    sizes = []
    for name, epochs, length in (("short", 2, 1), ("long", 300, 100_000)):
        note = Note(lambda epoch: {"a column of a callback": 1 / epoch}, [0.5] * length)
        fit(trainer(tmp_path / name, note, every=epochs), epochs)
        (path,) = (tmp_path / name).iterdir()
        sizes.append(len(header_of(path)))
    assert max(sizes) < 3000
    assert abs(sizes[1] - sizes[0]) < 100  # digits of offsets


def test_columns_with_gaps_of_any_kind_of_number_come_back(tmp_path: Path) -> None:
    values = [1, 2.5, np.float32(0.1), np.int64(7), True, float("inf"), float("nan"), -0.0]

    def rows(epoch: int) -> dict[str, Any]:
        row = {f"every {epoch % 3}": epoch, "mixed": values[epoch % 8]}
        return row | {"rare": 1.5} if epoch == 4 else row

    history = fit(trainer(tmp_path, Note(rows)), 9)
    again = trainer(tmp_path, Note(rows)).resume(tmp_path)
    assert again.epoch == 9
    assert again.history.columns == history.columns
    for mine, theirs in zip(again.history.rows, history.rows, strict=True):
        assert mine.keys() == theirs.keys()
        np.testing.assert_array_equal([mine[name] for name in theirs], list(theirs.values()))


def test_a_history_of_a_hundred_thousand_epochs_is_packed_and_unpacked() -> None:
    rows = [{"loss": 1 / epoch, "seconds": 0.1, "learning_rate": 0.5} for epoch in range(1, 100_001)]
    arrays: dict[str, np.ndarray] = {}
    facts = state.refer(state.columns_of(rows), "history", arrays)
    assert len(json.dumps(facts)) < 300
    assert state.rows_of(state.unpack(facts, arrays)) == rows


@pytest.mark.parametrize("value", ["low", None, [1.0], object()])
def test_a_row_of_something_else_than_numbers_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^Checkpoint expects numbers in the rows of the history, got a value like"):
        fit(trainer(tmp_path, Note(lambda epoch: {"odd": value})), 3)
    assert list(tmp_path.iterdir()) == []


STATES: dict[str, Any] = {
    "nothing": None,
    "nested": {"a": [1, 2.5, {"b": np.arange(3)}], "c": "text", "d": [[np.ones((2, 2), "f4")], []]},
    "arrays": [np.arange(2).astype(dtype) for dtype in ("i1", "u8", "f2", "f4", "f8", "?")],
    "strided": np.arange(10)[::-2],
    "numbers": [np.float64(0.1), np.int32(3), np.bool_(True)],
    "empty": [],
}


def equal(some: Any, others: Any) -> bool:
    if isinstance(others, np.ndarray):
        return bool(some.dtype == others.dtype and np.array_equal(some, others))
    if isinstance(others, dict):
        return some.keys() == others.keys() and all(equal(some[name], others[name]) for name in others)
    if isinstance(others, list):
        return len(some) == len(others) and all(map(equal, some, others))
    return bool(some == others)


@pytest.mark.parametrize("name", STATES)
def test_the_state_of_a_callback_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    fit(trainer(tmp_path, Note(state=STATES[name])), 1)
    note = Note()
    trainer(tmp_path, note).resume(tmp_path)
    assert equal(note.found, STATES[name])


@pytest.mark.parametrize("value", [{1, 2}, object(), np.array(["a"]), np.array([1j]), np.array([None])])
def test_a_state_that_no_file_holds_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"^Checkpoint expects the state of callbacks and schedules to be numbers, text,"
    ):
        fit(trainer(tmp_path, Note(state=value)), 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", [3, 99, "2", None])
def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path, format_: Any) -> None:
    fit(trainer(tmp_path), 1)
    (path,) = tmp_path.iterdir()
    arrays, header = files.read_arrays("test", path)
    header[checkpoint.KEY] = json.dumps({"format": format_, "version": "9.9"})
    files.write_arrays("test", path, arrays, header | {files.DIGEST: files.digest(arrays, header)})
    for read in (trainer(tmp_path).resume, cr.load):
        with pytest.raises(ValueError, match=r"to be of format 2, got format .*, written by version '9\.9'; install"):
            read(path)


def test_a_trainer_that_refuses_a_checkpoint_stays_as_it_was(tmp_path: Path) -> None:
    def make() -> cr.Trainer:
        callbacks = [
            cr.callbacks.WeightAverage(0.9),
            cr.callbacks.EarlyStopping("loss"),
            cr.callbacks.Checkpoint(tmp_path),
        ]
        optimizer = cr.Adam(cr.schedules.ReduceOnPlateau(0.1))
        return cr.Trainer(cr.MLP([4, 4, 1], rng=0), "squared_error", optimizer, callbacks=callbacks, batch_size=None)

    fit(make(), 3)
    path = max(tmp_path.iterdir())
    arrays, facts = checkpoint.read_checkpoint("test", path)
    facts["schedules"]["weight_decay"] = {"best": 1.0}  # which is a number, and has none
    checkpoint.write_checkpoint(path, arrays, facts)
    one = make()
    fit(one, 1)
    expected, rows = one.state.to_arrays()[0], list(one.history.rows)
    with pytest.raises(ValueError, match=r"resume expects .* to hold the state of a training"):
        one.resume(path)
    found = one.state.to_arrays()[0]
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    assert one.history.rows == rows
