"""What is wrong with a source is said in one sentence, with the number of the row in it."""

from __future__ import annotations

import _thread
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
    "ragged": (
        lambda: Made(lambda group, x, y: ([[1], [1, 2]], y) if group == LATER else (x, y)),
        ValueError,
        r"Made expects dense arrays of 2 rows from read\(5, 0, 2\), got \(\) and \(2,\)",
    ),
    "no y": (lambda: Made(lambda group, x, y: (x, None)), ValueError, r"dense arrays of .*, got \(\d+, 5\) and \(\)"),
    "used up": (
        lambda: Made(_used_up), ValueError, r"rows from read\(5, 0, \d+\), got StopIteration; groups are read in every"
    ),
    "weights of some groups": (
        lambda: Made(lambda group, x, y: (x, y, np.ones(len(y))) if group >= LATER else (x, y)),
        ValueError,
        r"Made expects arrays like those before from read\(\d+, .*int64 rows of shape \(\), got .* and float32 rows",
    ),
    "labels, then numbers": (
        lambda: Made(lambda group, x, y: (x, y.astype(np.float64)) if group >= LATER else (x, y)),
        ValueError,
        r"Made expects arrays like those before from read\(\d+, .*int64 rows of shape \(\), got .*float64 rows",
    ),
    "weights of 0": (lambda: Rows(X, Y, np.zeros(ROWS)), ValueError, "a sample_weight above 0, got zeros only"),
    "a negative weight": (
        lambda: Rows(X, Y, np.where(np.arange(ROWS) == 50, -1, 1)), ValueError, "weights to be finite and not negative"
    ),
    "no number as weight": (
        lambda: Rows(X, Y, np.where(np.arange(ROWS) == 50, np.nan, 1)), ValueError, "weights to be finite and not nega"
    ),
    "too many rows": (lambda: _with_lengths([2**62, 2**62]), ValueError, r"whose rows can be counted, got 9\.2"),
    "far too many": (lambda: _with_lengths(np.array([2**64 - 1], np.uint64)), ValueError, "can be counted, got 1.8"),
    "no groups": (lambda: _with_lengths([]), ValueError, "at least one row, got none"),
    "ragged lengths": (lambda: _with_lengths_as([[1], [1, 2]]), TypeError, "whose lengths are the rows of each group"),
    "lengths": (lambda: _with_lengths([1.5, 3]), TypeError, "whose lengths are the rows of each group"),
    "negative": (lambda: _with_lengths([-1, 3]), TypeError, "whose lengths are the rows of each group"),
    "no rows": (lambda: _with_lengths([0, 0]), ValueError, "at least one row, got none"),
    "a disk error": (lambda: Made(_broken), OSError, "^the disk is gone$"),
}  # fmt: skip


def _with_lengths(lengths: Any) -> Rows:
    source = Rows(X, Y)
    source.lengths = np.array(lengths)
    return source


def _with_lengths_as(lengths: Any) -> Rows:
    source = Rows(X, Y)
    source.lengths = lengths
    return source


def _used_up(group: int, x: Any, y: Any) -> Any:
    return next(iter([] if group == LATER else [(x, y)]))


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


@pytest.mark.parametrize("at", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit])
def test_whatever_ends_reading_is_raised_once_where_rows_are_taken(at, monkeypatch, capsys):
    small_windows(monkeypatch, 16, BYTES)
    raised: list[Any] = []

    def ending(group: int, x: Any, y: Any) -> Any:
        if group == LATER:
            raised.append(at("enough"))
            raise raised[-1]
        return x, y

    made = trainer()
    if at is KeyboardInterrupt:
        assert made.fit(Made(ending), epochs=1, verbose=0).interrupted
    else:
        with pytest.raises(at, match="enough"):
            made.fit(Made(ending), epochs=1, verbose=0)
    assert len(raised) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("metrics", [[], ["accuracy"]])
def test_windows_of_weight_0_change_no_score(metrics, monkeypatch):
    small_windows(monkeypatch, 7, BYTES + 4)
    for zeros in (slice(0, 20), slice(20, 40), slice(40, 60)):
        weight = np.ones(ROWS)
        weight[zeros] = 0
        made = trainer(metrics=metrics)
        whole = made.evaluate(X, Y, weight)
        parts = made.evaluate(Rows(X, Y, weight))
        assert whole.keys() == parts.keys()
        np.testing.assert_allclose(list(parts.values()), list(whole.values()), rtol=1e-5)
        history = made.fit(Rows(X, Y, weight), validation=Rows(X, Y, weight), epochs=2, verbose=0)
        assert all(np.isfinite(list(row.values())).all() for row in history.rows)
        assert set(metrics) <= history.rows[-1].keys()


class Named(Rows):
    """A source that knows the names of its columns."""

    def __init__(self, columns: list[str]) -> None:
        super().__init__(X, Y)
        self.columns = columns


def test_validation_data_with_other_columns():
    names = list("abcde")
    trainer().fit(Named(names), validation=Named(names), epochs=1, verbose=0)
    trainer().fit(Named(names), validation=Rows(X, Y), epochs=1, verbose=0)
    expected = r"^validation expects the columns of the training data, 'b' at place 1, got 'c'; pass columns=\[...\] to"
    with pytest.raises(ValueError, match=expected):
        trainer().fit(Named(names), validation=Named(list("acbde")), epochs=1, verbose=0)


def test_no_thread_outlives_an_evaluation_that_fails(monkeypatch):
    small_windows(monkeypatch, 16, BYTES)

    def failing(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        raise RuntimeError("no score")

    before = _thread._count()
    with pytest.raises(RuntimeError, match="no score"):
        trainer(metrics=[failing]).evaluate(Rows(X, Y))
    assert _thread._count() == before


def test_groups_that_have_changed_are_refused_within_an_epoch(tmp_path, monkeypatch):
    small_windows(monkeypatch, 16, BYTES)

    class Stop(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            if trainer.step == 2:
                trainer.callbacks[0].write(trainer)
                raise cr.callbacks.StopTraining

    trainer(callbacks=[cr.callbacks.Checkpoint(tmp_path), Stop()]).fit(Rows(X, Y), epochs=2, verbose=0)
    again = trainer(callbacks=[cr.callbacks.Checkpoint(tmp_path)]).resume(tmp_path)
    expected = (
        "fit expects to continue within an epoch of the same groups of rows, got groups of other lengths; pass the"
    )
    with pytest.raises(ValueError, match=expected):
        again.fit(Rows(X, Y, lengths=[ROWS // 2, ROWS // 2]), epochs=2, verbose=0)


def test_a_small_source_of_one_group_is_checked_as_a_whole():
    slow = np.column_stack([X.astype(np.float64)[:, :4], 1e9 + np.arange(ROWS)])
    with pytest.raises(ValueError, match="columns of x whose differences float32 can hold, got column 4"):
        trainer().fit(Rows(slow, Y, lengths=[ROWS]), epochs=1, verbose=0)
