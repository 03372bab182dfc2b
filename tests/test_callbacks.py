"""When hooks are called, what the record holds, and what a user sees."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

import chainrule as cr


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Diary(cr.Callback):
    """Notes each call, and what the trainer showed at the time."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, trainer):
        self.calls.append("fit begins")

    def on_epoch_begin(self, trainer):
        self.calls.append(f"epoch {trainer.epoch} of {trainer.epochs}")

    def on_batch_end(self, trainer, loss):
        assert isinstance(loss, float)
        self.calls.append("batch")

    def on_epoch_end(self, trainer, row):
        self.calls.append("epoch ends")

    def on_train_end(self, trainer):
        self.calls.append("fit ends")


class At(cr.Callback):
    """Does something at the end of one epoch."""

    def __init__(self, epoch, action):
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, trainer, row):
        if trainer.epoch == self.epoch:
            self.action(trainer, row)


def stop(trainer, row):
    trainer.stop = True


def interrupt(trainer, row):
    raise KeyboardInterrupt


def fail(trainer, row):
    raise RuntimeError("the callback's own trouble")


def fit(*callbacks, epochs=4, verbose=0, **arguments):
    x = np.arange(6.0)[:, None]
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.SGD(1e-3), batch_size=2, callbacks=callbacks)
    return trainer.fit(x, 2 * x, epochs=epochs, verbose=verbose, **arguments)


EPOCH = ["batch", "batch", "batch", "epoch ends"]


def test_hooks_come_in_order():
    diary = Diary()
    fit(diary, epochs=2)
    assert diary.calls == ["fit begins", "epoch 1 of 2", *EPOCH, "epoch 2 of 2", *EPOCH, "fit ends"]


def test_the_hooks_of_callback_itself_do_nothing():
    assert fit(cr.Callback())["loss"] == fit()["loss"]


def test_a_callback_may_stop_after_its_epoch():
    diary = Diary()
    history = fit(At(2, stop), diary)
    assert len(history) == 2
    assert not history.interrupted
    assert diary.calls[-2:] == ["epoch ends", "fit ends"]


def test_stopping_holds_for_one_fit_only():
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[At(1, stop)])
    x = np.ones((4, 1))
    assert len(trainer.fit(x, x, epochs=3, verbose=0)) == 1
    trainer.callbacks.clear()
    assert len(trainer.fit(x, x, epochs=3, verbose=0)) == 3


def test_ctrl_c_ends_the_training_and_keeps_the_record():
    diary = Diary()
    history = fit(diary, At(3, interrupt))
    assert history.interrupted
    assert len(history) == 2  # the third epoch's row was not finished
    assert diary.calls[-1] == "fit ends"


def test_a_failing_callback_is_heard_and_the_others_may_tidy_up():
    diary = Diary()
    with pytest.raises(RuntimeError, match="the callback's own trouble"):
        fit(diary, At(1, fail))
    assert diary.calls[-1] == "fit ends"


def test_a_callback_may_add_a_column():
    history = fit(At(2, lambda trainer, row: row.update(distance=0.5)), epochs=3)
    assert history["distance"] == [0.5]
    assert "distance" in history.columns


# ---- History


@pytest.fixture
def history():
    return cr.History([{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.25, "accuracy": 1.0}])


def test_a_column_is_a_list_of_one_number_an_epoch(history):
    assert history["accuracy"] == [0.25, 1.0]
    assert history.columns == ["loss", "accuracy"]
    assert len(history) == 2


def test_an_unknown_column_is_answered_with_the_nearest(history):
    with pytest.raises(ValueError, match=r"the name of a column, got 'acuracy' \(did you mean 'accuracy'\?\)"):
        history["acuracy"]


def test_the_record_is_written_as_json(history):
    history.interrupted = True
    assert json.loads(history.to_json()) == {"interrupted": True, "rows": history.rows}


@pytest.mark.parametrize(
    ("rows", "written"),
    [([], "History(0 epochs of nothing yet)"), ([{"loss": 1.0}], "History(1 epochs of loss)")],
)
def test_the_record_is_written_in_short(rows, written):
    assert repr(cr.History(rows)) == written


# ---- Progress


def lines_of(file):
    return [line.split("  loss")[0] for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("every", "epochs", "told"),
    [(1, 3, [1, 2, 3]), (2, 6, [1, 2, 4, 6]), (5, 12, [1, 5, 10, 12]), (100, 3, [1, 3]), (1, 1, [1])],
)
def test_the_first_the_last_and_every_so_many_epochs_have_a_line(every, epochs, told):
    file = io.StringIO()
    fit(cr.Progress(every=every, file=file), epochs=epochs)
    width = len(str(epochs))
    assert lines_of(file) == [f"epoch {epoch:>{width}}/{epochs}" for epoch in told]


def test_the_epoch_at_which_training_stops_has_a_line():
    file = io.StringIO()
    fit(At(3, stop), cr.Progress(every=10, file=file), epochs=20)
    assert lines_of(file) == ["epoch  1/20", "epoch  3/20"]


def test_a_line_tells_the_numbers_and_the_seconds():
    file = io.StringIO()
    history = fit(cr.Progress(file=file), epochs=1, validation=(np.ones((2, 1)), np.ones((2, 1))))
    _, loss, validation, seconds = file.getvalue().strip().split("  ")
    assert loss == f"loss {history['loss'][0]:.4g}"
    assert validation == f"validation_loss {history['validation_loss'][0]:.4g}"
    assert seconds.endswith(" s")


def test_lines_go_to_standard_error_in_plain(capsys):
    fit(epochs=2, verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split("  ")[0] for line in err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert "\r" not in err


def test_every_is_passed_on(capsys):
    fit(epochs=6, verbose=1, every=3)
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "epoch 1/6",
        "epoch 3/6",
        "epoch 6/6",
    ]


def test_silence_is_silent(capsys):
    fit(epochs=2, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_progress_of_ones_own_replaces_the_usual_one(capsys):
    file = io.StringIO()
    fit(cr.Progress(file=file), epochs=2, verbose=1)
    assert len(file.getvalue().splitlines()) == 2
    assert capsys.readouterr() == ("", "")


def screen(text):
    """What a terminal shows after it: a carriage return goes back to the start of the line."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_a_terminal_gets_a_bar_that_leaves_no_trace():
    terminal, plain = Terminal(), io.StringIO()
    fit(cr.Progress(file=terminal), epochs=2)
    fit(cr.Progress(file=plain), epochs=2)
    assert "6/6" in terminal.getvalue()  # batches of both epochs
    without_seconds = [line.rsplit("  ", 1)[0] for line in plain.getvalue().split("\n")]
    assert [line.rsplit("  ", 1)[0] for line in screen(terminal.getvalue())] == without_seconds


def test_the_bar_goes_away_when_training_fails():
    terminal = Terminal()
    with pytest.raises(RuntimeError, match="own trouble"):
        fit(cr.Progress(file=terminal), At(2, fail))
    assert [line.split("  ")[0] for line in screen(terminal.getvalue())] == ["epoch 1/4", "epoch 2/4", ""]


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_every_is_a_positive_integer(every, error):
    with pytest.raises(error, match="Progress expects every"):
        cr.Progress(every=every)


def test_a_history_is_read_by_its_columns():
    history = cr.History([{"loss": 2.0}, {"loss": 1.0, "validation_loss": 3.0}])
    assert "validation_loss" in history
    assert "accuracy" not in history
    assert list(history) == ["loss", "validation_loss"]
    assert dict(history) == {"loss": [2.0, 1.0], "validation_loss": [3.0]}


def test_json_has_no_infinity():
    history = cr.History([{"loss": np.float32(0.5), "learning_rate": float("inf")}])
    assert json.loads(history.to_json())["rows"] == [{"loss": 0.5, "learning_rate": None}]
