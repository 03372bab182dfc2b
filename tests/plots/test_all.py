"""What every drawer promises: a figure, on the axes given, with names as they are; one sentence without Matplotlib."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import plots
from chainrule.diagnostics.health import Diagnosis
from plots.figures import HISTORY, Figure, Model

MOONS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
DRAWERS = {
    "curves": lambda ax=None: plots.curves(HISTORY, ax=ax),
    "confusion": lambda ax=None: plots.confusion([0, 1, 2], [0, 1, 1], ax=ax),
    "decision_regions": lambda ax=None: plots.decision_regions(
        Model(lambda x: x[:, :1] - 0.5), MOONS, [0, 1, 0, 1], resolution=9, ax=ax
    ),
    "regression_surface": lambda ax=None: plots.decision_regions(
        Model(lambda x: x.sum(axis=1)), MOONS, [0.1, 1.9, 1.1, 0.9], resolution=9, ax=ax
    ),
    "first_layer_weights": lambda ax=None: plots.first_layer_weights(np.eye(6), (2, 3), ax=ax),
    "predictions": lambda ax=None: plots.predictions([1.0, 2.0], [1.5, 1.5], ax=ax),
    "reliability": lambda ax=None: plots.reliability([0.1, 0.8, 0.6], [0, 1, 0], ax=ax),
    "worst": lambda ax=None: plots.worst([0.1, 0.8, 0.6], [0, 1, 0], np.eye(3, 6), (2, 3), ax=ax),
    "network": lambda ax=None: plots.network(cr.MLP([3, 20, 1], rng=0), ax=ax),
    "landscape": lambda ax=None: plots.landscape(cr.MLP([2, 1], rng=0), MOONS, MOONS[:, :1], resolution=3, ax=ax),
    "importances": lambda ax=None: plots.importances([[0.1, 0.2], [0.4, 0.3]], ["a", "b"], ax=ax),
}
WITH_PANELS = [
    lambda: plots.health(Diagnosis([], 0.5, [])),
    lambda: plots.gradients(cr.MLP([2, 1], rng=0), MOONS, MOONS[:, :1]),
]
drawer = pytest.mark.parametrize("draw", DRAWERS.values(), ids=DRAWERS.keys())


@drawer
def test_returns_a_figure_that_can_be_saved(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")


@drawer
def test_draws_on_the_axes_given(draw):
    figure = Figure()
    _, right = figure.subplots(1, 2)
    assert draw(ax=right) is figure
    assert right.has_data()
    assert not figure.axes[0].has_data()


def test_axes_of_a_subfigure_return_the_whole_figure():
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].add_subplot()
    assert plots.confusion([0, 1], [0, 1], ax=ax) is figure


@drawer
def test_axes_of_another_type_are_refused(draw):
    with pytest.raises(TypeError, match="expects ax to be Matplotlib axes, got Figure"):
        draw(ax=Figure())


@pytest.mark.parametrize("draw", [*DRAWERS.values(), *WITH_PANELS])
def test_a_missing_matplotlib_is_one_sentence(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs matplotlib.*pip install 'chainrule\[plots\]'"):
        draw()


def test_nothing_of_pyplot_and_matplotlib_only_when_drawing():
    program = (
        "import sys; from chainrule import plots; assert 'matplotlib' not in sys.modules;"
        "plots.curves({'loss': [1, 2]}); plots.confusion([0], [0]); plots.predictions([1], [1]);"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


NAMES = [r"$\frac$", r"$x_{$ and \$", "two\0\nlines", "w" * 500]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.confusion([0, 1, 2, 3], [0, 1, 2, 3], class_names=NAMES),
        lambda: plots.confusion(NAMES, NAMES),
        lambda: plots.predictions([1.0, 2.0], [1.0, 2.0], target=NAMES[0]),
        lambda: plots.curves({"loss": [1.0, 2.0], NAMES[0]: [1.0, 2.0], NAMES[3]: [1.0, 2.0]}),
        lambda: plots.importances([4, 3, 2, 1], NAMES, label=NAMES[0]),
        lambda: plots.worst(np.full((4, 4), 0.25), [0, 1, 2, 3], np.ones((4, 4)), (2, 2), NAMES),
        lambda: plots.decision_regions(Model(lambda x: x[:, :1]), MOONS, [0, 1, 0, 1], NAMES[:2], resolution=5),
    ],
)
def test_names_are_no_formulas(draw):
    figure = draw()
    figure.draw_without_rendering()  # a formula that cannot be read would raise
    assert max(figure.get_size_inches()) < 16
