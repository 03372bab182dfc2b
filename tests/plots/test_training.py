"""Learning curves: what is drawn is what the history holds."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from chainrule import plots
from plots.figures import HISTORY, Figure, legend, lines

ROWS = [{name: values[k] for name, values in HISTORY.items()} for k in range(5)]


@pytest.mark.parametrize(
    "history",
    [HISTORY, ROWS, SimpleNamespace(rows=ROWS), {"rows": ROWS}, json.dumps(ROWS), json.dumps(HISTORY)],
    ids=["dict", "rows", "History", "dict of rows", "JSON rows", "JSON dict"],
)
def test_curves_draw_the_numbers_of_the_history(history):
    loss, accuracy, rate = plots.curves(history).axes
    for ax, name in ((loss, "loss"), (accuracy, "accuracy")):
        np.testing.assert_array_equal(lines(ax)["training"].get_xdata(), [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(lines(ax)["training"].get_ydata(), HISTORY[name])
        np.testing.assert_array_equal(lines(ax)["validation"].get_ydata(), HISTORY[f"validation_{name}"])
        assert ax.get_ylabel() == name
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), HISTORY["learning_rate"])
    assert rate.get_xlabel() == "epoch"
    assert rate.get_ylabel() == "learning\nrate"


def test_curves_mark_the_best_epoch_in_every_panel():
    loss, accuracy, _ = plots.curves(HISTORY).axes
    best = lines(loss)["best: 0.5 at epoch 3"]
    assert (best.get_xdata(), best.get_ydata()) == ([3], [0.5])
    same = lines(accuracy)["0.8 at epoch 3"]
    assert (same.get_xdata(), same.get_ydata()) == ([3], [0.8])


def test_curves_count_epochs_as_the_history_does():
    figure = plots.curves([{"epoch": 11, "loss": 3.0}, {"epoch": 12, "loss": 2.0}])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [11, 12])


def test_curves_leave_out_epochs_without_a_validation():
    rows = [{"loss": 3.0}, {"loss": 2.0, "validation_loss": 2.5}, {"loss": 1.0}, {"loss": 0.9, "validation_loss": 2.6}]
    drawn = lines(plots.curves(rows).axes[0])
    np.testing.assert_array_equal(drawn["validation"].get_xdata(), [2, 4])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), [2.5, 2.6])
    assert "best: 2.5 at epoch 2" in drawn


def test_curves_of_a_validation_metric_alone():
    history = {"loss": [1.0, 0.9], "validation_loss": [1.0, 1.1], "validation_top_5": [0.5, 0.6]}
    _, panel = plots.curves(history).axes
    assert panel.get_ylabel() == "top 5"
    assert legend(panel) == ["validation", "0.5 at epoch 1"]


def test_curves_without_a_metric_value_at_the_best_epoch_mark_the_loss_only():
    history = {"loss": [1.0, 0.9], "validation_loss": [1.0, 1.1], "accuracy": [0.5, 0.6]}
    assert legend(plots.curves(history).axes[1]) == ["training"]


def test_curves_on_given_axes_draw_the_loss_only():
    ax = Figure().add_subplot()
    figure = plots.curves(HISTORY, ax=ax)
    assert figure.axes == [ax]
    assert ax.get_ylabel() == "loss"
    assert ax.get_xlabel() == "epoch"


def test_one_epoch_is_a_visible_point():
    figure = plots.curves({"loss": [0.7]})
    assert figure.axes[0].lines[0].get_marker() == "o"
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("loss", "scale"),
    [
        ([1.0, 0.11], "linear"),
        ([1.0, 0.09], "log"),
        ([1.0, 0.0], "linear"),
        ([10.0, -3.0], "linear"),
        ([9.0, 1e-6], "log"),
    ],
)
def test_a_loss_over_more_than_a_decade_is_logarithmic(loss, scale):
    assert plots.curves({"loss": loss}).axes[0].get_yscale() == scale


@pytest.mark.parametrize(
    ("loss", "ticks"), [([2.0, 0.1], {"0.1", "0.2", "0.5", "1", "2"}), ([9.0, 1e-6], {"1e-05", "1"})]
)
def test_ticks_of_the_logarithmic_scale_are_plain_numbers(loss, ticks):
    figure = plots.curves({"loss": loss})
    figure.draw_without_rendering()
    assert ticks <= {tick.get_text() for tick in figure.axes[0].get_yticklabels()}


@pytest.mark.parametrize(("rate", "panels"), [([0.1, 0.1], 1), ([0.1, 0.2], 2), ([None, None], 1)])
def test_the_learning_rate_is_drawn_if_it_changes(rate, panels):
    figure = plots.curves({"loss": [1.0, 0.9], "learning_rate": rate})
    assert len(figure.axes) == panels
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("history", "error", "words"),
    [
        ({}, ValueError, "a finite loss in at least one epoch, got none among"),
        ([], ValueError, "got none among"),
        ({"loss": []}, ValueError, "got none among"),
        ({"accuracy": [1.0]}, ValueError, r"got none among \['accuracy'\]"),
        ({"loss": [np.nan, np.inf]}, ValueError, "got 2 epochs of nan or infinity"),
        ({"loss": [[1.0], [2.0]]}, ValueError, r"history\['loss'\] of shape \(2,\), got \(2, 1\)"),
        ({"loss": [1.0, 2.0], "f1": [1.0]}, ValueError, r"history\['f1'\] of shape \(2,\), got \(1,\)"),
        ({"loss": ["low", "lower"]}, TypeError, "loss to be an array of numbers"),
        ("history.json", ValueError, "the JSON of a history, got 'history.json'; pass the text of the file"),
        (7, TypeError, "a History, a dict of lists or a list of dicts, got int"),
        (SimpleNamespace(loss_curve_=[1]), TypeError, r'got SimpleNames.*; pass \{"loss": estimator\.loss_curve_\}\.'),
        (cr.Trainer(cr.MLP([1, 1]), "huber"), TypeError, r"got Trainer; pass trainer\.history, or a dict of curves\."),
        ([1.0, 0.5], TypeError, "a History, a dict of lists or a list of dicts, got list"),
    ],
)
def test_curves_refuse_anything_but_a_history(history, error, words):
    with pytest.raises(error, match=f"curves expects.*{words}"):
        plots.curves(history)
