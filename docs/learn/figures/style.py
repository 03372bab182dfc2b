"""The style of every figure in the book: vector graphics, seven colours that the colour-blind can tell apart."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats

# Okabe and Ito's palette. One meaning each, in every chapter: values blue, gradients orange, weights green.
VALUE, GRADIENT, WEIGHT = "#0072B2", "#D55E00", "#009E73"
YELLOW, SKY, PINK, GREY = "#E69F00", "#56B4E9", "#CC79A7", "#6B7280"


def use() -> None:
    """Draw as SVG, in the style of the book."""
    set_matplotlib_formats("svg")
    plt.rcdefaults()
    plt.rcParams.update(
        {
            "figure.figsize": (7.0, 3.2),
            "figure.constrained_layout.use": True,
            "font.size": 10.5,
            "mathtext.fontset": "cm",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": mpl.cycler(color=[VALUE, GRADIENT, WEIGHT, YELLOW, PINK, SKY, GREY]),
            "svg.fonttype": "path",
            "svg.hashsalt": "chainrule",
        }
    )
