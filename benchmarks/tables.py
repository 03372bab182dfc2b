"""Error against fit time on open tables: every learner with its defaults, each fit alone on the machine, and kept.

A fit runs in a process of its own with the machine's threads, after a pause, and for no longer than a cap. Its figures
go into a folder, a file for each learner, version, table, split and number of rows: a run that was interrupted, or that
asks for more learners or splits, continues. A fit that failed is tried again; one that took too long is not, unless the
cap is longer now.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from chainrule._support.checks import check_integer, check_name, check_number

from . import machine
from .grid import NotOffered
from .tabular import ablations, learners, sets
from .tabular.learners import OURS, Learner
from .timing import PAUSE

FITS = Path(__file__).parent / "fits"
CAP = 900.0  # seconds
ABLATED = [OURS, *(f"{OURS}+without={part}" for part in ablations.PARTS)]
ABLATED += [f"{OURS}+with={idea}" for idea in ablations.IDEAS]
ABLATED += [f"{OURS}+metric=accuracy", f"{OURS}+early_stopping=false", f"{OURS}+validation_fraction=0"]
#: One network as the paper has it, beside its author's: units, epochs, batches, dropout, labels smoothed, no stop.
PLAN = {"epochs": 256, "n_ensemble": 1, "n_folds": 1, "batch_size": 256, "seed": 0}
AS_PUBLISHED = f"{OURS}+without=doubled-dropout+with=256-units+early_stopping=false+validation_fraction=0.2"
AS_PUBLISHED += f"+classes.metric=accuracy+plan={json.dumps(PLAN)}"
FAITHFUL = ["realmlp-td", AS_PUBLISHED]


@dataclass(frozen=True)
class Plan:
    """Which fits are wanted, and where they are kept."""

    learners: Sequence[Learner]
    tables: Sequence[str]
    splits: Sequence[int]
    rows: int = sets.TRAIN_ROWS
    cap: float = CAP
    folder: Path = FITS

    def path(self, learner: Learner, table: str, split: int) -> Path:
        """The file of a fit."""
        words = learner.name, learner.version, table, str(split), str(self.rows)
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.=+_-]', '_', '--'.join(words))}.json"


def make_plan(args: Any) -> Plan:
    """From the words of the command."""
    held = sets.names()
    if not held:
        raise ValueError("tables expects CHAINRULE_DATA to name the folder of the open tables")
    wanted = learners.DEFAULT if args.learners is None else _split(args.learners)
    wanted = ABLATED if args.ablate else FAITHFUL if args.faithful else wanted
    tables = held if args.tables is None else [t.strip() for t in args.tables.split(",")]
    for table in tables:
        check_name("bench", "a table", table, (*held, *sets.MADE))
    chosen = []
    for name in wanted:
        learner = Learner(name.strip())
        if learner.library.installed:
            chosen.append(learner)
        else:
            print(f"{learner.name} is left out: {learner.library.package} is not installed", file=sys.stderr)
    return Plan(
        chosen,
        tables,
        [int(number) for number in args.splits.split(",")],
        check_integer("bench", "--train-rows", args.train_rows, 50),
        check_number("bench", "--cap", args.cap, above=0),
        args.fits / machine.slug(machine.describe()),
    )


def _split(text: str) -> list[str]:
    """Names between commas, but for those within braces: a parameter may be a JSON object."""
    return re.split(r",(?![^{]*\})", text)


def measure(plan: Plan) -> Iterator[dict[str, Any]]:
    """The figures of each fit as they come: those of a split of a table one after the other, so that they compare."""
    never: dict[Learner, str] = {}
    for split, table, learner in product(plan.splits, plan.tables, plan.learners):
        about = {"learner": learner.name, "version": learner.version, "table": table, "split": split}
        try:
            if learner in never:
                raise NotOffered(never[learner])
            yield about | _kept(plan, learner, table, split)
        except NotOffered as reason:
            never[learner] = str(reason)
            yield about | {"left_out": str(reason)}


def _kept(plan: Plan, learner: Learner, table: str, split: int) -> dict[str, Any]:
    """The figures of a fit, from its file or from a new process; NotOffered if the learner is not known."""
    path = plan.path(learner, table, split)
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.get("cap", plan.cap) >= plan.cap:
            return found
    found = _alone(plan, learner, table, split)
    if "failed" in found:
        return {"left_out": found["failed"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _alone(plan: Plan, learner: Learner, table: str, split: int) -> dict[str, Any]:
    """The figures of a fit in a process of its own."""
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.tabular.fit", learner.name, table, str(split)]
    time.sleep(PAUSE)
    try:
        done = subprocess.run(
            [*words, str(plan.rows)],
            capture_output=True,
            text=True,
            timeout=plan.cap,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return {"left_out": f"not done in {plan.cap:g} s", "cap": plan.cap}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "not_offered" in found:
        raise NotOffered(found["not_offered"])
    return found
