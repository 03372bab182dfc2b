"""The record of a training: columns of numbers, and a JSON document."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture
def history():
    return cr.callbacks.History([{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.25, "accuracy": 1.0}])


def test_a_column_is_a_list_of_one_number_an_epoch(history):
    assert history["accuracy"] == [0.25, 1.0]
    assert history.columns == ["loss", "accuracy"]
    assert len(history) == 2


def test_an_unknown_column_is_answered_with_the_nearest(history):
    with pytest.raises(ValueError, match=r"the name of a column, got 'acuracy' \(did you mean 'accuracy'\?\)"):
        history["acuracy"]


def test_the_record_is_written_as_json(history):
    history.interrupted = True
    assert json.loads(history.to_json()) == {"interrupted": True, "rows": history.rows}


@pytest.mark.parametrize(
    ("rows", "written"),
    [([], "History(0 epochs of nothing yet)"), ([{"loss": 1.0}], "History(1 epochs of loss)")],
)
def test_the_record_is_written_in_short(rows, written):
    assert repr(cr.callbacks.History(rows)) == written


def test_a_history_is_read_by_its_columns():
    history = cr.callbacks.History([{"loss": 2.0}, {"loss": 1.0, "validation_loss": 3.0}])
    assert "validation_loss" in history
    assert "accuracy" not in history
    assert history.columns == ["loss", "validation_loss"]
    assert list(history) == history.rows
    assert dict(history) == {"loss": [2.0, 1.0], "validation_loss": [3.0]}


def test_json_has_no_infinity():
    history = cr.callbacks.History([{"loss": np.float32(0.5), "learning_rate": float("inf")}])
    assert json.loads(history.to_json())["rows"] == [{"loss": 0.5, "learning_rate": None}]
