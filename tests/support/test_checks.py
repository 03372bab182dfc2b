"""Each check lets the good through unchanged, and refuses the bad in a sentence that says what to do."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule._support import checks as _checks
from chainrule._support.checks import all_finite, sentence


@pytest.mark.parametrize(
    ("remedy", "written"),
    [("", "f expects a number, got None."), ("pass 1", "f expects a number, got None; pass 1.")],
)
def test_a_sentence_says_who_what_and_how(remedy, written):
    assert sentence("f", "a number", "None", remedy) == written


def test_a_generator_is_taken_as_it_is(rng):
    assert _checks.as_rng(rng) is rng


@pytest.mark.parametrize("seed", [0, 7, np.int64(7)])
def test_a_seed_gives_the_same_numbers_each_time(seed):
    assert _checks.as_rng(seed).random() == _checks.as_rng(seed).random()


def test_without_seed_the_numbers_differ():
    assert _checks.as_rng(None).random() != _checks.as_rng(None).random()


@pytest.mark.parametrize("rng", [-1, 1.5, True, "0", np.random])
def test_anything_else_is_no_generator(rng):
    with pytest.raises(TypeError, match=r"Sequential expects rng to be a non-negative int.*pass rng=0\."):
        _checks.as_rng(rng, "Sequential")


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.5), np.int64(1)])
def test_a_number_inside_its_bounds_becomes_a_float(value):
    number = _checks.check_number("f", "rate", value, minimum=0, maximum=1)
    assert type(number) is float
    assert number == value


@pytest.mark.parametrize(
    ("bounds", "value", "says"),
    [
        (dict(minimum=0), -1e-9, "rate >= 0, got -1e-09"),
        (dict(above=0), 0, "rate > 0, got 0"),
        (dict(maximum=1), 1.5, "rate <= 1, got 1.5"),
        (dict(below=1), 1, "rate < 1, got 1"),
        (dict(minimum=0, below=1), 2, "rate >= 0 and < 1, got 2"),
        (dict(), float("nan"), "rate to be finite, got nan"),
        (dict(), float("inf"), "rate to be finite, got inf"),
        (dict(minimum=0), float("inf"), "rate >= 0, got inf"),
    ],
)
def test_a_number_outside_its_bounds_is_refused(bounds, value, says):
    with pytest.raises(ValueError, match=says):
        _checks.check_number("f", "rate", value, **bounds)


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1], np.array([0.1])])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="f expects rate to be a number"):
        _checks.check_number("f", "rate", value)


@pytest.mark.parametrize("value", [2, np.int32(2), np.uint8(2)])
def test_an_integer_becomes_an_int(value):
    assert type(_checks.check_integer("f", "size", value)) is int


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [(0, ValueError, "size >= 1, got 0"), (2.0, TypeError, "to be an integer"), (True, TypeError, "to be an integer")],
)
def test_what_is_no_positive_integer_is_refused(value, error, says):
    with pytest.raises(error, match=says):
        _checks.check_integer("f", "size", value)


def test_a_known_name_passes():
    assert _checks.check_name("f", "a colour", "red", {"red": 1, "blue": 2}) == "red"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rde", r"'rde' \(did you mean 'red'\?\); known are blue, red\."),
        ("RED", r"did you mean 'red'"),
        ("xyz", r"got 'xyz'; known are blue, red\."),
        (3, r"got 3; known are blue, red\."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, says):
    with pytest.raises(ValueError, match=says):
        _checks.check_name("f", "a colour", name, ["red", "blue"])


@pytest.mark.parametrize("shape", [("N", 3), (2, 3), (2, "I")])
def test_a_shape_that_fits_passes(shape):
    _checks.check_shape("f", "x", np.ones((2, 3)), shape)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (("N", 4), r"f expects x of shape \(N, 4\), got \(2, 3\); flatten it\."),
        (("N",), r"f expects x of shape \(N,\), got \(2, 3\)"),
        (("N", "I", 1), r"\(N, I, 1\), got \(2, 3\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(shape, says):
    with pytest.raises(ValueError, match=says):
        _checks.check_shape("f", "x", np.ones((2, 3)), shape, "flatten it")


def test_who_speaks_is_written_only_in_an_error():
    class Speaker:
        written = 0

        def __repr__(self):
            self.written += 1
            return "Speaker()"

    who = Speaker()
    _checks.check_shape(who, "x", np.ones((2, 3)), ("N", 3))
    assert who.written == 0
    with pytest.raises(ValueError, match=r"Speaker\(\) expects x of shape \(N, 4\)"):
        _checks.check_shape(who, "x", np.ones((2, 3)), ("N", 4))


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 3)),
        np.ones((0, 3)),
        np.arange(3),
        np.full(4, np.finfo(np.float64).max),  # the sum overflows, though every number is finite
        np.full(4, np.finfo(np.float32).max, np.float32),
    ],
)
def test_finite_numbers_pass_without_a_warning(array):
    _checks.check_finite("f", "x", array)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ((1, 2), np.nan, r"finite numbers in x, got nan at row 1, column 2 \(1 in total\)"),
        ((0, 0), -np.inf, "got -inf at row 0, column 0"),
        ((slice(None), 1), np.inf, r"got inf at row 0, column 1 \(2 in total\); remove or fill"),
    ],
)
def test_the_first_number_that_is_not_finite_is_named(place, value, says):
    x = np.ones((2, 3))
    x[place] = value
    with pytest.raises(ValueError, match=says):
        _checks.check_finite("f", "x", x)


def test_a_single_number_that_is_not_finite_has_no_row():
    with pytest.raises(ValueError, match=r"f expects finite numbers in x, got nan; remove"):
        _checks.check_finite("f", "x", np.array(np.nan))


def test_infinities_that_cancel_are_found():
    with pytest.raises(ValueError, match=r"got inf at row 0 \(2 in total\)"):
        _checks.check_finite("f", "y", np.array([np.inf, -np.inf]))


@pytest.mark.parametrize("values", [[1, 2], [True, False], np.array([1, 2.5], object), np.float32(3), [[1.0], [2.0]]])
def test_numbers_become_an_array(values):
    assert _checks.as_numeric("f", "x", values).dtype.kind in "fiub"


def test_an_array_of_the_right_dtype_is_not_copied():
    x = np.ones(3, np.float32)
    assert _checks.as_numeric("f", "x", x, np.float32) is x


def test_a_number_too_large_for_the_dtype_is_refused_and_infinity_is_not():
    assert np.isinf(_checks.as_numeric("f", "x", [np.inf], np.float32)).all()
    with pytest.raises(
        ValueError, match=r"f expects numbers in x that float32 can hold, up to 3.4e\+38, got 1e\+300 at"
    ):
        _checks.as_numeric("f", "x", [1.0, 1e300], np.float32)


def test_the_error_state_is_left_alone_where_nothing_is_cast(monkeypatch):
    entered = []
    monkeypatch.setattr(np, "errstate", lambda **how: entered.append(how))
    x = np.ones(3, np.float32)
    assert _checks.as_numeric("f", "x", x, np.float32) is x
    assert not entered


def test_none_among_numbers_becomes_nan():
    assert np.isnan(_checks.as_numeric("f", "x", [1.0, None])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", "b"], "f expects x to be an array of numbers, got dtype <U1; encode text as numbers first"),
        ("x.npy", "an array of numbers, got the text 'x.npy'; read a file first, with numpy.load or cr.data.stream"),
        (Path("x.npy"), "an array of numbers, got the text 'x.npy'; read a file first"),
        ([[1, 2], [3]], "rows of different lengths"),
        (np.array([1, "a"], object), "got dtype object"),
        (np.array(["2026-01-01"], "datetime64[D]"), "got dtype datetime64"),
        (np.ones(2, complex), r"got dtype complex128; take the real part or the magnitude first\."),
        (
            np.array([["1.5", "2"]], object),
            r"got dtype object that holds text \(1.5 at row 0, column 0\); encode text as numbers first\.",
        ),
        (np.array([1.0, b"2"], object), "got dtype object that holds text"),
        ({"a": 1}, "got a dict; pass an array, a frame or a list of rows"),
    ],
)
def test_what_holds_no_numbers_is_refused(values, says):
    with pytest.raises(TypeError, match=says):
        _checks.as_numeric("f", "x", values)


def test_an_installed_module_is_imported():
    assert _checks.require("json", "extra", "f").loads("1") == 1


def test_a_missing_extra_is_one_line_to_install():
    with pytest.raises(
        ModuleNotFoundError, match=r"f needs no_such_module.*pip install 'chainrule\[plots\]'"
    ) as caught:
        _checks.require("no_such_module.inner", "plots", "f")
    assert caught.value.name == "no_such_module"


def test_a_module_that_fails_itself_keeps_its_own_message(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import its_missing_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="its_missing_part") as caught:
        _checks.require("half_installed", "plots", "f")
    assert "pip install" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "ours"),
    [
        (lambda: cr.Trainer(cr.MLP([2, 2]), "mse"), "squared_error"),
        (lambda: cr.Trainer(cr.MLP([2, 2]), "BCE"), "binary_cross_entropy"),
        (lambda: cr.Trainer(cr.MLP([2, 2]), "squared_error", metrics=["rmse"]), "root_mean_squared_error"),
        (lambda: cr.Linear(2, 2, activation="swish"), "silu"),
        (lambda: cr.Linear(2, 2, initializer="kaiming_normal"), "he_normal"),
    ],
)
def test_names_from_elsewhere_are_answered_with_ours(make, ours):
    with pytest.raises(ValueError, match=rf"did you mean '{ours}'\?"):
        make()


@pytest.mark.parametrize(("name", "ours"), [("Dense", "Linear"), ("Relu", "ReLU"), ("MSE", "SquaredError")])
def test_attributes_from_elsewhere_are_answered_with_ours(name, ours):
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}' \(did you mean '{ours}'\?\)"):
        getattr(cr, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_finite(dtype):
    huge = np.full(5, np.finfo(dtype).max, dtype)  # whose squares overflow
    assert all_finite(huge)
    for bad in (np.nan, np.inf, -np.inf):
        huge[3] = bad
        assert not all_finite(huge)


def test_whether_all_are_finite_is_told_without_an_array_as_large():
    x = np.full(1_000_000, np.finfo(np.float32).max, np.float32)
    tracemalloc.start()
    assert all_finite(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("wrong", [np.nan, -np.inf])
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array"])
def test_what_is_not_finite_in_a_sparse_matrix_has_a_place(kind, wrong):
    sparse = pytest.importorskip("scipy.sparse")
    x = np.zeros((7, 4))
    x[1, 3], x[5, 2] = 1.0, wrong
    with pytest.raises(ValueError, match=rf"f expects finite numbers in x, got {wrong} at row 15, column 2 \(1 in"):
        _checks.check_finite("f", "x", getattr(sparse, kind)(x), first_row=10)


def test_a_sparse_matrix_that_is_finite_is_let_through():
    sparse = pytest.importorskip("scipy.sparse")
    _checks.check_finite("f", "x", sparse.csr_array(np.eye(3)))
    _checks.check_finite("f", "x", sparse.csr_array(np.eye(3, dtype=int)))


def test_what_is_sparse_is_told_only_by_scipy_where_it_is_loaded(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    assert _checks.is_sparse(sparse.eye_array(2))
    assert not any(map(_checks.is_sparse, [np.eye(2), [[1.0]], 1.0, None]))
    monkeypatch.delitem(sys.modules, "scipy.sparse")
    assert not _checks.is_sparse([[1.0]])
