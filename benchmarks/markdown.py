"""The tables of the README from a file that ``python -m benchmarks --out`` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .report import (
    BEST,
    COMPILED,
    EAGER,
    NAMES,
    averages,
    duration,
    kilobytes,
    machine_line,
    megabytes,
    overhead,
    spread,
    times,
    with_best,
)
from .tabular import summary

COLUMNS = ("floor", BEST, EAGER, COMPILED, "jax_scan", "onnx_runtime", "scikit_learn")


def render(facts: Mapping[str, Any]) -> str:
    """All that the file holds, a table for each kind of figure."""
    parts = []
    if facts.get("step"):
        parts.append(table("training step", facts["step"], (key for key in COLUMNS if key not in (EAGER, COMPILED))))
    if facts.get("predict"):
        parts.append(table("prediction", facts["predict"], (key for key in COLUMNS if key != BEST)))
    if facts.get("latency"):
        parts.append(latency_table(facts["latency"]))
    if facts.get("estimators"):
        parts.append(fit_table(facts["estimators"]))
    if facts.get("tables"):
        parts.append(summary.markdown(facts["tables"]))
    small = [lines for name, make in SMALL.items() if facts.get(name) for lines in make(facts[name])]
    if small:
        parts.append("\n".join(["| | chainrule | others |", "|---|---|---|", *small]))
    parts.append(f"{facts['date']}, {machine_line(facts['machine'])}.")
    return "\n\n".join(parts)


def table(title: str, rows: list[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """A line for each row; of each peer the median ratio, and of the floor how much longer we take."""
    shown = [key for key in columns if any(key in with_best(row) for row in rows)]
    heads = ["times the products" if key == "floor" else NAMES[key] for key in shown]
    lines = [
        f"| {' | '.join([title, 'ours', *heads])} |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for row in rows:
        peers = with_best(row)
        cells = [cell(key, peers[key]) if key in peers else "–" for key in shown]
        lines.append(f"| {' | '.join([written(row['row']), duration(row['seconds']), *cells])} |")
    if title == "training step":
        for over, means in averages(rows):
            cells = [f"**{means[key][0]:.2f}×**" if key in means else "–" for key in shown]
            lines.append(f"| {' | '.join([f'**geometric mean of {over}**', '', *cells])} |")
    return "\n".join(lines)


def latency_table(found: Mapping[str, Any]) -> str:
    """A line for each that answers a row: its time, how many of ours that is, sizes, and how far off it is."""
    heads = [f"one row through {found['row']}", "time", "times ours", "file", "program", "largest difference"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, way in found["peers"].items():
        program = "" if way["program"] is None else kilobytes(way["program"])
        cells = [duration(way["seconds"]), cell(name, way), kilobytes(way["file"]), program, f"{way['difference']:.1g}"]
        lines.append(f"| {' | '.join([name, *cells])} |")
    lines += [f"| {name} | – | {reason} | | | |" for name, reason in found["left_out"].items()]
    return "\n".join(lines)


def fit_table(rows: list[Mapping[str, Any]]) -> str:
    """A line for each row that both fitted: seconds, the paired ratio, and the scores on the test rows."""
    key = "scikit_learn"
    lines = ["| fit | ours | scikit-learn | times | test score, ours | scikit-learn |", "|---" * 6 + "|"]
    for row in (row for row in rows if key in row["peers"]):
        peer, scores = row["peers"][key], row["scores"]
        cells = [written(row["row"]), duration(row["seconds"]), duration(peer["seconds"]), cell(key, peer)]
        cells += [f"{row['score']} {spread(scores['ours'])}", spread(scores["theirs"])]
        lines.append(f"| {' | '.join(cells)} |")
    for over, means in averages(rows):
        lines.append(f"| **geometric mean of {over}** |  |  | **{means[key][0]:.2f}×** |  |  |")
    return "\n".join(lines)


def written(row: str) -> str:
    """``784-512-256-10 × 128, dropout`` of ``784-512-256-10x128+dropout``."""
    return re.sub(r"(\d)x(\d)", r"\1 × \2", row).replace("+", ", ")


def cell(key: str, peer: Mapping[str, Any]) -> str:
    """The median ratio with the minimum and the maximum."""
    middle, least, most = times(key, peer)
    return f"{middle:.2f}× ({least:.2f}–{most:.2f})"


def import_lines(row: Mapping[str, Any]) -> list[str]:
    """``import chainrule``."""
    others = [f"{NAMES[key]} {duration(peer['seconds'])}" for key, peer in row["peers"].items()]
    by = f" ({times('numpy', row['peers']['numpy'])[0]:.2f}× NumPy)" if "numpy" in row["peers"] else ""
    return [f"| import | {duration(row['seconds'])}{by} | {', '.join(others)} |"]


def size_lines(sizes: Mapping[str, int]) -> list[str]:
    """On disk."""
    others = [f"{NAMES[key]} {megabytes(size)}" for key, size in sizes.items() if key not in ("ours", "wheel")]
    return [f"| installed | {megabytes(sizes['ours'])}, wheel {megabytes(sizes['wheel'])} | {', '.join(others)} |"]


def memory_lines(peaks: Mapping[str, int]) -> list[str]:
    """At the peak of a small training."""
    others = [f"{NAMES[key]} {megabytes(size)}" for key, size in peaks.items() if key != "ours"]
    return [f"| peak memory | {megabytes(peaks['ours'])} | {', '.join(others)} |"]


def mnist_lines(found: Mapping[str, Any]) -> list[str]:
    """To the target."""
    medians = {
        key: "not reached" if side["median"] is None else duration(side["median"])
        for key, side in found["sides"].items()
    }
    others = [f"{NAMES[key]} {median}" for key, median in medians.items() if key != "ours"]
    return [f"| MNIST to {100 * found['target']:.2f} % | {medians['ours']} | {', '.join(others)} |"]


def overhead_lines(found: Mapping[str, Any]) -> list[str]:
    """Of an epoch."""
    return [f"| {found['watched']} ({written(found['row'])}) | {overhead(found)} of an epoch | |"]


SMALL = {
    "import": import_lines,
    "size": size_lines,
    "memory": memory_lines,
    "mnist": mnist_lines,
    "overhead": overhead_lines,
}
