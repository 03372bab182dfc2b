"""The tables of the README from a file that ``python -m benchmarks --out`` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import machine
from .report import (
    BEST,
    COMPILED,
    EAGER,
    NAMES,
    averages,
    best_peer,
    duration,
    kilobytes,
    machine_line,
    megabytes,
    overhead,
    spread,
    times,
    with_best,
    won,
)
from .tabular import summary

COLUMNS = ("floor", BEST, EAGER, COMPILED, "jax_scan", "onnx_runtime", "scikit_learn")


def render(*files: Mapping[str, Any]) -> str:
    """All that a file holds, a table for each kind of figure; of several files the same kinds side by side."""
    made = [parts(facts) for facts in files]
    names = [machine.name(facts["machine"]) for facts in files]
    if len(set(names)) < len(names):
        names = [f"{name}, {facts['date']}" for name, facts in zip(names, files, strict=True)]
    kinds = {kind: None for each in made for kind in each}
    texts = [
        beside([(name, each[kind]) for name, each in zip(names, made, strict=True) if kind in each]) for kind in kinds
    ]
    return "\n\n".join([*texts, *(f"{facts['date']}, {machine_line(facts['machine'])}." for facts in files)])


def parts(facts: Mapping[str, Any]) -> dict[str, str]:
    """The tables of a file, by the kind of their figures."""
    found = {}
    if facts.get("step"):
        shown = (key for key in COLUMNS if key not in (EAGER, COMPILED))
        found["step"] = table("training step", facts["step"], shown)
    if facts.get("conditions"):
        found["conditions"] = condition_table(facts["conditions"])
    if facts.get("predict"):
        found["predict"] = table("prediction", facts["predict"], (key for key in COLUMNS if key != BEST))
    if facts.get("latency"):
        found["latency"] = latency_table(facts["latency"])
    if facts.get("estimators"):
        found["estimators"] = fit_table(facts["estimators"])
    if facts.get("tables"):
        found["tables"] = summary.means_table(summary.summary(facts["tables"]))
        found["errors"] = summary.errors_table(facts["tables"])
    small = [lines for name, make in SMALL.items() if facts.get(name) for lines in make(facts[name])]
    if small:
        found["small"] = "\n".join(["| | chainrule | others |", "|---|---|---|", *small])
    return found


def beside(named: Sequence[tuple[str, str]]) -> str:
    """Tables of one kind as one, joined by their first columns; each heading says whose column it is."""
    if len(named) == 1:
        return named[0][1]
    heads = [""]
    lines: dict[str, list[str]] = {}
    for name, text in named:
        first, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines())
        before, heads[0] = len(heads), first[0]
        heads += [f"{head}, {name}".removeprefix(", ") for head in first[1:]]
        for label, *cells in rows:
            line = lines.setdefault(label, ["–"] * (before - 1))
            line += cells
        for line in lines.values():
            line += ["–"] * (len(heads) - 1 - len(line))
    made = [f"| {' | '.join([label, *cells])} |" for label, cells in lines.items()]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *made])


def table(title: str, rows: list[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """A line for each row; of each peer the median ratio, and of the floor how much longer we take."""
    shown = [key for key in columns if any(key in with_best(row) for row in rows)]
    heads = ["times the products" if key == "floor" else NAMES[key] for key in shown]
    is_prediction = title == "prediction"
    heads += ["best peer"] * is_prediction
    lines = [
        f"| {' | '.join([title, 'ours', *heads])} |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for row in rows:
        peers = with_best(row)
        cells = [cell(key, peers[key]) if key in peers else "–" for key in shown]
        cells += [best_cell(row)] * is_prediction
        lines.append(f"| {' | '.join([written(row['row']), duration(row['seconds']), *cells])} |")
    if title == "training step":
        for over, means in averages(rows):
            cells = [f"**{means[key][0]:.2f}×**" if key in means else "–" for key in shown]
            lines.append(f"| {' | '.join([f'**geometric mean of {over}**', '', *cells])} |")
    return "\n".join(lines)


def condition_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each row and condition: our time, how many times the quiet one it is, and the others' like that."""
    shown = [key for key in ("one_thread", BEST, "jax_scan") if any(key in with_best(row) for row in rows)]
    heads = ["training step", "ours", "times quiet", *(NAMES[key] for key in shown)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        peers, quiet = with_best(row), row.get("against_quiet", {}).get("ours")
        cells = ["–" if quiet is None else cell("", quiet)]
        cells += [cell(key, peers[key]) if key in peers else "–" for key in shown]
        label = f"{written(row['row'])}, {row['condition']}"
        lines.append(f"| {' | '.join([label, duration(row['seconds']), *cells])} |")
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


def best_cell(row: Mapping[str, Any]) -> str:
    """``ONNX Runtime 1.20×, 9 of 9 rounds``: the best of the others."""
    best = best_peer(row)
    if best is None:
        return "–"
    rounds = f", {won(best[1])} rounds" if "rounds" in best[1] else ""
    return f"{NAMES[best[0]]} {best[1]['ratio']:.2f}×{rounds}"


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
