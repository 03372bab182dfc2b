"""What the fits say together: a mean over tables that weighs ratios, ranks, times; tables in Markdown, and the curve.

    error of a learner = exp( mean over tables of log( mean over splits of e + 0.01 ) )

e is the share of wrong classes, or the root mean squared error by the deviation of the test rows' numbers. The shift of
0.01 keeps a table that everyone solves from deciding alone; it is as in Holzmüller, Grinsztajn and Steinwart (2024).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule._support.checks import Array

from ..report import duration
from .learners import OURS

Fits = Sequence[Mapping[str, Any]]
SHIFT = 0.01
METRICS = ("error", "log_loss", "calibration_error")


def shifted_mean(values: Iterable[float]) -> float:
    """The shifted geometric mean."""
    return float(np.exp(np.mean(np.log(np.asarray(list(values)) + SHIFT))))


def summary(fits: Fits) -> list[dict[str, Any]]:
    """A line for each learner, the least error first; only one that did every fit has means."""
    wanted = {(fit["table"], fit["split"]) for fit in fits}
    lines = []
    for name in dict.fromkeys(fit["learner"] for fit in fits):
        if not (done := _done(fits, name)):
            continue
        line = {"learner": name, "fits": len(done), "of": len(wanted)} | _times(done)
        if len(done) == len(wanted):
            line |= {metric: shifted_mean(means.values()) for metric in METRICS if (means := by_table(done, metric))}
        lines.append(line)
    _rank(fits, [line for line in lines if "error" in line])
    return sorted(lines, key=lambda line: (line.get("error", np.inf), line["learner"]))


def by_table(done: Fits, metric: str) -> dict[str, float]:
    """The mean over the splits, for each table that has this metric."""
    found: dict[str, list[float]] = {}
    for fit in done:
        if metric in fit:
            found.setdefault(fit["table"], []).append(fit[metric])
    return {table: statistics.mean(values) for table, values in found.items()}


def _done(fits: Fits, name: str) -> Fits:
    return [fit for fit in fits if fit["learner"] == name and "error" in fit]


def _times(done: Fits) -> dict[str, float]:
    seconds = [fit["fit_seconds"] for fit in done]
    predicted = [1000 * fit["predict_seconds"] / fit["test_rows"] for fit in done]
    return {
        "fit_seconds": statistics.median(seconds),
        "longest": max(seconds),
        "predict_seconds": statistics.median(predicted),
    }


def _rank(fits: Fits, lines: list[dict[str, Any]]) -> None:
    """The mean over the tables of the rank among those that did every fit; equal errors share their ranks."""
    means = [by_table(_done(fits, line["learner"]), "error") for line in lines]
    if not means:
        return
    errors = np.array([[mean[table] for table in means[0]] for mean in means])
    ranks = [0.5 + (errors < each).sum(axis=0) + (errors == each).sum(axis=0) / 2 for each in errors]
    ours = next((row for row, line in zip(errors, lines, strict=True) if line["learner"] == OURS), None)
    for line, rank, row in zip(lines, ranks, errors, strict=True):
        line["rank"] = float(rank.mean())
        if ours is not None and row is not ours:
            line["than_ours"] = _compared(row, ours)


def _compared(errors: Array, ours: Array) -> dict[str, float]:
    """How a part that is taken out changes the mean, and on how many tables it raises the error."""
    return {"change": shifted_mean(errors) / shifted_mean(ours) - 1, "worse": int((errors > ours).sum())}


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(fits: Fits) -> str:
    """Two tables: the learners by their means, and the errors table by table."""
    return f"{means_table(summary(fits))}\n\n{errors_table(fits)}"


def means_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """A line for each learner."""
    compared = any("than_ours" in line for line in lines)
    heads = ["learner", "error", "mean rank", "log-loss", "calibration error", "fit, median", "longest"]
    heads += ["prediction of 1,000 rows", *([f"than {OURS}"] if compared else [])]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for line in lines:
        cells = [written(line["learner"]), *(_number(line.get(name)) for name in ("error", "rank", *METRICS[1:]))]
        if "error" not in line:
            cells[1] = f"{line['fits']} of {line['of']} fits"
        cells += [duration(line.get(name)) for name in ("fit_seconds", "longest", "predict_seconds")]
        if compared:
            than = line.get("than_ours")
            cells.append(f"{100 * than['change']:+.1f} %, worse on {than['worse']}" if than else "")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def errors_table(fits: Fits) -> str:
    """A line for each table; the least error in bold."""
    names = [line["learner"] for line in summary(fits)]
    found = {name: by_table(_done(fits, name), "error") for name in names}
    rows = [f"| error on | {' | '.join(map(written, names))} |", "|---" * (len(names) + 1) + "|"]
    for table in dict.fromkeys(fit["table"] for fit in fits):
        errors = [found[name].get(table) for name in names]
        least = min((error for error in errors if error is not None), default=None)
        cells = [f"**{_number(error)}**" if error == least is not None else _number(error) for error in errors]
        rows.append(f"| {table} | {' | '.join(cells)} |")
    return "\n".join(rows)


def written(learner: str) -> str:
    """``chainrule, preset=fast`` of ``chainrule+preset=fast``."""
    return learner.replace("+", ", ")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if value >= 1 else f"{value:.4f}"


# --- the curve --------------------------------------------------------------------------------------------------------


def draw(fits: Fits, path: Path) -> None:
    """Error against the median fit time; the variants of one learner are joined."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = [line for line in summary(fits) if "error" in line]
    with mpl.rc_context({"svg.hashsalt": OURS, "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot(xscale="log", xlabel="seconds of a fit, median", ylabel="error")
        for key in sorted({line["learner"].split("+")[0] for line in lines}, key=lambda key: key == OURS):
            points = sorted(
                (line["fit_seconds"], line["error"], line["learner"])
                for line in lines
                if line["learner"].split("+")[0] == key
            )
            mine = key == OURS
            x, y, names = zip(*points, strict=True)
            axes.plot(x, y, marker="o", linewidth=2 if mine else 1, color="C3" if mine else "C7")
            for place, name in zip(zip(x, y, strict=True), names, strict=True):
                beside = (0, -14) if mine else (0, 7)
                axes.annotate(written(name), place, beside, textcoords="offset points", fontsize=8, ha="center")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.margins(x=0.15, y=0.1)
        axes.grid(alpha=0.3)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
