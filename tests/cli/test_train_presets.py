"""``chainrule train`` by preset and within a time: how much is trained, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import chainrule as cr
from chainrule.cli.scores import limit_line
from chainrule.tabular.plans import Plan

from .conftest import lines_of


def model_in(folder: Path) -> Any:
    return cr.load(folder / "model.safetensors")


@pytest.mark.parametrize("limit", [1e-6, 0.2])
def test_a_time_limit_ends_the_training(limit, shell, flowers: Path, tmp_path: Path, without_pictures) -> None:
    report = lines_of(shell("train", flowers, "--quiet", "--time-limit", limit, "--out", tmp_path).out)
    assert "interrupted" not in report["result"]
    assert model_in(tmp_path).n_epochs_ < 256


def test_the_result_says_what_the_time_limit_cut(
    shell, flowers: Path, tmp_path: Path, without_pictures, monkeypatch
) -> None:
    monkeypatch.setattr("chainrule.tabular.estimators.members.Task.pace", lambda *given: (20.0, 0.0, 0.0))
    words = "train", flowers, "--quiet", "--preset", "best", "--out", tmp_path, "--force"
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    report = lines_of(shell(*words, "--time-limit", 1000).out)
    assert report["limit"] == "2 of 16 networks, 42 of 256 epochs planned"
    assert report["data"].endswith("each network validates on one fold of the training rows")
    plan = Plan(9, 2, 1, 64, 0, [[1, 3, 5], [1, 5, 5]])
    model = SimpleNamespace(_whole=plan._replace(epochs=20), plan_=plan.told())
    assert limit_line(model) == "9 of 20 epochs planned, 1 cut further, perhaps within an epoch"
    assert "limit" not in lines_of(shell(*words, "--epochs", 1).out)


def test_a_preset_decides_how_much_is_trained(shell, flowers: Path, tmp_path: Path, without_pictures) -> None:
    answer = shell("train", flowers, "--preset", "best", "--epochs", 3, "--out", tmp_path)
    report = lines_of(answer.out)
    assert "120 rows: 96 training, 24 test" in report["data"]  # each fold validates members
    said = r"16 networks, validation log loss [\d.]+ to [\d.]+, each on its own rows; overall [\d.]+"
    assert re.fullmatch(said, report["members"])
    first = re.match(r"about [\d.]+ s: 16 networks of 3 epochs", answer.err)
    assert first, answer.err
    assert model_in(tmp_path).model_.metadata["training"]["members"] == report["members"]
    words = "--preset", "best", "--epochs", 1, "--validation", 0
    without = shell("train", flowers, *words, "--out", tmp_path, "--force")
    assert lines_of(without.out)["members"] == "16 networks"  # no folds, either
    shell("train", flowers, "--preset", "fast", "--quiet", "--epochs", 1, "--out", tmp_path, "--force")
    assert len(model_in(tmp_path).members_) == 2
