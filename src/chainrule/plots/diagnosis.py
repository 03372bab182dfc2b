"""The result of `diagnose`, layer by layer."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, sentence
from ..diagnostics.health import EXPLODED, FAST, MANY_DEAD, MANY_SATURATED, SLOW, VANISHED, Diagnosis
from ._style import BLUE, GRAY, PALETTE, VERMILION, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, ORANGE, BLACK = PALETTE[2], PALETTE[4], PALETTE[6]
LONGEST_NAME, LONGEST_LINE = 32, 130  # characters
WIDE_RANGE = 100.0  # outputs beyond it are drawn on a logarithmic scale, linear within ±1


def health(diagnosis: Diagnosis) -> Figure:
    """Draw the result of :func:`~chainrule.diagnose`: a row for each layer, first at the top, and the findings below.

    From left to right: the mean ± spread of its outputs; its shares of dead units and of saturated outputs, with dashed
    lines at the limits for hidden layers; the norms of its gradient and of the optimizer's next step, relative to its
    weights. Green bands are good. Values beyond a limit are vermilion; a cross at the edge marks zero (left) or a
    non-finite value (right).

    Parameters
    ----------
    diagnosis : Diagnosis
        The result of `diagnose`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    TypeError
        If it is anything else.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> figure = cr.plots.health(cr.diagnose(cr.MLP([3, 8, 1], rng=0), x, x[:, :1]))
    >>> figure.get_suptitle()
    'loss 2.273: nothing looks wrong'
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['Linear(3 → 8, relu)  0', 'Linear(8 → 1)  1']
    """
    if not isinstance(diagnosis, Diagnosis):
        raise TypeError(sentence("health", "a Diagnosis", type(diagnosis).__name__, "pass diagnose(model, x, y)"))
    layers, findings = diagnosis.layers, diagnosis.findings
    advice = "\n".join(textwrap.fill(f"• {finding}", LONGEST_LINE, subsequent_indent="   ") for finding in findings)
    figure = new_figure("health", (10, 1.3 + 0.3 * len(layers) + 0.2 * len(advice.splitlines())))
    panels = figure.subplots(1, 4, sharey=True, width_ratios=[1.2, 1, 1, 1])
    _draw_outputs(panels[0], _column(diagnosis, "mean"), _column(diagnosis, "spread"))
    _draw_shares(panels[1], "dead", _column(diagnosis, "dead"), MANY_DEAD, BLUE, -0.19)
    _draw_shares(panels[1], "saturated", _column(diagnosis, "saturated"), MANY_SATURATED, ORANGE, 0.19)
    weight = np.where(_column(diagnosis, "weight") > 0, _column(diagnosis, "weight"), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        gradient, step = (_column(diagnosis, name) / weight for name in ("gradient", "step"))
    last = next(iter(gradient[~np.isnan(weight)][::-1]), np.nan)
    _draw_ratios(panels[2], gradient, ~np.isnan(weight), VANISHED * last, EXPLODED * last)
    _draw_ratios(panels[3], step, ~np.isnan(weight), SLOW, FAST)
    for panel, label in zip(panels, ("output, mean ± spread", "share", "‖dW‖ / ‖W‖", "step / ‖W‖"), strict=True):
        panel.set_xlabel(label)
        panel.tick_params(axis="y", length=0)
        tidy(panel)
    names = [textwrap.shorten(layer.name, LONGEST_NAME, placeholder=" …") for layer in layers]
    panels[0].set_yticks(range(len(layers)), [f"{name}  {index}" for index, name in enumerate(names)], parse_math=False)
    panels[0].set_ylim(len(layers) - 0.5, -0.5)
    verdict = f"{len(findings)} finding{'s' * (len(findings) > 1)}" if findings else "nothing looks wrong"
    figure.suptitle(f"loss {diagnosis.loss:.4g}: {verdict}", x=0.01, ha="left")
    figure.supxlabel(advice, x=0.01, ha="left", size="small", parse_math=False)
    return figure


def _column(diagnosis: Diagnosis, name: str) -> Array:
    return np.array([getattr(layer, name) for layer in diagnosis.layers], np.float64)


def _draw_outputs(ax: Axes, mean: Array, spread: Array) -> None:
    known = np.isfinite(mean) & np.isfinite(spread)
    rows = np.arange(len(mean))
    ax.axvline(0, color=GRAY, linewidth=0.8, zorder=1)
    ax.errorbar(mean[known], rows[known], xerr=spread[known], fmt="o", color=BLUE, markersize=4, capsize=2)
    _draw_crosses(ax, rows[~known], 0.98)
    widest = np.max(np.abs(mean[known]) + spread[known], initial=0)
    if widest > WIDE_RANGE:
        ax.set_xscale("symlog", linthresh=1)
        decade = 10 ** np.floor(np.log10(widest))
        ax.set_xticks([-decade, 0, decade], minor=False)


def _draw_shares(ax: Axes, name: str, shares: Array, limit: float, color: str, offset: float) -> None:
    ax.barh(np.arange(len(shares)) + offset, shares, 0.36, color=color, label=name)
    ax.axvline(limit, color=color, linewidth=1, linestyle="--")
    for row, share in enumerate(shares):
        if share >= 0.005:
            beyond = share > limit and row < len(shares) - 1  # the rule of diagnose
            style: dict[str, Any] = {"color": VERMILION, "weight": "bold"} if beyond else {"color": BLACK}
            ground = {"facecolor": ax.get_facecolor(), "linewidth": 0, "pad": 0.5}
            ax.text(share + 0.02, row + offset, f"{share:.0%}", va="center", size="x-small", bbox=ground, **style)
    ax.set_xlim(0, 1.2)
    ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, borderpad=0, handlelength=1)


def _draw_ratios(ax: Axes, ratios: Array, learns: Array, low: float, high: float) -> None:
    """Draw the ratios of the layers that learn, on a logarithmic scale, over the band from low to high."""
    drawn = learns & np.isfinite(ratios) & (ratios > 0)
    rows = np.arange(len(ratios))
    ax.set_xscale("log")
    if np.isfinite(high) and low > 0:
        ax.axvspan(low, high, color=GREEN, alpha=0.12, linewidth=0)
        ax.set_xlim(np.min(ratios[drawn], initial=low) / 8, np.max(ratios[drawn], initial=high) * 8)
    beyond = drawn & ~((ratios >= low) & (ratios <= high))
    for some, color in ((drawn & ~beyond, BLUE), (beyond, VERMILION)):
        ax.plot(ratios[some], rows[some], "o", color=color, markersize=5)
    _draw_crosses(ax, rows[learns & (ratios == 0)], 0.02)
    _draw_crosses(ax, rows[learns & ~np.isfinite(ratios)], 0.98)


def _draw_crosses(ax: Axes, rows: Array, edge: float) -> None:
    where = np.full(len(rows), edge)
    ax.plot(where, rows, "x", color=VERMILION, transform=ax.get_yaxis_transform(), markersize=6, markeredgewidth=2)
