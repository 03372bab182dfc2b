"""Two ranks in network namespaces of their own, between which the link goes down."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from textwrap import dedent

import pytest

from training.distributed import jobs
from training.distributed.jobs import WITH_MPI

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = [
    WITH_MPI,
    pytest.mark.slow,
    pytest.mark.skipif(which("ip") is None or not ROOT, reason="only root can make network namespaces, with ip"),
]

TRAINING = """
    import os, sys
    import numpy as np, chainrule as cr
    communicator = cr.distributed.MPI(timeout=2)

    class CutOff(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 4 and communicator.rank == 1:
                os.system(sys.argv[1])

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 20)), rng.integers(0, 5, 300)
    callbacks = [cr.callbacks.Checkpoint(sys.argv[2]), CutOff()]
    model = cr.MLP([20, 32, 5], rng=0)
    trainer = cr.Trainer(model, "cross_entropy", callbacks=callbacks, communicator=communicator)
    trainer.fit(x, y, epochs=10**6, verbose=0)
"""
LAUNCHER = """#!/bin/bash
# [options] address command...: what ssh does, in a network namespace
while [[ $1 == -* ]]; do shift; done
space=$SPACE${1##*.}
shift
exec ip netns exec "$space" bash -c "$*"
"""


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def space() -> Iterator[str]:
    """The name of two namespaces, without their number, whose addresses are 10.9.0.1 and 10.9.0.2."""
    name = f"cr{os.getpid()}n"
    try:
        try:
            for number in "12":
                ip("netns", "add", name + number)
            ip("link", "add", "cr1", "netns", f"{name}1", "type", "veth", "peer", "name", "cr2", "netns", f"{name}2")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr}")
        for number in "12":
            ip("-n", name + number, "addr", "add", f"10.9.0.{number}/24", "dev", f"cr{number}")
            for device in ("lo", f"cr{number}"):
                ip("-n", name + number, "link", "set", device, "up")
        for number in "12":
            while " UP " not in ip("-n", name + number, "-brief", "link", "show", f"cr{number}"):
                time.sleep(0.01)  # the system takes up to a second
        yield name
    finally:
        for number in "12":
            subprocess.run(["ip", "netns", "del", name + number], check=False, capture_output=True)


@pytest.mark.parametrize("trial", range(10))
def test_a_rank_that_is_cut_off_is_named(tmp_path: Path, space: str, trial: int) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o700)
    inside = ["ip", "netns", "exec", f"{space}1", str(jobs.MPIEXEC), "-launcher-exec", str(launcher)]
    where = ["-launcher", "ssh", "-iface", "cr1", "-hosts", "10.9.0.1,10.9.0.2", "-n", "2"]
    script = tmp_path / "train.py"
    script.write_text(dedent(TRAINING))
    command = [sys.executable, str(script), "ip link set cr2 down", str(tmp_path)]
    network = {"UCX_TLS": "tcp,self", "FI_PROVIDER": "tcp", "SPACE": space}  # not the memory that both could share
    job = jobs.finished([*inside, *where, *command], **network)
    assert job.returncode != 0
    told = [line for line in job.stderr.splitlines() if line.startswith("fit expects")]
    assert len(told) == 1, job.stdout + job.stderr
    assert told[0].startswith("fit expects an answer from every rank within 2 s, got none from rank 1 (process ")
    assert sorted(tmp_path.glob("step-*.safetensors")) != []
