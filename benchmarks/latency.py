"""One row through a small network, wherever it runs: our ``predict``, ONNX Runtime, and the C header, compiled."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule._support.checks import Array
from chainrule.model import Sequential
from chainrule.persistence.c.compiled import COMPILERS
from chainrule.persistence.export import export
from chainrule.persistence.native import save

from .grid import NotOffered, Row, make_model
from .timing import MOST_RUNS, PAUSE, Pace, Pairs, figures

NETWORK = Row((784, 128, 10), 1)
ROWS = 100  # one after the other and from the first again, so that no compiler computes an answer only once
OURS = "chainrule"
FLAGS = ("-std=c99", "-O2", "-s")  # -s: the size of the program is without symbols

PROGRAM = """\
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "net.h"

static float x[ROWS][NET_INPUTS], y[ROWS][NET_OUTPUTS];

int main(int argc, char **argv)
{
    long calls = argc > 1 ? strtol(argv[1], NULL, 10) : ROWS;
    struct timespec start, end;
    if (fread(x, sizeof x, 1, stdin) != 1)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long call = 0; call < calls; call++)
        net_predict(x[call % ROWS], y[call % ROWS]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    return fwrite(&seconds, sizeof seconds, 1, stdout) != 1 || fwrite(y, sizeof y, 1, stdout) != 1;
}
"""


@dataclass(frozen=True)
class Contestant:
    """One way to have the answer to a row."""

    outputs: Array  # for the rows, each asked for alone
    seconds: Callable[[int], float]  # of so many calls
    file: int  # bytes of what is shipped
    program: int | None = None  # bytes of the whole program, where there is one


def measure(pace: Pace, network: Row = NETWORK) -> dict[str, Any]:
    """Seconds of a row for each that runs here, in turn; sizes, and the largest difference from the model."""
    model, rows = make_model(network), np.random.default_rng(1).random((ROWS, network.sizes[0]), np.float32)
    ready: dict[str, Contestant] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in CONTESTANTS.items():
            try:
                ready[name] = make(model, rows, Path(folder))
            except (NotOffered, ModuleNotFoundError) as reason:
                left_out[name] = str(reason)
        found = figures("-".join(map(str, network.sizes)), in_turn(ready, pace), left_out)
    expected = ready[OURS].outputs
    for name, contestant in ready.items():
        difference = np.max(np.abs(contestant.outputs - expected) / np.maximum(1, np.abs(expected)))
        found["peers"][name] |= {
            "file": contestant.file,
            "program": contestant.program,
            "difference": float(difference),
        }
    return found


def in_turn(contestants: dict[str, Contestant], pace: Pace) -> dict[str, Pairs]:
    """Round by round, each one right after the other; every second round goes backwards."""
    calls: dict[str, int] = {}
    for name, contestant in contestants.items():
        contestant.seconds(ROWS)  # and it is warm
        calls[name] = max(ROWS, min(MOST_RUNS, round(pace.seconds * ROWS / max(contestant.seconds(ROWS), 1e-9))))
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for count in range(pace.rounds):
        for name in list(contestants)[:: 1 if count % 2 == 0 else -1]:
            time.sleep(PAUSE)
            taken[name].append(contestants[name].seconds(calls[name]) / calls[name])
    return {name: Pairs(taken[OURS], seconds) for name, seconds in taken.items()}


def python(call: Callable[[Any], Any], given: list[Any]) -> Callable[[int], float]:
    """How long so many calls take, each with the next of what is given."""

    def seconds(calls: int) -> float:
        start = time.perf_counter()
        for each in range(calls):
            call(given[each % ROWS])
        return time.perf_counter() - start

    return seconds


def ours(model: Sequential, rows: Array, folder: Path) -> Contestant:
    """``predict``, with its checks."""
    save(model, folder / "net.safetensors")
    given = [rows[index : index + 1] for index in range(ROWS)]
    outputs = np.concatenate([model.predict(row) for row in given])
    return Contestant(outputs, python(model.predict, given), (folder / "net.safetensors").stat().st_size)


def onnx(model: Sequential, rows: Array, folder: Path, precision: str) -> Contestant:
    """A session on one thread, from array to array."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise NotOffered("ONNX Runtime is not installed: pip install 'chainrule[onnx]'") from None
    done = export(model, folder / f"{precision}.onnx", precision=precision)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(done.path), options, providers=["CPUExecutionProvider"])
    (end,) = session.get_inputs()
    given = [{end.name: rows[index : index + 1]} for index in range(ROWS)]
    outputs = np.concatenate([session.run(None, feed)[0] for feed in given])
    return Contestant(outputs, python(partial(session.run, None), given), done.bytes)


def c(model: Sequential, rows: Array, folder: Path, precision: str) -> Contestant:
    """A program around the header, which looks at the clock itself."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NotOffered("no C compiler is installed")
    place = folder / precision
    place.mkdir()
    done = export(model, place / "net.h", precision=precision, self_test=False)
    (place / "main.c").write_text(PROGRAM.replace("ROWS", str(ROWS)), encoding="utf-8")
    made = subprocess.run(
        [compiler, *FLAGS, "main.c", "-o", "main", "-lm"], cwd=place, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise NotOffered(f"it does not compile: {(made.stderr.strip().splitlines() or ['no message'])[0]}")

    def run(calls: int) -> tuple[float, bytes]:
        told = subprocess.run([place / "main", str(calls)], input=rows.tobytes(), capture_output=True, check=True)
        return struct.unpack_from("d", told.stdout)[0], told.stdout[struct.calcsize("d") :]

    outputs = np.frombuffer(run(ROWS)[1], np.float32).reshape(ROWS, -1)
    return Contestant(outputs, lambda calls: run(calls)[0], done.bytes, (place / "main").stat().st_size)


CONTESTANTS: dict[str, Callable[[Sequential, Array, Path], Contestant]] = {
    OURS: ours,
    "ONNX Runtime, float32": partial(onnx, precision="float32"),
    "ONNX Runtime, int8": partial(onnx, precision="int8"),
    "C, float32": partial(c, precision="float32"),
    "C, int8": partial(c, precision="int8"),
}
