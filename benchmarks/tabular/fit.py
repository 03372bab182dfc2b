"""One fit in a process of its own: ``python -m benchmarks.tabular.fit LEARNER TABLE SPLIT ROWS`` prints it as JSON."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np

from chainrule._support.checks import Array

from .. import footprint
from ..grid import NotOffered
from .learners import Fitted, Learner
from .sets import Part, load

LEAST = 1e-15  # of a probability, in the log-loss
BINS = 15  # of as many rows each, in the calibration error
WARM_ROWS = 64


def run(name: str, table: str, number: int, rows: int) -> dict[str, Any]:
    """Its figures, as JSON values."""
    split, learner = load(table, number, rows), Learner(name)
    learner.change()
    learner.fit(made_up(split.classes), min(split.classes, 2), 0)  # and all is loaded
    before = footprint.peak()
    start, busy = time.perf_counter(), time.process_time()
    fitted = learner.fit(split.train, split.classes, number)
    fitted_at, busy = time.perf_counter(), time.process_time() - busy
    answers = fitted.answer(split.test.x)
    return {
        "fit_seconds": fitted_at - start,
        "cpu_seconds": busy,
        "predict_seconds": time.perf_counter() - fitted_at,
        "rows": len(split.train.y),
        "test_rows": len(split.test.y),
        "classes": split.classes,
        "data": int(split.train.x.memory_usage(deep=True).sum()),
        "memory_before": before,
        "memory": footprint.peak(),
        **scores(answers, split.test.y, split.classes),
        **said(fitted),
    }


def made_up(classes: int) -> Part:
    """A few rows of a number and a word, to warm up with."""
    import pandas as pd

    number = np.random.default_rng(0).normal(size=WARM_ROWS)
    y = np.arange(WARM_ROWS) % 2 if classes else number**2
    return Part(pd.DataFrame({"number": number, "word": ["oak", "fir", "ash", "yew"] * (WARM_ROWS // 4)}), y)


def scores(answers: Array, y: Array, classes: int) -> dict[str, float]:
    """The share of wrong classes, log-loss and calibration error; or the root mean squared error by the deviation."""
    if not classes:
        return {"error": float(np.sqrt(np.mean((answers - y) ** 2)) / y.std())}
    p = answers / answers.sum(axis=1, keepdims=True)
    log_loss = -np.log(np.maximum(p[np.arange(len(y)), y], LEAST)).mean()
    right, confidence = p.argmax(axis=1) == y, p.max(axis=1)
    parts = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    off = sum(abs(float((right[part] - confidence[part]).sum())) for part in parts) / len(y)
    return {"error": float(1 - right.mean()), "log_loss": float(log_loss), "calibration_error": off}


def said(fitted: Fitted) -> dict[str, Any]:
    """What ours has planned and trained."""
    found = {name: getattr(fitted.estimator, name, None) for name in ("plan_", "n_epochs_", "best_epoch_")}
    return {name: value for name, value in found.items() if value is not None}


def main(argv: list[str]) -> int:
    """Print the figures, or why there are none, as the last line."""
    name, table, number, rows = argv
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        try:
            found = run(name, table, int(number), int(rows))
        except NotOffered as reason:
            found = {"not_offered": str(reason)}
    print(f"\n{json.dumps(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
