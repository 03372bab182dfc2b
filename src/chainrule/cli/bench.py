"""Compare our speed on this machine with that of the other libraries that are installed.

Ours and theirs run in turn; each figure is a median of paired ratios with the least and the greatest, and above 1 we
are faster. ROW is the name of a row, grid, variants or all.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path
from typing import Any

from .._checks import check_integer, check_name, check_number
from ..bench import machine, report, step
from ..bench.grid import choose
from ..bench.peers import INSTALL, PEERS, Peer
from ..bench.timing import Pace

EXAMPLE = "chainrule bench --rows 784-128-10x32 --rounds 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule bench``."""
    parser.add_argument("--rows", metavar="ROW,...", default="all", help="rows to measure (default: %(default)s)")
    parser.add_argument("--peers", metavar="PEER,...", help=f"of {', '.join(PEERS)} (default: those installed)")
    parser.add_argument("--rounds", metavar="N", type=int, default=9, help="paired rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", metavar="S", type=float, default=0.2, help="of each side in a round (default: %(default)s)"
    )
    parser.add_argument("--out", metavar="PATH", type=Path, help="write the figures as JSON: a file, or a folder")


def run(args: argparse.Namespace) -> int:
    """Print the tables as they come."""
    pace = Pace(
        check_integer("bench", "--rounds", args.rounds), check_number("bench", "--seconds", args.seconds, above=0)
    )
    rows, peers = choose(args.rows.split(",")), chosen_peers(args.peers)
    facts: dict[str, Any] = {"machine": machine.describe(), "date": f"{datetime.date.today()}", "step": []}
    print(report.machine_line(facts["machine"]), flush=True)
    for row in rows:
        facts["step"].append(step.measure(row, peers, pace))
        print(report.row_lines(facts["step"][-1]), flush=True)
        write(args.out, facts)
    print(report.mean_lines(facts["step"]))
    return 0


def chosen_peers(names: str | None) -> list[Peer]:
    """The peers by name, or all; one that is not installed is left out with a line."""
    wanted = PEERS if names is None else map(str.strip, names.split(","))
    keys = [check_name("bench", "a peer", name, PEERS) for name in wanted]
    for key in keys:
        if not PEERS[key].installed:
            print(f"{PEERS[key].name} is not installed and is left out: {INSTALL}", file=sys.stderr)
    return [PEERS[key] for key in keys if PEERS[key].installed]


def write(out: Path | None, facts: dict[str, Any]) -> None:
    """The figures so far, so that an interrupted run keeps them."""
    if out is None:
        return
    path = out / f"{machine.slug(facts['machine'])}-{facts['date']}.json" if out.suffix != ".json" else out
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
