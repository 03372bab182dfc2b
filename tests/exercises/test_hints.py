"""What a verdict says of every mistake in a single term of every problem, and of the mistakes that a problem knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule import exercises
from chainrule.exercises import PROBLEMS

Change = Callable[[Any, dict[str, int]], Any]

# How a term may be changed, and what is said of it then.
CHANGES: dict[str, tuple[Change, str]] = {
    "deleted": (lambda term, sizes: 0 * term, "is missing"),
    "sign": (lambda term, sizes: -term, "has the wrong sign"),
    "twice": (lambda term, sizes: 2 * term, "is multiplied by 2"),
    "half": (lambda term, sizes: term / 2, "is multiplied by 0.5"),
}


TERMS = [
    (name, gradient, formula)
    for name, problem in PROBLEMS.items()
    if name != "wrong_one"  # its answer is a choice
    for gradient, terms in problem._written.items()
    for formula in terms
]


def sizes_of(name: str, given: dict[str, Any]) -> dict[str, int]:
    """The length that each letter has in what the answer is given."""
    letters = PROBLEMS[name].letters
    seen = [(letters[key], np.shape(value)) for key, value in given.items() if key in letters]
    return {letter: length for shape, lengths in seen for letter, length in zip(shape, lengths, strict=True)}


def answer_with(name: str, gradient: str, formula: str, change: Change) -> Callable[..., Any]:
    """The solution, in which a single term is changed."""

    def answer(*values: Any) -> Any:
        given = dict(zip(PROBLEMS[name].asked_of, values, strict=True))
        terms = PROBLEMS[name].terms(**given)
        terms[gradient][formula] = change(np.asarray(terms[gradient][formula]), sizes_of(name, given))
        return tuple(sum(each.values()) for each in terms.values())

    return answer


def expected(name: str, gradient: str, formula: str, words: str) -> str:
    if len(PROBLEMS[name]._written[gradient]) > 1:
        return f"the term {formula} {words}"
    return words.replace("is missing", "is 0 everywhere")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name, gradient, formula", TERMS)
def test_a_single_wrong_term_is_named(name: str, gradient: str, formula: str, change: str) -> None:
    make, words = CHANGES[change]
    verdict = exercises.check(name, answer_with(name, gradient, formula, make))
    assert not verdict.passed
    found = dict(verdict.findings)
    assert found.pop(gradient) == expected(name, gradient, formula, words)
    assert set(found.values()) <= {"right"}


@pytest.mark.parametrize("name, gradient, formula", TERMS)
def test_a_sum_for_a_mean_and_a_mean_for_a_sum_are_named(name: str, gradient: str, formula: str) -> None:
    letters = PROBLEMS[name].letters
    for letter in {letter for key in PROBLEMS[name].asked_of for letter in letters.get(key, ())}:
        summed = exercises.check(name, answer_with(name, gradient, formula, lambda t, s: t * s[letter]))  # noqa: B023
        mean = exercises.check(name, answer_with(name, gradient, formula, lambda t, s: t / s[letter]))  # noqa: B023
        words = f"is multiplied by {letter} (a sum where a mean belongs)"
        assert dict(summed.findings)[gradient] == expected(name, gradient, formula, words)
        words = f"is divided by {letter} (a mean where a sum belongs)"
        assert dict(mean.findings)[gradient] == expected(name, gradient, formula, words)


@pytest.mark.parametrize("name", PROBLEMS)
def test_zeros_fail(name: str) -> None:
    def zeros(*values: Any) -> Any:
        terms = PROBLEMS[name].terms(*values)
        return tuple(np.zeros_like(sum(each.values())) for each in terms.values())

    verdict = exercises.check(name, zeros)
    assert not verdict.passed
    assert "right" not in dict(verdict.findings).values()


@pytest.mark.parametrize("choice", [0, 1, 2])
def test_a_guess_which_backward_is_wrong_fails(choice: int) -> None:
    assert not exercises.check("wrong_one", lambda forward, backwards, x: choice).passed


def test_a_cotangent_of_ones_does_not_find_the_wrong_backward() -> None:
    def find(forward: Any, backwards: Any, x: Any) -> Any:
        v = np.random.default_rng(1).normal(size=x.shape)
        Jv = (forward(x + 1e-5 * v) - forward(x - 1e-5 * v)) / 2e-5
        errors = [abs(Jv.sum() - np.sum(backward(np.ones_like(x), x) * v)) for backward in backwards]
        assert max(errors) < 1e-8
        return np.argmax(errors)

    assert not exercises.check("wrong_one", find).passed


def known_mistakes() -> Iterator[tuple[str, str, str]]:
    rng = np.random.default_rng(0)
    for name, problem in PROBLEMS.items():
        if problem.mistakes:
            values = problem.draw(rng, problem.sizes(0))
            y = problem.forward(**values) if problem.forward else None
            values = {"y": y, "dy": y} | values
            found = problem.mistakes(**{key: values[key] for key in problem.asked_of})
            yield from ((name, gradient, words) for gradient, mistakes in found.items() for words in mistakes)


@pytest.mark.parametrize("name, gradient, words", list(known_mistakes()))
def test_a_mistake_that_the_problem_knows_is_named(name: str, gradient: str, words: str) -> None:
    problem = PROBLEMS[name]

    def wrong(*values: Any) -> Any:
        returned = {key: sum(terms.values()) for key, terms in problem.terms(*values).items()}
        return tuple((returned | {gradient: problem.mistakes(*values)[gradient][words]}).values())  # type: ignore[misc]

    found = dict(exercises.check(name, wrong).findings)
    assert found.pop(gradient) == words
    assert set(found.values()) <= {"right"}
