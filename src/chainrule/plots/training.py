"""How a training went: learning curves, the test of learning rates, and the health of each layer."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_shape, sentence
from ..diagnostics.health import EXPLODED, FAST, MANY_DEAD, MANY_SATURATED, SLOW, VANISHED, Diagnosis
from ._style import BLUE, GRAY, PALETTE, VERMILION, canvas, literal, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOT_METRICS = {"epoch", "step", "loss", "learning_rate", "seconds"}


def curves(history: Any, ax: Axes | None = None) -> Figure:
    """Draw the learning curves: the loss, each metric, and the learning rate if it changes, over the epochs.

    A loss that spans more than a factor of ten is drawn on a logarithmic scale. The epoch with the lowest validation
    loss is marked in every panel.

    Parameters
    ----------
    history : History, dict of lists, list of dicts or str
        The result of `Trainer.fit`, its columns or its rows, or the text from `History.to_json`.
    ax : matplotlib.axes.Axes, optional
        Axes for the loss only; all panels on a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the history has no finite loss, or its columns differ in length.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.curves({"loss": [0.9, 0.4, 0.2], "validation_loss": [0.8, 0.5, 0.6], "accuracy": [0.6, 0.8, 1]})
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['loss', 'accuracy']
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['training', 'validation', 'best: 0.5 at epoch 2']
    """
    who = "curves"
    columns = _history_columns(who, history)
    epochs = columns.get("epoch", np.arange(1, len(columns["loss"]) + 1))
    metrics = dict.fromkeys(name.removeprefix("validation_") for name in columns)
    names = ["loss", *(name for name in metrics if name not in NOT_METRICS)]
    rate = columns.get("learning_rate", epochs[:1])
    heights = [3.0] * len(names) + [1.0] * bool(np.nanmin(rate) < np.nanmax(rate))
    if ax is None:
        figure = new_figure(who, (6.4, 0.75 + 0.8 * sum(heights)))
        panels = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    else:
        figure, ax = canvas(who, ax, (0, 0))
        names, panels = ["loss"], np.array([ax])
    best = _best_epoch(columns.get("validation_loss"))
    for name, panel in zip(names, panels, strict=False):
        _curve_panel(panel, name, epochs, columns, best)
    if len(panels) > len(names):
        _rate_panel(panels[-1], epochs, rate)
    panels[-1].set_xlabel("epoch")
    panels[-1].locator_params(axis="x", integer=True, min_n_ticks=1)
    figure.align_ylabels(panels)
    return figure


def learning_rates(test: Any, ax: Axes | None = None) -> Figure:
    """Draw the result of :func:`~chainrule.learning_rate_range_test`: the loss by learning rate, and the suggestion.

    Parameters
    ----------
    test : RateTest
        The result of `learning_rate_range_test`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> trainer = cr.Trainer(cr.MLP([1, 8, 1], rng=0), "squared_error", "adam")
    >>> figure = cr.plots.learning_rates(cr.learning_rate_range_test(trainer, x, x**2))
    >>> figure.axes[0].get_xscale(), figure.axes[0].get_xlabel()
    ('log', 'learning rate')
    """
    figure, ax = canvas("learning_rates", ax, (6.4, 3.6))
    ax.plot(test.rates, test.losses, color=GRAY, alpha=0.5, linewidth=0.8, label="of each batch")
    ax.plot(test.rates, test.smoothed, color=BLUE, label="running mean")
    ax.axvline(test.suggestion, color=VERMILION, linestyle="--", label=f"suggested: {test.suggestion:.2g}")
    ax.set_xscale("log")
    ax.set_ylim(top=test.smoothed[0] + (test.smoothed[0] - test.smoothed.min()) + 1e-12)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.legend(frameon=False)
    tidy(ax)
    return figure


def _history_columns(who: str, history: Any) -> dict[str, Array]:
    """Return one float array per name, with NaN for epochs without a number."""
    if isinstance(history, str):
        try:
            history = json.loads(history)
        except json.JSONDecodeError:
            remedy = "pass the text of the file, Path(...).read_text()"
            raise ValueError(sentence(who, "the JSON of a history", repr(history[:40]), remedy)) from None
    rows = history.get("rows") if isinstance(history, Mapping) else getattr(history, "rows", history)
    if rows is not None:
        if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
            got, remedy = type(history).__name__, "pass trainer.history, or a dict of curves"
            if hasattr(history, "loss_curve_"):
                remedy = 'pass {"loss": estimator.loss_curve_}'
            raise TypeError(sentence(who, "a History, a dict of lists or a list of dicts", got, remedy))
        history = {name: [row.get(name) for row in rows] for name in dict.fromkeys(k for row in rows for k in row)}
    columns = {name: as_numeric(who, name, values, np.float64) for name, values in history.items()}
    loss = columns.get("loss", np.empty(0))
    if not np.isfinite(loss).any():
        got = f"{loss.size} epochs of nan or infinity" if loss.size else f"none among {list(columns)}"
        raise ValueError(sentence(who, "a finite loss in at least one epoch", got))
    for name, values in columns.items():
        check_shape(who, f"history[{name!r}]", values, (loss.size,), "record one number per epoch")
    return {name: values for name, values in columns.items() if np.isfinite(values).any()}


def _best_epoch(validation_loss: Array | None) -> int | None:
    if validation_loss is None:
        return None
    return int(np.argmin(np.where(np.isfinite(validation_loss), validation_loss, np.inf)))


def _curve_panel(ax: Axes, name: str, epochs: Array, columns: dict[str, Array], best: int | None) -> None:
    seen = []
    for key, label, colour in ((name, "training", BLUE), (f"validation_{name}", "validation", VERMILION)):
        if key in columns:
            there = np.isfinite(columns[key])
            marker = "o" if there.sum() == 1 else ""
            ax.plot(epochs[there], columns[key][there], color=colour, marker=marker, markersize=4, label=label)
            seen.append(columns[key][there])
    marked = columns.get(f"validation_{name}")
    if best is not None:
        ax.axvline(epochs[best], color=GRAY, linewidth=0.8, linestyle=":", zorder=1)
        if marked is not None and np.isfinite(marked[best]):
            label = f"{'best: ' * (name == 'loss')}{marked[best]:.4g} at epoch {epochs[best]:g}"
            hollow: dict[str, Any] = {"color": VERMILION, "markerfacecolor": ax.get_facecolor(), "markeredgewidth": 1.6}
            ax.plot(epochs[best : best + 1], marked[best : best + 1], "o", markersize=7, label=label, **hollow)
    values = np.concatenate(seen)
    if name == "loss" and values.min() > 0 and values.max() > 10 * values.min():
        _log_scale(ax, values)
    ax.set_ylabel(literal(name.replace("_", " ")))
    ax.legend(frameon=False)
    tidy(ax)


def _log_scale(ax: Axes, values: Array) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    subs = (1.0, 2.0, 5.0) if values.max() < 1e3 * values.min() else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def _rate_panel(ax: Axes, epochs: Array, rate: Array) -> None:
    ax.plot(epochs, rate, color=GRAY)
    ax.set_ylabel("learning\nrate")
    ax.set_ylim(bottom=0)
    ax.locator_params(axis="y", nbins=2)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    tidy(ax)


GREEN, ORANGE, BLACK = PALETTE[2], PALETTE[4], PALETTE[6]
LONGEST_NAME, LONGEST_LINE = 32, 130  # characters
# --- diagnosis ------------------------------------------------------------------------------------------------------

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
