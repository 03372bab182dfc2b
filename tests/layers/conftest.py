"""A batch of six columns."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def x(rng):
    return rng.standard_normal((7, 6)).astype(np.float32)
