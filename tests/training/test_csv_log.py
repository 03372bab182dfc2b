"""CSVLog: the table holds the History to the last bit, whole epochs only."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import chainrule as cr
from training.logged import ENDINGS, Adds, PowerFails, broken_and_resumed, fit, fit_until, make, not_begun


def read(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def as_numbers(lines):
    return [{name: float(value) for name, value in line.items() if value} for line in lines]


def numbered(history, first=1):
    return [{"epoch": epoch, **row} for epoch, row in enumerate(history.rows, start=first)]


def test_the_table_holds_the_history_to_the_last_bit(tmp_path):
    history = fit(cr.callbacks.CSVLog(tmp_path / "log.csv"), metrics=["accuracy"])
    assert list(read(tmp_path / "log.csv")[0]) == ["epoch", *history.columns]
    assert as_numbers(read(tmp_path / "log.csv")) == numbered(history)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_pandas_reads_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    history = fit(cr.callbacks.CSVLog(tmp_path / "log.csv"))
    table = pandas.read_csv(tmp_path / "log.csv", index_col="epoch")
    pandas.testing.assert_frame_equal(table.reset_index(drop=True), pandas.DataFrame(history), rtol=1e-12)
    assert table.index.tolist() == [1, 2, 3, 4]


def test_each_row_is_there_when_its_epoch_is_over(tmp_path):
    seen = []

    class Look(cr.Callback):
        def on_epoch_begin(self, trainer):
            seen.append(len(read(tmp_path / "log.csv")))

    fit(Look(), cr.callbacks.CSVLog(tmp_path / "log.csv"))
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("first", ["CSVLog", "Adds"])
def test_a_column_that_comes_later_is_added_and_empty_before(tmp_path, first):
    callbacks = [cr.callbacks.CSVLog(tmp_path / "log.csv"), Adds('hostile, "name"\n')]
    history = fit(*(callbacks if first == "CSVLog" else callbacks[::-1]))
    lines = read(tmp_path / "log.csv")
    assert list(lines[0]) == ["epoch", "loss", "learning_rate", "seconds", "validation_loss", 'hostile, "name"\n']
    assert [line['hostile, "name"\n'] for line in lines] == ["", "", "0.375", "0.5"]
    assert as_numbers(lines) == numbered(history)


def test_many_short_epochs_are_written_together(tmp_path):
    history = fit(cr.callbacks.CSVLog(tmp_path / "log.csv"), epochs=3000, validation=None, batch_size=None)
    assert as_numbers(read(tmp_path / "log.csv")) == numbered(history)


# ---- interruptions


@ENDINGS
def test_the_table_holds_whole_epochs_when_training_is_interrupted(tmp_path, error, status):
    fit_until(cr.callbacks.CSVLog(tmp_path / "log.csv"), 3, error)
    assert [line["epoch"] for line in read(tmp_path / "log.csv")] == ["1", "2"]


def test_a_divergence_leaves_the_epochs_before_it(tmp_path):
    class Explode(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 3:
                trainer.model.parameters.vector[:] = np.inf

    with pytest.raises(cr.DivergenceError):
        fit(cr.callbacks.CSVLog(tmp_path / "log.csv"), Explode())
    assert [line["epoch"] for line in read(tmp_path / "log.csv")] == ["1", "2"]


@pytest.mark.parametrize("moment", ["__init__", "writerows"])
def test_an_interruption_during_a_write_neither_tears_nor_repeats_rows(tmp_path, monkeypatch, moment):
    path = tmp_path / "log.csv"
    original, left = getattr(csv.DictWriter, moment), [4]

    def interrupted(*arguments, **named):
        original(*arguments, **named)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(csv.DictWriter, moment, interrupted)
    history = fit(cr.callbacks.CSVLog(path))
    assert history.interrupted
    assert as_numbers(read(path)) == numbered(history)


@pytest.mark.parametrize("append", [False, True])
def test_a_resumed_training_continues_in_its_table(tmp_path, append):
    path = tmp_path / "log.csv"
    history = broken_and_resumed(tmp_path / "points", lambda: cr.callbacks.CSVLog(path, append))
    assert as_numbers(read(path)) == numbered(history)
    assert len(history) == 8


def test_a_line_torn_by_a_crash_is_gone_after_training_resumes(tmp_path):
    path = tmp_path / "log.csv"
    with pytest.raises(MemoryError):
        fit(cr.callbacks.Checkpoint(tmp_path / "points"), cr.callbacks.CSVLog(path), PowerFails(3))
    path.write_bytes(path.read_bytes()[:-7])
    again = make(cr.callbacks.Checkpoint(tmp_path / "points"), cr.callbacks.CSVLog(path)).resume(tmp_path / "points")
    assert as_numbers(read(path)) != numbered(fit(trainer=again))
    assert as_numbers(read(path)) == numbered(again.history)


def test_a_resumed_training_that_was_over_leaves_its_table(tmp_path):
    path = tmp_path / "log.csv"
    fit(cr.callbacks.Checkpoint(tmp_path / "points"), cr.callbacks.CSVLog(path))
    before = path.read_bytes()
    fit(
        trainer=make(cr.callbacks.Checkpoint(tmp_path / "points"), cr.callbacks.CSVLog(path)).resume(
            tmp_path / "points"
        )
    )
    assert path.read_bytes() == before


# ---- one table for several trainings


def test_a_new_training_begins_a_new_table_and_append_keeps_the_old(tmp_path):
    path = tmp_path / "log.csv"
    trainer = make(cr.callbacks.CSVLog(path))
    fit(trainer=trainer)
    first = fit(trainer=trainer, epochs=2)
    assert as_numbers(read(path)) == numbered(first)
    second = fit(cr.callbacks.CSVLog(path, append=True), Adds(first=1), epochs=3)
    assert as_numbers(read(path)) == numbered(first) + numbered(second)


def test_a_resumed_training_keeps_the_trainings_before_it(tmp_path):
    path = tmp_path / "log.csv"
    before = fit(cr.callbacks.CSVLog(path), epochs=3, batch_size=8)
    history = broken_and_resumed(tmp_path / "points", lambda: cr.callbacks.CSVLog(path, append=True))
    assert as_numbers(read(path)) == numbered(before) + numbered(history)


def test_resuming_a_run_that_was_not_logged_keeps_the_other_runs_rows(tmp_path):
    path = tmp_path / "log.csv"
    before = fit(cr.callbacks.CSVLog(path), epochs=3, batch_size=8)
    fit(cr.callbacks.Checkpoint(tmp_path / "points"), epochs=2)
    again = make(cr.callbacks.Checkpoint(tmp_path / "points"), cr.callbacks.CSVLog(path, append=True)).resume(
        tmp_path / "points"
    )
    history = fit(trainer=again)
    assert as_numbers(read(path)) == numbered(before) + numbered(history)


def test_an_empty_file_may_be_appended_to(tmp_path):
    (tmp_path / "log.csv").touch()
    history = fit(cr.callbacks.CSVLog(tmp_path / "log.csv", append=True))
    assert as_numbers(read(tmp_path / "log.csv")) == numbered(history)


def test_another_table_is_not_appended_to(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("house,price\n1,2\n")
    with pytest.raises(ValueError, match=r"CSVLog expects a log in .*prices.csv .*got columns house, price; choose an"):
        fit(cr.callbacks.CSVLog(path, append=True))
    assert path.read_text(encoding="utf-8") == "house,price\n1,2\n"


# ---- what cannot be written


@pytest.mark.parametrize(
    ("place", "reason"),
    [("nowhere/log.csv", "No such file"), ("file/log.csv", "Not a directory"), (".", "it is no file")],
)
def test_a_table_that_cannot_be_written_is_one_sentence_before_training(tmp_path, place, reason):
    (tmp_path / "file").touch()
    epochs = []
    with pytest.raises(OSError, match=rf"CSVLog expects to write .*, got {reason}.*; choose a folder that exists") as e:
        fit(cr.callbacks.CSVLog(tmp_path / place), not_begun(epochs))
    assert e.value.__suppress_context__
    assert epochs == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_gets_full_is_one_sentence_and_the_table_stays_whole(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"

    class Full(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 3:
                monkeypatch.setattr(csv.DictWriter, "writerows", full)

    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"CSVLog expects to write .*got No space left on device; choose"):
        fit(Full(), cr.callbacks.CSVLog(path))
    assert [line["epoch"] for line in read(path)] == ["1", "2"]
