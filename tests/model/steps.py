"""A step of training, and all that it may change."""

from __future__ import annotations

import numpy as np


def snapshot(model):
    """All that could change: parameters, gradients, buffers, the generator."""
    arrays = [model.parameters.vector, model.gradients.vector, *model.buffers.values()]
    return [array.tobytes() for array in arrays], str(model.rng.bit_generator.state)


def step(model, x):
    model.backward(np.ones_like(model.forward(x, training=True)))
    model.parameters.vector[:] -= 0.01 * model.gradients.vector
