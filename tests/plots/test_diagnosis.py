"""The health of a network, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import plots
from chainrule.diagnostics import health as diagnosis
from plots.figures import legend, to_rgba


def layer(name="Linear(2 → 2)", mean=0.0, spread=1.0, dead=0.0, saturated=0.0, weight=1.0, gradient=1.0, step=1e-3):
    return diagnosis.LayerState(name, mean, spread, dead, saturated, weight, gradient, step)


def health(*layers, findings=(), loss=0.5):
    return plots.health(diagnosis.Diagnosis(list(layers), loss, list(findings)))


def dots(ax, color):
    """(x, row) of the dots of a colour."""
    drawn = [line for line in ax.lines if line.get_marker() == "o" and to_rgba(line.get_color()) == to_rgba(color)]
    return [point for line in drawn for point in zip(*map(list, line.get_data()), strict=True)]


def crosses(ax):
    return [point for line in ax.lines if line.get_marker() == "x" for point in zip(*line.get_data(), strict=True)]


def band(ax):
    (span,) = ax.patches
    return span.get_x(), span.get_x() + span.get_width()


BLUE, VERMILION = "#0072B2", "#D55E00"


def test_health_has_a_row_for_each_layer_from_the_top():
    names = ["Linear(784 → 256, relu)", "Dropout(rate=0.5)", "Residual([Linear(256 → 256, relu), LayerNorm(256)])"]
    left, *others = health(*(layer(name) for name in names)).axes
    assert left.get_ylim() == (2.5, -0.5)
    assert {panel.get_ylim() for panel in others} == {(2.5, -0.5)}
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == ["Linear(784 → 256, relu)  0", "Dropout(rate=0.5)  1", "Residual([Linear(256 → 256, …  2"]


def test_health_says_what_was_found():
    assert health(layer()).get_suptitle() == "loss 0.5: nothing looks wrong"
    assert health(layer(), findings=["One."]).get_suptitle() == "loss 0.5: 1 finding"
    figure = health(layer(), findings=["One.", "Two " + 50 * "words "])
    assert figure.get_suptitle() == "loss 0.5: 2 findings"
    first, *second = figure.get_supxlabel().split("\n")
    assert first == "• One."
    assert " ".join(map(str.strip, second)) == "• Two " + (50 * "words ").strip()
    assert figure.get_figheight() > health(layer()).get_figheight()


def test_health_draws_mean_and_spread():
    ax = health(layer(mean=0.5, spread=2.0), layer(mean=-1.0, spread=0.5)).axes[0]
    assert dots(ax, BLUE) == [(0.5, 0), (-1.0, 1)]
    (bars,) = ax.collections
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[-1.5, 2.5], [-1.5, -0.5]])
    assert ax.get_xscale() == "linear"
    assert health(layer(spread=1000)).axes[0].get_xscale() == "symlog"


def test_health_marks_shares_of_hidden_layers_that_are_too_large():
    many = diagnosis.MANY_DEAD + 0.1, diagnosis.MANY_SATURATED + 0.1
    ax = health(layer(dead=many[0]), layer(saturated=many[1]), layer(dead=0.1), layer(dead=1.0)).axes[1]
    assert legend(ax) == ["dead", "saturated"]
    assert [bar.get_width() for bar in ax.patches] == [many[0], 0, 0.1, 1, 0, many[1], 0, 0]
    marked = {text.get_text(): to_rgba(text.get_color()) == to_rgba(VERMILION) for text in ax.texts}
    assert marked == {"40%": True, "60%": True, "10%": False, "100%": False}
    assert [line.get_xdata()[0] for line in ax.lines] == [diagnosis.MANY_DEAD, diagnosis.MANY_SATURATED]


def test_health_draws_ratios_over_the_good_bands():
    slow, fast = diagnosis.SLOW, diagnosis.FAST
    figure = health(
        layer(weight=4.0, gradient=2e-6, step=8 * fast),
        layer(weight=np.nan, gradient=np.nan, step=np.nan),
        layer(weight=2.0, gradient=1.0, step=slow),
        layer(weight=1.0, gradient=0.1, step=1e-3),
    )
    gradients, steps = figure.axes[2:]
    np.testing.assert_allclose(band(gradients), [0.1 * diagnosis.VANISHED, 0.1 * diagnosis.EXPLODED])
    np.testing.assert_allclose(band(steps), [slow, fast])
    assert (dots(gradients, VERMILION), dots(gradients, BLUE)) == ([(5e-7, 0)], [(0.5, 2), (0.1, 3)])
    assert (dots(steps, VERMILION), dots(steps, BLUE)) == ([(2 * fast, 0), (slow / 2, 2)], [(1e-3, 3)])


@pytest.mark.parametrize(("value", "edge"), [(0.0, 0.02), (np.nan, 0.98), (np.inf, 0.98)])
def test_health_draws_values_off_the_scale_at_the_edge(value, edge):
    figure = health(layer(gradient=value, step=value), layer())
    assert [crosses(ax) for ax in figure.axes[2:]] == [[(edge, 0)], [(edge, 0)]]


def test_health_draws_outputs_that_are_not_finite_at_the_edge():
    assert crosses(health(layer(spread=np.inf), layer(mean=np.nan), layer()).axes[0]) == [(0.98, 0), (0.98, 1)]


@pytest.mark.parametrize("depth", [2, 20])
def test_no_two_labels_of_a_health_overlap(depth):
    model = cr.MLP([5, *[32] * (depth - 1), 2], activation="tanh", rng=0)
    x = np.random.default_rng(0).normal(size=(100, 5))
    figure = plots.health(cr.diagnose(model, 1e4 * x, (x[:, 0] > 0).astype(int)))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    for ax in figure.axes:
        shown = [
            label for label in ax.get_xticklabels() if ax.get_xlim()[0] <= label.get_position()[0] <= ax.get_xlim()[1]
        ]
        boxes += [label.get_window_extent() for label in shown]
    overlaps = sum(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])
    assert overlaps == 0


def test_a_network_without_parameters_has_no_ratios():
    figure = health(layer(weight=np.nan, gradient=np.nan, step=np.nan))
    assert [dots(ax, BLUE) + crosses(ax) for ax in figure.axes[2:]] == [[], []]


def test_a_layer_may_be_called_anything():
    figure = health(layer("Mine(cost=$5_{$)"), findings=["Mine($5_{$) is dear."])
    figure.draw_without_rendering()
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Mine(cost=$5_{$)  0"


def test_health_refuses_anything_but_a_diagnosis():
    with pytest.raises(TypeError, match=r"health expects a Diagnosis, got Sequential; pass diagnose\(model, x, y\)"):
        plots.health(cr.MLP([2, 1], rng=0))
