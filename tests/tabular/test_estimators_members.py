"""Members, folds and plans: networks trained side by side, averaged, calibrated, and trained again to the same bits."""

from __future__ import annotations

import _thread
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr
from chainrule.layers.program import run
from chainrule.runtime import threads
from chainrule.tabular import plans
from chainrule.tabular.estimators import members, tables
from chainrule.tabular.estimators.calibration import conformal_shift

ROWS = 300
RNG = np.random.default_rng(0)
TABLE = {"size": RNG.normal(size=ROWS), "kind": RNG.choice(["oak", "fir", "elm"], ROWS).astype(object)}
NUMBERS = TABLE["size"] + (TABLE["kind"] == "oak") + RNG.normal(size=ROWS)
CLASSES = np.where(NUMBERS > 1, "large", np.where(NUMBERS > 0, "middle", "small"))
FEW = {"max_epochs": 12, "random_state": 0}


def take(chosen):
    return {name: column[chosen] for name, column in TABLE.items()}


def vector(model):
    return model.model_.parameters.vector


# --- members ------------------------------------------------------------------------------------------------------


def test_the_outputs_of_members_are_averaged():
    """A member is the same whatever is trained beside it."""
    one, two, three = (cr.TabularRegressor(**FEW, n_ensemble=k).fit(TABLE, NUMBERS) for k in (1, 2, 3))
    assert np.array_equal(vector(one), vector(two)[: len(vector(one))])
    assert np.array_equal(vector(two), vector(three)[: len(vector(two))])
    assert [member["fold"] for member in three.members_] == [0, 1, 2]
    x, (layer,) = three.encoding_(TABLE).x, three.model_.layers
    each = [run(program, x) for program in layer.program()[0].branches]
    assert len({answer.tobytes() for answer in each}) == 3
    np.testing.assert_allclose(each[0], one.model_.predict(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(three.model_.predict(x), np.mean(each, axis=0), rtol=1e-5, atol=1e-5)


def test_each_member_sets_other_rows_aside(monkeypatch):
    held_out, judge = {}, members.Task._score

    def noted(task, model, rows):
        held_out.setdefault(id(model), rows.x[:, 0].tolist())
        return judge(task, model, rows)

    monkeypatch.setattr(members.Task, "_score", noted)
    x = np.arange(100.0)[:, None]
    cr.TabularRegressor(max_epochs=1, random_state=0, n_ensemble=3, validation_fraction=0.2).fit(x, x[:, 0])
    assert len({number for rows in held_out.values() for number in rows}) == 60
    model = cr.TabularRegressor(max_epochs=1, random_state=0, n_ensemble=3)
    assert [member["fold"] for member in model.fit(x, x[:, 0], X_val=x, y_val=x[:, 0]).members_] == [0, 0, 0]
    held_out.clear()
    many = cr.TabularRegressor(max_epochs=1, random_state=0, n_ensemble=4, validation_fraction=0.5).fit(x, x[:, 0])
    assert [member["fold"] for member in many.members_] == [0, 1, 0, 1]
    assert len({*map(tuple, held_out.values())}) == 2


def test_a_thread_that_trains_alone_answers_other_ranks_within_an_epoch(monkeypatch):
    """An epoch may take longer than they wait."""

    class Answering(cr.distributed.Serial):
        answers = 0

        def answer(self):
            self.answers += 1

    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "1")
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)
    model = cr.TabularRegressor(max_epochs=2, random_state=0, n_ensemble=1)
    model._communicator = Answering()
    model.fit(TABLE, NUMBERS)
    assert model._communicator.answers == 2 * 3  # steps


def test_every_other_member_sees_numbers_in_bins():
    def fronts(model):
        return [type(layers[0].parts[0][1][0]).__name__ for layers in model.model_.layers[0].networks]

    few = {"max_epochs": 1, "random_state": 0}
    model = cr.TabularRegressor(**few, n_ensemble=3).fit(TABLE, NUMBERS)
    assert fronts(model) == ["PBLD", "PiecewiseLinear", "PBLD"]
    assert fronts(cr.TabularRegressor(**few, n_folds=3).fit(TABLE, NUMBERS)) == ["PBLD", "PiecewiseLinear", "PBLD"]


def test_the_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    found = []
    for count in ("1", "2", "4"):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", count)
        found.append(cr.TabularClassifier(**FEW, n_ensemble=3).fit(TABLE, CLASSES))
    for other in found[1:]:
        assert np.array_equal(vector(other), vector(found[0]))
        assert other.members_ == found[0].members_


def test_each_member_trains_on_its_part_of_the_processors(monkeypatch):
    seen = []
    train = members.Task.train

    def noted(task, member, *rest):
        seen.append((threads.available_threads(), threading.current_thread() is threading.main_thread()))
        return train(task, member, *rest)

    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "4")
    monkeypatch.setattr(members.Task, "train", noted)
    for count, expected in ((1, (4, True)), (2, (2, False)), (5, (1, False))):
        seen.clear()
        cr.TabularRegressor(max_epochs=1, random_state=0, n_ensemble=count).fit(TABLE, NUMBERS)
        assert seen == [expected] * count
    assert threads.available_threads() == 4


def test_an_error_in_one_member_ends_all_and_is_raised(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    begin = members.recipe.begin

    def fail(model, x, rng):
        if rng.bit_generator.state == np.random.default_rng((0, 0, 1)).bit_generator.state:
            raise ValueError("of the second member")
        begin(model, x, rng)

    network = members.recipe.network  # one that leaves the generator as it is
    monkeypatch.setattr(members.recipe, "network", lambda *given: network(*given[:3], np.random.default_rng(0)))
    monkeypatch.setattr(members.recipe, "begin", fail)
    running = _thread._count()
    with pytest.raises(ValueError, match="of the second member"):
        cr.TabularRegressor(random_state=0, n_ensemble=2, max_epochs=10**6, early_stopping=False).fit(TABLE, NUMBERS)
    assert _thread._count() == running


@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_ends_all_members_and_keeps_what_was_learned(monkeypatch, count):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    model = cr.TabularRegressor(random_state=0, n_ensemble=count, max_epochs=10**6, early_stopping=False)
    look = members.BestEpoch._look
    training, told = set(), threading.Lock()

    def interrupt(best, trainer):
        training.add(id(trainer))
        if len(training) == count and told.acquire(blocking=False):
            signal.raise_signal(signal.SIGINT)
        return look(best, trainer)

    monkeypatch.setattr(members.BestEpoch, "_look", interrupt)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(TABLE, NUMBERS)
    assert model.history_.interrupted
    assert len(model.members_) == count
    assert model.n_epochs_ < 10**6
    assert np.isfinite(model.predict(TABLE)).all()


def test_lines_count_the_epochs_of_all_members(capsys):
    cr.TabularRegressor(**FEW, n_ensemble=2, verbose=True).fit(TABLE, NUMBERS)
    first, *lines = capsys.readouterr().err.splitlines()
    assert first.endswith(" s: 2 networks of 12 epochs")
    assert lines[0].startswith("epoch  1/24  loss ")
    assert "seconds left 0" in lines[-1]


# --- folds --------------------------------------------------------------------------------------------------------


def test_each_fold_has_its_share_of_each_class():
    labels = np.repeat([0, 1, 2], [100, 40, 3])
    ids = tables.folds(labels, 143, 5, np.random.default_rng(0))
    counts = np.array([np.bincount(labels[ids == fold], minlength=3) for fold in range(5)])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_predictions_for_the_rows_of_a_fold_are_by_the_others():
    """A label of noise is known by those that were trained on its row, and by no others."""
    noise = np.random.default_rng(1).integers(0, 2, ROWS)
    places = {"row": np.arange(ROWS).astype(str), "size": TABLE["size"]}
    weight = np.ones(ROWS)
    weight[:7] = 0
    model = cr.TabularClassifier(
        max_epochs=40, random_state=0, n_folds=3, columns={"row": "category"}, early_stopping=False
    ).fit(places, noise, sample_weight=weight)
    assert [member["fold"] for member in model.members_] == [0, 1, 2]
    p = model.oof_predictions_
    assert p.shape == (ROWS, 2)
    assert np.isnan(p[:7]).all()
    np.testing.assert_allclose(p[7:].sum(axis=1), 1)
    said = p[7:].argmax(axis=1) == noise[7:]
    assert said.mean() < 0.62
    loss = -np.log(p[7:][np.arange(ROWS - 7), noise[7:]]).mean()
    assert loss == pytest.approx(model.validation_error_, rel=1e-6)
    assert not hasattr(model.set_params(n_folds=1, max_epochs=1).fit(places, noise), "oof_predictions_")


@pytest.mark.parametrize("settings", [{}, {"quantiles": (0.1, 0.5, 0.9)}])
def test_numbers_out_of_fold_are_in_their_units(settings):
    model = cr.TabularRegressor(**FEW, n_folds=2, n_ensemble=2, **settings).fit(TABLE, 1000 + 100 * NUMBERS)
    assert [member["fold"] for member in model.members_] == [0, 0, 1, 1]
    off = model.oof_predictions_ - (1000 + 100 * NUMBERS)
    assert off.shape == (ROWS,)
    if not settings:
        assert np.sqrt((off**2).mean()) == pytest.approx(model.validation_error_, rel=1e-6)
    assert cr.TabularRegressor(**FEW, n_folds=2).fit(TABLE, np.stack([NUMBERS] * 2, 1)).oof_predictions_.shape[1] == 2


# --- plans --------------------------------------------------------------------------------------------------------


def test_a_plan_passed_back_gives_the_same_bits():
    model = cr.TabularClassifier(max_epochs=7, n_ensemble=2).fit(TABLE, CLASSES)
    assert model.plan_ == {
        "epochs": 7, "n_ensemble": 2, "n_folds": 1, "batch_size": 64, "seed": model.plan_["seed"]
    }  # fmt: skip
    again = cr.TabularClassifier(plan=model.plan_).fit(TABLE, CLASSES)
    assert again.plan_ == model.plan_
    assert np.array_equal(vector(again), vector(model))


@pytest.mark.parametrize(
    ("preset", "rows", "expected"),
    [
        ("default", 2560, (64, 128)),
        ("fast", 2560, (48, 128)),
        ("default", 100, (256, 64)),
        ("default", 10, (256, 10)),
        ("default", 24_000, (64, 256)),
        ("best", 1_000_000, (96, 1024)),
    ],
)
def test_few_rows_have_more_epochs_and_small_batches(preset, rows, expected):
    plan = plans.planned(preset, rows, None, 1, 1, 0)
    assert (plan.epochs, plan.batch_size) == expected


def test_no_more_rows_validate_than_tell_epochs_apart():
    rows = 13_000
    x = np.random.default_rng(0).normal(size=(rows, 2))
    model = cr.TabularRegressor(random_state=0, max_epochs=1, n_ensemble=1)
    seen = []
    error = model._error
    model._error = lambda y, z, weight: (seen.append(len(y)), error(y, z, weight))[1]
    model.fit(x, x[:, 0])
    assert set(seen) == {1_300}
    rows = np.array([10, 500, 800, 5_000, 50_000])
    assert (rows * [plans.validation_share(count) for count in rows]).tolist() == [2, 100, 100, 500, 2_500]


@pytest.mark.parametrize(
    ("preset", "chosen", "expected"),
    [
        ("default", (None, None), (4, 1)),
        ("default", (None, 2), (2, 2)),
        ("default", (None, 5), (1, 5)),
        ("default", (3, 5), (3, 5)),
        ("best", (None, None), (2, 8)),
        ("best", (None, 4), (4, 4)),
        ("best", (None, 1), (16, 1)),
        ("best", (2, None), (2, 8)),
    ],
)
def test_folds_share_the_networks_of_the_preset(preset, chosen, expected):
    assert plans.shared_out(preset, 1000, *chosen) == expected


def test_a_short_time_drops_members_that_wait_before_it_shortens():
    plan = plans.Plan(100, 8, 1, 64, 0)
    assert plan.within(1000, 2, may_drop=True) == plan
    assert plan.within(300, 2, may_drop=True) == plan._replace(epochs=75)
    assert plan.within(150, 2, may_drop=True) == plan._replace(epochs=50, n_ensemble=6)
    assert plan.within(150, 2, may_drop=False) == plan._replace(epochs=37)
    assert plan.within(20, 2, may_drop=True) == plan._replace(epochs=20, n_ensemble=2)
    assert plan.within(0, 2, may_drop=True).epochs == 1
    folds = plan._replace(n_ensemble=1, n_folds=8)
    assert folds.within(150, 1, may_drop=True) == folds._replace(epochs=50, n_folds=3)
    assert folds.within(1, 1, may_drop=True) == folds._replace(epochs=1, n_folds=2)


def test_best_trains_folds_or_as_many_members_if_validation_rows_are_given():
    model = cr.TabularRegressor(preset="best", random_state=0, max_epochs=1)
    assert model.fit(TABLE, NUMBERS).plan_["n_folds"] == len(model.members_) // 2 == 8
    held_out = {"X_val": take(slice(9)), "y_val": NUMBERS[:9]}
    plan = model.fit(TABLE, NUMBERS, **held_out).plan_
    assert (plan["n_ensemble"], plan["n_folds"]) == (16, 1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"preset": "slow"}, "preset"),
        ({"n_ensemble": 0}, "n_ensemble"),
        ({"plan": {"epochs": 3}}, "expects a plan with epochs, n_ensemble, n_folds, batch_size, seed, got "),
        ({"n_folds": 301}, "expects at least 301 rows to learn from, got n_samples = 300"),
    ],
)
def test_plans_that_do_not_fit_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        cr.TabularRegressor(**settings).fit(TABLE, NUMBERS)


def test_folds_beside_validation_rows_are_refused():
    with pytest.raises(ValueError, match="TabularRegressor expects either X_val or folds, got both"):
        cr.TabularRegressor(n_folds=2).fit(TABLE, NUMBERS, X_val=TABLE, y_val=NUMBERS)


# --- calibration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [CLASSES, np.stack([NUMBERS > 0, NUMBERS > 1], axis=1).astype(int)])
def test_calibration_scales_the_logits_and_lowers_the_loss(labels):
    held_out = {"X_val": take(slice(200)), "y_val": labels[:200]}
    settings = {**FEW, "max_epochs": 60, "n_ensemble": 2, "validation_fraction": 0.0, "metric": "accuracy"}
    raw = cr.TabularClassifier(**settings, calibrate=False).fit(take(slice(200, None)), labels[200:], **held_out)
    one = cr.TabularClassifier(**settings).fit(take(slice(200, None)), labels[200:], **held_out)
    temperature = one.members_[0]["temperature"]
    assert raw.members_[0]["temperature"] == 1
    assert temperature != 1
    z, scaled = (model.model_.predict(model.encoding_(TABLE).x) for model in (raw, one))
    np.testing.assert_allclose(scaled * temperature, z, rtol=1e-4, atol=1e-4)
    losses = []
    for factor in (0.97, 1.0, 1.03):
        logits = factor * scaled[:200].astype(float)
        loss = cr.losses.CrossEntropy() if labels.ndim == 1 else cr.losses.BinaryCrossEntropy()
        y = np.unique(labels, return_inverse=True)[1][:200] if labels.ndim == 1 else labels[:200].astype(float)
        prior = (np.log(factor / temperature)) ** 2 / (2 * 0.3**2)
        losses.append(200 * loss(logits, y)[0] + prior)
    assert losses[1] == min(losses)


def test_epochs_compete_after_calibration():
    """A network of the right order and the wrong scale is better than one of the wrong order."""
    model = cr.TabularClassifier().fit(take(slice(20)), CLASSES[:20], X_val=TABLE, y_val=CLASSES)
    y = np.unique(CLASSES, return_inverse=True)[1]
    right, wrong = np.eye(3)[y] * 30, np.eye(3)[(y + 1) % 3] * 0.1
    right[:9] = np.eye(3)[(y[:9] + 1) % 3] * 30
    assert model._error(y, right, None) > 0.8 < model._error(y, wrong, None)
    assert model._epoch_error(y, right, None) < 0.4
    assert model._epoch_error(y, wrong, None) == pytest.approx(np.log(3), abs=0.06)


def test_quantiles_have_their_share_of_the_validation_rows_below_them():
    held_out = {"X_val": take(slice(200)), "y_val": NUMBERS[:200]}
    levels = (0.1, 0.5, 0.9)
    shares = {}
    for calibrate in (False, True):
        model = cr.TabularRegressor(**FEW, n_ensemble=2, quantiles=levels, calibrate=calibrate)
        model.fit(take(slice(200, None)), NUMBERS[200:], **held_out)
        answers = model.predict_quantiles(take(slice(200)))
        shares[calibrate] = [(NUMBERS[:200] <= q).mean() for q in answers.T]
    ranks = [np.floor(201 * 0.1), np.ceil(201 * 0.5), np.ceil(201 * 0.9)]
    np.testing.assert_allclose(shares[True], np.array(ranks) / 200, rtol=0, atol=0.0051)  # a row lies on each
    assert np.abs(np.array(shares[False]) - levels).max() > 0.03


@pytest.mark.parametrize("count", [1, 7, 40])
def test_the_shift_of_a_quantile_is_the_residual_of_its_rank(count):
    above = RNG.normal(size=(count, 2, 3))
    found = conformal_shift(above, (0.1, 0.5, 0.95), None)
    in_order = np.sort(above, axis=0)
    ranks = [int((count + 1) * 0.1), -(-(count + 1) // 2), -(-(count + 1) * 19 // 20)]
    for place, rank in enumerate(ranks):
        assert found[:, place].tolist() == in_order[min(max(rank, 1), count) - 1, :, place].tolist()
    above[0], weight = 5.0, np.append(1e9, np.ones(count - 1))
    assert (conformal_shift(above[:, :, 1:], (0.5, 0.95), weight) == 5).all()
    same = conformal_shift(above, (0.1, 0.5, 0.95), np.full(count, 3.0))
    assert np.array_equal(same, conformal_shift(above, (0.1, 0.5, 0.95), None))
