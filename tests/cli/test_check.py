"""``chainrule check``: right derivatives pass, and wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.cli.check import report
from chainrule.proof.table import Proof, proofs


def test_everything_passes_and_is_listed(shell) -> None:
    answer = shell("check")
    assert (answer.code, answer.err) == (0, "")
    head, *lines, last = answer.out.splitlines()
    assert head.split() == ["name", "relative", "error"]
    assert [line[6:42].strip() for line in lines] == [proof.name for proof in proofs()]
    assert all(line.endswith("  passed") for line in lines)
    assert last == f"{len(lines)} of {len(lines)} passed: relative error at most 1e-06, float64, seed 0"


def test_a_broken_backward_fails(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The softmax whose pull-back is taken for the identity, as in many a textbook."""
    monkeypatch.setattr("chainrule.layers.activations.ops.softmax_backward", lambda dy, y, out=None: dy.copy())
    answer = shell("check", "--seed", 3)
    failed = [line for line in answer.out.splitlines() if "FAILED" in line]
    assert answer.code == 1
    assert failed
    assert all("oftmax" in line for line in failed)
    assert f"{len(list(proofs())) - len(failed)} of {len(list(proofs()))} passed" in answer.out
    assert "seed 3" in answer.out


def raises(rng: np.random.Generator) -> float:
    raise ValueError("gradient 0 has another shape")


@pytest.mark.parametrize("error", [lambda rng: 2e-6, lambda rng: np.nan, lambda rng: np.inf, raises])
def test_whatever_is_not_surely_small_failed(error, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([Proof("op", "good", lambda rng: 1e-9), Proof("op", "bad", error)], seed=0) == 1
    _, good, bad, last = capsys.readouterr().out.splitlines()
    assert good.endswith("passed")
    assert "FAILED" in bad
    assert last.startswith("1 of 2 passed")
    assert ("another shape" in bad) == (error is raises)


def test_nothing_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([], seed=0) == 1


def test_the_seed_draws_the_directions(capsys: pytest.CaptureFixture[str]) -> None:
    tanh = next(proof for proof in proofs() if proof.name == "tanh")
    texts = []
    for seed in (0, 0, 1):
        report([tanh], seed)
        texts.append(capsys.readouterr().out.splitlines()[1])
    assert texts[0] == texts[1] != texts[2]


def test_a_seed_below_0_is_refused(refuses) -> None:
    assert "--seed >= 0, got -1" in refuses("check", "--seed", -1)
