"""One vector, many names: views share its memory and its order."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr

SHAPES = {"0.W": (2, 3), "0.b": (3,), "2.0.W": (3, 1), "2.0.none": (0, 4)}


@pytest.fixture
def parameters():
    return cr.Parameters(SHAPES, dtype="float64")


def test_it_is_a_mapping_from_name_to_array_in_the_order_given(parameters):
    assert list(parameters) == list(SHAPES)
    assert len(parameters) == 4
    assert {name: array.shape for name, array in parameters.items()} == SHAPES


def test_it_begins_with_zeros(parameters):
    assert parameters.vector.shape == (12,)
    assert not parameters.vector.any()


@pytest.mark.parametrize("name", [name for name in SHAPES if "none" not in name])
def test_a_view_and_the_vector_are_the_same_memory(parameters, name):
    parameters[name][...] = 7
    assert np.shares_memory(parameters[name], parameters.vector)
    np.testing.assert_array_equal(np.flatnonzero(parameters.vector), np.arange(12)[parameters.slices[name]])


def test_the_slices_cover_the_vector_once(parameters):
    covered = np.concatenate([np.arange(12)[part] for part in parameters.slices.values()])
    np.testing.assert_array_equal(covered, np.arange(12))


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["deepcopy", "pickle"]
)
def test_a_copy_has_memory_of_its_own(parameters, twin_of):
    parameters.vector[:] = np.arange(12)
    twin = twin_of(parameters)
    twin["0.W"][...] = -1
    assert (twin.vector[:6] == -1).all()
    np.testing.assert_array_equal(parameters.vector, np.arange(12))


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.float64, float, np.dtype("float32")])
def test_the_dtype_is_that_of_the_vector(dtype):
    assert cr.Parameters(SHAPES, dtype).vector.dtype == np.dtype(dtype)


def test_float32_is_the_default():
    assert cr.Parameters(SHAPES).vector.dtype == np.float32


@pytest.mark.parametrize(
    "dtype", ["float16", int, "flaot32", 32, None, "a,(", "f4,", "(2,)f4", "2f4", ">f8", "é", "", "a4", {}, [[]]]
)
def test_another_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match="Parameters expects dtype float32 or float64, got"):
        cr.Parameters(SHAPES, dtype)


def test_an_unknown_name_is_answered_with_the_nearest(parameters):
    with pytest.raises(ValueError, match=r"the name of a parameter, got '0\.w' \(did you mean '0\.W'\?\)"):
        parameters["0.w"]


def test_its_size_is_said(parameters):
    assert repr(parameters) == "Parameters(12 of float64 in 4 arrays)"


def test_assigning_copies_into_the_vector_that_all_look_at():
    model, other = cr.MLP([3, 4, 2], rng=0), cr.MLP([3, 4, 2], rng=1)
    vector = model.parameters.vector
    model.parameters.vector = other.parameters.vector
    x = np.ones((5, 3))
    np.testing.assert_array_equal(model.predict(x), other.predict(x))
    model.parameters.vector -= 0.1
    assert model.parameters.vector is vector
    assert not np.array_equal(model.predict(x), other.predict(x))
    with pytest.raises(ValueError, match=r"Parameters expects a vector of shape \(26,\), got \(3,\)"):
        model.parameters.vector = np.ones(3)


@pytest.mark.parametrize(
    "twin_of", [lambda p: p, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["new", "copy", "pickle"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_the_vector_begins_where_a_cache_line_does(size, dtype, twin_of):
    parameters = cr.Parameters({"W": (size,)}, dtype)
    parameters.vector[:] = np.arange(size)
    twin = twin_of(parameters)
    assert twin.vector.ctypes.data % 64 == 0
    assert twin.vector.dtype == dtype
    np.testing.assert_array_equal(twin.vector, np.arange(size))
