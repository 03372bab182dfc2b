"""Jobs of several MPI processes, started as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

MPIEXEC = which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
WITH_MPI = pytest.mark.skipif(
    find_spec("mpi4py") is None or MPIEXEC is None or os.name == "nt", reason="mpi4py and mpiexec are not installed"
)
#: Without these, Open MPI refuses root, and more ranks than processors.
LENIENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
LENIENT |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
LONGEST = 300  # seconds of a job on a busy machine, before the test fails


def run(ranks: int, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command on so many ranks until all have ended."""
    return finished([str(MPIEXEC), "-n", str(ranks), *map(str, command)], **environment)


def finished(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a launcher until it has ended."""
    given = {**os.environ, **LENIENT, "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run(words, env=given, capture_output=True, text=True, errors="replace", timeout=LONGEST)


def run_script(ranks: int, script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script on so many ranks."""
    return run(ranks, sys.executable, "-c", textwrap.dedent(script), *arguments, **environment)


def lines(job: subprocess.CompletedProcess[str]) -> list[str]:
    """What a job that succeeded printed, in alphabetical order: ranks print in any."""
    assert job.returncode == 0, job.stdout + job.stderr
    return sorted(job.stdout.splitlines())
