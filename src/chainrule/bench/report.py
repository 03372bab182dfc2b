"""The figures as tables: on the terminal while they come, in Markdown from a file."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .grid import GRID
from .machine import restricted
from .peers import FLOOR, PEERS

Measured = Mapping[str, Any]  # one row of the file
BEST = "pytorch_best"
EAGER, COMPILED = "pytorch", "pytorch_compile"
NAMES = {key: peer.name for key, peer in PEERS.items()} | {BEST: "PyTorch, the better"}


def peers_of(row: Measured) -> dict[str, Measured]:
    """The row's peers, and the faster of the two ways to run PyTorch where both ran."""
    peers: dict[str, Measured] = dict(row["peers"])
    if EAGER in peers and COMPILED in peers:
        peers[BEST] = min((peers[EAGER], peers[COMPILED]), key=lambda peer: float(peer["ratio"]))
    elif EAGER in peers or COMPILED in peers:
        peers[BEST] = peers.get(EAGER) or peers[COMPILED]
    return peers


def times(key: str, peer: Measured) -> tuple[float, float, float]:
    """Median, least and greatest: theirs by ours, but ours by the floor's."""
    ratios = peer["ratio"], peer["min"], peer["max"]
    return (1 / ratios[0], 1 / ratios[2], 1 / ratios[1]) if key == FLOOR.key else ratios


def geometric_means(rows: Iterable[Measured], names: Collection[str]) -> dict[str, tuple[float, int]]:
    """For each peer the geometric mean over those of these rows that it ran, and how many they are."""
    logs: dict[str, list[float]] = {}
    for row in rows:
        if row["row"] in names:
            for key, peer in peers_of(row).items():
                logs.setdefault(key, []).append(math.log(times(key, peer)[0]))
    return {key: (math.exp(sum(values) / len(values)), len(values)) for key, values in logs.items()}


def row_lines(row: Measured) -> str:
    """A row as it is printed when it has been measured."""
    lines = [f"{row['row']}: {milliseconds(row['seconds'])} a step"]
    for key, peer in row["peers"].items():
        middle, least, most = times(key, peer)
        what = "ours by the floor's" if key == FLOOR.key else f"{milliseconds(peer['seconds'])} a step"
        lines.append(f"    {NAMES[key]:<20}{middle:7.2f}×  ({least:.2f} to {most:.2f})  {what}")
    lines += [f"    {NAMES[key]:<20}      –   {reason}" for key, reason in row["left_out"].items()]
    return "\n".join(lines)


def mean_lines(rows: list[Measured]) -> str:
    """The geometric means over the grid and over all rows."""
    lines = []
    grid = {row.name for row in GRID}
    over = [("the grid", grid)] if any(row["row"] in grid for row in rows) else []
    if any(row["row"] not in grid for row in rows):
        over.append(("all rows", {row["row"] for row in rows}))
    for title, names in over:
        for key, (mean, count) in geometric_means(rows, names).items():
            lines.append(f"    {NAMES[key]:<20}{mean:7.2f}×  geometric mean over {title} ({count})")
    return "\n".join(lines)


def machine_line(facts: Mapping[str, Any]) -> str:
    """The machine and the versions in one paragraph."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    held = ", ".join(f"{name}={value}" for name, value in facts["environment"].items()) or "no environment set"
    return (
        f"{facts['processor']}, {facts['cores']} cores, {' '.join(facts['flags'])}; {facts['system']}, "
        f"Python {facts['python']}, chainrule {facts['chainrule']} with {facts['kernels']} kernels, {packages}; "
        f"{'; '.join(facts['blas'])}; " + ("RESTRICTED by " if restricted(facts) else "") + held
    )


def milliseconds(seconds: float) -> str:
    """Three figures that count."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.3g} µs"
    return f"{1e3 * seconds:.3g} ms"
