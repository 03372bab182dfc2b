"""The threads of a compiled training: as many as start, none that outlives its call, every step counted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.ops.fused import KERNELS

pytestmark = [
    pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use"),
    pytest.mark.skipif(sys.platform != "linux", reason="what is asked of the system here is Linux's"),
]

#: A system that starts STARTS threads, then no more; it says for each how many signals it takes.
LIMIT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument) {
    static int started;
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (++started > atoi(getenv("STARTS"))) return EAGAIN;
    printf("started with SIGINT %d SIGTERM %d SIGALRM %d SIGSEGV %d\n", sigismember(&blocked, SIGINT),
           sigismember(&blocked, SIGTERM), sigismember(&blocked, SIGALRM), sigismember(&blocked, SIGSEGV));
    fflush(stdout);
    return create(thread, attributes, work, argument);
}
"""

TRAINING = """
import hashlib, os
before = len(os.listdir("/proc/self/task"))  # one, and one more in an emulator
import numpy as np
import chainrule as cr
from chainrule.training import compiled

compiled.WORK_A_THREAD = 1
rng = np.random.default_rng(0)
x, y = rng.normal(size=(512, 20)).astype("f4"), np.arange(512) % 3
model = cr.MLP([20, 64, 3], rng=0)
trainer = cr.Trainer(model, "cross_entropy", batch_size=128)
for _ in range(3):
    trainer.fit(x, y, epochs=2, verbose=0)
print(hashlib.sha256(model.parameters.vector).hexdigest(), int(trainer.optimizer.state["step"]))
print("threads left:", len(os.listdir("/proc/self/task")) - before)
"""


def train(**environment: str) -> list[str]:
    """What a training in a process of its own prints; NumPy's BLAS starts no threads there."""
    variables = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", TRAINING], env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def alone() -> list[str]:
    """What one thread prints."""
    return train(CHAINRULE_NUM_THREADS="1")


@pytest.fixture(scope="module")
def limit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for a system that starts no thread")
    folder = tmp_path_factory.mktemp("limit")
    (folder / "limit.c").write_text(LIMIT, encoding="utf-8")
    command = [compiler, "-shared", "-fPIC", "limit.c", "-o", "limit.so", "-ldl", "-pthread"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "limit.so"


@pytest.mark.parametrize("starts", [0, 1, 2, 1000])
def test_training_works_with_as_many_threads_as_start(limit: Path, alone: list[str], starts: int) -> None:
    said = train(CHAINRULE_NUM_THREADS="4", STARTS=str(starts), LD_PRELOAD=str(limit))
    assert said[-2:] == alone == [alone[0], "threads left: 0"]
    assert alone[0].endswith(" 24")
    started = len(said) - 2
    assert started >= 9 if starts == 1000 else started == starts  # 9: three for each of at least three calls


def test_threads_leave_signals_to_the_process_but_not_their_own_faults(limit: Path) -> None:
    started = train(CHAINRULE_NUM_THREADS="3", STARTS="1000", LD_PRELOAD=str(limit))[:-2]
    assert set(started) == {"started with SIGINT 1 SIGTERM 1 SIGALRM 1 SIGSEGV 0"}


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_every_number_of_threads_gives_the_same_bits_and_steps(alone: list[str], threads: int) -> None:
    assert train(CHAINRULE_NUM_THREADS=str(threads)) == alone
