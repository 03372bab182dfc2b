"""An exported file answers as its model does on the data, however far from zero, large or small that is, or is refused.

The tables are those of users: seconds since 1970, ids, prices of billions, currents of picoamperes. The export sees the
fitted model alone; the file is run here on the rows that the model was trained on, and held against it in float64.
"""

from __future__ import annotations

import copy
import shutil
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import chainrule as cr
from chainrule.persistence import c
from chainrule.persistence.rows import sample_rows

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

UNIT = np.random.default_rng(0).uniform(-1, 1, (400, 2))
SIGNAL = np.sin(3 * UNIT[:, 0]) + UNIT[:, 1]
COLUMNS = {  # offset and scale of the first column; whether float32 holds it
    "plain": (0, 1, True),
    "years": (2000, 20, True),
    "seconds": (1.75e9, 300, False),
    "milliseconds": (1.75e12, 1e5, False),
    "ids": (1e15, 1e4, False),
    "picoamperes": (0, 1e-12, True),
    "below float32": (0, 1e-46, False),
    "beyond float32": (0, 1e39, False),
    "a narrow band": (1, 1e-8, False),
}
TARGETS = {
    "plain": (0, 1, True),
    "billions": (2e9, 50, False),
    "all large": (0, 1e12, True),
    "all small": (0, 1e-12, True),
    "below float32": (0, 1e-46, False),
    "beyond float32": (0, 1e39, False),
}
SETTINGS = dict(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=40, random_state=0)


def columns(name: str) -> np.ndarray:
    offset, scale, _ = COLUMNS[name]
    return UNIT * [scale, 1] + [offset, 0]


def answers(path, x) -> np.ndarray:
    """What ONNX Runtime says: labels, or numbers."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x.astype(kind)})[0])


def apart(y, other) -> float:
    """The largest difference in standard deviations of y."""
    y, other = (np.asarray(one, np.float64).reshape(len(y), -1) for one in (y, other))
    return float((np.abs(y - other).max(axis=0) / y.std(axis=0)).max())


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("scaler", [None, StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler])
def test_columns_anywhere_in_onnx(name, scaler, tmp_path) -> None:
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    x, y = columns(name), (SIGNAL > 0).astype(int)
    model = cr.MLPClassifier(**SETTINGS, scale=scaler is None)
    fitted = (model if scaler is None else make_pipeline(scaler(), model)).fit(x, y)
    done = cr.export(fitted, tmp_path / "model.onnx")
    assert (answers(done.path, x) != fitted.predict(x)).mean() <= 0.005
    assert done.checked is not None
    assert done.checked < 0.01
    if not COLUMNS[name][2] and scaler in (None, StandardScaler):  # the others may hardly leave anything of the column
        assert done.notes == ["x and y are float64"]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("loss", ["squared_error", "quantile", "gaussian_nll"])
def test_targets_anywhere_in_onnx(name, loss, tmp_path) -> None:
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    offset, scale, held = TARGETS[name]
    fitted = cr.MLPRegressor(loss, **SETTINGS, scale=True).fit(UNIT, offset + scale * SIGNAL)
    done = cr.export(fitted, tmp_path / "model.onnx")
    assert apart(fitted.predict(UNIT), answers(done.path, UNIT)) < 0.01
    assert done.notes == ([] if held else ["x and y are float64"])


@needs_cc
@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_columns_that_float32_loses_are_refused_in_c(name, precision, tmp_path) -> None:
    x = columns(name)
    fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(x, SIGNAL)
    if COLUMNS[name][2]:
        assert cr.export(fitted, tmp_path / "model.h", precision=precision).checked < 0.1
        assert c.check(fitted, tmp_path / "model.h", x) < (0.01 if precision == "float32" else 0.1)
        return
    with pytest.raises(ValueError, match=r"float32 can hold, got columns of which it loses digits: x\[0\]; shift and"):
        cr.export(fitted, tmp_path / "model.h", precision=precision)
    assert list(tmp_path.iterdir()) == []


@needs_cc
@pytest.mark.parametrize("name", TARGETS)
def test_targets_that_float32_loses_are_refused_in_c(name, tmp_path) -> None:
    offset, scale, held = TARGETS[name]
    fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(UNIT, offset + scale * SIGNAL)
    if held:
        cr.export(fitted, tmp_path / "model.h")
        assert c.check(fitted, tmp_path / "model.h", UNIT) < 0.01
        return
    with pytest.raises(ValueError, match="got answers of which it loses digits; shift and scale the target"):
        cr.export(fitted, tmp_path / "model.h")


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_anywhere_in_networks_of_scikit_learn(name) -> None:
    x = columns(name)
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            given = x.astype(dtype)
        if not np.isfinite(given).all() or len(np.unique(given[:, 0])) < 10:
            continue
        fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(given, SIGNAL)
        given = given.astype(np.float64)
        assert apart(fitted.predict(given), cr.convert.to_sklearn(fitted).predict(given)) < 0.02


def test_a_column_is_called_by_its_name(tmp_path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(columns("seconds"), columns=["seconds", "b"])
    fitted = cr.MLPRegressor(**SETTINGS, scale=True).fit(frame, SIGNAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(ValueError, match="loses digits: seconds; shift and scale such a column before training"):
            cr.export(fitted, tmp_path / "model.h")
        if shutil.which("cc") is not None:
            pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
            with pytest.raises(
                ValueError, match=r"precision float32\), got .*: float32 loses digits of seconds; shift"
            ):
                cr.export(fitted, tmp_path / "model.onnx", precision="float32")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_the_user_decide(tmp_path) -> None:
    """Random rows lie near zero here; the user's own are far away, where int8 of the file is useless."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = cr.MLP([3, 64, 2], rng=0)
    model.layers[0].W[0] *= 1e6
    rows = np.random.default_rng(0).normal(size=(500, 3)) * [1e-6, 1000, 1e-3]
    assert cr.export(model, tmp_path / "a.onnx", precision="int8").checked < 1
    with pytest.raises(ValueError, match=r"precision int8\), got one that differs by .*; take precision=\"float32\""):
        cr.export(model, tmp_path / "b.onnx", precision="int8", X=rows)


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([1, 2, 3], ValueError, r"some rows of your data, of shape \(N, 3\), got \(3,\)"),
        (np.zeros((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.zeros((5, 2)), ValueError, r"got \(5, 2\)"),
        ("abc", TypeError, "rows to be an array of numbers"),
        ([[1, 2, "a"]], TypeError, "rows to be an array of numbers"),
        (np.full((5, 3), np.nan), ValueError, "finite numbers"),
    ],
    ids=repr,
)
def test_rows_that_are_none_are_refused(rows, error, says, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    with pytest.raises(error, match=says):
        cr.export(cr.MLP([3, 4, 2], rng=0), tmp_path / "a.onnx", X=rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("file", "format"), [("a.onnx", "onnx"), ("a.h", "c"), ("a.safetensors", "pytorch")])
@pytest.mark.parametrize("name", ["0.W", "1.running_mean"])
def test_parameters_that_are_no_numbers_are_refused(value, file, format, name, tmp_path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    model = cr.Sequential([cr.Linear(2, 3), cr.BatchNorm(3)], rng=0)
    {**model.parameters, **model.buffers}[name].flat[-1] = value
    with pytest.raises(ValueError, match=rf"export expects finite numbers in {name}, got {value}"):
        cr.export(model, tmp_path / file, format)
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_the_files_type_are_refused(tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = cr.Sequential([cr.Linear(2, 2), cr.Linear(2, 2)], rng=0, dtype="float64")
    model.layers[0].W[:], model.layers[1].W[:] = 1e39, 1e-39
    assert cr.export(model, tmp_path / "a.onnx").notes == ["x and y are float64"]
    with pytest.raises(
        ValueError, match=r"parameters within ±3\.4\S* for float32, got larger ones in 0\.W; use float64"
    ):
        cr.export(model, tmp_path / "b.onnx", precision="float32")
    with pytest.raises(ValueError, match="export to C expects numbers that float32 can hold"):
        cr.export(model, tmp_path / "a.h")
    with pytest.raises(ValueError, match=r"±3\.4\S* for float32, got larger ones in 0\.weight"):
        cr.export(model, tmp_path / "a.safetensors", "pytorch", precision="float32")
    with pytest.raises(ValueError, match=r"±3\.4\S* for float32, got larger ones for 0\.weight; make it with dtype"):
        cr.convert.load_state_dict(cr.Sequential([cr.Linear(2, 2), cr.Linear(2, 2)]), cr.convert.state_dict(model))


def test_rows_are_drawn_from_what_a_model_knows() -> None:
    x = np.random.default_rng(0).normal([5, 1e9], [1, 50], (500, 2))
    for model in (
        cr.MLPRegressor(**SETTINGS, scale=True),
        cr.MLPRegressor(hidden_layer_sizes=(), max_iter=1),
        make_pipeline(RobustScaler(), cr.MLPRegressor(**SETTINGS)),
    ):
        rows = sample_rows(model.fit(x, x[:, 0]))
        np.testing.assert_allclose(rows.mean(axis=0), [5, 1e9], rtol=0.1)
        np.testing.assert_allclose(rows.std(axis=0), [1, 50], rtol=0.3)
        np.testing.assert_array_equal(rows, sample_rows(copy.deepcopy(model)))
    network = cr.Sequential([cr.Dropout(), cr.BatchNorm(2)])
    network.layers[1].running_mean[:], network.layers[1].running_variance[:] = [5, 1e9], [1, 2500]
    np.testing.assert_allclose(sample_rows(network).std(axis=0), [1, 50], rtol=0.3)
    deep = cr.Sequential([cr.Linear(2, 2), cr.BatchNorm(2)], rng=0)
    deep.layers[1].running_mean[:] = [7, -3]
    first = deep.layers[0].W.astype(np.float64)
    np.testing.assert_allclose((sample_rows(deep) @ first).mean(axis=0), [7, -3], atol=0.5)
