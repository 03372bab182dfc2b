"""Several ranks of one thread each against one such rank: ``mpiexec -n 2 python -m benchmarks.ranks``.

Both train the same network on the same batches, in turn, in the same processes; the other ranks sleep while one trains
alone. Each rank has a processor of its own, where there are enough.
"""

from __future__ import annotations

import os
import statistics
import sys

os.environ["CHAINRULE_NUM_THREADS"] = "1"  # before anything imports chainrule

import numpy as np

import chainrule as cr
from chainrule.distributed import MPI, Serial

CASES = [((784, 1024, 1024, 10), 1024), ((784, 512, 256, 10), 512)]  # widths, and rows of a batch
ROUNDS, STEPS = 15, 12


def main() -> int:
    """Print a line for each case: the medians of both, and of their paired ratios."""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    communicator = MPI()
    if len(mine) >= communicator.size:
        os.sched_setaffinity(0, {mine[communicator.rank]})
    for widths, batch in CASES:
        alone, together = [], []
        for _ in range(ROUNDS):
            alone.append(seconds_of_step(widths, batch, Serial()) if communicator.rank == 0 else 1.0)
            communicator.allgather(None)
            together.append(seconds_of_step(widths, batch, communicator))
        if communicator.rank == 0:
            ratio = statistics.median(a / b for a, b in zip(alone, together, strict=True))
            times = f"{1e3 * statistics.median(alone):.2f} ms, {1e3 * statistics.median(together):.2f} ms"
            name = f"{'-'.join(map(str, widths))}, batch {batch}"
            print(f"{name}: 1 rank and {communicator.size} ranks {times}: {ratio:.2f} times as fast", flush=True)
    return 0


def seconds_of_step(widths: tuple[int, ...], batch: int, communicator: Serial) -> float:
    """Train some steps, and return how long one lasts; the first epoch is left out."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2 * batch, widths[0]), np.float32)
    y = rng.integers(0, widths[-1], len(x))
    trainer = cr.Trainer(cr.MLP(widths, rng=0), "cross_entropy", "adam", batch_size=batch, communicator=communicator)
    trainer.metrics = {"rows": lambda y, z, weight: 0.0}  # so that each epoch is timed by itself
    history = trainer.fit(x, y, epochs=1 + STEPS // 2, verbose=0)
    return float(np.mean(history["seconds"][1:])) / 2


if __name__ == "__main__":
    sys.exit(main())
