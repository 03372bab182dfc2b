"""Data and arguments that make no sense are refused in one sentence, before anything is learned."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import net, regression

X, Y = np.ones((8, 3)), np.zeros((8, 2))
WITH_NAN = np.where(np.arange(24).reshape(8, 3) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            dict(x=WITH_NAN),
            ValueError,
            r"fit expects finite numbers in x, got nan at row 2, column 1 \(1 such in all\)",
        ),
        (
            dict(x=1e300 * X),
            ValueError,
            r"fit expects numbers in x that float32 can hold, up to 3.4e\+38, got 1e\+300 at row 0, column 0",
        ),
        (dict(y=np.full((8, 2), np.inf)), ValueError, "fit expects finite numbers in y, got inf at row 0"),
        (
            dict(x=[["a", "b", "c"]] * 8),
            TypeError,
            "fit expects x to be an array of numbers, got dtype <U1; encode text",
        ),
        (dict(y=["yes"] * 8), TypeError, "fit expects y to be an array of numbers, got dtype <U3"),
        (dict(x=[[1, 2, 3], [1, 2]], y=Y[:2]), TypeError, "got rows of different lengths"),
        (dict(x=X[:0], y=Y[:0]), ValueError, "fit expects at least one row, got empty data"),
        (dict(x=1.0, y=2.0), ValueError, "fit expects a batch of samples, got a single number"),
        (dict(y=Y[:7]), ValueError, r"x, y and weights of equal length, got x \(8, 3\), y \(7, 2\)\."),
        (dict(sample_weight=np.ones(3)), ValueError, r"equal length, got x \(8, 3\), y \(8, 2\), weights \(3,\)\."),
        (dict(sample_weight=np.zeros(8)), ValueError, "fit expects a sample_weight above 0, got zeros only"),
        (dict(sample_weight=-np.ones(8)), ValueError, "weights to be finite and not negative, got -1"),
        (dict(sample_weight=np.full(8, np.nan)), ValueError, "weights to be finite and not negative, got nan"),
        (
            dict(sample_weight=np.ones((8, 1))),
            ValueError,
            r"one weight for each of the 8 samples, shape \(8,\), got \(8, 1\)",
        ),
        (dict(x=np.ones((8, 4))), ValueError, r"Linear\(3 → 8, relu\) expects input of shape \(N, 3\), got \(8, 4\)"),
        (dict(x=np.ones((8, 3, 3))), ValueError, r"got \(8, 3, 3\); put Flatten\(\) in front"),
        (dict(y=Y[:, 0]), ValueError, r"expects y of shape \(8, 2\) for z of shape \(8, 2\), got \(8,\)"),
        (
            dict(validation=1),
            TypeError,
            r"to be \(x, y\), a fraction like 0\.1, or an array of row numbers, got a value of type int",
        ),
        (dict(validation=1.0), ValueError, "split expects fraction > 0 and < 1"),
        (dict(validation=(X,)), TypeError, "got a value of type tuple"),
        (dict(validation=(X, Y, None, None)), TypeError, "got a value of type tuple"),
        (dict(validation="0.1"), TypeError, "got a value of type str"),
        (dict(validation=X), ValueError, r"validation expects an array of row numbers from 0 to \d+, got shape"),
        (dict(validation=np.array([0, 99])), ValueError, "row numbers from 0 to .*, got numbers from 0 to 99"),
        (dict(validation=np.array([1, 1])), ValueError, "got a row twice"),
        (dict(validation=np.arange(len(X))), ValueError, "got all rows, which leaves none to train on"),
        (dict(validation=(X, Y[:3])), ValueError, "validation expects x, y and weights of equal length"),
        (dict(validation=(WITH_NAN, Y)), ValueError, "validation expects finite numbers in x"),
        (dict(epochs=0), ValueError, "fit expects epochs >= 1, got 0"),
        (dict(every=0, verbose=1), ValueError, "Progress expects every >= 1"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_sentence(arguments, error, says):
    with pytest.raises(error, match=says) as caught:
        regression().fit(**(dict(x=X, y=Y, verbose=0) | arguments))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["label", "weight"])
def test_a_bad_row_is_found_before_anything_is_learned(fault, rng):
    x, y, weight = rng.standard_normal((50, 3)), np.arange(50) % 2, np.ones(50)
    if fault == "label":
        y[-1] = 7
    else:
        weight[-1] = np.nan
    model = net(rng=0)
    before = model.parameters.vector.copy()
    with pytest.raises(ValueError, match="CrossEntropy"):
        cr.Trainer(model, "cross_entropy", batch_size=10).fit(x, y, weight, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_a_target_of_one_column_is_not_broadcast():
    with pytest.raises(
        ValueError, match=r"expects y of shape \(8, 1\) for z of shape \(8, 1\), got \(8,\); use y\[:, None\]"
    ):
        regression(net(1)).fit(X, np.zeros(8), verbose=0)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 1, 2, 3] * 2, "CrossEntropy expects labels from 0 to 2, got 3; number the classes from 0"),
        ([-1, 0, 1, 2] * 2, "CrossEntropy expects labels from 0 to 2, got -1"),
        ([0.5, 0, 1, 2] * 2, "CrossEntropy expects whole numbers as labels, got 0.5"),
        (np.zeros((8, 1), int), r"got \(8, 1\); use y\[:, 0\]"),
    ],
)
def test_invalid_labels_are_refused(labels, says):
    with pytest.raises(ValueError, match=says):
        cr.Trainer(net(3), "cross_entropy").fit(X, np.array(labels), verbose=0)


def test_a_last_batch_of_one_row_is_refused_with_a_remedy():
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 2)], rng=0)
    with pytest.raises(
        ValueError, match=r"at least two rows in training, got 1; drop the last short batch \(drop_last=True\)"
    ):
        regression(model, batch_size=7).fit(X, Y, verbose=0)
    assert len(regression(model, batch_size=7, drop_last=True).fit(X, Y, epochs=2, verbose=0)) == 2


def test_fewer_rows_than_a_batch_are_one_batch():
    trainer = regression(batch_size=100, drop_last=True)
    assert len(trainer.fit(X, Y, epochs=2, verbose=0)) == 2
    assert trainer.steps_per_epoch == 1


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(loss="squard_error"), ValueError, r"'squard_error' \(did you mean 'squared_error'\?\)"),
        (dict(loss=cr.Huber), TypeError, r"expects a loss object, got the class Huber; write Huber\(\)"),
        (dict(optimizer="adm"), ValueError, r"'adm' \(did you mean 'adam'\?\)"),
        (dict(optimizer=cr.Adam), TypeError, r"write Adam\(\)"),
        (dict(metrics=["acuracy"]), ValueError, r"'acuracy' \(did you mean 'accuracy'\?\)"),
        (dict(metrics="accuracy"), TypeError, r"a list of metrics, got 'accuracy'; write metrics=\['accuracy'\]"),
        (dict(augment="accuracy"), TypeError, "Trainer expects a list of augment"),
        (dict(callbacks=cr.callbacks.Progress()), TypeError, "Trainer expects a list of callbacks"),
        (dict(callbacks=[cr.callbacks.Progress]), TypeError, "Trainer expects Callback objects in callbacks"),
        (dict(metrics=None), TypeError, r"a list of metrics, got None; write metrics=\[\]"),
        (dict(metrics=[lambda z, y, w=None: 0.0] * 2), ValueError, "expects metrics of different names"),
        (dict(metrics=["accuracy", "accuracy"]), ValueError, "got another 'accuracy'"),
        (dict(batch_size=0), ValueError, "Trainer expects batch_size >= 1, got 0"),
        (dict(batch_size=1.5), TypeError, "Trainer expects batch_size to be an integer"),
        (dict(sample="on"), ValueError, r"'on' \(did you mean 'one'\?\)"),
        (
            dict(sample=None),
            TypeError,
            "Trainer expects sample to be a name or a function of the number of rows, got None",
        ),
        (dict(rng="0"), TypeError, "Trainer expects rng"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.Trainer(net(), **(dict(loss="squared_error") | arguments))


def test_a_trainer_trains_a_model():
    with pytest.raises(TypeError, match="Trainer expects a Sequential model, got 'mlp'"):
        cr.Trainer("mlp", "squared_error")


@pytest.mark.parametrize(
    "kind", [np.float16, np.float32, np.int64, bool, object, np.ndarray.tolist], ids=lambda kind: kind.__name__
)
def test_numbers_of_any_kind_are_taken(kind):
    x, y = (kind(array) if kind is np.ndarray.tolist else array.astype(kind) for array in (X, Y))
    model = net()
    assert np.isfinite(regression(model).fit(x, y, epochs=1, verbose=0)["loss"][0])
    assert model.parameters.vector.dtype == np.float32
