"""The optimizers, one at a time."""

from __future__ import annotations

import copy

import pytest

from chainrule.optimizers import Muon, Optimizer
from optimizers.rows import ROWS


@pytest.fixture(params=ROWS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return copy.deepcopy(request.param)


@pytest.fixture(params=[row for row in ROWS if not isinstance(row, Muon)], ids=repr)
def elementwise(request: pytest.FixtureRequest) -> Optimizer:
    """One that computes each number from itself alone, by a kernel where there are some."""
    return copy.deepcopy(request.param)
