"""Labels of every kind come out of a file as they went into the training, or are refused in a sentence."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_iris

import chainrule as cr

cr.convert.register_skl2onnx()

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
HELD = {
    "integers of 64 bits that differ in the last digit": np.array([2**62, 2**62 + 1, -(2**63)]),
    "negative": np.array([-5, -1, 0]),
    "bytes": np.array([0, 128, 255], np.uint8),
    "signed bytes": np.array([-128, 0, 127], np.int8),
    "small unsigned": np.array([5, 6, 2**63 - 1], np.uint64),
    "bool": np.array([False, True, True]),
    "float": np.array([-1.0, 0.0, 2.0**52]),
    "half": np.array([0, 1, 2], np.float16),
    "text of any language": np.array(["ä", "漢字🙂", "b"]),
    "empty text": np.array(["", "a", "b"]),
    "text with space": np.array([" a", "a ", "a\n"]),
    "objects": np.array(["a", "bb", "c"], object),
    "digits as text": np.array(["1", "2", "10"]),
    "long text": np.array(["x" * 100_000, "y", "z"]),
}
TEXT = "labels of text without NUL or lone surrogates"
REFUSED = {
    "above 2**63": (np.array([2**63, 2**63 + 1, 2**64 - 1], np.uint64), "labels that are text or integers of 64 bits"),
    "two above 2**63": (np.array([1, 2**63, 2**63], np.uint64), "labels that are text or integers of 64 bits"),
    "dates": (np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]"), "labels that are text or integers"),
    "NUL in text": (np.array(["a\0b", "a", "b"]), TEXT),
    "half a character": (np.array(["\ud800", "a", "b"]), TEXT),
    "one class": (np.array([4, 4, 4]), "at least two classes, got [4]"),
    "one class of text": (np.array(["a", "a", "a"]), "at least two classes, got ['a']"),
}


def fitted(labels):
    return cr.MLPClassifier((8,), max_iter=10, random_state=0).fit(X, labels[Y])


@pytest.mark.parametrize("labels", HELD.values(), ids=HELD)
def test_labels_come_out_as_they_went_in(labels, tmp_path) -> None:
    model = fitted(labels)
    done = cr.export(model, tmp_path / "model.onnx")
    found = onnxruntime.InferenceSession(done.path).run(None, {"x": X})[0]
    assert found.tolist() == model.predict(X).tolist()
    assert done.checked < 1e-5


@pytest.mark.parametrize(("labels", "says"), REFUSED.values(), ids=REFUSED)
def test_labels_that_onnx_cannot_hold_are_refused(labels, says, tmp_path) -> None:
    try:
        model = fitted(labels)
    except (TypeError, ValueError):
        pytest.skip("such labels are refused before training")
    with pytest.raises(ValueError, match=re.escape(f"export to ONNX expects {says}")) as caught:
        cr.export(model, tmp_path / "model.onnx")
    assert type(caught.value) is ValueError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=re.escape(f"skl2onnx expects {says}")):
        to_onnx(model, X[:1], options={"zipmap": False})


def test_labels_that_another_converter_changes_are_noticed(tmp_path) -> None:
    """skl2onnx gives the labels of a vote as integers of 32 bits."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    parts = [(name, cr.MLPClassifier((4,), max_iter=5, random_state=0)) for name in "ab"]
    vote = ensemble.VotingClassifier(parts, voting="soft", flatten_transform=False)
    with pytest.raises(ValueError, match=r"expects a file that answers as the model does|Value out of range"):
        cr.export(vote.fit(X, Y + 2**40), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("name", ["above 2**63", "half a character", "NUL in text", "one class"])
def test_class_names_of_c_differ_or_are_refused(name, tmp_path) -> None:
    model = fitted(REFUSED[name][0])
    if name in ("above 2**63", "half a character"):  # the second a question mark
        cr.export(model, tmp_path / "model.h")
        text = (tmp_path / "model.h").read_text(encoding="utf-8")
        names = re.findall(r'^    "(.*)",$', text, re.MULTILINE)
        assert len(set(names)) == 3
        return
    with pytest.raises(ValueError, match=r"export to C expects (class names that differ|at least two classes)"):
        cr.export(model, tmp_path / "model.h")


@pytest.mark.parametrize("labels", [*HELD.values(), REFUSED["above 2**63"][0]], ids=[*HELD, "above 2**63"])
def test_labels_cross_the_bridges(labels) -> None:
    model = fitted(labels)
    there = cr.convert.to_sklearn(model)
    again = cr.convert.from_sklearn(there)
    for network in (there, again):
        assert network.predict(X).tolist() == model.predict(X).tolist()
        assert network.predict(X).dtype == model.predict(X).dtype


def test_one_class_does_not_cross() -> None:
    with pytest.raises(ValueError, match=r"to_sklearn expects at least two classes, got \[4\]"):
        cr.convert.to_sklearn(fitted(np.array([4, 4, 4])))
