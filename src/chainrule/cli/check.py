"""Check every derivative of this installation.

The backward pass of each op, layer and loss is compared with finite differences along random directions, in float64.
The table lists the largest relative errors. The exit code is 1 if any check fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np

from .._support.checks import check_integer
from ..proof.table import TOLERANCE, Proof, proofs

EXAMPLE = "chainrule check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule check``."""
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="seed for the random directions (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table and return the exit code."""
    return report(proofs(), check_integer("check", "--seed", args.seed, minimum=0))


def report(rows: Iterable[Proof], seed: int) -> int:
    """Print one line per proof and a total; return 1 unless all of them passed."""
    total = failed = 0
    print(f"{'':<6}{'name':<36}{'relative error':>14}")
    for proof in rows:
        try:
            error, why = proof.error(np.random.default_rng(seed)), ""
        except (ValueError, TypeError, ArithmeticError) as raised:
            error, why = float("nan"), f": {raised}"
        passed = error <= TOLERANCE  # NaN never passes
        total, failed = total + 1, failed + (not passed)
        print(f"{proof.kind:<6}{proof.name:<36}{error:>14.1e}  {'passed' if passed else 'FAILED' + why}", flush=True)
    print(f"{total - failed} of {total} passed: relative error at most {TOLERANCE:g}, float64, seed {seed}")
    return 1 if failed or not total else 0
