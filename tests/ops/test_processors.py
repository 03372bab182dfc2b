"""No two threads of a compiled training share a processor; afterwards all bindings are as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from chainrule.ops.fused import KERNELS

pytestmark = [
    pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use"),
    pytest.mark.skipif(sys.platform != "linux", reason="threads are bound on Linux alone"),
]

#: Trains until another thread has seen enough of the training's threads, and says what it saw.
TRAINING = """
import json, os, sys, threading
main = threading.get_native_id()
emulator = {int(thread) for thread in os.listdir("/proc/self/task")} - {main}  # its own threads, if there is one
import numpy as np
import chainrule as cr
from chainrule.training import compiled

compiled.WORK_A_THREAD = 1
wanted, change = int(sys.argv[1]), sys.argv[2]
stop, masks, decided = threading.Event(), [], None

def masks_now():
    found = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            found[int(thread)] = sorted(os.sched_getaffinity(int(thread)))
        except ProcessLookupError:
            pass  # it has ended
    return {thread: mask for thread, mask in found.items() if thread not in emulator | {threading.get_native_id()}}

def watch():
    global masks, decided
    before = len(allowed)
    while len(masks) != wanted or (change != "none" and decided is None):
        found = masks_now()
        bound = all(len(mask) < before for mask in found.values())
        if len(found) == wanted and (bound or before < wanted):
            masks = list(found.values())
            if change == "main":
                decided = sorted(allowed - set(found[main]))
                os.sched_setaffinity(main, decided)
    stop.set()

class Stop(cr.Callback):
    live = False
    def on_epoch_end(self, trainer, row):
        trainer.stop = stop.is_set()

if change == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    decided = True
allowed = os.sched_getaffinity(0)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(4096, 20)).astype("f4"), np.arange(4096) % 3
trainer = cr.Trainer(cr.MLP([20, 64, 3], rng=0), "cross_entropy", batch_size=128, callbacks=[Stop()])
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
trainer.fit(x, y, epochs=10**7, verbose=0)
watcher.join()
print(json.dumps([sorted(allowed), masks, decided, sorted(os.sched_getaffinity(0))]))
"""

needs_two = pytest.mark.skipif(
    sys.platform == "linux" and len(os.sched_getaffinity(0)) < 2, reason="only one processor may be used here"
)


def watched(threads: int, change: str = "none") -> Any:
    """The processors allowed before, those of each thread during training, those set from outside, those afterwards."""
    variables = os.environ | {"OPENBLAS_NUM_THREADS": "1", "CHAINRULE_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(threads), change],
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_two
def test_each_thread_has_processors_of_its_own() -> None:
    allowed, masks, _, after = watched(2)
    assert sorted(masks[0] + masks[1]) == allowed == after


def test_threads_that_must_share_a_processor_are_not_bound() -> None:
    allowed, masks, _, after = watched(2, change="one")
    assert len(allowed) == 1
    assert masks == [allowed, allowed]
    assert after == allowed


@needs_two
def test_a_binding_changed_from_outside_is_kept() -> None:
    allowed, _, decided, after = watched(2, change="main")
    assert after == decided != allowed
