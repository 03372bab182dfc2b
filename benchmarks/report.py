"""The figures as lines on the terminal while they come."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .grid import GRID
from .machine import restricted
from .peers import FLOOR, PEERS

Measured = Mapping[str, Any]  # one row of the file
BEST, EAGER, COMPILED = "pytorch_best", "pytorch", "pytorch_compile"
BELOW = (FLOOR.key, "numpy")  # of these we are a multiple; the others are a multiple of ours
NAMES = {key: peer.name for key, peer in PEERS.items()} | {
    BEST: "PyTorch's best",
    "numpy": "NumPy",
    "one_thread": "ours, one thread",
    "ours": "chainrule",
}


def with_best(row: Measured) -> dict[str, Measured]:
    """The row's peers, and as one more the faster of the ways to run PyTorch that ran."""
    peers: dict[str, Measured] = dict(row["peers"])
    ways = [peers[key] for key in (EAGER, COMPILED) if key in peers]
    if ways:
        peers[BEST] = min(ways, key=lambda way: float(way["ratio"]))
    return peers


def best_peer(row: Measured) -> tuple[str, Measured] | None:
    """The fastest of the others, and its key."""
    others = {key: peer for key, peer in row["peers"].items() if key not in BELOW}
    return min(others.items(), key=lambda each: float(each[1]["ratio"])) if others else None


def won(peer: Measured) -> str:
    """``9 of 9``: in how many rounds we were faster."""
    rounds = peer["rounds"]
    faster = sum(theirs > ours for ours, theirs in zip(rounds["ours"], rounds["theirs"], strict=True))
    return f"{faster} of {len(rounds['ours'])}"


def times(key: str, peer: Measured) -> tuple[float, float, float]:
    """Median, least and greatest of theirs by ours; of ours by the floor's."""
    ratios = peer["ratio"], peer["min"], peer["max"]
    return (1 / ratios[0], 1 / ratios[2], 1 / ratios[1]) if key in BELOW else ratios


def geometric_means(rows: Iterable[Measured], names: Collection[str]) -> dict[str, tuple[float, int]]:
    """For each peer the geometric mean over those of these rows that it ran, and how many they are."""
    logs: dict[str, list[float]] = {}
    for row in rows:
        if row["row"] in names:
            for key, peer in with_best(row).items():
                logs.setdefault(key, []).append(math.log(times(key, peer)[0]))
    return {key: (math.exp(sum(values) / len(values)), len(values)) for key, values in logs.items()}


def averages(rows: list[Measured]) -> list[tuple[str, dict[str, tuple[float, int]]]]:
    """The geometric means over the grid, and over all rows if others were measured."""
    grid = {row.name for row in GRID}
    measured = {row["row"] for row in rows}
    over = [("the grid", grid & measured), ("all rows", measured if measured - grid else set())]
    return [(title, geometric_means(rows, names)) for title, names in over if names]


def row_lines(row: Measured, unit: str) -> str:
    """A row as it is printed when it has been measured."""
    lines = [f"{row['row']}: {duration(row['seconds'])} {unit}"]
    for key, peer in row["peers"].items():
        middle, least, most = times(key, peer)
        more = "  (ours by theirs)" if key in BELOW else ""
        spread = f"({least:.2f} to {most:.2f})"
        lines.append(f"    {NAMES[key]:<20}{middle:7.2f}×  {spread:<18} {duration(peer['seconds'])}{more}")
    lines += [f"    {NAMES[key]:<20}      –   {reason}" for key, reason in row["left_out"].items()]
    return "\n".join(lines)


def prediction_lines(row: Measured) -> str:
    """A row of the predictions, and how we do against the fastest of the others."""
    lines, best = [row_lines(row, "a prediction")], best_peer(row)
    if best is not None:
        lines.append(f"    faster than the best peer, {NAMES[best[0]]}, in {won(best[1])} rounds")
    return "\n".join(lines)


def condition_lines(found: Measured) -> str:
    """A row under a condition, and each side against its own quiet figure."""
    lines = [row_lines({**found, "row": f"{found['row']}, {found['condition']}"}, "a step")]
    for key, against in found.get("against_quiet", {}).items():
        middle, least, most = (against[name] for name in ("ratio", "min", "max"))
        lines.append(f"    {NAMES[key]:<20}{middle:7.2f}×  of its quiet figure ({least:.2f} to {most:.2f})")
    return "\n".join(lines)


def mean_lines(rows: list[Measured]) -> str:
    """The geometric means, and of how many rows each is."""
    return "\n".join(
        f"geometric mean over {title}: "
        + ", ".join(f"{NAMES[key]} {mean:.2f}× ({count})" for key, (mean, count) in means.items())
        for title, means in averages(rows)
    )


def fit_lines(row: Measured) -> str:
    """A row of the estimators: the time, and the scores on the test rows."""
    lines = [row_lines(row, "a fit")]
    if row["peers"]:
        ours, theirs = (spread(row["scores"][side]) for side in ("ours", "theirs"))
        lines.append(f"    test {row['score']} {ours}, theirs {theirs}")
    return "\n".join(lines)


def table_line(fit: Measured) -> str:
    """A fit of a table as it is printed when it is done."""
    about = f"{fit['table']}, split {fit['split']}, {fit['learner']}"
    if "left_out" in fit:
        return f"{about}: – {fit['left_out']}"
    more = f", log-loss {fit['log_loss']:.4f}" if "log_loss" in fit else ""
    taken = f"fit {duration(fit['fit_seconds'])}, prediction {duration(fit['predict_seconds'])}"
    grown = megabytes(fit["memory"] - fit["memory_before"])
    return f"{about}: error {fit['error']:.4f}{more}; {taken}, {grown} more for {megabytes(fit['data'])} of data"


def spread(scores: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{statistics.mean(scores):.4f}" + (f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else "")


def size_lines(sizes: Mapping[str, int]) -> str:
    """Megabytes on disk."""
    parts = [f"{NAMES[key]} {megabytes(size)}" for key, size in sizes.items() if key != "wheel"]
    return f"installed size: {', '.join(parts)}; our wheel {megabytes(sizes['wheel'])}"


def memory_lines(peaks: Mapping[str, int]) -> str:
    """Megabytes of memory."""
    return "peak memory of a small training: " + ", ".join(f"{NAMES[key]} {megabytes(p)}" for key, p in peaks.items())


def mnist_lines(found: Mapping[str, Any]) -> str:
    """Seconds to the target."""
    lines = [f"MNIST to {100 * found['target']:.2f} %: {found['recipe']}"]
    for key, side in found["sides"].items():
        reached = ["–" if seconds is None else f"{seconds:.1f}" for seconds in side["reached"]]
        median = "not reached" if side["median"] is None else f"{side['median']:.1f} s"
        lines.append(f"    {NAMES[key]:<20}{median:>12}  (seeds: {', '.join(reached)})")
    return "\n".join(lines)


def overhead_line(found: Measured) -> str:
    """Of an epoch, in percent."""
    return f"{found['row']}: {duration(found['our_seconds'])} an epoch; {found['watched']}: {overhead(found)}"


def overhead(found: Measured) -> str:
    """``+1.2 % (0.8 to 2.0)``."""
    middle, least, most = (100 * (found[name] - 1) for name in ("ratio", "min", "max"))
    return f"{middle:+.1f} % ({least:+.1f} to {most:+.1f})"


def machine_line(facts: Mapping[str, Any]) -> str:
    """The machine and the versions in one paragraph."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    held = ", ".join(f"{name}={value}" for name, value in facts["environment"].items()) or "no environment set"
    return (
        f"{facts['processor']}, {facts['cores']} cores, {' '.join(facts['flags'])}; {facts['system']}, "
        f"Python {facts['python']}, chainrule {facts['chainrule']} with {facts['kernels']} kernels, {packages}; "
        f"{'; '.join(facts['blas'])}; " + ("RESTRICTED by " if restricted(facts) else "") + held
    )


def duration(seconds: float | None) -> str:
    """Three figures, in the unit that fits."""
    if seconds is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e6 * seconds:.3g} µs"


def megabytes(size: int) -> str:
    """In 10⁶ bytes."""
    return f"{size / 1e6:.3g} MB"


def kilobytes(size: int) -> str:
    """In 10³ bytes."""
    return f"{size / 1e3:,.0f} kB"
