"""When hooks are called, what the record holds, and what a user sees."""

from __future__ import annotations

import io
import itertools
import json
import sys
import typing
from types import SimpleNamespace

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


def test_optuna_breaks_a_trial_off_and_leaves_the_trainer_clean():
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    before, after = Diary(), Diary()
    x = np.arange(6.0)[:, None]

    class Prune(cr.Callback):
        def on_epoch_end(self, trainer, row):
            trial.report(row["validation_loss"], trainer.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.SGD(1e-3), callbacks=[before, Prune(), after])
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=3))
    trial = study.ask()
    with pytest.raises(optuna.TrialPruned):
        trainer.fit(x, 2 * x, validation=(x, 2 * x), epochs=9, verbose=0)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert study.trials[0].intermediate_values.keys() == {1, 2, 3}
    assert list(study.trials[0].intermediate_values.values())[:2] == trainer.history["validation_loss"]
    assert [diary.calls[-1] for diary in (before, after)] == ["fit ends", "fit ends"]
    assert not trainer.history.interrupted
    trainer.callbacks.pop(1)
    assert len(trainer.fit(x, 2 * x, epochs=2, verbose=0)) == 2


def test_a_callback_may_add_a_column():
    history = fit(At(2, lambda trainer, row: row.update(distance=0.5)), epochs=3)
    assert history["distance"] == [0.5]
    assert "distance" in history.columns


# ---- History


@pytest.fixture
def history():
    return cr.callbacks.History([{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.25, "accuracy": 1.0}])


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
    assert repr(cr.callbacks.History(rows)) == written


# ---- Progress


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


def test_a_notebook_gets_a_bar_of_its_own_and_lines_without_a_red_ground(shell, capsys):
    bars = shell("ZMQInteractiveShell")
    fit(epochs=2, verbose=1)
    (bar,) = bars
    assert (bar.arguments["total"], bar.steps, bar.description, bar.closed) == (6, 6, "epoch 2/2", True)
    assert bar.arguments["file"] is sys.stdout
    out, err = capsys.readouterr()
    assert [line.split("  ")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert err == ""


def test_a_file_of_ones_own_gets_lines_in_a_notebook_too(shell):
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


def test_a_history_is_read_by_its_columns():
    history = cr.callbacks.History([{"loss": 2.0}, {"loss": 1.0, "validation_loss": 3.0}])
    assert "validation_loss" in history
    assert "accuracy" not in history
    assert history.columns == ["loss", "validation_loss"]
    assert list(history) == history.rows
    assert dict(history) == {"loss": [2.0, 1.0], "validation_loss": [3.0]}


def test_json_has_no_infinity():
    history = cr.callbacks.History([{"loss": np.float32(0.5), "learning_rate": float("inf")}])
    assert json.loads(history.to_json())["rows"] == [{"loss": 0.5, "learning_rate": None}]


# ---- MaxNorm

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def trained(*callbacks, epochs=3, rate=0.5, model=None):
    model = cr.MLP([3, 4, 2], rng=0) if model is None else model
    trainer = cr.Trainer(model, "squared_error", cr.SGD(rate), batch_size=4, callbacks=callbacks, rng=0)
    trainer.fit(X, 10 * Y, epochs=epochs, verbose=0)
    return model


def lengths(model):
    return np.concatenate([np.linalg.norm(layer.W, axis=0) for layer in model.layers])


class AfterEachStep(cr.Callback):
    def __init__(self, look):
        self.look, self.seen = look, []

    def on_batch_end(self, trainer, loss):
        self.seen.append(self.look(trainer.model))


def test_no_column_of_weights_is_ever_longer_than_the_limit():
    diary = AfterEachStep(lengths)
    trained(cr.callbacks.MaxNorm(0.8), diary, rate=0.05)
    assert len(diary.seen) == 9
    assert np.max(diary.seen) < 0.8 * (1 + 1e-6)
    assert np.max(diary.seen) > 0.799
    assert lengths(trained(rate=0.05)).max() > 1


def test_only_long_columns_are_shortened_and_they_keep_their_direction():
    model = cr.MLP([3, 4, 2], rng=0)
    W = model.layers[0].W
    W[:, 0], W[:, 1], W[:, 2] = [3.0, 0.0, 4.0], [0.0, 0.5, 0.0], 0.0
    model.layers[0].b[:] = 7.0
    trained(cr.callbacks.MaxNorm(2.5), model=model, rate=0.0, epochs=1)
    np.testing.assert_allclose(W[:, :3].T, [[1.5, 0.0, 2.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]], rtol=1e-6)
    assert model.layers[0].b.tolist() == [7.0] * 4


def test_a_limit_that_is_never_reached_changes_nothing():
    np.testing.assert_array_equal(
        trained(cr.callbacks.MaxNorm(1e3), rate=0.05).parameters.vector, trained(rate=0.05).parameters.vector
    )


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1, ValueError), (np.nan, ValueError), ("2", TypeError)]
)
def test_a_limit_is_a_positive_number(limit, error):
    with pytest.raises(error, match="MaxNorm expects limit"):
        cr.callbacks.MaxNorm(limit)


# ---- WeightAverage


def running_mean(start, vectors, decay, taken=0):
    mean = start.astype(float)
    for step, vector in enumerate(vectors, start=taken + 1):
        d = min(decay, (1 + step) / (10 + step))
        mean = d * mean + (1 - d) * vector
    return mean


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.999])
def test_the_model_is_left_with_the_running_mean(decay):
    diary = AfterEachStep(lambda model: model.parameters.vector.copy())
    model = trained(cr.callbacks.WeightAverage(decay), diary, rate=0.01)
    start = cr.MLP([3, 4, 2], rng=0).parameters.vector
    np.testing.assert_allclose(model.parameters.vector, running_mean(start, diary.seen, decay), rtol=1e-4, atol=1e-6)
    assert not np.allclose(model.parameters.vector, diary.seen[-1])


def test_training_goes_on_from_the_weights_and_not_from_their_mean():
    whole, parts = (AfterEachStep(lambda model: model.parameters.vector.copy()) for _ in range(2))
    once = cr.Trainer(
        cr.MLP([3, 4, 2], rng=0), "squared_error", cr.SGD(0.01), 12, callbacks=[cr.callbacks.WeightAverage(0.5), whole]
    )
    twice = cr.Trainer(
        cr.MLP([3, 4, 2], rng=0), "squared_error", cr.SGD(0.01), 12, callbacks=[cr.callbacks.WeightAverage(0.5), parts]
    )
    once.fit(X, Y, epochs=6, verbose=0)
    twice.fit(X, Y, epochs=2, verbose=0)
    twice.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(whole.seen, parts.seen)
    np.testing.assert_array_equal(once.model.parameters.vector, twice.model.parameters.vector)


def test_who_looks_at_the_end_of_an_epoch_sees_the_mean():
    average = cr.callbacks.WeightAverage(0.5)
    diary = AfterEachStep(lambda model: model.parameters.vector.copy())
    found = []

    def look(trainer, row):
        found.append(trainer.model.parameters.vector.copy())
        average.swap(trainer.model)
        np.testing.assert_array_equal(trainer.model.parameters.vector, diary.seen[-1])
        average.swap(trainer.model)

    model = trained(diary, average, At(3, look), rate=0.01)
    np.testing.assert_array_equal(model.parameters.vector, found[0])


def test_validation_is_of_the_mean():
    found = []

    class Look(cr.Callback):
        def on_validation_end(self, trainer, scores):
            found.append((scores["loss"], trainer.evaluate(X, Y)["loss"]))

    average = cr.callbacks.WeightAverage(0.9)
    trainer = cr.Trainer(cr.MLP([3, 4, 2], rng=0), "squared_error", cr.SGD(0.05), 4, callbacks=[average, Look()])
    history = trainer.fit(X, Y, validation=(X, Y), epochs=3, verbose=0)
    assert [of_mean for of_mean, _ in found] == [again for _, again in found] == history["validation_loss"]
    assert trainer.evaluate(X, Y)["loss"] == found[-1][0]
    average.swap(trainer.model)
    assert trainer.evaluate(X, Y)["loss"] != found[-1][0]


@pytest.mark.parametrize("order", [0, 1])
def test_with_early_stopping_the_best_mean_is_restored(order):
    callbacks = [cr.callbacks.WeightAverage(0.9), cr.callbacks.EarlyStopping(patience=50)]
    if order:
        callbacks.reverse()
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.random.default_rng(1).normal(size=(60, 2))
    trainer = cr.Trainer(cr.MLP([3, 40, 2], rng=0), "squared_error", cr.Adam(0.01), 8, callbacks=callbacks)
    history = trainer.fit(x[:30], y[:30], validation=(x[30:], y[30:]), epochs=60, verbose=0)
    assert history["validation_loss"][-1] > min(history["validation_loss"])
    assert trainer.evaluate(x[30:], y[30:])["loss"] == min(history["validation_loss"])


def test_stochastic_weight_averaging_is_the_mean_of_the_last_steps():
    diary = AfterEachStep(lambda model: model.parameters.vector.copy())
    trainer = cr.Trainer(
        cr.MLP([3, 4, 2], rng=0),
        "squared_error",
        cr.SGD(0.01),
        4,
        callbacks=[cr.callbacks.WeightAverage(None, 0.75), diary],
    )
    trainer.fit(X, Y, epochs=8, verbose=0)
    last = diary.seen[3 * len(diary.seen) // 4 :]
    np.testing.assert_allclose(trainer.model.parameters.vector, np.mean(last, axis=0), rtol=1e-5, atol=1e-7)


def test_running_statistics_are_averaged_with_the_weights():
    layers = [cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 2)]
    diary = AfterEachStep(lambda model: model.buffers["1.running_mean"].copy())
    trainer = cr.Trainer(
        cr.Sequential(layers, rng=0),
        "squared_error",
        cr.SGD(0.01),
        4,
        callbacks=[cr.callbacks.WeightAverage(None), diary],
    )
    trainer.fit(X, Y, epochs=3, verbose=0)
    np.testing.assert_allclose(trainer.model.buffers["1.running_mean"], np.mean(diary.seen, axis=0), rtol=1e-6)


def test_before_any_step_there_is_nothing_to_swap():
    model = cr.MLP([3, 4, 2], rng=0)
    before = model.parameters.vector.copy()
    cr.callbacks.WeightAverage().swap(model)
    np.testing.assert_array_equal(model.parameters.vector, before)


@pytest.mark.parametrize("action", [interrupt, fail])
def test_an_interrupted_training_leaves_the_mean_too(action):
    average = cr.callbacks.WeightAverage(0.5)
    diary = AfterEachStep(lambda model: model.parameters.vector.copy())
    model = cr.MLP([3, 4, 2], rng=0)
    start = model.parameters.vector.copy()
    trainer = cr.Trainer(model, "squared_error", cr.SGD(0.01), 4, callbacks=[average, diary, At(2, action)], rng=0)
    try:
        trainer.fit(X, Y, epochs=5, verbose=0)
    except RuntimeError:
        assert action is fail
    assert len(diary.seen) == 6
    np.testing.assert_allclose(model.parameters.vector, running_mean(start, diary.seen, 0.5), rtol=1e-4, atol=1e-6)


def test_one_average_belongs_to_one_model():
    average = cr.callbacks.WeightAverage()
    trained(average, rate=0.01)
    with pytest.raises(
        ValueError, match=r"WeightAverage expects the model that it averages, got one of \d+ instead of"
    ):
        trained(average, rate=0.01, model=cr.MLP([3, 5, 2], rng=0))


@pytest.mark.parametrize(
    ("decay", "error"), [(0, ValueError), (1, ValueError), (np.nan, ValueError), ("0.9", TypeError)]
)
def test_a_decay_lies_between_0_and_1(decay, error):
    with pytest.raises(error, match="WeightAverage expects decay"):
        cr.callbacks.WeightAverage(decay)


# ---- when training ends


class Scripted(cr.Callback):
    """Lets a column of the record be what the test says, and the weights tell their epoch."""

    def __init__(self, values, name="validation_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, trainer, row):
        row[self.name] = self.values[trainer.epoch - 1]
        trainer.model.parameters.vector[:] = trainer.epoch


def stopped(values, name="validation_loss", **arguments):
    stopping = cr.callbacks.EarlyStopping(name, **arguments)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[Scripted(values, name), stopping])
    history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=len(values), verbose=0)
    return len(history), float(trainer.model.parameters.vector[0]), stopping


@pytest.mark.parametrize(
    ("values", "arguments", "epochs", "best"),
    [
        ([3, 2, 1, 2, 3, 4], dict(patience=2), 5, 3),
        ([3, 2, 1, 1, 1, 0], dict(patience=2), 5, 5),  # as good is no improvement, and the last of them is restored
        ([3, 2, 1, 2, 0.5, 1, 1, 1], dict(patience=2), 7, 5),
        ([3, 2.9, 2.8, 2.7, 2.6, 0], dict(patience=2, min_delta=0.15), 6, 6),  # two of these are one improvement
        ([3, 2.99, 2.98, 1], dict(patience=2, min_delta=0.5), 3, 3),
        ([1, 2, 3, 2, 1, 9], dict(patience=2, higher_is_better=True), 5, 3),
        ([3, 2, 1, 2, 3, 4], dict(patience=2, restore_best=False), 5, 5),
        ([3, 2, 1], dict(), 3, 3),
    ],
)
def test_training_ends_after_so_many_epochs_without_improvement(values, arguments, epochs, best):
    taken, weights, stopping = stopped(values, **arguments)
    assert (taken, weights) == (epochs, best)
    if arguments.get("restore_best", True):
        assert stopping.best_epoch == best
        assert stopping.best == values[best - 1]


@pytest.mark.parametrize(
    ("name", "higher"), [("validation_accuracy", True), ("loss", False), ("validation_mean_absolute_error", False)]
)
def test_whether_higher_is_better_follows_from_the_name(name, higher):
    assert stopped([1, 2, 3] if higher else [3, 2, 1], name, patience=1)[0] == 3
    assert stopped([3, 2, 1] if higher else [1, 2, 3], name, patience=1)[0] == 2


def test_running_statistics_return_with_the_weights():
    x = np.random.default_rng(0).normal(size=(64, 3))
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 1)], rng=0)
    stopping = cr.callbacks.EarlyStopping(patience=1)
    seen = []

    class Look(cr.Callback):
        def on_epoch_end(self, trainer, row):
            seen.append(model.buffers["1.running_mean"].copy())
            row["validation_loss"] = len(seen)

    cr.Trainer(model, "squared_error", callbacks=[Look(), stopping]).fit(x, x[:, :1], epochs=5, verbose=0)
    assert len(seen) == 2
    np.testing.assert_array_equal(model.buffers["1.running_mean"], seen[0])
    assert (seen[0] != seen[1]).all()


def test_a_second_fit_begins_to_count_anew():
    stopping = cr.callbacks.EarlyStopping(patience=1)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[Scripted([1, 2, 3]), stopping])
    for _ in range(2):
        assert len(trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=3, verbose=0)) == 2


def test_a_column_that_is_not_there_is_named():
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[cr.callbacks.EarlyStopping("accuracy")])
    with pytest.raises(ValueError, match=r"EarlyStopping expects the name of a column, got 'accuracy'.*loss"):
        trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=3, verbose=0)


@pytest.mark.parametrize("metrics", [[], ["r2_score"]])
@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_time_limit_ends_the_training_in_an_epoch_and_keeps_what_was_learned(batch_size, metrics, monkeypatch):
    learned = []

    class Watch(cr.Callback):
        def on_pause(self, trainer):
            learned.append(trainer.model.parameters.vector.copy())

    now = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: next(now))  # a second passes from look to look
    x = np.random.default_rng(0).normal(size=(1_000_000, 3))
    model = cr.MLP([3, 64, 1], rng=0)
    before = model.parameters.vector.copy()
    callbacks = [Watch(), cr.callbacks.TimeLimit(0.5)]
    trainer = cr.Trainer(model, "squared_error", batch_size=batch_size, metrics=metrics, callbacks=callbacks)
    history = trainer.fit(x, x[:, :1], epochs=10**6, verbose=0)
    assert history.interrupted
    assert next(now) == 2  # it looked at the start, and at the first pause, which came too late
    assert len(history) == 0
    assert 0 < trainer.step < trainer.steps_per_epoch
    assert (learned[-1] != before).any()
    np.testing.assert_array_equal(model.parameters.vector, learned[-1])


def test_a_time_limit_lets_a_training_end_that_is_in_time(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[cr.callbacks.TimeLimit(1e-9)])
    history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=5, verbose=0)
    assert (len(history), history.interrupted) == (5, False)


def test_a_number_is_better_than_none_that_is_no_number():
    stopping = cr.callbacks.EarlyStopping("loss", patience=2)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error")
    for trainer.epoch, value in enumerate([np.nan, 3.0, np.nan, np.nan], start=1):
        stopping.on_epoch_end(trainer, {"loss": value})
    assert (stopping.best, stopping.best_epoch, trainer.stop) == (3.0, 2, True)
