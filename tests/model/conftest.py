"""A model of all kinds of layers, and rows for it."""

from __future__ import annotations

import pytest

import chainrule as cr


@pytest.fixture
def x(rng):
    return rng.standard_normal((50, 4))


@pytest.fixture
def model():
    """One of everything that remembers, draws or normalises."""
    block = cr.Residual([cr.LayerNorm(6), cr.Linear(6, 6, activation="gelu")])
    layers = [cr.Linear(4, 6, activation="relu", l2=0.1), cr.BatchNorm(6), cr.Dropout(0.3), block, cr.Linear(6, 3)]
    return cr.Sequential(layers, rng=0)
