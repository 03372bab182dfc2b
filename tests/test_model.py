"""A model: one vector under many views, copies that stand alone, predictions that leave no trace."""

from __future__ import annotations

import copy
import json
import pickle
import re
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture
def x(rng):
    return rng.standard_normal((50, 4))


@pytest.fixture
def model():
    """One of everything that remembers, draws or normalises."""
    block = cr.Residual([cr.LayerNorm(6), cr.Linear(6, 6, activation="gelu")])
    layers = [cr.Linear(4, 6, activation="relu", l2=0.1), cr.BatchNorm(6), cr.Dropout(0.3), block, cr.Linear(6, 3)]
    return cr.Sequential(layers, rng=0)


def snapshot(model):
    """All that could change: parameters, gradients, buffers, the generator."""
    arrays = [model.parameters.vector, model.gradients.vector, *model.buffers.values()]
    return [array.tobytes() for array in arrays], str(model.rng.bit_generator.state)


def step(model, x):
    model.backward(np.ones_like(model.forward(x, training=True)))
    model.parameters.vector[:] -= 0.01 * model.gradients.vector


# ---- parameters


def test_names_count_the_layers_and_go_inside(model):
    inside = ["3.0.gain", "3.0.bias", "3.1.W", "3.1.b"]
    assert list(model.parameters) == ["0.W", "0.b", "1.gain", "1.bias", *inside, "4.W", "4.b"]
    assert list(model.gradients) == list(model.parameters)
    assert model.gradients.slices == model.parameters.slices


def test_layers_see_the_vectors_memory(model, x):
    linear = model.layers[0]
    assert np.shares_memory(linear.W, model.parameters.vector)
    assert np.shares_memory(linear.dW, model.gradients.vector)
    model.parameters.vector[:] = 0
    assert not linear.W.any()
    assert not model.predict(x).any()
    step(model, x)
    np.testing.assert_array_equal(linear.dW, model.gradients["0.W"])


def test_backward_sets_gradients_and_does_not_add(model, x):
    model.backward(np.ones_like(model.forward(x, training=True)))
    first = model.gradients.vector.copy()
    model.gradients.vector[:] = 1e6
    model.backward(np.ones((50, 3)))
    np.testing.assert_array_equal(model.gradients.vector, first)


# ---- copies


TWINS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "astype": lambda model: model.astype("float32"),
}


@pytest.fixture(params=TWINS.values(), ids=TWINS.keys())
def twin_of(request):
    return request.param


def test_a_copy_predicts_alike_and_draws_alike(model, x, twin_of):
    step(model, x)
    twin = twin_of(model)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    np.testing.assert_array_equal(twin.forward(x, training=True), model.forward(x, training=True))


def test_a_copy_stands_alone(model, x, twin_of):
    step(model, x)
    twin, before = twin_of(model), snapshot(model)
    step(twin, x)
    assert snapshot(model) == before
    assert snapshot(twin) != before


def test_a_copys_views_are_its_own_vectors(model, x, twin_of):
    twin = twin_of(model)
    step(twin, x)
    for name in ("W", "b"):
        assert np.shares_memory(getattr(twin.layers[0], name), twin.parameters.vector)
        assert np.shares_memory(getattr(twin.layers[0], "d" + name), twin.gradients.vector)
        assert not np.shares_memory(getattr(twin.layers[0], name), model.parameters.vector)
    assert twin.gradients.vector.any()


def test_a_copy_holds_no_batch(model, rng, twin_of):
    small = len(pickle.dumps(model))
    model.predict(rng.standard_normal((10_000, 4)))
    step(model, rng.standard_normal((10_000, 4)))
    assert len(pickle.dumps(model)) < small + 100
    assert len(pickle.dumps(twin_of(model))) < small + 100
    with pytest.raises(ValueError, match="backward expects a forward pass before it"):
        twin_of(model).backward(np.ones((10_000, 3)))


def test_metadata_goes_with_a_copy(model, twin_of):
    model.metadata["classes"] = ["a", "b"]
    twin = twin_of(model)
    twin.metadata["classes"].append("c")
    assert model.metadata == {"classes": ["a", "b"]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_another_dtype_computes_the_same_to_rounding(model, x, dtype):
    twin = model.astype(dtype)
    assert twin.dtype == twin.parameters.vector.dtype == twin.predict(x).dtype == np.dtype(dtype)
    assert model.dtype == np.float32
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-4, atol=1e-5)


def test_another_dtype_must_be_one_of_two(model):
    with pytest.raises(ValueError, match="astype expects dtype float32 or float64, got 'float16'"):
        model.astype("float16")


# ---- predictions


@pytest.mark.parametrize("batch_size", [None, 1, 7, 49, 50, 51, 10_000])
def test_the_size_of_batches_changes_no_prediction(model, x, batch_size):
    step(model, x)
    np.testing.assert_allclose(model.predict(x, batch_size), model.predict(x), rtol=1e-5, atol=1e-6)


def test_prediction_is_forward_without_training(model, x):
    np.testing.assert_array_equal(model.predict(x), model.forward(x))


def test_predicting_leaves_the_model_untouched(model, x):
    """Also between a forward and its backward."""
    dy = np.ones_like(model.forward(x, training=True))
    before = snapshot(model)
    model.predict(x[::-1], batch_size=7)
    model.forward(x[::-1])
    assert snapshot(model) == before
    model.backward(dy)
    gradients = model.gradients.vector.copy()
    model.backward(dy)
    np.testing.assert_array_equal(model.gradients.vector, gradients)


def test_eight_threads_may_predict_with_one_model(model, rng):
    batches = [rng.standard_normal((300, 4)) for _ in range(32)]
    alone = [model.predict(batch, batch_size=32) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda batch: model.predict(batch, batch_size=32), batches))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("rows", [1, 8, 9, 5000])
def test_eight_threads_predict_any_number_of_rows(rows, rng):
    """A few in one compiled call, more in room that other predictions used before."""
    model = cr.MLP([20, 60, 30, 3], rng=0)
    batches = [rng.standard_normal((rows, 20)) for _ in range(32)]
    alone = [model.predict(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            np.testing.assert_array_equal(list(pool.map(model.predict, batches)), alone)


@pytest.mark.parametrize("rows", [1, 9, 300])
def test_a_prediction_is_the_callers_own(model, rng, rows):
    """Later predictions do not write into it, and none keeps the rows that it was given."""
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    y = model.predict(x)
    before = y.copy()
    model.predict(2 * x)
    np.testing.assert_array_equal(y, before)
    seen = weakref.ref(x)
    del x
    assert seen() is None


@pytest.mark.parametrize("rows", [9, 10_000])
def test_a_prediction_allocates_nothing_but_its_outputs_once_it_is_warm(rows):
    model, x = cr.MLP([100, 200, 10], rng=0), np.ones((rows, 100), np.float32)
    model.predict(x)
    tracemalloc.start()
    y = model.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < y.nbytes + 64_000


def test_nothing_predicted_for_no_rows(model):
    y = model.predict(np.empty((0, 4)))
    assert (y.shape, y.dtype) == ((0, 3), np.float32)


def test_memory_stays_bounded(model):
    """A million rows that take no memory themselves are not converted at once."""
    x = np.broadcast_to(np.float64(1), (1_000_000, 4))
    tracemalloc.start()
    y = model.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < y.nbytes + 2_000_000


@pytest.mark.parametrize("batch", [[[1, 2, 3, 4]], np.ones((1, 4), np.int8), np.ones((1, 4), bool), np.ones((4, 1)).T])
def test_anything_with_rows_of_numbers_is_predicted(model, batch):
    assert model.predict(batch).dtype == np.float32


@pytest.mark.parametrize(
    ("batch", "error", "says"),
    [
        (3.0, ValueError, r"the model expects a batch of samples, got a single number; pass x of shape \(N, \.\.\.\)"),
        ([["a", "b", "c", "d"]], TypeError, "the model expects x to be an array of numbers, got dtype <U1"),
        (np.ones((2, 5)), ValueError, r"Linear\(4 → 6, relu, l2=0.1\) expects input of shape \(N, 4\), got \(2, 5\)"),
        (np.ones((2, 2, 2)), ValueError, r"got \(2, 2, 2\); put Flatten\(\) in front"),
        (np.ones(4), ValueError, r"expects input of shape \(N, 4\), got \(4,\)"),
    ],
)
@pytest.mark.parametrize("how", ["predict", "forward"])
def test_what_is_no_batch_is_refused(model, how, batch, error, says):
    with pytest.raises(error, match=says):
        getattr(model, how)(batch)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300], ids=str)
def test_nothing_is_predicted_for_numbers_that_are_none(model, wrong):
    """1e300 is infinite in float32."""
    x = np.ones((9, 4))
    x[7, 2] = wrong
    says = r"(finite numbers in x, got (nan|inf)|numbers in x that float32 can hold, .* got 1e\+300) at row 7, column 2"
    with pytest.raises(ValueError, match=f"predict expects {says}"):
        model.predict(x, batch_size=4)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (1.5, TypeError)])
def test_a_batch_size_is_a_positive_integer(model, x, size, error):
    with pytest.raises(error, match="predict expects batch_size"):
        model.predict(x, batch_size=size)


# ---- sparse rows

SPARSE = ["csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "lil_array", "dok_array", "bsr_matrix"]


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse")


@pytest.fixture
def zeros(x):
    """Most numbers are 0, and some rows and a column."""
    x[x < 0.8] = 0
    x[10:14] = x[:, 3] = 0
    return x


def forbid_dense(sparse, monkeypatch):
    for kind in ("matrix", "array"):
        for form in ("csr", "csc"):
            for name in ("toarray", "todense"):
                monkeypatch.setattr(getattr(sparse, f"{form}_{kind}"), name, None)


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [float, np.float32, int, bool])
def test_sparse_rows_are_predicted_as_dense_ones(model, zeros, sparse, kind, dtype, monkeypatch):
    zeros = zeros.astype(dtype)
    x = getattr(sparse, kind)(zeros)
    expected = model.predict(zeros)
    forbid_dense(sparse, monkeypatch)
    for y in (model.predict(x), model.predict(x, batch_size=7), model.forward(x)):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
        assert y.dtype == np.float32


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_array"])
def test_the_gradients_of_sparse_rows_are_those_of_dense_ones(model, zeros, sparse, kind, monkeypatch):
    model = model.astype("float64")
    twin = copy.deepcopy(model)
    x = getattr(sparse, kind)(zeros)
    expected = model.forward(zeros, training=True)
    dx = model.backward(np.cos(expected), input_gradient=True)
    forbid_dense(sparse, monkeypatch)
    y = twin.forward(x, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert twin.backward(np.cos(expected)) is None
    np.testing.assert_allclose(twin.gradients.vector, model.gradients.vector, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(twin.backward(np.cos(expected), input_gradient=True), dx, rtol=1e-10, atol=1e-13)


def test_sparse_rows_are_left_as_they_are(model, sparse):
    """Unsorted, with a number in two parts: what SciPy would put in order in place."""
    parts = np.array([1.0, 2.0, 3.0, 4.0], np.float32), np.array([3, 0, 0, 1]), np.array([0, 3, 4])
    x = sparse.csr_array(tuple(part.copy() for part in parts), shape=(2, 4))
    y = model.predict(x)
    np.testing.assert_allclose(y, model.predict([[5.0, 0, 0, 1], [0, 4, 0, 0]]), rtol=1e-5)
    for part, before in zip((x.data, x.indices, x.indptr), parts, strict=True):
        np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_sparse_rows_are_predicted(model, sparse, rows):
    assert model.predict(sparse.csr_array((rows, 4))).shape == (rows, 3)


def test_memory_is_bounded_by_the_numbers_of_a_sparse_matrix(sparse):
    """Dense, 2 000 000 by 1000 numbers would be 8 GB; a batch of them, 16 MB."""
    rows = np.arange(0, 2_000_000, 100)
    x = sparse.csr_array((np.ones(rows.size, np.float32), (rows, rows % 1000)), shape=(2_000_000, 1000))
    model = cr.MLP([1000, 4, 1], rng=0)
    tracemalloc.start()
    y = model.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < y.nbytes + 2_000_000


@pytest.mark.parametrize(
    "first",
    [cr.BatchNorm(4), cr.LayerNorm(4), cr.Flatten(), cr.Dropout(0.5), cr.GaussianNoise(), cr.ReLU(), cr.Scale(4)],
    ids=repr,
)
@pytest.mark.parametrize("how", ["predict", "forward"])
def test_sparse_rows_meet_a_dense_layer_first(sparse, first, how):
    model = cr.Sequential([copy.deepcopy(first), cr.Linear(4, 2)], rng=0)
    says = rf"{re.escape(repr(first))} expects dense x, got a sparse one; begin the model with Linear.* x\.toarray\(\)"
    with pytest.raises(TypeError, match=says):
        getattr(model, how)(sparse.csr_array((3, 4)))


def test_dropout_of_nothing_does_not_matter_to_sparse_rows(sparse, zeros):
    model = cr.Sequential([cr.Dropout(0.0), cr.Linear(4, 2)], rng=0, dtype="float64")
    y = model.forward(sparse.csr_array(zeros), training=True)
    np.testing.assert_allclose(y, model.predict(zeros), rtol=1e-12)
    model.backward(y)
    np.testing.assert_allclose(model.gradients["1.W"], zeros.T @ y, rtol=1e-12)
    with pytest.raises(TypeError, match="the model expects dense x, got a sparse one"):
        cr.Sequential([cr.Dropout(0.0)]).predict(sparse.csr_array(zeros))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (
            lambda s: s.csr_array((3, 5)),
            ValueError,
            r"Linear\(4 → 6.*expects input of shape \(N, 4\), got \(3, 5\); pass 4",
        ),
        (
            lambda s: s.csr_array((3, 4), dtype=complex),
            TypeError,
            "x to be sparse and of numbers, got dtype complex128",
        ),
        (lambda s: s.coo_array(np.ones(4)), ValueError, r"the model expects sparse x of shape \(N, I\), got \(4,\)"),
    ],
)
def test_sparse_rows_that_do_not_fit_are_refused(model, sparse, make, error, says):
    try:
        x = make(sparse)
    except TypeError:
        pytest.skip("this SciPy has no sparse arrays of one dimension")
    with pytest.raises(error, match=says):
        model.predict(x)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300], ids=str)
def test_a_sparse_number_that_is_none_has_a_place(model, sparse, wrong):
    x = np.zeros((9, 4))
    x[3, 1], x[7, 2] = 1, wrong
    says = r"(finite numbers in x, got (nan|inf)|numbers in x that float32 can hold, .* got 1e\+300) at row 7, column 2"
    with pytest.raises(ValueError, match=rf"predict expects {says} \(1"):
        model.predict(sparse.csc_array(x), batch_size=4)


# ---- training


def test_another_generator_may_be_assigned(x):
    """As when a training is resumed: the next dropout is the new generator's first."""
    model = cr.Sequential([cr.Dropout(0.5)], rng=0)
    first = model.forward(x, training=True).copy()
    model.forward(x, training=True)
    model.rng = np.random.default_rng(0)
    np.testing.assert_array_equal(model.forward(x, training=True), first)


def test_a_shallow_copy_is_a_deep_one(model, x):
    twin = copy.copy(model)
    step(model, x)
    assert np.abs(model.gradients.vector).max() > 0
    assert not np.shares_memory(twin.layers[0].W, model.layers[0].W)


def test_a_short_batch_uses_the_same_room(x):
    model = cr.MLP([4, 6, 3], rng=0)
    first = model.forward(x, training=True)
    short = model.forward(x[:13], training=True)
    assert np.shares_memory(short, first)
    np.testing.assert_array_equal(short, model.predict(x[:13]))
    assert model.backward(np.ones((13, 3)), input_gradient=True).shape == (13, 4)


def test_a_step_allocates_nothing_large_once_it_is_warm():
    model, x = cr.MLP([200, 300, 10], rng=0), np.ones((1000, 200), np.float32)
    dy = np.ones((1000, 10), np.float32)
    for _ in range(2):
        model.forward(x, training=True)
        model.backward(dy)
    tracemalloc.start()
    model.forward(x, training=True)
    model.backward(dy)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 1000 * 300 * 4  # half of one hidden batch; a boolean mask of it is a quarter


@pytest.mark.parametrize(
    "prepare", [lambda model, x: None, lambda model, x: model.forward(x)], ids=["none", "prediction"]
)
def test_backward_needs_a_forward_in_training(model, x, prepare):
    prepare(model, x)
    says = r"backward expects a forward pass before it, got none; call forward\(x, training=True\)\."
    with pytest.raises(ValueError, match=says):
        model.backward(np.ones((50, 3)))


def test_backward_refuses_to_mix_two_batches(model, x):
    model.forward(x, training=True)
    with pytest.raises(ValueError, match="at least two rows"):
        model.forward(x[:1], training=True)
    with pytest.raises(ValueError, match="backward expects a forward pass before it"):
        model.backward(np.ones((50, 3)))


@pytest.mark.parametrize(
    ("dy", "error", "says"),
    [
        (np.ones((50, 4)), ValueError, r"backward expects a gradient of shape \(50, 3\), got \(50, 4\)"),
        (np.ones((49, 3)), ValueError, r"got \(49, 3\)"),
        (1.0, ValueError, r"got \(\)"),
        ([["a"] * 3] * 50, TypeError, "backward expects dy to be an array of numbers"),
    ],
)
def test_a_gradient_has_the_outputs_shape(model, x, dy, error, says):
    model.forward(x, training=True)
    with pytest.raises(error, match=says):
        model.backward(dy)


@pytest.mark.parametrize("dy", [np.ones((50, 3)), np.ones((50, 3), int), [[1.0] * 3] * 50], ids=["f8", "int", "list"])
def test_a_gradient_of_another_kind_is_converted(model, x, dy):
    model.forward(x, training=True)
    dx = model.backward(dy, input_gradient=True)
    assert dx.dtype == np.float32


def test_the_same_seed_gives_the_same_parameters():
    first, again, other = (cr.MLP([4, 5, 3], rng=seed).parameters.vector for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# ---- layers


def test_a_layer_is_used_once(x):
    layer = cr.Linear(4, 4)
    with pytest.raises(
        ValueError, match=r"each layer object once, got Linear\(4 → 4\) twice in this model; make a new"
    ):
        cr.Sequential([layer, cr.Residual([layer])])


def test_a_layer_belongs_to_one_model():
    layer = cr.Linear(4, 4)
    cr.Sequential([layer])
    with pytest.raises(ValueError, match=r"each layer object once, got Linear\(4 → 4\) already in another model"):
        cr.Sequential([cr.Residual([layer])])


def test_layers_that_were_refused_may_be_used_again():
    layer = cr.Linear(4, 5)
    with pytest.raises(ValueError, match="expects 4 inputs"):
        cr.Sequential([layer, cr.Linear(4, 5)])
    assert cr.Sequential([layer, cr.Linear(5, 1)]).predict(np.ones((1, 4))).shape == (1, 1)


@pytest.mark.parametrize(
    ("layers", "error", "says"),
    [
        ([], ValueError, "Sequential expects at least one layer, got an empty list"),
        ([cr.ReLU(), "relu"], TypeError, r"Sequential expects a list of layers, got 'relu' at position 1; write"),
        ([cr.MLP([2, 1])], TypeError, "Sequential expects a list of layers, got Sequential"),
    ],
)
def test_what_is_no_layer_is_refused(layers, error, says):
    with pytest.raises(error, match=says):
        cr.Sequential(layers)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(rng="0"), TypeError, "Sequential expects rng to be a non-negative int"),
        (dict(dtype="float16"), ValueError, "Sequential expects dtype float32 or float64"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.Sequential([cr.Linear(2, 2)], **arguments)


def test_the_summary_is_a_table_of_layers_shapes_and_counts(model):
    head, *rows, total = (line.rsplit(maxsplit=1) for line in model.summary().splitlines())
    assert " ".join(head).split() == ["layer", "output", "shape", "parameters"]
    assert [int(count) for _, count in rows] == [30, 12, 0, 54, 21]
    assert [row.rsplit("  ", 1)[1] for row, _ in rows] == ["(N, 6)"] * 4 + ["(N, 3)"]
    assert total == ["total", "117"]
    assert len({len(line) for line in model.summary().splitlines()}) == 1


def test_the_summary_leaves_open_what_the_first_batch_decides():
    lines = cr.Sequential([cr.Flatten(), cr.Linear(784, 100)]).summary().splitlines()
    assert lines[1].split() == ["Flatten()", "(N,", "…)", "0"]
    assert lines[3].split() == ["total", "78,500"]


def test_a_model_is_written_as_its_layers():
    assert repr(cr.MLP([4, 5, 3], dropout=0.5)) == "Sequential([Linear(4 → 5, relu), Dropout(), Linear(5 → 3)])"


# ---- descriptions


def test_a_model_is_rebuilt_from_its_description_as_json(model, x):
    twin = cr.Sequential.from_config(json.loads(json.dumps(model.config())), rng=0)
    assert repr(twin) == repr(model)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))


def test_a_description_keeps_the_dtype():
    config = cr.MLP([2, 1], dtype="float64").config()
    assert cr.Sequential.from_config(config).dtype == np.float64
    del config["dtype"]
    assert cr.Sequential.from_config(config).dtype == np.float32


@pytest.mark.parametrize("config", [None, [], {}, {"layers": "Linear"}, {"layers": None}])
def test_what_describes_no_model_is_refused(config):
    with pytest.raises(ValueError, match='a model\'s description expects a list "layers"'):
        cr.Sequential.from_config(config)


# ---- MLP


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (dict(), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3)"),
        (dict(activation="tanh"), "Linear(4 → 5, tanh), Linear(5 → 6, tanh), Linear(6 → 3)"),
        (dict(output_activation="sigmoid"), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3, sigmoid)"),
        (dict(softmax=True), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3), Softmax()"),
        (
            dict(dropout=0.2),
            "Linear(4 → 5, relu), Dropout(rate=0.2), Linear(5 → 6, relu), Dropout(rate=0.2), Linear(6 → 3)",
        ),
        (
            dict(bias=False, l1=0.1, l2=0.2),
            "Linear(4 → 5, relu, no bias, l1=0.1, l2=0.2), Linear(5 → 6, relu, no bias, l1=0.1, l2=0.2), "
            "Linear(6 → 3, no bias, l1=0.1, l2=0.2)",
        ),
    ],
)
def test_an_mlp_is_a_row_of_dense_layers(arguments, written):
    assert repr(cr.MLP([4, 5, 6, 3], **arguments)) == f"Sequential([{written}])"


def test_an_mlp_passes_on_its_initializer_and_dtype():
    model = cr.MLP([2, 3, 1], initializer="ones", dtype="float64")
    assert (model.parameters["0.W"] == 1).all()
    assert model.dtype == np.float64


@pytest.mark.parametrize(
    ("sizes", "arguments", "error", "says"),
    [
        (5, {}, ValueError, r"MLP expects the sizes of at least the input and the output, got 5; for a net without"),
        ([5], {}, ValueError, r"got \[5\]"),
        (None, {}, ValueError, "got None"),
        ([4, 0, 1], {}, ValueError, "Linear expects out_features >= 1, got 0"),
        ([4, 2.5], {}, TypeError, "Linear expects out_features to be an integer, got 2.5"),
        ([4, 1], dict(dropout=1.0), ValueError, "MLP expects dropout >= 0 and < 1, got 1.0"),
        ([4, 1], dict(activation="rleu"), ValueError, "did you mean 'relu'"),
        ([4, 2, 1], dict(activation="rleu"), ValueError, "did you mean 'relu'"),
        (
            [4, 2],
            dict(softmax=True, output_activation="tanh"),
            ValueError,
            "softmax=True or an output_activation, got both",
        ),
    ],
)
def test_an_mlp_that_makes_no_sense_is_refused(sizes, arguments, error, says):
    with pytest.raises(error, match=says):
        cr.MLP(sizes, **arguments)
