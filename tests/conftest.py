"""What every test may use: one seeded generator, the real data sets, and a Matplotlib that opens no window."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # each its share: threads that wait for a shared processor spin
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(share, 1)))  # before anything imports NumPy

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import databases

# Before anything imports chainrule:
(INSTALLED,) = find_spec("chainrule").submodule_search_locations  # type: ignore[union-attr]
if not any(Path(INSTALLED, "ops", "fused", "_kernels" + suffix).exists() for suffix in EXTENSION_SUFFIXES):
    os.environ.setdefault("CHAINRULE_KERNELS", "numpy")  # lest the first training of every program warn

settings.register_profile(
    "chainrule",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine would fail it
    database=None,  # nothing is written where the tests are run, and no run depends on the one before
    derandomize="CI" in os.environ,
    max_examples=40,
)
settings.register_profile("thorough", settings.get_profile("chainrule"), max_examples=200)  # of `make test-all`
settings.load_profile("chainrule")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts the tests with & has it ignored


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=0, help="seed of the fuzzers")


def pytest_report_header() -> str:
    """Which kernels are under test."""
    import chainrule as cr

    config = cr.show_config(mode="dicts")
    assert config is not None
    kernels = config["kernels"]
    return f"chainrule: {kernels['in_use']} kernels ({kernels.get('instructions') or kernels['why']})"


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run, and fresh for every test."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def fuzz_seed(pytestconfig: pytest.Config) -> int:
    """What the fuzzers draw their cases from: the same in every run, unless ``--seed`` is given."""
    seed: int = pytestconfig.getoption("--seed")
    return seed


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets named by CHAINRULE_DATA; without it the test skips, and says so."""
    named = os.environ.get("CHAINRULE_DATA")
    if not named:
        pytest.skip("CHAINRULE_DATA names no folder of data sets")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"CHAINRULE_DATA names {named}, which is no folder")
    return folder


@pytest.fixture(autouse=True)
def no_open_database() -> Iterator[None]:
    """For every test, because a cursor may be left behind anywhere."""
    yield
    databases.close_all()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: they may hold the time, and each process must give a test the same name."""
    return argname if isinstance(val, bytes) else None
