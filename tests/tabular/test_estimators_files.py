"""Files of estimators whose description was changed: refused in one sentence, or an estimator that answers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr
from chainrule._support.files import DIGEST, digest, write_arrays
from chainrule.tabular.encoding import _digest
from json_mutations import mutated

ROWS = 40
RNG = np.random.default_rng(0)
TABLE = {
    "size": RNG.normal(size=ROWS),
    "kind": RNG.choice(["oak", "fir", "elm"], ROWS).astype(object),
    "town": np.array([f"t{at % 10}" for at in range(ROWS)], object),
    "day": np.datetime64("2024-01-01") + RNG.integers(0, 400, ROWS).astype("m8[D]"),
}
MATRIX = RNG.normal(size=(ROWS, 3))
LABELS = np.array(["a", "b", "c"])[np.arange(ROWS) % 3]
FEW: dict[str, Any] = {"max_epochs": 1, "random_state": 0}
MODELS = {
    "classifier": lambda: cr.TabularClassifier(**FEW, class_weight={"a": 2.0}).fit(TABLE, LABELS),
    "regressor": lambda: cr.TabularRegressor(**FEW, columns={"day": "drop"}).fit(TABLE, TABLE["size"]),
    "quantiles": lambda: cr.TabularRegressor(**FEW, quantiles=(0.2, 0.8)).fit(TABLE, TABLE["size"]),
    "MLPClassifier": lambda: cr.MLPClassifier((3,), max_iter=1, scale=True, early_stopping=True).fit(MATRIX, LABELS),
    "MLPRegressor": lambda: cr.MLPRegressor("huber", (3,), max_iter=1, scale=True).fit(MATRIX, MATRIX[:, 0]),
}


@pytest.fixture(scope="module", params=MODELS)
def saved(request, tmp_path_factory):
    """The arrays and the facts of a file, what it was fitted on, and its predictions."""
    path = tmp_path_factory.mktemp("files") / "m.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        model = MODELS[request.param]()
    cr.save(model, path)
    X = MATRIX if request.param.startswith("MLP") else TABLE
    with safetensors.safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["chainrule"])
    return safetensors.numpy.load_file(path), facts, X, model.predict(X)


def forge(path: Path, arrays: dict[str, Any], facts: Any) -> bool:
    """A file with these facts and a digest that is right; False if they are no JSON."""
    try:
        header = {"chainrule": json.dumps(facts)}
    except (TypeError, ValueError):
        return False
    write_arrays("forge", path, arrays, header | {DIGEST: digest(arrays, header)})
    return True


def answer(path: Path, X: Any) -> Any:
    """The predictions of what is loaded; None if it, or the rows, are refused in one sentence."""
    try:
        return cr.load(path).predict(X)
    except (ValueError, TypeError) as error:
        said = str(error)
    assert said.startswith(("load expects ", "Tabular", "MLP", "predict expects ", "X has ")), said
    assert "\n" not in said
    return None


@pytest.mark.parametrize("count", [60, pytest.param(400, marks=pytest.mark.slow)])
def test_changed_descriptions_are_refused_or_answer(saved, count: int, tmp_path: Path, fuzz_seed: int) -> None:
    arrays, facts, X, _ = saved
    rng = np.random.default_rng([fuzz_seed, count])
    path, refused = tmp_path / "forged", 0
    for _ in range(count):
        described = mutated(facts["estimator"], rng)
        if not forge(path, arrays, facts | {"estimator": described}):
            continue
        found = answer(path, X)
        refused += found is None
        assert found is None or len(found) == ROWS
    assert refused > count / 3


@pytest.mark.parametrize("count", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_changed_encoders_are_refused_or_answer_the_same(saved, count: int, tmp_path: Path, fuzz_seed: int) -> None:
    arrays, facts, X, expected = saved
    if "encoder" not in facts["estimator"]:
        pytest.skip("it has no encoder")
    rng = np.random.default_rng([fuzz_seed, count, 1])
    for _ in range(count):
        described = facts["estimator"] | {"encoder": mutated(facts["estimator"]["encoder"], rng)}
        if forge(tmp_path / "forged", arrays, facts | {"estimator": described}):
            found = answer(tmp_path / "forged", X)
            assert found is None or np.array_equal(found, expected)


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_encoders_with_a_right_digest_do_no_harm(saved, count: int, tmp_path: Path, fuzz_seed: int) -> None:
    arrays, facts, X, _ = saved
    if "encoder" not in facts["estimator"]:
        pytest.skip("it has no encoder")
    rng = np.random.default_rng([fuzz_seed, count, 2])
    for _ in range(count):
        encoder = mutated(facts["estimator"]["encoder"], rng)
        if not isinstance(encoder, dict):
            continue
        try:
            encoder["digest"] = _digest({name: value for name, value in encoder.items() if name != "digest"})
        except (ValueError, TypeError):
            continue
        if forge(tmp_path / "forged", arrays, facts | {"estimator": facts["estimator"] | {"encoder": encoder}}):
            found = answer(tmp_path / "forged", X)
            assert found is None or len(found) == ROWS


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"class": "Pipeline"}, "'Pipeline' for the class of an estimator"),
        ({"class": ["TabularClassifier"]}, "for the class of an estimator"),
        ({"parameters": {"max_epochs": -1}}, "max_epochs"),
        ({"parameters": {"depth": 3}}, "a parameter 'depth'"),
        ({"parameters": None}, "parameters"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_wrong_is_said(saved, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    arrays, facts, _, _ = saved
    if change.get("parameters") == {"max_epochs": -1} and "encoder" not in facts["estimator"]:
        change, says = {"parameters": {"max_iter": -1}}, "max_iter"
    assert forge(tmp_path / "forged", arrays, facts | {"estimator": facts["estimator"] | change})
    with pytest.raises(ValueError, match=f"load expects .* to describe an estimator, got one with .*{says}"):
        cr.load(tmp_path / "forged")


def test_a_network_of_another_width_is_refused(saved, tmp_path: Path) -> None:
    _, facts, _, _ = saved
    cr.save(cr.MLP([2, 7], rng=0), tmp_path / "other")
    arrays = safetensors.numpy.load_file(tmp_path / "other")
    with safetensors.safe_open(tmp_path / "other", framework="numpy") as file:
        model = json.loads(file.metadata()["chainrule"])["model"]
    assert forge(tmp_path / "forged", arrays, facts | {"model": model})
    with pytest.raises(ValueError, match="to describe an estimator, got one with a network "):
        cr.load(tmp_path / "forged")
