"""Rows of three classes."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(80, 4))
    return x, (x[:, 0] + 0.5 * rng.normal(size=80) > 0).astype(int) + (x[:, 1] > 1)
