"""Pipelines with a ColumnTransformer by name, as ONNX and as C: raw rows with gaps and with unseen values."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("narwhals", reason="narwhals is not installed")

import onnxruntime
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

import chainrule as cr
from chainrule.persistence.c import compiled
from chainrule.persistence.c.compiled import answered
from chainrule.persistence.tables import table_model
from persistence.table_models import quiet

RNG = np.random.default_rng(0)
ROWS = 200
FRAME = pd.DataFrame(
    {
        "height": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(30, 5, ROWS)),
        "width": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(-1, 0.1, ROWS)),
        "seconds": 1_750_000_000 + RNG.integers(0, 600, ROWS),
        "kind": RNG.choice(["oak", "fir", "ash", "NA", "yew"], ROWS, p=[0.4, 0.3, 0.2, 0.05, 0.05]),
        "gaps": pd.Series(RNG.choice(["a", "b", None], ROWS), dtype=object),
        "floor": RNG.integers(0, 4, ROWS),
        "unused": RNG.choice(["x", "y"], ROWS),
    }
)
Y = np.where(FRAME.kind == "oak", "tree", np.where(FRAME.floor > 1, "house", "shed"))
PRICE = 2e9 + 50 * (FRAME.kind == "oak").to_numpy() + FRAME.floor.to_numpy()

FILLED = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
MOST = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
IGNORE = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
CHOICES = {  # the entries of a ColumnTransformer
    "numbers filled, then scaled": [("n", FILLED, ["height", "width"]), ("s", StandardScaler(), ["seconds"])],
    "scaled, then filled": [
        ("n", make_pipeline(StandardScaler(), SimpleImputer()), ["width", "height"]),
        ("k", IGNORE, ["kind", "floor"]),
    ],
    "one-hot of several": [("k", IGNORE, ["kind", "gaps", "floor"]), ("s", StandardScaler(), ["seconds"])],
    "rare ones together": [
        ("k", OneHotEncoder(min_frequency=30, handle_unknown="infrequent_if_exist"), ["kind", "floor"]),
        ("n", SimpleImputer(), ["height"]),
    ],
    "the first dropped": [("k", OneHotEncoder(drop="first", handle_unknown="ignore"), ["kind", "floor"])],
    "in order": [
        ("k", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["kind", "floor"]),
        ("g", OrdinalEncoder(encoded_missing_value=-2), ["gaps"]),
    ],
    "the most frequent one": [("g", MOST, ["gaps", "kind"]), ("s", StandardScaler(with_std=False), ["floor"])],
    "one-hot, then scaled": [
        ("k", make_pipeline(IGNORE, StandardScaler()), ["kind"]),
        ("w", SimpleImputer(strategy="constant", fill_value=-7.5), ["width"]),
    ],
    "twice": [("a", StandardScaler(), ["seconds"]), ("b", "passthrough", ["seconds"]), ("k", IGNORE, ["kind"])],
    "unknown ones refused": [("k", OneHotEncoder(), ["kind"]), ("f", OrdinalEncoder(), ["floor"])],
}


def pipeline(name, last, *between):
    return make_pipeline(ColumnTransformer(CHOICES[name]), *between, last)


def classifier(**more):
    return cr.MLPClassifier((8,), max_iter=15, random_state=0, **more)


def regressor(**more):
    return cr.MLPRegressor(hidden_layer_sizes=(8,), max_iter=15, random_state=0, scale=True, **more)


def odd(name):
    """New rows, with missing and unseen values where the pipeline takes them."""
    rows = FRAME.copy()
    rows["floor"] = rows["floor"].astype(float)
    if name != "unknown ones refused":
        rows.loc[:9, "kind"] = ["larch", "OAK", "x", "?", "ä"] * 2
    if name in ("numbers filled, then scaled", "scaled, then filled"):
        rows.loc[3:5, ["height", "width"]] = np.nan
    if name in ("scaled, then filled", "one-hot of several", "the first dropped", "rare ones together"):
        rows.loc[2:4, "floor"] = [17, -1, 0.5]
    if name in ("one-hot of several", "the most frequent one"):
        rows.loc[5:7, "gaps"] = [None, "c", None]
    return rows


def by_onnx(done, rows):
    session = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    return session.run(None, cr.convert.onnx_inputs(session, rows))


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("name", CHOICES)
def test_pipelines_answer_raw_rows_as_onnx_and_as_c(name, tmp_path) -> None:
    fitted, rows = quiet(pipeline(name, classifier(scale=name == "twice")), FRAME, Y), odd(name)
    table = table_model(fitted)
    assert table is not None
    done = cr.export(fitted, tmp_path / "a.onnx", X=FRAME)
    label, found = by_onnx(done, rows)
    assert np.abs(found - fitted.predict_proba(rows)).max() < 1e-5
    assert (label == fitted.predict(rows)).all()
    assert done.checked < 1e-5
    assert cr.export(fitted, tmp_path / "b.onnx").checked < 1e-5
    if not shutil.which("cc"):
        return
    header = cr.export(fitted, tmp_path / "trees.h", X=FRAME)
    told = answered(header.path, "trees", compiled.reading(table, "trees"), compiled.in_bytes(table.read(rows)))
    answers = compiled.read_answers(table, told, ROWS)
    assert np.abs(answers.numbers - fitted.predict_proba(rows)).max() < 1e-5
    assert (answers.labels == fitted.predict(rows)).all()
    assert header.checked < 1e-5


REGRESSORS = {
    "a number": (regressor(), PRICE),
    "two numbers": (regressor(), np.stack([PRICE, -PRICE / 1e9], axis=1)),
    "counts": (regressor(loss="poisson"), FRAME.floor.to_numpy().astype(float)),
    "quantiles": (regressor(loss="quantile"), PRICE),
    "a spread": (regressor(loss="gaussian_nll"), PRICE),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers_are_in_the_units_of_the_target(name, tmp_path) -> None:
    last, y = REGRESSORS[name]
    fitted = quiet(pipeline("one-hot of several", last), FRAME, y)
    done = cr.export(fitted, tmp_path / "a.onnx", X=FRAME)
    (found,) = by_onnx(done, FRAME)
    expected = fitted.predict(FRAME)
    assert (np.abs(found.reshape(expected.shape) - expected) / expected.std(axis=0)).max() < 1e-5
    assert cr.export(fitted, tmp_path / "a.h", X=FRAME).checked < 1e-5


@pytest.mark.parametrize(
    "wrap",
    [
        lambda name: pipeline(name, classifier(), StandardScaler()),
        lambda name: pipeline(name, classifier(scale=True), "passthrough"),
        lambda name: GridSearchCV(pipeline(name, classifier()), {"mlpclassifier__alpha": [0.1, 1]}, cv=2),
    ],
    ids=["a scaler between", "an idle step between", "a search"],
)
def test_steps_around(wrap, tmp_path) -> None:
    fitted = quiet(wrap("one-hot of several"), FRAME, Y)
    done = cr.export(fitted, tmp_path / "a.onnx", X=FRAME)
    assert np.abs(by_onnx(done, FRAME)[1] - fitted.predict_proba(FRAME)).max() < 1e-5
    assert [note for note in done.notes if "one input of shape (N, 1) per column" in note]
    assert cr.export(fitted, tmp_path / "a.h", X=FRAME).checked < 1e-5


def test_what_the_pipeline_refuses_is_nan_in_the_file_and_a_note_says_so(tmp_path) -> None:
    fitted = quiet(pipeline("unknown ones refused", classifier()), FRAME, Y)
    done = cr.export(fitted, tmp_path / "a.onnx", X=FRAME)
    assert "what 'kind' did not hold in training gives NaN; the pipeline refuses it" in done.notes
    _, found = by_onnx(done, FRAME.assign(kind="larch"))
    assert np.isnan(found).all()


def test_a_column_passed_through_lies_where_the_estimator_was_trained(tmp_path) -> None:
    entry = [("s", "passthrough", ["seconds"])]
    fitted = quiet(make_pipeline(ColumnTransformer(entry), classifier(scale=True)), FRAME, Y)
    assert cr.export(fitted, tmp_path / "a.onnx").rows == ""
    plain = quiet(make_pipeline(ColumnTransformer([("f", "passthrough", ["floor"])]), classifier()), FRAME, Y)
    assert cr.export(plain, tmp_path / "a.onnx").rows == "standard normal rows"


def test_other_steps_are_left_to_skl2onnx_and_refused_in_c(tmp_path) -> None:
    entry = [("n", MinMaxScaler(), ["floor"])]
    fitted = quiet(make_pipeline(ColumnTransformer(entry), classifier()), FRAME, Y)
    assert table_model(fitted) is None
    assert cr.export(fitted, tmp_path / "a.onnx", X=FRAME).checked < 1e-5
    with pytest.raises(TypeError, match="export to C expects"):
        cr.export(fitted, tmp_path / "a.h", X=FRAME)
