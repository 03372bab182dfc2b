"""A process that is killed, or asked to end, resumes to the same bits."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

import halting

SCRIPT = """
    import sys
    import numpy as np, chainrule as cr
    folder, resume = sys.argv[1], sys.argv[2] == "resume"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 20)).astype(np.float32), rng.integers(0, 5, 200)
    layers = [cr.Linear(20, 64, "relu"), cr.BatchNorm(64), cr.Dropout(0.2), cr.Linear(64, 5)]
    model, optimizer = cr.Sequential(layers, rng=0), cr.Adam(cr.schedules.WarmupCosine(0.01))
    callbacks = [cr.callbacks.Checkpoint(folder, seconds=1e-9)]
    trainer = cr.Trainer(model, "cross_entropy", optimizer, batch_size=32, callbacks=callbacks)
    if resume:
        trainer.resume(folder)
    history = trainer.fit(x, y, validation=0.1, epochs=10, verbose=0)
    np.save(folder + "/weights.npy", trainer.model.parameters.vector)
    print("interrupted" if history.interrupted else "done")
"""
STEPS = 60  # six an epoch


def run(folder, how):
    """To its end, undisturbed; the weights."""
    with halting.Process(SCRIPT, folder, how, halts=[]) as process:
        assert process.end() == ["done"]
    return np.load(folder / "weights.npy")


def kill(folder, how, at, until=None, moment=0.0):
    """After the step ``at``; or so many seconds later, but before the step after ``until``."""
    with halting.Process(SCRIPT, folder, how, halts=[at] if until is None else [at, until]) as process:
        process.wait_until_halted(at)
        if until is not None:
            process.let_continue()
            time.sleep(moment)
        process.kill_in_the_middle()
    assert 0 < newest_step(folder) < STEPS
    assert not (folder / "weights.npy").exists()


def newest_step(folder):
    return max(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_killed_process_resumes_to_the_same_bits(tmp_path):
    killed = tmp_path / "killed"
    kill(killed, "start", at=20)
    kill(killed, "resume", at=45)
    np.testing.assert_array_equal(run(killed, "resume"), run(tmp_path, "start"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_thirty_kills_at_random_moments(tmp_path):
    whole = run(tmp_path, "start")
    for trial in range(10):
        folder, rng = tmp_path / f"{trial}", np.random.default_rng(trial)
        for how, at in (("start", 5), ("resume", 25), ("resume", 45)):
            kill(folder, how, at, until=at + 10, moment=rng.uniform(0, 0.02))
        np.testing.assert_array_equal(run(folder, "resume"), whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_polite_signal_writes_a_checkpoint_and_says_how_to_resume(tmp_path, number):
    with halting.Process(SCRIPT, tmp_path, "start", halts=[20]) as process:
        process.wait_until_halted(20)
        process.send_signal(number)
        said, last = process.end()
    assert said.startswith("Interrupted: resume from ")
    assert last == "interrupted"
    assert 20 <= newest_step(tmp_path) < STEPS
    interrupted = np.load(tmp_path / "weights.npy")
    assert (run(tmp_path, "resume") != interrupted).any()
