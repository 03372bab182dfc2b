"""Error against fit time: each fit alone and kept, a summary of those that are done, and what is left out says why."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

from benchmarks import tables
from benchmarks.grid import NotOffered
from benchmarks.tabular import ablations, fit, learners, sets, summary
from benchmarks.tabular.learners import Learner


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with two small tables, of numbers and of classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 11))
    for name in ("power-plant", "wine-quality"):
        (tmp_path / name).mkdir()
    np.savetxt(tmp_path / "power-plant" / "data.txt", np.c_[x[:, :4], x[:, 0] + x[:, 1]])
    for kind in ("red", "white"):
        rows = np.c_[x, 5 + (x[:, 0] > 0)]
        np.savetxt(tmp_path / "wine-quality" / f"winequality-{kind}.csv", rows, delimiter=",", fmt=["%g"] * 11 + ["%d"])
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    return tmp_path


def plan(folder: Path, *names: str, **given: Any) -> tables.Plan:
    settings = {"tables": ["power-plant", "wine"], "splits": [0, 1], "rows": 60, "folder": folder} | given
    return tables.Plan([Learner(name) for name in names], **settings)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Fits that take no time; the record says which were not kept before."""
    made: list[tuple[str, str, int]] = []

    def alone(plan: tables.Plan, learner: Learner, table: str, split: int) -> dict[str, Any]:
        made.append((learner.name, table, split))
        if "nonsense" in learner.name:
            raise NotOffered("no such parameter")
        if "slow" in learner.name:
            return {"left_out": f"not done in {plan.cap:g} s", "cap": plan.cap}
        if "broken" in learner.name:
            return {"failed": "MemoryError"}
        sizes = {"data": 1000, "memory_before": 0, "memory": 1_500_000}
        return {"error": 0.1, "fit_seconds": 1.0, "predict_seconds": 0.5, "test_rows": 100} | sizes

    monkeypatch.setattr(tables, "_alone", alone)
    return made


def test_the_command_fits_alone_keeps_and_continues(shell, data: Path, tmp_path: Path) -> None:
    words = ["tables", "--splits", 0, "--train-rows", 60, "--fits", tmp_path / "fits", "--out", tmp_path / "out"]
    words += [
        "--tables",
        "wine",
        "--learners",
        "scikit-learn-mlp+max_iter=3,chainrule+max_epochs=2,chainrule+nonsense=1",
    ]
    first = shell(*words)
    assert first.code == 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "fits").rglob("*.json")}
    assert len(kept) == 2
    assert "wine, split 0, chainrule+nonsense=1: – " in first.out
    assert "unexpected keyword argument 'nonsense'" in first.out
    (path,) = (tmp_path / "out").glob("tables-*.json")
    facts = json.loads(path.read_text(encoding="utf-8"))
    wine = facts["tables"][0]
    assert (wine["rows"], wine["test_rows"], wine["classes"]) == (60, 120, 2)
    assert 0 <= wine["error"] <= 1
    assert wine["log_loss"] > 0
    assert "chainrule" in facts["machine"]["versions"]
    again = shell(*words)
    assert again.out.splitlines()[1:] == first.out.splitlines()[1:]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "| chainrule, max_epochs=2 |" in shell("--markdown", path).out


def test_a_parameter_may_be_an_object_a_number_or_a_word(data: Path) -> None:
    words = {
        "ablate": False,
        "faithful": False,
        "tables": None,
        "splits": "3",
        "train_rows": 60,
        "cap": 1.0,
        "fits": data,
    }
    text = 'chainrule+plan={"epochs":3,"seed":0}+metric=accuracy, scikit-learn-mlp+max_iter=5'
    found = tables.make_plan(SimpleNamespace(**words, learners=text))
    given = [learner.given for learner in found.learners]
    assert given == [{"plan": {"epochs": 3, "seed": 0}, "metric": "accuracy"}, {"max_iter": 5}]
    assert (found.tables, found.splits) == (["wine", "power-plant"], [3])
    assert "{" not in found.path(found.learners[0], "wine", 3).name


def test_a_parameter_may_be_for_classifiers_alone(data: Path) -> None:
    learner = Learner("chainrule+classes.metric=accuracy+numbers.metric=mean_absolute_error+max_epochs=2")
    fitted = [learner.fit(fit.made_up(count), count, 0).estimator for count in (2, 0)]
    assert [estimator.metric for estimator in fitted] == ["accuracy", "mean_absolute_error"]
    assert [estimator.max_epochs for estimator in fitted] == [2, 2]


def test_ours_as_published_is_beside_its_authors(data: Path, shell) -> None:
    words = {"ablate": False, "faithful": True, "learners": None, "tables": None, "splits": "0"}
    ours = tables.make_plan(SimpleNamespace(**words, train_rows=60, cap=1.0, fits=data)).learners[-1]
    assert ours.changes == {"without": "doubled-dropout", "with": "256-units"}
    assert ours.given["plan"]["epochs"] == 256
    assert "not allowed with" in shell("tables", "--faithful", "--ablate").err


def test_an_ablation_has_a_file_of_its_own(shell, data: Path, runs: list[Any], tmp_path: Path) -> None:
    words = ["--splits", 0, "--train-rows", 60, "--fits", tmp_path / "fits", "--out", tmp_path / "out"]
    answer = shell("tables", "--ablate", "--tables", "wine", *words)
    (path,) = (tmp_path / "out").glob("*.json")
    assert path.name.startswith("tables-ablation-")
    assert [name for name, _, _ in runs] == tables.ABLATED
    assert "| chainrule, without=waves |" in answer.out
    assert "chainrule: error 0.1000; fit 1 s, prediction 500 ms, 1.5 MB more for 0.001 MB of data" in answer.out
    assert "| +0.0 %, worse on 0 |" in answer.out


def test_a_run_continues_with_what_is_not_kept(runs: list[tuple[str, str, int]], tmp_path: Path) -> None:
    list(tables.measure(plan(tmp_path, "chainrule", splits=[0])))
    assert len(list(tables.measure(plan(tmp_path, "chainrule", "scikit-learn-mlp")))) == 8
    assert len(runs) == len(set(runs)) == 8
    list(tables.measure(plan(tmp_path, "chainrule", rows=50, tables=["wine"], splits=[0])))
    assert runs[-1] == ("chainrule", "wine", 0)


def test_who_is_not_offered_is_asked_once_and_who_breaks_each_time(runs: list[Any], tmp_path: Path) -> None:
    found = list(tables.measure(plan(tmp_path, "chainrule+nonsense=1", "chainrule+broken=1")))
    assert [each["left_out"] for each in found] == ["no such parameter", "MemoryError"] * 4
    assert [name for name, _, _ in runs].count("chainrule+nonsense=1") == 1
    assert not list(tmp_path.iterdir())


def test_a_fit_above_the_cap_is_tried_again_only_with_a_longer_one(runs: list[Any], tmp_path: Path) -> None:
    given = {"tables": ["wine"], "splits": [0]}
    for cap, tried in ((10.0, 1), (5.0, 1), (20.0, 2)):
        (found,) = tables.measure(plan(tmp_path, "chainrule+slow=1", cap=cap, **given))
        assert found["left_out"].startswith("not done in ")
        assert len(runs) == tried


def test_a_process_that_takes_too_long_is_ended(data: Path, tmp_path: Path) -> None:
    (found,) = tables.measure(plan(tmp_path, "scikit-learn-mlp", tables=["wine"], splits=[0], cap=0.01))
    assert found["left_out"] == "not done in 0.01 s"


def test_splits_are_disjoint_stratified_and_the_same_each_time(data: Path) -> None:
    first, second, other = sets.load("wine", 0, 60), sets.load("wine", 0, 60), sets.load("wine", 1, 60)
    assert first.train.x.equals(second.train.x)
    assert not first.train.x.equals(other.train.x)
    assert (len(first.train.y), len(first.test.y), first.classes) == (60, 120, 2)
    assert abs(first.train.y.mean() - first.test.y.mean()) < 0.02
    assert list(first.train.x.columns)[-1] == "kind"
    numbers = sets.load("power-plant", 0)
    assert len(numbers.train.y) == 72  # 80 % where the table is small
    rows = {tuple(row) for part in (numbers.train, numbers.test) for row in part.x.to_numpy()}
    assert len(rows) == 90


@pytest.mark.parametrize("name", sets.TABLES)
def test_each_open_table_is_read(name: str, data_dir: Path) -> None:
    if name not in sets.names():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    split = sets.load(name, 0, 200)
    assert len(split.train.y) == 200
    assert not split.train.x.columns.duplicated().any()
    assert (split.train.y.dtype.kind == "f") == (split.classes == 0)
    assert np.isfinite(split.train.y).all()


def test_a_large_table_is_made_with_mixed_columns() -> None:
    split = sets.load("made-200x2000", 0, 10**9)
    assert (split.train.x.shape, len(split.test.y), split.classes) == ((200, 2000), 50, 0)
    words = [name for name in split.train.x.columns if name.startswith("word")]
    assert len(words) == 400
    assert 2 < split.train.x[words[0]].nunique() <= 200
    assert np.isfinite(split.train.y).all()


def test_the_scores_are_the_usual_ones() -> None:
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 3000), rng.dirichlet(np.ones(3), 3000)
    found = fit.scores(p, y, 3)
    assert found["log_loss"] == pytest.approx(log_loss(y, p))
    assert found["error"] == pytest.approx((p.argmax(axis=1) != y).mean())
    drawn = np.array([rng.choice(3, p=row) for row in p])
    assert fit.scores(p, drawn, 3)["calibration_error"] < 0.05 < found["calibration_error"]
    numbers = rng.normal(size=100)
    assert fit.scores(np.full(100, numbers.mean()), numbers, 0) == {"error": pytest.approx(1.0)}


def fits(**errors: list[float]) -> list[dict[str, Any]]:
    """One split of a table for each error."""
    return [
        {"learner": name, "table": f"t{place}", "split": 0, "error": error, "fit_seconds": 2.0 + place}
        | {"predict_seconds": 0.1, "test_rows": 1000}
        for name, each in errors.items()
        for place, error in enumerate(each)
    ]


def test_means_are_shifted_geometric_and_ranks_share_ties() -> None:
    better, worse = summary.summary(fits(a=[0.3, 0.1], b=[0.3, 0.02], c=[0.5]))[:2]
    assert (better["learner"], worse["learner"]) == ("b", "a")
    assert worse["error"] == pytest.approx(math.sqrt(0.31 * 0.11))
    assert (better["rank"], worse["rank"]) == (1.25, 1.75)
    assert (worse["fit_seconds"], worse["longest"], worse["predict_seconds"]) == (2.5, 3.0, 0.1)


def test_who_did_not_do_every_fit_has_no_mean() -> None:
    text = summary.markdown(
        [*fits(a=[0.3, 0.1], c=[0.5]), {"learner": "d", "table": "t0", "split": 0, "left_out": "-"}]
    )
    assert "| c | 1 of 2 fits | – |" in text
    assert "| t1 | **0.1000** | – |" in text
    assert "| d |" not in text


def test_a_part_that_is_out_is_held_against_the_whole() -> None:
    whole, other = "chainrule", "chainrule+without=waves"
    lines = summary.means_table(summary.summary(fits(**{whole: [0.19, 0.19], other: [0.21, 0.18]}))).splitlines()
    assert lines[0].endswith("| than chainrule |")
    (line,) = [each for each in lines if "without=waves" in each]
    assert line.endswith("| +2.2 %, worse on 1 |")


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    found = fits(**{"catboost": [0.2], "chainrule+preset=fast": [0.25], "chainrule+preset=best": [0.15]})
    for name in ("curve.svg", "curve.png"):
        summary.draw(found, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The recipe, which is put back after the test."""
    from chainrule.tabular import estimators, recipe
    from chainrule.tabular.estimators.learners import TabularClassifier, TabularRegressor

    modules = [value for value in vars(estimators).values() if type(value) is type(recipe)]
    for place in (recipe, TabularClassifier, TabularRegressor, *modules):
        for name, value in list(vars(place).items()):
            if not name.startswith("__"):
                monkeypatch.setattr(place, name, value)
    monkeypatch.setattr(recipe, "FACTORS", dict(recipe.FACTORS))
    return recipe


@pytest.mark.usefixtures("recipe")
@pytest.mark.parametrize("change", [name for name in tables.ABLATED if "with" in name])
def test_each_change_of_the_recipe_trains_and_no_longer_as_before(change: str) -> None:
    rows = fit.made_up(2)
    rows.x["street"] = [f"street {place % 16}" for place in range(len(rows.y))]
    whole = Learner("chainrule+max_epochs=12").fit(rows, 2, 0).answer(rows.x)
    learner = Learner(f"{change}+max_epochs=12")
    learner.change()
    other = learner.fit(rows, 2, 0).answer(rows.x)
    assert np.isfinite(other).all()
    assert not np.array_equal(whole, other)


def test_a_part_with_another_name_now_is_left_out(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(recipe, "DECAY")
    with pytest.raises(NotOffered, match="the recipe has no place for weight-decay"):
        ablations.take_out("weight-decay")
    with pytest.raises(ValueError, match="did you mean 'waves'"):
        ablations.take_out("wave")
    with pytest.raises(ValueError, match="did you mean 'muon'"):
        ablations.put_in("mun")


@pytest.mark.filterwarnings("ignore")  # of the libraries, about themselves
@pytest.mark.parametrize("key", learners.LIBRARIES)
def test_each_learner_takes_a_table_as_it_comes(key: str) -> None:
    """With gaps, and with a word that training did not have."""
    learner = Learner(f"{key}+{QUICK[key]}")
    if not learner.library.installed:
        pytest.skip(f"{learner.library.package} is not installed")
    rows = fit.made_up(2)
    rows.x.loc[::7, "word"] = None
    rows.x.loc[::5, "number"] = np.nan
    new = rows.x.assign(word=["elm", *rows.x["word"][1:]])
    p = learner.fit(rows, 2, 0).answer(new)
    assert p.shape == (len(new), 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert len(learner.version) >= 5
    numbers = Learner(f"{key}+{QUICK[key]}").fit(sets.Part(rows.x, 1000 + 100 * fit.made_up(0).y), 0, 0).answer(new)
    assert numbers.shape == (len(new),)
    assert np.isfinite(numbers).all()
    assert np.ptp(numbers) > 0


QUICK = {
    "scikit-learn-mlp": "max_iter=3",
    "hist-gradient-boosting": "max_iter=9",
    "lightgbm": "n_estimators=9",
    "xgboost": "n_estimators=9",
    "catboost": "iterations=9",
    "realmlp-td": "n_epochs=30",
    "realmlp-td-s": "n_epochs=30",
    "tabm": "n_epochs=2",
    "chainrule": "max_epochs=30",
}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--learners", "catbost"), "did you mean 'catboost'"),
        (("--tables", "vine"), "did you mean 'wine'"),
        (("--train-rows", 3), "--train-rows >= 50"),
        (("--cap", 0), "--cap > 0"),
    ],
    ids=str,
)
def test_a_wrong_word_is_told_in_one_sentence(words: tuple[object, ...], says: str, shell, data: Path) -> None:
    answer = shell("tables", *words)
    assert answer.code == 2
    assert says in " ".join(answer.err.split())


def test_without_data_it_says_so(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    assert "CHAINRULE_DATA" in shell("tables").err
