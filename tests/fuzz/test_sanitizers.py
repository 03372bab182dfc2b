"""Random calls of ops, losses, optimizers, layers and trainings: none misuses memory, and the sanitizers say so.

The seed is fixed; ``--seed`` gives another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from chainrule.ops.fused import KERNELS

ROOT = Path(__file__).resolve().parents[2]
CALLS = 20_000
SAMPLE = 300
SCRIPT = ROOT / "tests/fuzz/calls.py"
COMPILER = os.environ.get("CC", "cc")


def call(count: int, seed: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Make the calls in a process of their own, which they may take with them."""
    command = [sys.executable, "-X", "faulthandler", str(SCRIPT), str(count), str(seed)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def assert_taken(done: subprocess.CompletedProcess[str], count: int) -> None:
    """All calls were made, most were not refused, and nothing was said beside."""
    assert done.returncode == 0, done.stderr[-8000:]
    taken, rest = done.stdout.split(" of ", 1)
    assert rest == f"{count} calls were taken\n"
    assert count / 2 < int(taken) < count
    assert done.stderr == ""


def test_a_sample_of_random_calls_ends_without_a_crash(fuzz_seed: int) -> None:
    assert_taken(call(SAMPLE, fuzz_seed), SAMPLE)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which chainrule is one that was built with the address and undefined-behaviour sanitizers."""
    if KERNELS != "fused" or not (ROOT / "setup.py").is_file():
        pytest.skip("no compiled kernels in use, or no source tree to build them from")
    if find_spec("setuptools") is None or find_spec("Cython") is None:
        pytest.skip("no setuptools or no Cython to build with")
    folder = tmp_path_factory.mktemp("sanitized")
    (folder / "trial.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    trial = [COMPILER, "-fsanitize=address,undefined", "trial.c", "-o", "trial"]
    try:
        subprocess.run(trial, cwd=folder, check=True, capture_output=True)
        subprocess.run([folder / "trial"], check=True, capture_output=True)
        asked = subprocess.run([COMPILER, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{COMPILER} has no sanitizers here")
    library = asked.stdout.strip()
    if not Path(library).is_absolute():
        pytest.skip(f"{COMPILER} names no library of its address sanitizer")
    build = [
        sys.executable,
        "setup.py",
        "build",
        "--build-base",
        str(folder / "base"),
        "--build-lib",
        str(folder / "lib"),
    ]
    environment = os.environ | {"CHAINRULE_SANITIZE": "1", "CHAINRULE_BUILD_KERNELS": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (extension,) = (folder / "lib").glob("chainrule/ops/fused/_kernels.*")
    assert b"__asan_init" in extension.read_bytes()
    return {
        "PYTHONPATH": str(folder / "lib"),
        "PYTHONMALLOC": "malloc",  # so that the sanitizer sees each object's memory
        "CHAINRULE_KERNELS": "fused",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


@pytest.mark.slow
def test_the_sanitizers_find_nothing_in_random_calls(sanitized: dict[str, str], fuzz_seed: int) -> None:
    assert_taken(call(CALLS, fuzz_seed, **sanitized), CALLS)


#: An array that says that it is longer than its memory.
OVERRUN = """
import numpy as np
from chainrule import ops
ops.relu(np.lib.stride_tricks.as_strided(np.zeros(4, "f4"), (2000,)))
"""


@pytest.mark.slow
def test_the_sanitizers_would_see_a_read_beyond_an_array(sanitized: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OVERRUN], env=os.environ | sanitized, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
