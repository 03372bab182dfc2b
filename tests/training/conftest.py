"""Small problems to learn."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def numbers(rng):
    """A regression of two outputs."""
    x = rng.standard_normal((40, 3))
    return x, np.stack([x[:, 0] * x[:, 1], x[:, 2]], axis=1)


@pytest.fixture
def classes(rng):
    x = rng.standard_normal((60, 3))
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
