"""Compare our speed on this machine with that of the other libraries that are installed.

Ours and theirs run in turn; each figure is a median of paired ratios with the minimum and the maximum, and above 1 we
are faster. SECTION is step (a training step), conditions (a step after a pause, beside a busy process, and after 10,000
others), predict, latency (one row through exported files, in ONNX Runtime and in
C), import, size, memory, overhead (what callbacks add to an epoch), mnist (the time to 98.42 %), estimators (a fit of
MLPClassifier and MLPRegressor, on the digits and the data sets that the folder CHAINRULE_DATA holds) or tables (error
against fit time on the tables of that folder, for boosted trees, networks and our presets); without one it is all but
the last three, which take minutes to hours.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chainrule._support.checks import check_integer, check_name, check_number

from . import (
    conditions,
    estimators,
    footprint,
    latency,
    machine,
    markdown,
    mnist,
    overhead,
    predict,
    report,
    step,
    tables,
)
from .grid import choose
from .peers import INSTALL, PEERS, Peer
from .tabular import sets, summary
from .timing import Pace

EXAMPLE = "python -m benchmarks step --rows 784-128-10x32 --rounds 5"
BUSY = 0.3  # load for each core, above which figures say more about the others who use the machine


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sections that the arguments name; an argument that is wrong ends it with one sentence."""
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        return run(args)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def make_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m benchmarks``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"example: {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", metavar="SECTION", nargs="*", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument(
        "--rows",
        metavar="ROW,...",
        help="for step and conditions: names such as 784-32-10x32, grid, widths, variants, all "
        "(default: all; for conditions, six of them)",
    )
    parser.add_argument("--peers", metavar="PEER,...", help=f"of {', '.join(PEERS)} (default: those installed)")
    parser.add_argument("--rounds", metavar="N", type=int, default=9, help="paired rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", metavar="S", type=float, default=0.2, help="of each side in a round (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds", metavar="N", type=int, default=5, help="for mnist and estimators (default: %(default)s)"
    )
    parser.add_argument("--out", metavar="PATH", type=Path, help="write the figures: a .json file, or a folder for it")
    parser.add_argument(
        "--markdown",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="print such a file as tables, or files of several processors side by side, and measure nothing",
    )
    add_tables(parser.add_argument_group("for tables"))
    return parser


def add_tables(group: argparse._ArgumentGroup) -> None:
    """Which fits of which tables."""
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--learners",
        metavar="L,...",
        help="such as catboost, chainrule+preset=fast; +name=value is a parameter; all are in tabular/learners.py",
    )
    which.add_argument("--ablate", action="store_true", help="ours, and ours without each part of its recipe")
    which.add_argument("--faithful", action="store_true", help="RealMLP-TD by its author, and as published by ours")
    group.add_argument(
        "--tables", metavar="T,...", help=f"of {', '.join((*sets.TABLES, *sets.MADE))} (default: those in the folder)"
    )
    group.add_argument(
        "--splits",
        metavar="N,...",
        default="0,1,2",
        help="numbers of splits (default: %(default)s; 3 and above are for choosing defaults)",
    )
    group.add_argument(
        "--train-rows", metavar="N", type=int, default=sets.TRAIN_ROWS, help="rows to learn from (default: %(default)s)"
    )
    group.add_argument(
        "--cap", metavar="S", type=float, default=tables.CAP, help="most seconds of a fit (default: %(default)s)"
    )
    group.add_argument(
        "--fits", metavar="FOLDER", type=Path, default=tables.FITS, help="where each fit is kept (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the figures as they come, and keep them in the file."""
    if args.markdown is not None:
        print(markdown.render(*(json.loads(path.read_text(encoding="utf-8")) for path in args.markdown)))
        return 0
    args.pace = Pace(
        check_integer("bench", "--rounds", args.rounds), check_number("bench", "--seconds", args.seconds, above=0)
    )
    args.chosen = None if args.rows is None else choose(args.rows.split(","))
    check_integer("bench", "--seeds", args.seeds)
    sections = [check_name("bench", "a section", name, SECTIONS) for name in args.sections or DEFAULT]
    args.peers = chosen_peers(args.peers)
    facts: dict[str, Any] = {"machine": machine.describe(), "date": f"{datetime.date.today()}"}
    print(report.machine_line(facts["machine"]), flush=True)
    if (facts["machine"]["load"] or [0])[0] > BUSY * facts["machine"]["cores"]:
        print("note: other programs keep this machine busy; figures of a quiet one will differ", file=sys.stderr)
    for name in sections:
        for lines in SECTIONS[name](args, facts):
            print(lines, flush=True)
            write(args, facts)
    return 0


def steps(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """A training step of each row."""
    facts["step"] = []
    peers = [peer for peer in args.peers if peer.trains]
    for row in args.chosen or choose(["all"]):
        facts["step"].append(step.measure(row, peers, args.pace))
        yield report.row_lines(facts["step"][-1], "a step")
    yield report.mean_lines(facts["step"])


def as_users_live(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """A training step under each condition."""
    facts["conditions"] = []
    for row in args.chosen or conditions.DEFAULT:
        for found in conditions.measure(row, args.peers, args.pace):
            facts["conditions"].append(found)
            yield report.condition_lines(found)


def predictions(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """A prediction of one row and of many."""
    facts["predict"] = []
    for count in predict.COUNTS:
        facts["predict"].append(predict.measure(count, args.peers, args.pace))
        yield report.prediction_lines(facts["predict"][-1])


def latencies(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """One row, here and where exported files run."""
    facts["latency"] = latency.measure(args.pace)
    yield markdown.latency_table(facts["latency"])


def imports(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """The time of an import."""
    facts["import"] = footprint.measure_import(args.pace.rounds)
    yield report.row_lines(facts["import"], "in a new process")


def sizes(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """The size on disk."""
    facts["size"] = footprint.measure_size()
    yield report.size_lines(facts["size"])


def memory(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """The peak of a process that trains."""
    facts["memory"] = footprint.measure_memory(args.peers)
    yield report.memory_lines(facts["memory"])


def callbacks(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """What callbacks add to an epoch."""
    facts["overhead"] = overhead.measure(args.pace.rounds)
    yield report.overhead_line(facts["overhead"])


def digits(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """The time to a good network."""
    facts["mnist"] = mnist.measure(range(args.seeds))
    yield report.mnist_lines(facts["mnist"])


def fits(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """A fit of each data set with each network."""
    facts["estimators"] = []
    for name in estimators.DATA:
        chosen = list(estimators.tasks(name))
        if not chosen:
            yield f"{name} is left out: it is not in the folder that CHAINRULE_DATA names"
        for task in chosen:
            facts["estimators"].append(estimators.measure(task, range(args.seeds)))
            yield report.fit_lines(facts["estimators"][-1])
    yield report.mean_lines(facts["estimators"])


def open_tables(args: argparse.Namespace, facts: dict[str, Any]) -> Iterator[str]:
    """A fit of each learner on each split of each table, and what they say together."""
    plan = tables.make_plan(args)
    facts["machine"]["versions"] |= {each.library.package: each.version for each in plan.learners}
    facts["tables"] = []
    for fit in tables.measure(plan):
        facts["tables"].append(fit)
        yield report.table_line(fit)
    yield summary.markdown(facts["tables"])
    if args.out is not None:
        picture = out_path(args, facts).with_suffix(".svg")
        summary.draw(facts["tables"], picture)
        yield f"the curve is in {picture}"


SECTIONS: dict[str, Callable[[argparse.Namespace, dict[str, Any]], Iterator[str]]] = {
    "step": steps,
    "conditions": as_users_live,
    "predict": predictions,
    "latency": latencies,
    "import": imports,
    "size": sizes,
    "memory": memory,
    "overhead": callbacks,
    "mnist": digits,
    "estimators": fits,
    "tables": open_tables,
}
LONG = ("mnist", "estimators", "tables")
DEFAULT = [name for name in SECTIONS if name not in LONG]


def chosen_peers(names: str | None) -> list[Peer]:
    """The peers by name, or all; one that is not installed is left out with a line."""
    wanted = PEERS if names is None else map(str.strip, names.split(","))
    keys = [check_name("bench", "a peer", name, PEERS) for name in wanted]
    for key in keys:
        if not PEERS[key].installed:
            print(f"{PEERS[key].name} is not installed and is left out: {INSTALL}", file=sys.stderr)
    return [PEERS[key] for key in keys if PEERS[key].installed]


def out_path(args: argparse.Namespace, facts: dict[str, Any]) -> Path:
    """The file of ``--out``: in a folder, one named after the sections that were named, the machine and the day."""
    out: Path = args.out
    if out.suffix == ".json":
        return out
    words = [
        *args.sections,
        *["ablation"] * args.ablate,
        *["faithful"] * args.faithful,
        machine.slug(facts["machine"]),
        facts["date"],
    ]
    return out / f"{'-'.join(words)}.json"


def write(args: argparse.Namespace, facts: dict[str, Any]) -> None:
    """The figures so far, so that an interrupted run keeps them."""
    if args.out is not None:
        path = out_path(args, facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
