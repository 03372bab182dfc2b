"""MLflow: a run holds the settings and the History, and ends as the training did."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.callbacks import logs
from training.logged import ENDINGS, broken_and_resumed, fit, fit_until, make


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


def test_a_resumed_training_continues_in_its_run(runs, tmp_path):
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


def test_names_and_numbers_that_mlflow_does_not_take(runs):
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
