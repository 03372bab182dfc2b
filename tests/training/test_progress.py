"""What a user sees of a training: lines, and on a terminal or in a notebook a bar that goes away."""

from __future__ import annotations

import io
import sys
import typing
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from training.small import At, fail, fit, stop


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    """As where a person sits, wherever the tests run."""
    monkeypatch.delenv("CI", raising=False)


def lines_of(file):
    return [line.split("  loss")[0] for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("every", "epochs", "told"),
    [(1, 3, [1, 2, 3]), (2, 6, [1, 2, 4, 6]), (5, 12, [1, 5, 10, 12]), (100, 3, [1, 3]), (1, 1, [1])],
)
def test_the_first_the_last_and_every_so_many_epochs_have_a_line(every, epochs, told):
    file = io.StringIO()
    fit(cr.callbacks.Progress(every=every, file=file), epochs=epochs)
    width = len(str(epochs))
    assert lines_of(file) == [f"epoch {epoch:>{width}}/{epochs}" for epoch in told]


def test_the_epoch_at_which_training_stops_has_a_line():
    file = io.StringIO()
    fit(At(3, stop), cr.callbacks.Progress(every=10, file=file), epochs=20)
    assert lines_of(file) == ["epoch  1/20", "epoch  3/20"]


def test_a_line_tells_the_numbers_and_the_seconds():
    file = io.StringIO()
    history = fit(cr.callbacks.Progress(file=file), epochs=1, validation=(np.ones((2, 1)), np.ones((2, 1))))
    _, loss, validation, seconds = file.getvalue().strip().split("  ")
    assert loss == f"loss {history['loss'][0]:.4g}"
    assert validation == f"validation_loss {history['validation_loss'][0]:.4g}"
    assert seconds.endswith(" s")


def test_plain_lines_go_to_standard_error(capsys):
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


def test_a_custom_progress_replaces_the_usual_one(capsys):
    file = io.StringIO()
    fit(cr.callbacks.Progress(file=file), epochs=2, verbose=1)
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
    fit(cr.callbacks.Progress(file=terminal), epochs=2)
    fit(cr.callbacks.Progress(file=plain), epochs=2)
    assert "6/6" in terminal.getvalue()  # batches of both epochs
    without_seconds = [line.rsplit("  ", 1)[0] for line in plain.getvalue().split("\n")]
    assert [line.rsplit("  ", 1)[0] for line in screen(terminal.getvalue())] == without_seconds


def test_the_bar_goes_away_when_training_fails():
    terminal = Terminal()
    with pytest.raises(RuntimeError, match="own trouble"):
        fit(cr.callbacks.Progress(file=terminal), At(2, fail))
    assert [line.split("  ")[0] for line in screen(terminal.getvalue())] == ["epoch 1/4", "epoch 2/4", ""]


class Bar:
    """Stands for tqdm's bar in a notebook."""

    made: typing.ClassVar[list] = []

    def __init__(self, **arguments):
        self.arguments, self.steps, self.lines, self.closed = arguments, 0, [], False
        Bar.made.append(self)

    def set_description(self, text, refresh):
        self.description = text

    def update(self):
        self.steps += 1

    def write(self, line, file):
        print(line, file=file)

    def close(self):
        self.closed = True


@pytest.fixture
def shell(monkeypatch):
    """IPython has been imported, and runs in the shell of this name; gives the bars that were made."""

    def run_in(name):
        running = type(name, (), {})()
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: running))
        monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
        monkeypatch.setattr(Bar, "made", [])
        return Bar.made

    return run_in


def test_a_notebook_gets_its_own_bar_and_lines_without_a_red_background(shell, capsys):
    bars = shell("ZMQInteractiveShell")
    fit(epochs=2, verbose=1)
    (bar,) = bars
    assert (bar.arguments["total"], bar.steps, bar.description, bar.closed) == (6, 6, "epoch 2/2", True)
    assert bar.arguments["file"] is sys.stdout
    out, err = capsys.readouterr()
    assert [line.split("  ")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert err == ""


def test_a_custom_file_gets_lines_in_a_notebook_too(shell):
    bars, file = shell("ZMQInteractiveShell"), io.StringIO()
    fit(cr.callbacks.Progress(file=file), epochs=2)
    assert lines_of(file) == ["epoch 1/2", "epoch 2/2"]
    assert bars == []


def test_ipython_on_a_terminal_is_a_terminal(shell, monkeypatch):
    bars, terminal = shell("TerminalInteractiveShell"), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fit(epochs=2, verbose=1)
    assert "6/6" in terminal.getvalue()
    assert bars == []


@pytest.mark.parametrize("place", ["terminal", "notebook"])
@pytest.mark.parametrize(("value", "bar"), [("true", False), ("1", False), ("false", True), ("0", True), ("", True)])
def test_in_ci_there_are_lines_alone(shell, monkeypatch, place, value, bar):
    bars, terminal = shell("ZMQInteractiveShell" if place == "notebook" else "NoneType"), Terminal()
    monkeypatch.setenv("CI", value)
    monkeypatch.setattr(sys, "stdout" if place == "notebook" else "stderr", terminal)
    fit(epochs=2, verbose=1)
    assert bool(bars or "\r" in terminal.getvalue()) == bar
    assert [line.split("  ")[0] for line in screen(terminal.getvalue())] == ["epoch 1/2", "epoch 2/2", ""]


def test_a_bar_begins_where_a_checkpoint_ended(tmp_path):
    def trainer(*callbacks):
        callbacks = [cr.callbacks.Checkpoint(tmp_path), *callbacks]
        return cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", batch_size=2, callbacks=callbacks)

    x, terminal = np.arange(6.0)[:, None], Terminal()
    trainer().fit(x, x, epochs=3, verbose=0)
    trainer(cr.callbacks.Progress(file=terminal)).resume(tmp_path).fit(x, x, epochs=5)
    assert "9/15" in terminal.getvalue()
    assert "15/15" in terminal.getvalue()
    assert [line.split("  ")[0] for line in screen(terminal.getvalue())] == ["epoch 4/5", "epoch 5/5", ""]


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_every_is_a_positive_integer(every, error):
    with pytest.raises(error, match="Progress expects every"):
        cr.callbacks.Progress(every=every)


def test_the_bar_of_a_resumed_epoch_begins_where_training_stopped(tmp_path):
    class Stop(cr.Callback):
        def on_batch_end(self, trainer, loss):
            if trainer.step == 5:
                trainer.callbacks[0].write(trainer)
                raise cr.callbacks.StopTraining

    def trainer(*callbacks):
        kept = cr.callbacks.Checkpoint(tmp_path, every=None)
        return cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", batch_size=2, callbacks=[kept, *callbacks])

    x, terminal = np.ones((8, 1)), Terminal()
    trainer(Stop()).fit(x, x, epochs=3, verbose=0)
    trainer(cr.callbacks.Progress(file=terminal)).resume(tmp_path).fit(x, x, epochs=3)
    assert "| 5/12 [" in terminal.getvalue()
    assert "| 4/12 [" not in terminal.getvalue()
