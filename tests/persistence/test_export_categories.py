"""Pipelines whose columns have different numbers of categories or of bins become ONNX files that answer the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder

import chainrule as cr

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

RNG = np.random.default_rng(0)
TEXT = pd.DataFrame({"kind": RNG.choice(["oak", "fir", "ash"], 200), "side": RNG.choice(["north", "south"], 200)})
CODES = pd.DataFrame({"kind": RNG.integers(0, 3, 200), "side": RNG.integers(0, 2, 200)})
Y = ((TEXT.kind == "oak").astype(int) + CODES.side).to_numpy()
COLUMNS = {
    "text": TEXT,
    "text as objects": TEXT.astype(object),
    "text as categories": TEXT.astype("category"),
    "text and numbers": TEXT.assign(side=CODES.side),
    "text with gaps": TEXT.assign(kind=TEXT.kind.astype(object).where(RNG.random(200) < 0.9)),
    "one column of text": TEXT[["kind"]],
    "an array of objects": TEXT.to_numpy(object),
    "an array of text": TEXT.to_numpy().astype(str),
    "numbers": CODES,
    "an array of numbers": CODES.to_numpy(),
    "one column of numbers": CODES[["kind"]],
}
STEPS = {
    "one-hot": OneHotEncoder(sparse_output=False),
    "one-hot, sparse": OneHotEncoder(handle_unknown="ignore"),
    "one-hot, the first dropped": OneHotEncoder(drop="first"),
    "one-hot, one of two dropped": OneHotEncoder(drop="if_binary"),
    "ordinal": OrdinalEncoder(encoded_missing_value=-1),
    "by position": ColumnTransformer([("first", OneHotEncoder(), [0])]),
    "by slice": ColumnTransformer([("all", OneHotEncoder(), slice(0, 1))], remainder=OneHotEncoder()),
}


def fitted(step, x):
    return make_pipeline(step, cr.MLPClassifier((4,), max_iter=2, random_state=0)).fit(x, Y)


@pytest.mark.parametrize("x", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_encoded_columns_become_a_file_that_answers_the_same(step, x, tmp_path) -> None:
    assert cr.export(fitted(step, x), tmp_path / "model.onnx").checked < 1e-5


def test_rare_categories_of_several_columns(tmp_path) -> None:
    step = OneHotEncoder(min_frequency=90, handle_unknown="infrequent_if_exist")
    assert cr.export(fitted(step, TEXT), tmp_path / "model.onnx").checked < 1e-5


@pytest.mark.parametrize("encode", ["ordinal", "onehot-dense"])
def test_columns_with_different_numbers_of_bins(encode, tmp_path) -> None:
    x = RNG.normal(size=(200, 2)) * [1, 1000]
    step = KBinsDiscretizer([5, 2], encode=encode)
    assert cr.export(fitted(step, x), tmp_path / "model.onnx").checked < 1e-5


def test_a_filler_of_text_that_cannot_be_converted_is_refused_in_a_sentence(tmp_path) -> None:
    step = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    with pytest.raises(ValueError, match="export to ONNX expects steps that skl2onnx converts, got"):
        cr.export(fitted(step, TEXT), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
