"""What other tools read of a training is what the History holds, however the training ended and went on."""

from __future__ import annotations

import csv
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.callbacks import logs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


class At(cr.Callback):
    """Raises at the end of one epoch."""

    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_end(self, trainer, row):
        if trainer.epoch == self.epoch:
            raise self.error


class PowerFails(cr.Callback):
    """Raises when an epoch is over and all have been told of it."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_pause(self, trainer):
        if len(trainer.history) == self.epoch:
            raise MemoryError


class Adds(cr.Callback):
    """Adds a column from some epoch on."""

    def __init__(self, name="distance", first=3):
        self.name, self.first = name, first

    def on_epoch_end(self, trainer, row):
        if trainer.epoch >= self.first:
            row[self.name] = trainer.epoch / 8


def make(*callbacks, **arguments):
    arguments = {"batch_size": 16, "rng": 1} | arguments
    return cr.Trainer(cr.MLP([3, 4, 2], rng=0), "cross_entropy", cr.Adam(0.01), callbacks=callbacks, **arguments)


def fit(*callbacks, epochs=4, validation=(X, Y), trainer=None, **arguments):
    return (trainer or make(*callbacks, **arguments)).fit(X, Y, validation=validation, epochs=epochs, verbose=0)


def broken_and_resumed(folder, log, every=2):
    """A training whose power fails after epoch 5, and which goes on from the checkpoint of epoch 4."""
    arguments = {"metrics": ["accuracy"]}
    with pytest.raises(MemoryError):
        fit(cr.callbacks.Checkpoint(folder, every=every), log(), PowerFails(5), epochs=8, **arguments)
    again = make(cr.callbacks.Checkpoint(folder, every=every), log(), **arguments).resume(folder)
    return fit(trainer=again, epochs=8)


ENDINGS = pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "KILLED"), (RuntimeError("own trouble"), "FAILED")]
)


def fit_until(log, epoch, error):
    """Training that breaks off in this epoch; the error is heard unless it is an interruption."""
    if isinstance(error, KeyboardInterrupt):
        return fit(log, At(epoch, error))
    with pytest.raises(RuntimeError, match="own trouble"):
        fit(log, At(epoch, error))
    return None


def test_none_of_it_is_loaded_with_chainrule():
    script = "import sys, chainrule; print([name for name in sys.modules if name.endswith('callbacks.logs')])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# ---- CSVLog


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
    pandas.testing.assert_frame_equal(table.reset_index(drop=True), pandas.DataFrame(dict(history)), rtol=1e-12)
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


@ENDINGS
def test_the_table_holds_whole_epochs_when_training_breaks_off(tmp_path, error, status):
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
def test_an_interruption_in_the_midst_of_writing_neither_tears_nor_doubles(tmp_path, monkeypatch, moment):
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
def test_a_resumed_training_goes_on_in_its_table(tmp_path, append):
    path = tmp_path / "log.csv"
    history = broken_and_resumed(tmp_path / "points", lambda: cr.callbacks.CSVLog(path, append))
    assert as_numbers(read(path)) == numbered(history)
    assert len(history) == 8


def test_a_torn_line_of_a_crash_is_gone_when_training_goes_on(tmp_path):
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


def test_a_training_that_was_not_logged_before_does_not_drop_another_from_the_table(tmp_path):
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


def not_begun(epochs):
    class NotBegun(cr.Callback):
        def on_epoch_begin(self, trainer):
            epochs.append(trainer.epoch)

    return NotBegun()


@pytest.mark.parametrize(
    ("place", "reason"),
    [("nowhere/log.csv", "No such file"), ("file/log.csv", "Not a directory"), (".", "it is not a file")],
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


# ---- TensorBoard


def events(folder):
    """All that TensorBoard would read, file by file in the order of their names, and after the last restart."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is not installed")
    found = []
    for path in sorted(Path(folder).iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)  # length, its checksum, the event, its checksum
            event = proto.Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            if event.HasField("session_log"):
                found = [earlier for earlier in found if earlier.step < event.step]
            elif event.HasField("summary"):
                found.append(event)
    return found


def scalars(folder):
    """Tag → (steps, numbers)."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                steps, numbers = found.setdefault(value.tag, ([], []))
                steps.append(event.step)
                numbers.append(value.simple_value)
    return found


def assert_shows(folder, history, tags):
    shown = scalars(folder)
    assert set(shown) == set(tags)
    for tag, name in tags.items():
        steps, numbers = shown[tag]
        assert steps == list(range(1, len(history) + 1))
        np.testing.assert_allclose(numbers, history[name], rtol=1e-6)  # float32


TAGS = {
    "loss/training": "loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "accuracy",
    "accuracy/validation": "validation_accuracy",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


@pytest.fixture
def board():
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


@pytest.mark.usefixtures("board")
class TestTensorBoard:
    def test_training_and_validation_are_one_family(self, tmp_path):
        history = fit(cr.callbacks.TensorBoard(tmp_path / "made" / "here"), metrics=["accuracy"])
        assert_shows(tmp_path / "made" / "here", history, TAGS)

    def test_what_a_callback_adds_stands_alone(self, tmp_path):
        history = fit(cr.callbacks.TensorBoard(tmp_path), Adds("validation_distance", first=1), validation=None)
        tags = {"loss/training": "loss", **{name: name for name in history.columns[1:]}}
        assert_shows(tmp_path, history, tags)

    def test_each_epoch_is_on_the_disk_when_it_is_over(self, tmp_path):
        seen = []

        class Look(cr.Callback):
            def on_epoch_begin(self, trainer):
                seen.append(len(events(tmp_path)))

        fit(Look(), cr.callbacks.TensorBoard(tmp_path))
        assert seen == [0, 1, 2, 3]

    @ENDINGS
    def test_the_file_is_closed_when_training_breaks_off(self, tmp_path, error, status):
        log = cr.callbacks.TensorBoard(tmp_path)
        fit_until(log, 3, error)
        assert scalars(tmp_path)["loss/training"][0] == [1, 2]
        assert log._events is None
        fit(trainer=make(log))

    def test_a_resumed_training_shows_each_epoch_once(self, tmp_path):
        history = broken_and_resumed(tmp_path / "points", lambda: cr.callbacks.TensorBoard(tmp_path / "runs"))
        assert_shows(tmp_path / "runs", history, TAGS)
        assert len(list((tmp_path / "runs").iterdir())) == 2

    def test_a_new_training_replaces_what_the_folder_showed(self, tmp_path):
        trainer = make(cr.callbacks.TensorBoard(tmp_path), metrics=["accuracy"])
        fit(trainer=trainer)
        assert_shows(tmp_path, fit(trainer=trainer, epochs=2), TAGS)

    def test_histograms_are_of_the_parameters_as_they_were(self, tmp_path):
        seen = {}

        class Look(cr.Callback):
            def on_epoch_end(self, trainer, row):
                seen[trainer.epoch] = {name: array.copy() for name, array in trainer.model.parameters.items()}

        fit(Look(), cr.callbacks.TensorBoard(tmp_path, histograms=True, every=2), epochs=5)
        found = {}
        for event in events(tmp_path):
            for value in event.summary.value:
                if value.HasField("histo"):
                    found[event.step, value.tag] = value.histo
        names = ["0.W", "0.b", "1.W", "1.b"]
        assert list(found) == [(epoch, f"parameters/{name}") for epoch in (2, 4) for name in names]
        for (epoch, tag), histogram in found.items():
            array = seen[epoch][tag.removeprefix("parameters/")]
            assert (histogram.num, sum(histogram.bucket)) == (array.size, array.size)
            np.testing.assert_allclose([histogram.min, histogram.max], [array.min(), array.max()])
            np.testing.assert_allclose(histogram.sum, array.sum(), rtol=1e-5)

    def test_a_folder_that_cannot_be_is_one_sentence_before_training(self, tmp_path):
        (tmp_path / "file").touch()
        epochs = []
        with pytest.raises(OSError, match=r"TensorBoard expects to write .*file, got File exists; choose a folder"):
            fit(cr.callbacks.TensorBoard(tmp_path / "file"), not_begun(epochs))
        assert epochs == []

    def test_a_disk_that_gets_full_is_one_sentence(self, tmp_path, monkeypatch):
        writer = pytest.importorskip("tensorboardX.event_file_writer").EventsWriter
        log = cr.callbacks.TensorBoard(tmp_path)

        def full(*_):
            raise OSError(28, "No space left on device")

        class Full(cr.Callback):
            def on_epoch_begin(self, trainer):
                if trainer.epoch == 3:
                    monkeypatch.setattr(writer, "write_event", full)

        with pytest.raises(OSError, match=r"TensorBoard expects to write .*got No space left on device; choose"):
            fit(log, Full())
        assert scalars(tmp_path)["loss/training"][0] == [1, 2]


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_every_is_a_positive_integer(every, error):
    with pytest.raises(error, match="TensorBoard expects every"):
        cr.callbacks.TensorBoard("runs", every=every)


@pytest.mark.parametrize(
    ("log", "module", "package", "extra"),
    [
        (cr.callbacks.TensorBoard("runs"), "tensorboardX.event_file_writer", "tensorboardX", "logging"),
        (cr.callbacks.MLflow(), "mlflow", "mlflow", "mlflow"),
    ],
)
def test_what_is_not_installed_is_one_sentence(monkeypatch, log, module, package, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {package}.*pip install 'chainrule\[{extra}\]'"):
        fit(log)


# ---- MLflow


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A client of MLflow, whose store is a folder; nothing of it outlives the test."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    fluent = pytest.importorskip("mlflow.tracking.fluent")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow.MlflowClient()
    mlflow.end_run()
    mlflow.set_tracking_uri(None)
    fluent._active_experiment_id = None  # which set_experiment leaves, as it does the variable
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


def logged(client, run_id, name):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]


def test_a_run_holds_the_settings_and_the_history(runs):
    log = cr.callbacks.MLflow("digits", run_name="wider")
    history = fit(log, metrics=["accuracy"])
    run = runs.get_run(log.run_id)
    assert (run.info.run_name, run.info.status) == ("wider", "FINISHED")
    assert runs.get_experiment(run.info.experiment_id).name == "digits"
    assert run.data.params == {
        "batch_size": "16",
        "epochs": "4",
        "loss": "CrossEntropy()",
        "optimizer": "Adam(learning_rate=0.01)",
        "model": "Sequential([Linear(3 → 4, relu), Linear(4 → 2)])",
        "parameters": "26",
    }
    assert set(run.data.metrics) == set(history.columns)
    for name in history.columns:
        assert logged(runs, log.run_id, name) == list(enumerate(history[name], start=1))


def test_a_store_of_its_own(runs, tmp_path):
    log = cr.callbacks.MLflow(tracking_uri=(tmp_path / "elsewhere").as_uri())
    fit(log)
    assert (tmp_path / "elsewhere").is_dir()
    mlflow = pytest.importorskip("mlflow")
    assert mlflow.MlflowClient().get_run(log.run_id).info.status == "FINISHED"


@ENDINGS
def test_a_run_ends_as_the_training_did(runs, error, status):
    log = cr.callbacks.MLflow()
    fit_until(log, 3, error)
    assert runs.get_run(log.run_id).info.status == status
    assert [step for step, _ in logged(runs, log.run_id, "loss")] == [1, 2]
    assert sys.modules["mlflow"].active_run() is None


def test_an_interruption_before_the_first_epoch_is_one_too(runs):
    class Interrupts(cr.Callback):
        def on_train_begin(self, trainer):
            raise KeyboardInterrupt

    log = cr.callbacks.MLflow()
    with pytest.raises(KeyboardInterrupt):
        fit(log, Interrupts())
    assert runs.get_run(log.run_id).info.status == "KILLED"


def test_an_error_that_is_being_handled_already_is_not_the_trainings(runs):
    log = cr.callbacks.MLflow()
    try:
        raise ValueError("of something else")
    except ValueError:
        fit(log)
    assert runs.get_run(log.run_id).info.status == "FINISHED"


def test_early_stopping_is_no_failure_and_each_fit_is_a_run(runs):
    log = cr.callbacks.MLflow()
    trainer = make(log, cr.callbacks.EarlyStopping("learning_rate", patience=1, higher_is_better=True))
    fit(trainer=trainer)
    first = log.run_id
    fit(trainer=trainer)
    assert log.run_id != first
    assert {runs.get_run(run_id).info.status for run_id in (first, log.run_id)} == {"FINISHED"}


def test_an_active_run_is_used_and_left_active(runs):
    mlflow = pytest.importorskip("mlflow")
    log = cr.callbacks.MLflow("not this one", tracking_uri="http://localhost:1")
    with mlflow.start_run() as run:
        mlflow.log_param("epochs", "many")
        fit(log, epochs=2)
        assert mlflow.active_run().info.run_id == run.info.run_id == log.run_id
        assert runs.get_run(log.run_id).info.status == "RUNNING"
    assert runs.get_run(log.run_id).data.params["epochs"] == "many"
    assert len(logged(runs, log.run_id, "loss")) == 2


def test_a_resumed_training_goes_on_in_its_run(runs, tmp_path):
    made = []

    def log():
        made.append(cr.callbacks.MLflow())
        return made[-1]

    history = broken_and_resumed(tmp_path / "points", log)
    first, second = made
    assert first.run_id == second.run_id
    assert runs.get_run(second.run_id).info.status == "FINISHED"
    for name in set(history.columns) - {"seconds"}:
        assert set(logged(runs, second.run_id, name)) == set(enumerate(history[name], start=1))
    assert [step for step, _ in logged(runs, second.run_id, "loss")] == [1, 2, 3, 4, 5, 5, 6, 7, 8]


def test_a_run_that_is_gone_is_one_sentence_before_training(runs):
    log = cr.callbacks.MLflow()
    log.load_state({"run_id": "0" * 32})
    with pytest.raises(
        ValueError, match=r"MLflow expects a run that can begin, got .*not found; pass the tracking_uri"
    ):
        fit(log)


def test_names_and_numbers_that_mlflow_knows_not(runs):
    class Odd(cr.Callback):
        def on_epoch_end(self, trainer, row):
            row |= {"F₁ (macro)": np.float32(0.5), "ratio": np.inf}

    log = cr.callbacks.MLflow()
    fit(log, Odd(), epochs=1)
    assert logged(runs, log.run_id, "F_ _macro_") == [(1, 0.5)]


def test_many_short_epochs_are_logged_together(runs, monkeypatch):
    monkeypatch.setattr(logs, "METRICS_A_CALL", 10)
    log = cr.callbacks.MLflow()
    history = fit(log, epochs=50, validation=None, batch_size=None)
    assert logged(runs, log.run_id, "loss") == list(enumerate(history["loss"], start=1))
