"""TabularClassifier and TabularRegressor: from frames of any kind to predictions, saved and loaded."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone

import chainrule as cr

FEW = {"max_epochs": 12, "random_state": 0}
ROWS = 240


@pytest.fixture(scope="module")
def table():
    """Numbers far from zero and with gaps, categories, dates and flags, as a dict of columns."""
    rng = np.random.default_rng(0)
    gaps = rng.normal(size=ROWS)
    gaps[::7] = np.nan
    return {
        "seconds": 1.7e9 + 50 * rng.normal(size=ROWS),
        "kind": rng.choice(["oak", "fir", "elm"], ROWS).astype(object),
        "gaps": gaps,
        "day": np.datetime64("2024-01-01") + rng.integers(0, 400, ROWS).astype("m8[D]"),
        "felled": rng.random(ROWS) < 0.5,
    }


@pytest.fixture(scope="module")
def size(table):
    return (table["seconds"] - 1.7e9) / 50 + 2.0 * (table["kind"] == "oak")


def as_frame(library, table):
    if library == "dict":
        return table
    module = pytest.importorskip(library)
    return module.table(table) if library == "pyarrow" else module.DataFrame(table)


@pytest.mark.parametrize("library", ["dict", "pandas", "polars", "pyarrow"])
def test_frames_of_any_library_give_the_same_network(table, size, library):
    frame = as_frame(library, table)
    model = cr.TabularRegressor(**FEW).fit(frame, size)
    expected = cr.TabularRegressor(**FEW).fit(table, size).predict(table)
    assert np.array_equal(model.predict(frame), expected)
    assert model.feature_names_in_.tolist() == list(table)


def test_columns_are_found_by_name_among_others_in_any_order(table, size):
    model = cr.TabularRegressor(**FEW).fit(table, size)
    moved = {"more": np.zeros(ROWS), **dict(reversed(table.items()))}
    assert np.array_equal(model.predict(moved), model.predict(table))


def test_columns_that_are_missing_are_named(table, size):
    model = cr.TabularRegressor(**FEW).fit(table, size)
    with pytest.raises(ValueError, match="TabularRegressor expects the column 'kind' of its training, got a table "):
        model.predict({name: column for name, column in table.items() if name != "kind"})


def test_numbers_far_from_zero_are_told_apart_and_predicted(table, size):
    far = 2e9 + size
    model = cr.TabularRegressor(max_epochs=60, random_state=0).fit(table, far)
    assert model.score(table, far) > 0.9


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [2**60 + 1, 2**60 + 2], [-1.0, 2.0]])
def test_classes_are_what_they_were(table, size, labels, tmp_path):
    classes = np.array(labels)[(size > 1).astype(int)]
    model = cr.TabularClassifier(**FEW).fit(table, classes)
    cr.save(model, tmp_path / "m.safetensors")
    for one in (model, cr.load(tmp_path / "m.safetensors")):
        assert one.classes_.tolist() == labels
        assert one.score(table, classes) > 0.8
    np.testing.assert_allclose(model.predict_proba(table).sum(axis=1), 1)


def estimators(size):
    classes = np.where(size > 1, "large", np.where(size > 0, "middle", "small"))
    return [
        (cr.TabularRegressor(**FEW, columns={"gaps": "drop"}), size),
        (cr.TabularRegressor(**FEW), np.stack([size, -size], axis=1)),
        (cr.TabularRegressor(**FEW, quantiles=(0.1, 0.5, 0.9)), size),
        (cr.TabularClassifier(**FEW, class_weight={"large": 2.0}), classes),
        (cr.TabularClassifier(**FEW, metric="accuracy"), np.stack([size > 1, size > 0], axis=1).astype(int)),
    ]


@pytest.mark.parametrize("which", range(5))
def test_what_is_saved_comes_back_and_predicts_the_same_bits(table, size, which, tmp_path):
    model, y = estimators(size)[which]
    model.fit(table, y)
    cr.save(model, tmp_path / "m.safetensors")
    again = cr.load(tmp_path / "m.safetensors")
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.predict(table), model.predict(table))
    assert str(again.column_kinds_) == str(model.column_kinds_)
    cr.save(again, tmp_path / "n.safetensors")
    assert (tmp_path / "n.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize("which", range(5))
def test_copies_and_the_same_seed_give_the_same_bits(table, size, which):
    model, y = estimators(size)[which]
    expected = model.fit(table, y).predict(table)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(table), expected)
    assert np.array_equal(clone(model).fit(table, y).predict(table), expected)


def test_quantiles_do_not_cross_and_predict_gives_the_middle_one(table, size):
    model = cr.TabularRegressor(**FEW, quantiles=[0.9, 0.1, 0.5]).fit(table, size)
    found = model.predict_quantiles(table)
    assert found.shape == (ROWS, 3)
    assert (np.diff(found, axis=1) >= 0).all()
    assert np.array_equal(found[:, 1], model.predict(table))
    assert not hasattr(cr.TabularRegressor(), "predict_quantiles")


def test_one_class_is_refused_in_the_words_of_the_call(table):
    for one in (["oak"] * ROWS, np.ones(ROWS), np.zeros(ROWS, bool)):
        with pytest.raises(ValueError, match=r"TabularClassifier expects at least two classes in y, got one class, "):
            cr.TabularClassifier(**FEW).fit(table, one)


@pytest.mark.parametrize("library", ["dict", "pandas", "polars", "pyarrow"])
def test_blanks_around_words_are_no_part_of_them(table, size, library, tmp_path):
    """Files are read without them, by pandas with them: a model of one is asked with the other."""
    words = {"kind": table["kind"], "felled": np.where(table["felled"], "yes", "no").astype(object)}
    blank = {
        name: np.array([[f" {word}", f"{word} ", word][k % 3] for k, word in enumerate(words[name])]) for name in words
    }
    frames = [as_frame(library, {**table, **these}) for these in (words, blank)]
    models = [cr.TabularRegressor(**FEW).fit(frame, size) for frame in frames]
    answers = [model.predict(frame) for model in models for frame in frames]
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    pytest.importorskip("onnxruntime")
    assert cr.export(models[0], tmp_path / "a.onnx", X=frames[1]).checked < 1e-5
    inputs = cr.convert.onnx_inputs(tmp_path / "a.onnx", frames[1])
    assert set(inputs["kind"].ravel()) == {"oak", "fir", "elm"}


def test_where_no_column_says_anything_the_mean_is_predicted():
    """The first weights divide by the spread of each layer, which is that of rounding alone if all rows are alike."""
    model = cr.TabularRegressor(random_state=0, max_epochs=64).fit(np.zeros((200, 2)), np.arange(200.0))
    assert np.abs(model.predict(np.zeros((2, 2))) - 99.5).max() < 10
