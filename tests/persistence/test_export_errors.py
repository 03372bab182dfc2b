"""Failures of ONNX, skl2onnx, ONNX Runtime and PyTorch are reported in one sentence of ours."""

from __future__ import annotations

import importlib
import re
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.persistence.agreement import in_a_sentence, reason

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsOneClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    StandardScaler,
    TargetEncoder,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal([5, 100, -2, 0], [1, 5, 0.1, 3], (90, 4))
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
Y = np.arange(90) % 3
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(kind=RNG.choice(["oak", "fir"], 90), flag=X[:, 0] > 5)
WORDS = np.array([" ".join(RNG.choice(["red", "green", "häus"], 4)) for _ in range(90)])


def classifier(**more):
    return cr.MLPClassifier((4,), max_iter=2, random_state=0, **more)


def regressor(**more):
    return cr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0, **more)


def columns(*steps):
    return make_pipeline(
        ColumnTransformer([(f"s{k}", step, names) for k, (step, names) in enumerate(steps)]), classifier()
    )


def halved(x):
    return x / 2


FILLED = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
SITUATIONS = {  # of public bug reports, on rows that no file of float32 tells apart where it is called far
    "gaps, far": (make_pipeline(SimpleImputer(), StandardScaler(), classifier()), GAPS * 1e-6 + 1e8, Y),
    "gaps in columns by name, far": (columns((SimpleImputer(), ["a", "b"])), FRAME[["a", "b"]] * 1e-6 + 1e8, Y),
    "gaps as columns": (make_pipeline(SimpleImputer(add_indicator=True), classifier()), GAPS, Y),
    "gaps beside": (make_pipeline(make_union(SimpleImputer(), MissingIndicator()), classifier()), GAPS, Y),
    "products, far": (make_pipeline(PolynomialFeatures(), StandardScaler(), regressor()), X + 1e8, X[:, 0]),
    "powers": (make_pipeline(PowerTransformer(), regressor()), X, X[:, 0]),
    "bins, sparse": (make_pipeline(KBinsDiscretizer(3), classifier()), X, Y),
    "a function": (make_pipeline(FunctionTransformer(halved), classifier()), X, Y),
    "a kernel": (make_pipeline(Nystroem(n_components=3), classifier()), X, Y),
    "clusters": (make_pipeline(KMeans(2, n_init=1), classifier()), X, Y),
    "chosen by a model": (make_pipeline(SelectFromModel(LogisticRegression(max_iter=3)), classifier()), X, Y),
    "eliminated": (make_pipeline(RFE(LogisticRegression(max_iter=3), n_features_to_select=2), classifier()), X, Y),
    "truth passed on": (columns((StandardScaler(), ["a"]), ("passthrough", ["flag"])), FRAME, Y),
    "gaps of text": (
        columns((make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["kind"])),
        FRAME,
        Y,
    ),
    "encoded by the target": (columns((TargetEncoder(), ["kind"]), (StandardScaler(), ["a"])), FRAME, Y),
    "text": (make_pipeline(TfidfVectorizer(), classifier()), WORDS, Y),
    "text in a column": (columns((TfidfVectorizer(), "t"), (StandardScaler(), ["a"])), FRAME.assign(t=WORDS), Y),
    "mappings": (make_pipeline(DictVectorizer(), classifier()), [{"a": one} for one in X[:, 0]], Y),
    "calibrated columns": (CalibratedClassifierCV(columns((StandardScaler(), ["a", "b"])), cv=2), FRAME, Y),
    "a chain": (ClassifierChain(classifier()), X, np.stack([Y > 0, Y > 1], axis=1)),
    "pairs": (OneVsOneClassifier(classifier()), X, Y),
    "codes": (OutputCodeClassifier(classifier()), X, Y),
    "a vote": (VotingClassifier([("a", classifier())]), X, Y),
    "a threshold": (FixedThresholdClassifier(classifier(), threshold=0.2), X, Y > 0),
    "a target transformed": (TransformedTargetRegressor(regressor(), transformer=StandardScaler()), X, X[:, 0]),
    "no prediction": (StandardScaler(), X, Y),
}


@pytest.mark.parametrize(("model", "x", "y"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_file_or_a_sentence(model, x, y, tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    for rows in (None, x):
        try:
            done = cr.export(model, tmp_path / "model.onnx", X=rows)
        except (ValueError, TypeError) as error:
            check_sentence(error)
            assert list(tmp_path.iterdir()) == []
        else:
            assert done.checked is not None
            done.path.unlink()


def check_sentence(error: Exception) -> None:
    said = str(error)
    assert type(error) in (ValueError, TypeError)
    assert error.__suppress_context__ or error.__context__ is None
    assert re.fullmatch(r"(export|export to \w+|export\(X=\)|ONNX Runtime [\d.]+) expects .+, got .+\.", said), said
    assert said.isprintable()
    assert len(said) < 600
    assert not re.search(r"\[ONNXRuntimeError\]|<class|\.cc:|\.h:|github\.com", said), said


def test_ops_that_the_runtime_lacks_in_float64_are_named_with_their_columns(tmp_path) -> None:
    model = make_pipeline(SimpleImputer(), StandardScaler(), classifier()).fit(GAPS * 1e-6 + 1e8, Y)
    with pytest.raises(ValueError, match="float64 does not help") as caught:
        cr.export(model, tmp_path / "model.onnx", X=GAPS * 1e-6 + 1e8)
    said = str(caught.value)
    assert re.search(r"float32 loses digits of x\[.*, and float64 does not help: Imputer, an operator that ", said)
    assert said.endswith("; shift and scale such a column before training.")
    assert "opset" not in said
    with pytest.raises(ValueError, match="export to ONNX expects operators that can be run, got Imputer, an operator"):
        cr.export(model, tmp_path / "model.onnx", precision="float64")


@pytest.mark.parametrize("module", ["onnx", "c", "pytorch"])
@pytest.mark.parametrize("at", ["write", "check"])
@pytest.mark.parametrize(
    "error", [RuntimeError("a\nb"), KeyError("x"), AttributeError(), ValueError("foreign")], ids=repr
)
def test_any_failure_of_a_library_is_a_sentence(module, at, error, tmp_path, monkeypatch) -> None:
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(importlib.import_module(f"chainrule.persistence.{module}"), at, fail)
    with pytest.raises(ValueError, match=f"export expects a model that can be written as {module} and run") as caught:
        cr.export(cr.MLP([3, 2], rng=0), tmp_path / "model", module)
    check_sentence(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError("a"), MemoryError(), ModuleNotFoundError("a"), ValueError("a expects b, got c.")]
)
def test_what_is_the_systems_or_a_sentence_already_stays_as_it_is(error) -> None:
    with pytest.raises(type(error)) as caught, in_a_sentence("export", "something"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find X(1)", "Could not find X(1)"),
        ("Exception: /src/a/b_c.cc:23 onnx::A(const std::string&)::<lambda()> Failed: d", "Exception: Failed: d"),
        ("Status Message: matmul_helper.h:59 Compute MatMul mismatch", "Status Message: Compute MatMul mismatch"),
        ("no for type '<class 'a.b_.C'>'. You may raise an isue at https://a/b.", "no for type 'C'"),
        ("first\nsecond", "first"),
        ("\n\x1b[2J", "\\x1b[2J"),
        ("", "ValueError"),
    ],
)
def test_codes_and_places_are_no_part_of_the_reason(said, told) -> None:
    assert reason(ValueError(said)) == told
