"""Everything public can be copied, pickled and used in a parallel search, before it has trained and after."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from gate import Gate
from public import public_things

X, Y = np.random.default_rng(0).normal(size=(60, 4)).astype("f4"), np.arange(60) % 3

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
}

#: How to make those that need arguments.
MAKE: dict[str, Callable[[Path], Any]] = {
    "BatchNorm": lambda folder: cr.BatchNorm(4),
    "CSVLog": lambda folder: cr.callbacks.CSVLog(folder / "log.csv"),
    "Checkpoint": lambda folder: cr.callbacks.Checkpoint(folder / "points", monitor="loss"),
    "Columns": lambda folder: cr.Columns([(3, [cr.PBLD(3)]), (1, [])]),
    "Constant": lambda folder: cr.schedules.Constant(0.1),
    "DivergenceError": lambda folder: cr.DivergenceError("a sentence"),
    "EarlyStopping": lambda folder: cr.callbacks.EarlyStopping("loss"),
    "Embedding": lambda folder: cr.Embedding(3, 2),
    "Exponential": lambda folder: cr.schedules.Exponential(0.1, 0.5, every=3),
    "LayerNorm": lambda folder: cr.LayerNorm(4),
    "LayerScheduler": lambda folder: cr.callbacks.LayerScheduler(cr.Linear, "l2", cr.schedules.FlatCos(1e-4)),
    "Linear": lambda folder: cr.Linear(4, 3, "relu"),
    "MaxNorm": lambda folder: cr.callbacks.MaxNorm(1.0),
    "Members": lambda folder: cr.Members([[cr.Linear(4, 4)], [cr.Tanh()]], "softmax"),
    "MixUp": lambda folder: cr.data.MixUp(0.2, classes=3),
    "PBLD": lambda folder: cr.PBLD(4),
    "PReLU": lambda folder: cr.PReLU(4),
    "ParametricActivation": lambda folder: cr.ParametricActivation(4, "selu"),
    "Parameters": lambda folder: cr.Parameters({"W": (2, 3)}),
    "PiecewiseLinear": lambda folder: cr.PiecewiseLinear([[0, 1, 3], [-1, 1]]),
    "RandomDistortion": lambda folder: cr.data.RandomDistortion((2, 2)),
    "Residual": lambda folder: cr.Residual([cr.Linear(4, 4)]),
    "Scale": lambda folder: cr.Scale(4),
    "TabM": lambda folder: cr.TabM(4, [cr.Linear(4, 3)], 2),
    "Sequential": lambda folder: network(),
    "TensorBoard": lambda folder: cr.callbacks.TensorBoard(folder / "board"),
    "TimeLimit": lambda folder: cr.callbacks.TimeLimit(1e6),
    "Trainer": lambda folder: trainer(),
}
ABSTRACT = {"Activation", "Layer", "Loss", "Optimizer"}
SCHEDULES = set(importlib.import_module("chainrule.schedules").__all__)
THINGS = public_things()
PUBLIC = sorted(name for name, thing in THINGS.items() if isinstance(thing, type))


def network() -> cr.Sequential:
    return cr.Sequential([cr.Linear(4, 8, "relu"), cr.BatchNorm(8), cr.Dropout(0.2), cr.Linear(8, 3)], rng=0)


def trainer(*callbacks: cr.Callback) -> cr.Trainer:
    return cr.Trainer(network(), "cross_entropy", cr.Adam(0.01), callbacks=callbacks, metrics=["accuracy"])


def make(name: str, folder: Path) -> Any:
    if name in MAKE:
        return MAKE[name](folder)
    cls = THINGS[name]
    return cls(0.1) if name in SCHEDULES else cls()


def fit(one: cr.Trainer) -> np.ndarray:
    one.fit(X, Y, epochs=2, verbose=0)
    return one.model.parameters.vector


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", sorted(set(PUBLIC) - ABSTRACT))
def test_it_can_be_copied(name: str, way: str, tmp_path: Path) -> None:
    one = make(name, tmp_path)
    twin = WAYS[way](one)
    assert type(twin) is type(one)
    assert vars(twin).keys() == vars(one).keys() | ({"_copied"} & vars(twin).keys())
    if type(one).__repr__ is not object.__repr__:
        assert repr(twin) == repr(one)


CALLBACKS = [name for name in PUBLIC if issubclass(THINGS[name], cr.Callback) and name != "MLflow"]


def needs(name: str) -> None:
    if name == "TensorBoard":
        pytest.importorskip("tensorboardX")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_trainer_that_has_trained_can_be_copied_and_the_copy_trains_on(name: str, way: str, tmp_path: Path) -> None:
    needs(name)
    one = trainer(make(name, tmp_path))
    fit(one)
    twin = WAYS[way](one)
    if way == "copy":  # which shares its parts
        assert twin.model is one.model
        return
    np.testing.assert_array_equal(fit(twin), fit(one))
    assert twin.history["loss"] == one.history["loss"]
    assert twin.rng.integers(2**62) == one.rng.integers(2**62)


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_copy_can_be_taken_while_training_is_under_way(name: str, way: str, tmp_path: Path) -> None:
    needs(name)
    twins: list[cr.Callback] = []

    class Take(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            twins.append(WAYS[way](trainer.callbacks[0]))

    fit(trainer(make(name, tmp_path), Take()))
    another = trainer(twins[0])
    fit(another)
    assert len(another.history) == 2


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_fitted_estimator_can_be_copied_with_any_callback(way: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for name in CALLBACKS:
        if name == "TensorBoard" and "tensorboardX" not in sys.modules:
            continue
        model = cr.MLPClassifier((8,), max_iter=2, callbacks=[make(name, tmp_path)], random_state=0)
        with pytest.warns(match="Maximum iterations"):
            model.fit(X, Y)
        np.testing.assert_array_equal(WAYS[way](model).predict(X), model.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_every_callback_takes_part_in_a_parallel_search(backend: str, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    from sklearn.model_selection import GridSearchCV

    writers = [name for name in CALLBACKS if name != "Callback"]
    if "tensorboardX" not in sys.modules:
        writers.remove("TensorBoard")
    callbacks = [make(name, tmp_path) for name in writers]
    model = cr.MLPClassifier((8,), max_iter=10, random_state=0, callbacks=callbacks)
    with joblib.parallel_config(backend):
        search = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=3, n_jobs=2, error_score="raise").fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    points = list((tmp_path / "points").rglob("step-*"))
    assert len({path.parent for path in points}) == 7  # six fits of the search, and the last
    for path in points:
        cr.load(path)
    logs = list(tmp_path.glob("log*.csv"))
    assert len(logs) == 7
    for log in logs:
        assert [line.split(",")[0] for line in log.read_text(encoding="utf-8").splitlines()] == [
            "epoch",
            *map(str, range(1, 11)),
        ]
    assert not list(tmp_path.rglob(".*"))  # nothing is left of locks, or half written


def test_results_can_be_copied(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    one = trainer()
    fit(one)
    results: list[Any] = [
        cr.diagnose(one.model, X, Y),
        cr.learning_rate_range_test(one, X, Y),
        cr.gradcheck(cr.MLP([4, 3], rng=0, dtype="float64"), X[:8], Y[:8], "cross_entropy"),
        cr.report(one.model, X, Y),
    ]
    for result in results:
        for way in WAYS.values():
            assert type(way(result)) is type(result)


# ---- what writes files


def test_a_copy_writes_beside_the_original_and_tells_where(tmp_path: Path) -> None:
    for name, attribute in (("Checkpoint", "folder"), ("CSVLog", "path")):
        one = make(name, tmp_path)
        twins = [copy.deepcopy(copy.deepcopy(one)) for _ in range(2)]
        for callback in (one, *twins):
            fit(trainer(callback))
        places = [getattr(callback, attribute) for callback in (one, *twins)]
        assert len(set(places)) == 3
        assert all(place.exists() for place in places)
        assert {place.parent for place in places[1:]} == ({places[0]} if attribute == "folder" else {tmp_path})
        again = getattr(twins[0], attribute)
        fit(trainer(twins[0]))
        assert getattr(twins[0], attribute) == again


@pytest.mark.filterwarnings("ignore:Checkpoint expects a folder for one run")  # of the last fit
@pytest.mark.parametrize(("name", "kind"), [("Checkpoint", "folder"), ("CSVLog", "path")])
def test_two_runs_in_one_place_are_refused_and_the_first_loses_nothing(name: str, kind: str, tmp_path: Path) -> None:
    gate = Gate()
    refused = pytest.raises(ValueError, match=f"^{name} expects .* by one run at a time, got two; .*{kind}")
    with gate.holding(lambda: fit(trainer(make(name, tmp_path), gate))), refused:
        fit(trainer(make(name, tmp_path)))
    if name == "Checkpoint":
        assert len(list((tmp_path / "points").iterdir())) == 3
    else:
        assert len((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()) == 3
    fit(trainer(make(name, tmp_path)))  # and now it is free


def test_the_lock_of_a_process_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    import subprocess

    script = f"""
import os, numpy as np, chainrule as cr
class Die(cr.Callback):
    def on_epoch_end(self, trainer, row):
        print(os.listdir({str(tmp_path)!r}), flush=True)
        os.kill(os.getpid(), 9)
callbacks = [cr.callbacks.Checkpoint({str(tmp_path)!r}), Die()]
cr.Trainer(cr.MLP([2, 2], rng=0), "cross_entropy", callbacks=callbacks).fit(np.eye(2), [0, 1], verbose=0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ".lock" in done.stdout, done.stderr
    assert done.returncode != 0
    fit(trainer(cr.callbacks.Checkpoint(tmp_path)))
    assert not (tmp_path / ".lock").exists()


def test_progress_keeps_its_file_where_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    text = io.StringIO()
    fit(trainer(copy.deepcopy(cr.callbacks.Progress(file=text))))
    assert len(text.getvalue().splitlines()) == 2
    fit(trainer(pickle.loads(pickle.dumps(cr.callbacks.Progress(file=sys.stdout)))))
    assert len(capsys.readouterr().out.splitlines()) == 2
    fit(trainer(pickle.loads(pickle.dumps(cr.callbacks.Progress(file=text)))))
    assert len(text.getvalue().splitlines()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
