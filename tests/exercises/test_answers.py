"""Right answers pass, however they are written; everything else that a reader may write ends in one sentence."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import exercises


def function_in(code: str) -> Any:
    """The function that code defines, as if the reader had typed it."""
    names: dict[str, Any] = {"np": np}
    exec(code, names)
    (function,) = (value for name, value in names.items() if name in ("backward", "step", "find"))
    return function


def affine(**changed: Any) -> Any:
    """The right answer to the affine map, in which some gradients are replaced."""

    def backward(dy: Any, x: Any, W: Any) -> Any:
        gradients = {"dx": dy @ W.T, "dW": x.T @ dy, "db": dy.sum(axis=0)}
        return tuple((gradients | {name: change(dy, x, W) for name, change in changed.items()}).values())

    return backward


def finding(answer: Any, gradient: str = "backward", name: str = "affine") -> str:
    verdict = exercises.check(name, answer)
    assert not verdict.passed
    return dict(verdict.findings)[gradient]


@pytest.mark.parametrize("name", exercises.names())
def test_the_solution_of_each_problem_passes(name: str) -> None:
    verdict = exercises.check(name, function_in(exercises.solution(name).code))
    assert verdict.passed, verdict
    assert np.isnan(verdict.error) == (name in ("momentum", "wrong_one"))
    assert np.isnan(verdict.error) or verdict.error < 1e-8


def standardized(dy: Any, x: Any) -> Any:
    y, inverse_deviation, *_ = cr.ops.standardize(x, 0, epsilon=1e-5)
    return cr.ops.standardize_backward(dy, y, inverse_deviation, 0)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("affine", lambda dy, x, W: list(cr.ops.affine_backward(dy, x, W))),
        ("softplus", lambda dy, x: cr.ops.softplus_backward(dy, cr.ops.softplus(x))),
        ("softmax", cr.ops.softmax_backward),
        ("standardize_columns", standardized),
        ("huber", lambda z, y: cr.Huber()(z, y)[1]),
        ("cross_entropy", lambda z, classes: cr.CrossEntropy()(z, classes)[1]),
        ("squared_error", lambda z, y: cr.SquaredError()(z, y)[1]),
    ],
)
def test_the_library_s_own_backward_passes(name: str, answer: Any) -> None:
    verdict = exercises.check(name, answer)
    assert verdict.passed, verdict


def test_the_solution_for_momentum_steps_as_the_library_does() -> None:
    step = function_in(exercises.solution("momentum").code)
    w, v, optimizer = np.array([1.0, -2.0]), np.zeros(2), cr.SGD(0.1, momentum=0.9)
    model = cr.Sequential([cr.Linear(2, 1, bias=False)], dtype="float64")
    model.parameters.vector[:] = w
    optimizer.setup(model.parameters)
    for gradient in ([0.5, 1.0], [-1.0, 3.0], [2.0, 0.0]):
        w, v = step(w, v, np.array(gradient), 0.1, 0.9)
        optimizer.step(model.parameters.vector, np.array(gradient))
    np.testing.assert_allclose(w, model.parameters.vector, rtol=1e-12)


def test_the_transpose_is_recognized() -> None:
    assert finding(affine(dW=lambda dy, x, W: dy.T @ x), "dW").endswith(": this is the transpose")


def test_a_missing_sum_over_the_batch_is_recognized() -> None:
    found = finding(affine(db=lambda dy, x, W: dy), "db")
    assert found.startswith("has shape (5, 6), expected (6,), which is (O,) for N = 5, ")
    assert found.endswith(": the sum over the rows is missing")


def test_an_axis_too_many_is_recognized() -> None:
    found = finding(affine(db=lambda dy, x, W: dy.sum(axis=0, keepdims=True)), "db")
    assert found.endswith(": drop the axis of length 1")


def test_a_shape_that_is_right_in_one_trial_alone_is_named() -> None:
    found = finding(affine(dx=lambda dy, x, W: np.zeros((5, 7))), "dx")
    assert found == "has shape (5, 7), expected (7, 6), which is (N, I) for N = 7, I = 6, O = 4"


def test_gradients_in_another_order_are_recognized() -> None:
    found = exercises.check("affine", lambda dy, x, W: (x.T @ dy, dy @ W.T, dy.sum(axis=0))).findings
    assert [words.partition(": ")[2] for _, words in found] == [
        "this is dW; the order is dx, dW, db",
        "this is dx; the order is dx, dW, db",
        "",
    ]
    swapped = exercises.check("batch_norm", lambda dy, x, gamma: (0 * x, dy.sum(axis=0), 0 * gamma))
    assert dict(swapped.findings)["dgamma"] == "this is dbeta; the order is dx, dgamma, dbeta"


def test_a_forgotten_dy_is_recognized() -> None:
    found = finding(lambda dy, x: 1 / (1 + np.exp(-x)), "dx", "softplus")
    assert found == "does not use dy, which the chain rule makes a factor of it"


def test_what_nothing_explains_is_shown_at_its_largest_difference() -> None:
    def backward(dy: Any, x: Any) -> Any:
        dx = dy / (1 + np.exp(-x))
        dx[-1, 1] += 1.5
        return dx

    found = finding(backward, "dx", "softplus")
    got, wanted = (float(number) for number in found.removeprefix("at [4, 1] is ").split(", and should be "))
    assert got - wanted == pytest.approx(1.5, abs=1e-5)


def test_an_answer_that_is_wrong_for_one_sample_alone_is_not_right() -> None:
    found = finding(affine(dx=lambda dy, x, W: np.squeeze(dy @ W.T)), "dx")
    assert found == "is wrong for a batch of a single sample (N = 1)"
    found = finding(affine(dx=lambda dy, x, W: dy @ W.T if len(x) > 1 else np.full_like(x, np.nan)), "dx")
    assert found == "is wrong for a batch of a single sample (N = 1)"


def test_an_almost_right_gradient_is_not_right() -> None:
    found = finding(affine(dx=lambda dy, x, W: 1.0001 * dy @ W.T), "dx")
    assert re.fullmatch(r"is almost right: at \[\d, \d\] is \S+, and should be \S+", found)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda dy, x, W: None, "it returns None; end it with: return dx, dW, db"),
        (lambda dy, x, W: dy @ W.T, "it returns 1 value, expected 3: return dx, dW, db"),
        (lambda dy, x, W: (1, 2, 3, 4), "it returns 4 values, expected 3: return dx, dW, db"),
        (lambda dy, x, W: ("a", x, W), "dx is no array of numbers, but a str"),
        (lambda dy, x, W: (x, None, W), "dW is no array of numbers, but a NoneType"),
        (lambda dy, x, W: (x, [[1], [2, 3]], W), "dW is no array of numbers, but a list"),
        (lambda dy, x: (dy, x), "it must take backward(dy, x, W): too many positional arguments"),
        (lambda: None, "it must take backward(dy, x, W): too many positional arguments"),
    ],
)
def test_what_is_no_answer_is_said_in_one_sentence(answer: Any, says: str) -> None:
    assert finding(answer) == says


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named(bad: float) -> None:
    assert finding(affine(dW=lambda dy, x, W: np.full_like(W, bad)), "dW") == "holds NaN or infinite numbers"


def test_an_exception_is_reported_with_the_reader_s_line() -> None:
    def backward(dy: Any, x: Any, W: Any) -> Any:
        dx = dy @ W.T
        return dx, np.dot(x, dy), dy.sum(axis=0)

    found = finding(backward)
    assert found.startswith("it raises ValueError: shapes (5,7) and (5,6) not aligned")
    assert found.endswith(": return dx, np.dot(x, dy), dy.sum(axis=0)); given dy (5, 6), x (5, 7), W (7, 6)")
    assert "\n" not in found


def test_an_exception_in_code_without_a_file_is_reported() -> None:
    found = finding(function_in("def backward(dy, x, W):\n    return dy, 1 / 0, x"))
    assert found == "it raises ZeroDivisionError: division by zero (line 2); given dy (5, 6), x (5, 7), W (7, 6)"


def test_an_interruption_is_not_swallowed() -> None:
    def backward(dy: Any, x: Any, W: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercises.check("affine", backward)


def test_inputs_changed_in_place_are_named() -> None:
    def backward(dy: Any, x: Any, W: Any) -> Any:
        x *= 2
        return dy @ W.T, x.T @ dy / 2, dy.sum(axis=0)

    assert finding(backward) == "it changes x in place; others still need it: compute a new array"


def test_what_cannot_be_called_and_what_is_no_problem_are_refused() -> None:
    with pytest.raises(TypeError, match=r"expects your function backward\(dy, x, W\), got array"):
        exercises.check("affine", np.zeros(3))  # type: ignore[arg-type]
    for use in (exercises.show, exercises.solution):
        with pytest.raises(ValueError, match=r"'afine' \(did you mean 'affine'\?\)"):
            use("afine")
