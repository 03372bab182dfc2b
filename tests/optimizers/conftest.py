"""The optimizers, one at a time."""

from __future__ import annotations

import copy

import pytest

from chainrule.optimizers import LAMB, LARS, Muon, Optimizer
from optimizers.rows import ROWS


@pytest.fixture(params=ROWS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return copy.deepcopy(request.param)


@pytest.fixture(params=[row for row in ROWS if not isinstance(row, LAMB | LARS | Muon)], ids=repr)
def elementwise(request: pytest.FixtureRequest) -> Optimizer:
    """One that computes each number from itself alone, by a kernel where there are some."""
    return copy.deepcopy(request.param)


@pytest.fixture(params=[row for row in ROWS if not isinstance(row, LAMB | LARS)], ids=repr)
def decoupled(request: pytest.FixtureRequest) -> Optimizer:
    """One whose weight decay stays out of the direction."""
    return copy.deepcopy(request.param)
