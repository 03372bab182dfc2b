"""What is wrong with a source is said in one sentence, with the number of the row in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from training.streamed import ROWS, Rows, small_windows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 5)).astype(np.float32)
Y = RNG.integers(0, 3, ROWS)
BYTES = 5 * 4 + 8


def trainer(**settings: Any) -> cr.Trainer:
    return cr.Trainer(cr.MLP([5, 8, 3], rng=0), "cross_entropy", **{"batch_size": 16} | settings)


def with_number(row: int, column: int, number: float) -> Rows:
    x = X.copy()
    x[row, column] = number
    return Rows(x, Y)


class Made(Rows):
    """Returns what a function makes of the rows read."""

    def __init__(self, change: Any) -> None:
        super().__init__(X, Y)
        self.change = change

    def __repr__(self) -> str:
        return "Made"

    def read(self, group: int, start: int, stop: int) -> Any:
        return self.change(group, *super().read(group, start, stop))


LATER = 5  # a group

REFUSED = {
    "nan in x": (lambda: with_number(41, 2, np.nan), ValueError, r"finite numbers in x, got nan at row 41, column 2"),
    "three": (lambda: Made(lambda group, x, y: (x, y, y, y)), TypeError, "Made expects arrays of rows, got 4 values"),
    "x alone": (lambda: Made(lambda group, x, y: (x,)), TypeError, "got 1 values; name the target= of the stream"),
    "one array": (lambda: Made(lambda group, x, y: x), TypeError, "Made expects arrays of rows, got ndarray"),
    "fewer rows": (
        lambda: Made(lambda group, x, y: (x[1:], y) if group == LATER else (x, y)),
        ValueError,
        r"Made expects dense arrays of \d+ rows from read\(5, 0, \d+\), got \(\d+, 5\) and \(\d+,\)",
    ),
    "another dtype": (
        lambda: Made(lambda group, x, y: (x, y + 0.5) if group == LATER else (x, y)),
        ValueError,
        r"Made expects arrays like those before from read\(5, .*int64 rows of shape \(\), got .*float64 rows",
    ),
    "another width": (
        lambda: Made(lambda group, x, y: (x[:, :4], y) if group == LATER else (x, y)),
        ValueError,
        r"Linear\(5 → 8, .*expects input of shape \(N, 5\), got \(\d+, 4\)",
    ),
    "text": (
        lambda: Made(lambda group, x, y: (x, y.astype(str)) if group == LATER else (x, y)),
        TypeError,
        "fit expects y to be an array of numbers",
    ),
    "a label": (lambda: Rows(X, np.where(np.arange(ROWS) == 50, 7, Y)), ValueError, "got 7; .* See row 50 of"),
    "lengths": (lambda: _with_lengths([1.5, 3]), TypeError, "whose lengths are the rows of each group"),
    "negative": (lambda: _with_lengths([-1, 3]), TypeError, "whose lengths are the rows of each group"),
    "no rows": (lambda: _with_lengths([0, 0]), ValueError, "at least one row, got none"),
    "a disk error": (lambda: Made(_broken), OSError, "^the disk is gone$"),
}  # fmt: skip


def _with_lengths(lengths: Any) -> Rows:
    source = Rows(X, Y)
    source.lengths = np.array(lengths)
    return source


def _broken(group: int, x: Any, y: Any) -> Any:
    if group == LATER:
        raise OSError("the disk is gone")
    return x, y


@pytest.mark.parametrize("window", [16, 1000])
@pytest.mark.parametrize("name", REFUSED)
def test_a_faulty_source_is_refused(name, window, monkeypatch):
    small_windows(monkeypatch, window, BYTES)
    make, error, message = REFUSED[name]
    with pytest.raises(error, match=message) as caught:
        trainer().fit(make(), epochs=1, verbose=0)
    assert "\n" not in str(caught.value)
    if name != "a label":  # evaluation calls the loss itself
        with pytest.raises(error, match=message.replace("fit expects", "evaluate expects")):
            trainer().evaluate(make())


ARGUMENTS = {
    "y beside it": ({"y": Y}, {}, TypeError, "fit expects a source alone, got y or sample_weight beside it"),
    "weights": ({"sample_weight": Y}, {}, TypeError, "fit expects a source alone"),
    "a fraction": ({"validation": 0.1}, {}, TypeError, r"validation data beside a source, got 0\.1"),
    "rows": ({"validation": np.arange(3)}, {}, TypeError, "validation data beside a source"),
    "no batch size": ({}, {"batch_size": None}, ValueError, 'a batch_size and sample="all" for a stream'),
    "one": ({}, {"sample": "one"}, ValueError, 'a batch_size and sample="all" for a stream'),
    "an order": ({}, {"sample": np.arange}, ValueError, 'a batch_size and sample="all" for a stream'),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_a_stream_cannot_have(name):
    arguments, settings, error, message = ARGUMENTS[name]
    with pytest.raises(error, match=message):
        trainer(**settings).fit(Rows(X, Y), **arguments)


def test_x_without_y_is_no_source():
    with pytest.raises(TypeError, match=r"fit expects x and y, got no y; write fit\(x, y\), or fit\(cr.data.stream"):
        trainer().fit(X)
    with pytest.raises(TypeError, match="evaluate expects x and y, got no y"):
        trainer().evaluate(X)


def test_a_column_far_from_zero_is_refused_only_if_the_whole_loses_digits():
    slow = np.column_stack([X.astype(np.float64)[:, :4], 1e9 + np.arange(ROWS)])
    with pytest.raises(ValueError, match="columns of x whose differences float32 can hold, got column 4"):
        trainer().fit(Rows(slow, Y), epochs=1, verbose=0)
    slow[:, 4] = 1e9 + 1e6 * np.arange(ROWS)
    slow[:7, 4] = 1e9 + np.arange(7)  # the first group, with which training begins
    trainer(optimizer=cr.SGD(1e-30)).fit(Rows(slow, Y), epochs=1, verbose=0)


@pytest.mark.parametrize("window", [1, 16, 33, 1000])
def test_divergence_names_the_step_and_the_row_of_the_source(window, monkeypatch):
    small_windows(monkeypatch, window, BYTES)
    made = trainer(optimizer=cr.SGD(1e-6))
    made.model.parameters.vector *= 100
    with pytest.raises(cr.DivergenceError, match="overflows for row 47") as caught:
        made.fit(with_number(47, 0, 3e38), epochs=1, verbose=0)
    assert caught.value.step is not None
    made = trainer(optimizer=cr.SGD(1e30))
    start = made.model.parameters.vector.copy()
    with pytest.raises(cr.DivergenceError, match=r"in epoch 1, step \d"):
        made.fit(Rows(X, Y), epochs=1, verbose=0)
    np.testing.assert_array_equal(made.model.parameters.vector, start)


def test_a_checkpoint_within_an_epoch_needs_the_same_kind_of_data(tmp_path, monkeypatch):
    small_windows(monkeypatch, 16, BYTES)
    for first, second in (([Rows(X, Y)], [X, Y]), ([X, Y], [Rows(X, Y)])):
        folder = tmp_path / str(len(first))

        class Stop(cr.Callback):
            def on_batch_end(self, trainer: Any, loss: float) -> None:
                if trainer.step == 2:
                    trainer.callbacks[0].write(trainer)
                    raise cr.callbacks.StopTraining

        trainer(callbacks=[cr.callbacks.Checkpoint(folder), Stop()]).fit(*first, epochs=2, verbose=0)
        again = trainer(callbacks=[cr.callbacks.Checkpoint(folder)]).resume(folder)
        with pytest.raises(ValueError, match=r"fit expects to continue within an epoch of .*; pass the data that were"):
            again.fit(*second, epochs=2, verbose=0)


@pytest.mark.parametrize("change", [{"seed": -1}, {"seed": None}, {"window": 0}, {"done": 99}, {"seed": 2**70}])
def test_a_forged_position_is_refused(change, monkeypatch):
    small_windows(monkeypatch, 16, BYTES)

    class Forge(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            states.append(trainer.state.to_arrays())

    states: list[Any] = []
    trainer(callbacks=[Forge()]).fit(Rows(X, Y), epochs=1, verbose=0)
    made = trainer(callbacks=[])
    arrays, facts = states[1]
    facts["current"] |= change
    facts["callbacks"], facts["hook"] = [], ""
    if "done" in change:
        facts["records"] = [[1.0, 1.0, 1.0]] * 99
    made.state.from_arrays(arrays, facts)
    made._resuming = True
    if change == {"seed": 2**70}:
        made.fit(Rows(X, Y), epochs=1, verbose=0)  # an integer like any other
    else:
        with pytest.raises(ValueError, match="fit expects to continue within an epoch"):
            made.fit(Rows(X, Y), epochs=1, verbose=0)


def test_a_small_source_of_one_group_is_checked_as_a_whole():
    slow = np.column_stack([X.astype(np.float64)[:, :4], 1e9 + np.arange(ROWS)])
    with pytest.raises(ValueError, match="columns of x whose differences float32 can hold, got column 4"):
        trainer().fit(Rows(slow, Y, lengths=[ROWS]), epochs=1, verbose=0)
