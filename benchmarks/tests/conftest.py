"""The command, run in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import main


@dataclass(frozen=True)
class Answer:
    """What the command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """``shell("step", "--rounds", 2)`` runs ``python -m benchmarks step --rounds 2``."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # of argparse
            code = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run, and fresh for every test."""
    return np.random.default_rng(20260101)


@pytest.fixture
def data_dir() -> Path:
    """The folder of real data sets named by CHAINRULE_DATA; without it the test skips, and says so."""
    if "CHAINRULE_DATA" not in os.environ:
        pytest.skip("CHAINRULE_DATA names no folder of data sets")
    return Path(os.environ["CHAINRULE_DATA"])
