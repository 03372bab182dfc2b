"""How estimators for tables train: the best epoch, weights, the time limit, and what they refuse."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from joblib import Parallel, delayed

import chainrule as cr
from chainrule.tabular.estimators import members, tables, watching

ROWS = 160
RNG = np.random.default_rng(0)
TABLE = {"size": RNG.normal(size=ROWS), "kind": RNG.choice(["oak", "fir", "elm"], ROWS).astype(object)}
NUMBERS = TABLE["size"] + (TABLE["kind"] == "oak") + RNG.normal(size=ROWS)
CLASSES = NUMBERS > 0.5
FEW = {"max_epochs": 15, "random_state": 0}


def take(chosen):
    return {name: column[chosen] for name, column in TABLE.items()}


def scored(model, metric):
    """The validation error of each epoch that has one."""
    rows = enumerate(model.history_, start=1)
    return {epoch: row[f"validation_{metric}"] for epoch, row in rows if f"validation_{metric}" in row}


# --- the best epoch -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_the_weights_of_the_best_epoch_are_kept(metric):
    model = cr.TabularClassifier(**FEW, metric=metric, n_ensemble=1)
    model.fit(take(slice(100)), CLASSES[:100], X_val=take(slice(100, None)), y_val=CLASSES[100:])
    errors = scored(model, metric)
    best = max(epoch for epoch, error in errors.items() if error == min(errors.values()))
    assert (model.best_epoch_, model.n_epochs_, model.validation_error_) == (best, 15, errors[best])
    if metric == "accuracy":
        found = 1 - model.score(take(slice(100, None)), CLASSES[100:])
    else:
        p = model.predict_proba(take(slice(100, None)))
        found = -np.log(p[np.arange(60), CLASSES[100:].astype(int)]).mean()
    assert found == pytest.approx(errors[best], rel=1e-5)


@pytest.mark.parametrize("metric", ["root_mean_squared_error", "mean_absolute_error"])
def test_errors_of_numbers_are_in_their_units(metric):
    model = cr.TabularRegressor(**FEW, metric=metric, n_ensemble=1)
    y = 1000 * NUMBERS
    model.fit(take(slice(100)), y[:100], X_val=take(slice(100, None)), y_val=y[100:])
    off = model.predict(take(slice(100, None))) - y[100:]
    found = np.abs(off).mean() if metric == "mean_absolute_error" else np.sqrt((off**2).mean())
    assert found == pytest.approx(min(model.history_[f"validation_{metric}"]), rel=1e-6)
    assert y[:100].min() <= model.predict(take(slice(100, None))).min()


def test_without_validation_rows_the_last_epoch_is_kept():
    model = cr.TabularRegressor(**FEW, validation_fraction=0).fit(TABLE, NUMBERS)
    assert model.best_epoch_ == model.n_epochs_ == 15
    assert "validation_root_mean_squared_error" not in model.history_


def test_only_epochs_near_a_zero_of_the_learning_rate_are_scored():
    model = cr.TabularRegressor(max_epochs=60, random_state=0, early_stopping=False).fit(TABLE, NUMBERS)
    rate = cr.schedules.CosLog4(1.0)
    epochs = scored(model, "root_mean_squared_error")
    assert {4, 12, 28, 60} <= set(epochs)
    assert len(epochs) < 30
    assert all(rate(epoch, 60) < 0.3 for epoch in epochs)


def test_training_ends_with_a_cycle_that_improves_nothing():
    noise = np.random.default_rng(2).normal(size=ROWS)
    model = cr.TabularRegressor(max_epochs=150, random_state=0).fit(TABLE, noise)
    assert model.n_epochs_ in (30, 70)  # the end of the second or the third cycle
    assert model.best_epoch_ <= {30: 10, 70: 30}[model.n_epochs_]
    assert cr.TabularRegressor(max_epochs=60, random_state=0, early_stopping=False).fit(TABLE, noise).n_epochs_ == 60


def test_equal_epochs_do_not_count_as_better():
    stops = watching.BestEpoch("error", lambda: 1.0, stops=True)
    model = cr.MLP([1, 1], rng=0)
    trainer = cr.Trainer(model, "squared_error", callbacks=[stops])
    trainer.fit([[1.0]], [[1.0]], epochs=100, verbose=0)
    assert (stops.epoch, len(trainer.history)) == (20, 20)


# --- rows and weights ---------------------------------------------------------------------------------------------


def test_each_class_keeps_its_share_and_its_only_row():
    labels = np.repeat([0, 1, 2], [100, 40, 1])
    for seed in range(20):
        chosen = tables.set_aside(labels, 141, 0.2, np.random.default_rng(seed))
        assert np.abs(np.bincount(labels[chosen], minlength=3) - [20, 8, 0]).max() <= 1
        assert not chosen[-1]
    assert not tables.set_aside(None, 2, 0.999, np.random.default_rng(0)).all()


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    weight = np.ones(ROWS)
    weight[::5] = 0
    model = cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS, sample_weight=weight)
    other = cr.TabularRegressor(**FEW).fit(take(weight > 0), NUMBERS[weight > 0])
    np.testing.assert_allclose(model.predict(TABLE), other.predict(TABLE), rtol=0, atol=1e-4)  # but for BLAS's rounding


def test_weights_of_rows_and_classes_draw_the_predictions():
    plain = cr.TabularClassifier(**FEW).fit(TABLE, CLASSES).predict_proba(TABLE)[:, 1].mean()
    for heavy in (
        cr.TabularClassifier(**FEW, class_weight={True: 9}).fit(TABLE, CLASSES),
        cr.TabularClassifier(**FEW).fit(TABLE, CLASSES, sample_weight=np.where(CLASSES, 9, 1)),
    ):
        assert heavy.predict_proba(TABLE)[:, 1].mean() > plain + 0.1


def test_the_same_fit_in_processes_side_by_side():
    model = cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS)
    found = Parallel(n_jobs=2)(delayed(cr.TabularRegressor(**FEW).fit)(TABLE, NUMBERS) for _ in range(2))
    for one in found:
        np.testing.assert_allclose(one.predict(TABLE), model.predict(TABLE), rtol=1e-4, atol=1e-5)


def test_values_that_training_never_saw_are_safe():
    model = cr.TabularClassifier(**FEW).fit(TABLE, CLASSES)
    p = model.predict_proba({"size": [np.inf, None, 1e300], "kind": ["ash", None, 3]})
    assert np.isfinite(p).all()
    assert p.shape == (3, 2)


# --- time ---------------------------------------------------------------------------------------------------------


class Clock:
    """A second for each look at it."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


def limited(monkeypatch, step: float, limit: float, **settings):
    clock = Clock(step)
    for module in ("base", "members", "watching"):
        monkeypatch.setattr(f"chainrule.tabular.estimators.{module}.time", clock)
    model = cr.TabularRegressor(random_state=0, time_limit=limit, early_stopping=False, **settings)
    return model.fit(TABLE, NUMBERS), clock.now


def test_the_schedule_is_planned_for_the_time(monkeypatch):
    monkeypatch.setattr(members.Task, "pace", lambda task, threads: members.Pace(1.0, 0.0, 0.0))
    model, _ = limited(monkeypatch, 1e-6, 100.0)
    assert model.plan_["epochs"] == model.n_epochs_ == 84
    rates = model.history_["learning_rate"]
    assert rates[-1] < 0.05 * max(rates)
    again = cr.TabularRegressor(plan=model.plan_, early_stopping=False).fit(TABLE, NUMBERS)
    assert np.array_equal(again.predict(TABLE), model.predict(TABLE))


def test_the_schedule_ends_when_the_time_does(monkeypatch):
    """Training is slower than planned."""
    monkeypatch.setattr(members.Task, "pace", lambda task, threads: members.Pace(0.0, 0.0, 0.0))
    model, now = limited(monkeypatch, 1.0, 100.0, n_ensemble=1)
    assert model.plan_["epochs"] == 256
    assert 10 < model.n_epochs_ < 60
    assert now <= 100 + 2  # the looks after the last step
    assert model.history_.reason == ""
    rates = model.history_["learning_rate"]
    assert rates[-1] < 0.05 * max(rates)


@pytest.mark.parametrize("settings", [{}, {"n_folds": 2}, {"max_epochs": 1}])
def test_a_plan_that_time_shortened_gives_the_same_bits(monkeypatch, settings):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "1")
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)  # looks at the clock within epochs
    monkeypatch.setattr(members.Task, "pace", lambda task, threads: members.Pace(0.0, 0.0, 0.0))
    model, _ = limited(monkeypatch, 1.0, 8.0 if settings == {"max_epochs": 1} else 90.0, **settings)
    assert {member for member, *_ in model.plan_["shortened"]} == set(range(len(model.members_)))
    monkeypatch.undo()
    again = cr.TabularRegressor(plan=model.plan_, early_stopping=False).fit(TABLE, NUMBERS)
    assert np.array_equal(again.predict(TABLE), model.predict(TABLE))
    assert (again.plan_, again.members_) == (model.plan_, model.members_)


def test_the_plan_is_timed_by_networks_that_run_side_by_side(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    met, tried = threading.Barrier(3), members.Task._tried
    monkeypatch.setattr(members.Task, "_tried", lambda *given: (met.wait(60), tried(*given))[1])
    model = cr.TabularRegressor(**FEW, n_ensemble=7, verbose=True).fit(TABLE, NUMBERS)
    assert len(model.members_) == 7


def test_weights_of_an_epoch_that_time_cut_short_are_scored(monkeypatch):
    scores = iter([3.0, 2.0, 1.0])
    best = watching.BestEpoch("error", lambda: next(scores), stops=False)
    limit = watching.Deadline(1e9, 1e9)
    model = cr.MLP([1, 1], rng=0)

    class Cut(cr.Callback):
        def on_pause(self, trainer):
            if trainer.epoch == 3 and trainer.step == 5:
                self.vector = model.parameters.vector.copy()
                limit.end = 0.0

        def on_batch_end(self, trainer, loss):
            pass

    cut = Cut()
    x = np.ones((4, 1), np.float32)
    trainer = cr.Trainer(model, "squared_error", batch_size=2, callbacks=[best, cut, limit])
    trainer.fit(x, x, epochs=9, verbose=0)
    assert (best.epoch, best.best, trainer.epoch, len(trainer.history)) == (3, 1.0, 3, 2)
    assert np.array_equal(model.parameters.vector, cut.vector)


def test_ample_time_changes_nothing(monkeypatch):
    model, _ = limited(monkeypatch, 1e-6, 100.0, max_epochs=15)
    other = cr.TabularRegressor(**FEW, early_stopping=False).fit(TABLE, NUMBERS)
    assert model.n_epochs_ == 15
    assert np.array_equal(model.predict(TABLE), other.predict(TABLE))


def test_no_time_at_all_gives_a_model_still(monkeypatch):
    model, _ = limited(monkeypatch, 1000.0, 0.1)
    assert model.plan_["epochs"] == 1
    assert np.isfinite(model.predict(TABLE)).all()


def test_time_is_kept_for_the_start_of_each_network_and_for_its_scores(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    monkeypatch.setattr(members.Task, "pace", lambda task, threads: members.Pace(1.0, 5.0, 2.0))
    ends = []
    crew = members.Crew.__init__
    monkeypatch.setattr(members.Crew, "__init__", lambda *given: (ends.append(given[3]), crew(*given))[1])
    model, _ = limited(monkeypatch, 1e-6, 100.0, n_ensemble=6)
    assert model.plan_["epochs"] == 23  # in three rounds: 0.85 · 100 / 3 − 5
    assert ends == [pytest.approx(100 - 6 * 2, abs=0.01)]


def test_lines_say_why_there_are_fewer_epochs(capsys):
    lines = watching.Lines(range(2), 60, 1.0)
    for left, stops in ((59, False), (40, False), (38, False), (0, True)):
        lines.tell(0, watching.Report({"loss": 1.0, "seconds": 0.1}, left, stops))
    lines.tell(1, watching.Report({"loss": 1.0, "seconds": 0.1}, 0, True))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fewer")]
    assert said == [
        "fewer epochs: the time is too short for all",
        "fewer epochs: a network stops after a cycle without improvement",
    ]


def test_lines_say_how_much_time_is_left(capsys):
    cr.TabularRegressor(**FEW, n_ensemble=1, verbose=True).fit(TABLE, NUMBERS)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"about [\d.e-]+ s: a network of 15 epochs", lines[0])
    assert len(lines) == 16
    assert "validation_root_mean_squared_error" in lines[1]
    assert "seconds left 0" in lines[-1]


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (
            {"size": [1.0], "kind": "oak"},
            "expects the values of column 'kind', got 'oak'; put it into a list, of one value f",
        ),
        ({"size": ["word"], "kind": ["oak"]}, "expects numbers in column 'size', got 'word' at row 0; correct it"),
        ({"size": [1.0], "kind": ["oak", "fir"]}, "expects 1 values in column 'kind', as in 'size', got 2"),
        (np.zeros((2, 3)), "^X has 3 features, but TabularRegressor is expecting 2 features as input"),
        ({"size": [1.0]}, "expects the column 'kind' of its training, got a table without it"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_the_name_of_the_estimator(X, says):
    model = cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS)
    with pytest.raises((ValueError, TypeError), match=says) as caught:
        model.predict(X)
    assert "TabularRegressor" in str(caught.value)


def test_a_frame_that_is_not_there_yet_needs_the_name_of_its_target():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"TabularRegressor expects y to be the name of a column of X, got a value of"):
        cr.TabularRegressor(**FEW).fit(polars.DataFrame(TABLE).lazy(), NUMBERS)


@pytest.mark.parametrize(
    ("settings", "y", "says"),
    [
        (
            {"columns": {"sise": "drop"}},
            NUMBERS,
            r"TabularRegressor expects the name of a column, got 'sise' \(did you mean 'size'\?\)",
        ),
        ({"columns": {"size": "numbers"}}, NUMBERS, "expects the name of a kind for column 'size', got 'numbers'"),
        ({"time_limit": 0}, NUMBERS, "time_limit"),
        ({"metric": "rmse"}, NUMBERS, "metric"),
        ({"quantiles": [0.5, 0.5]}, NUMBERS, "Quantile expects"),
        ({"quantiles": [50]}, NUMBERS, "Quantile expects"),
        ({}, NUMBERS[:-1], "TabularRegressor expects as many values in y as rows in X, 160, got 159"),
        ({}, np.append(NUMBERS[:-1], np.nan), "TabularRegressor expects finite numbers in y, got nan at row 159"),
        ({}, TABLE["kind"], "TabularRegressor expects y to be an array of numbers, got "),
        (
            {},
            np.append(NUMBERS[:-1], -1e300),
            r"expects numbers up to 1e\+100 in y, got 1e\+300 at row 159; scale them",
        ),
        ({}, NUMBERS * 1e-200, "TabularRegressor expects numbers in y that differ by 1e-100, got less; scale them"),
        ({}, None, "This TabularRegressor estimator requires y to be passed"),
        ({"n_folds": 3, "validation_fraction": 0.1}, NUMBERS, "expects either validation_fraction or folds, got both"),
    ],
)
def test_what_does_not_fit_is_refused(settings, y, says):
    with pytest.raises((ValueError, TypeError), match=says):
        cr.TabularRegressor(**FEW, **settings).fit(TABLE, y)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_weights_of_any_size_weigh_alike(scale):
    weight = np.where(CLASSES, 1.0, 3.0)
    model = cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS, sample_weight=scale * weight)
    other = cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS, sample_weight=weight)
    np.testing.assert_allclose(model.predict(TABLE), other.predict(TABLE), rtol=1e-4, atol=1e-4)
    heavy = cr.TabularClassifier(**FEW, class_weight={True: scale, False: 3 * scale}).fit(TABLE, CLASSES)
    usual = cr.TabularClassifier(**FEW, class_weight={True: 1, False: 3}).fit(TABLE, CLASSES)
    np.testing.assert_allclose(heavy.predict_proba(TABLE), usual.predict_proba(TABLE), rtol=1e-4, atol=1e-4)
    with pytest.warns(UserWarning, match="80 rows whose sample_weight is below 1e-18 of the largest are left out"):
        cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS, sample_weight=np.tile([1.0, 1e-30], ROWS // 2))


def test_a_fraction_replaces_a_presets_folds_and_excludes_validation_rows():
    model = cr.TabularRegressor(preset="best", validation_fraction=0.2, max_epochs=1, random_state=0)
    plan = model.fit(TABLE, NUMBERS).plan_
    assert (plan["n_ensemble"], plan["n_folds"]) == (16, 1)
    with pytest.raises(ValueError, match="either X_val or validation_fraction, got both; leave out one of them"):
        model.fit(TABLE, NUMBERS, X_val=TABLE, y_val=NUMBERS)


def test_files_are_not_a_row_and_need_a_target(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("size,kind,y\n" + "1,oak,2\n2,fir,3\n" * 20)
    model = cr.TabularRegressor(**FEW).fit(path, "y")
    with pytest.raises(ValueError, match=r"expects a table or a row, got a list of files, .* pass a pattern"):
        model.predict([path, str(path)])
    with pytest.raises(TypeError, match="expects y to be the name of a column of X, got none; pass y="):
        cr.TabularRegressor(**FEW).fit(path)


def test_a_fit_that_fails_leaves_nothing_fitted():
    model = cr.TabularClassifier(**FEW).fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match="finite and not negative"):
        model.set_params(class_weight={True: -1}).fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match="not fitted"):
        model.predict(TABLE)


def test_validation_rows_with_other_classes_are_refused():
    with pytest.raises(ValueError, match="TabularClassifier expects classes of y in y_val, got 'z', which y does not "):
        cr.TabularClassifier(**FEW).fit(TABLE, TABLE["kind"], X_val=take([0]), y_val=np.array(["z"]))
    with pytest.raises(ValueError, match=r"finite numbers in y_val, got nan at row 0 "):
        cr.TabularRegressor(**FEW).fit(TABLE, NUMBERS, X_val=take([0]), y_val=[np.nan])
    with pytest.raises(ValueError, match="X_val and y_val together, got one of them"):
        cr.TabularClassifier(**FEW).fit(TABLE, TABLE["kind"], X_val=take([0]))


def test_without_scikit_learn_one_sentence_names_it():
    code = "import sys; sys.modules['sklearn'] = None; import chainrule; chainrule.TabularClassifier"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = run.stderr.strip().splitlines()[-1]
    assert said == (
        "ModuleNotFoundError: chainrule.tabular.estimators needs sklearn, which is not installed: "
        "pip install 'chainrule[tabular]'"
    )
