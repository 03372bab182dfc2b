"""A step of training, all that it may change, and how much memory something takes."""

from __future__ import annotations

import tracemalloc

import numpy as np


def snapshot(model):
    """All that could change: parameters, gradients, buffers, the generator."""
    arrays = [model.parameters.vector, model.gradients.vector, *model.buffers.values()]
    return [array.tobytes() for array in arrays], str(model.rng.bit_generator.state)


def step(model, x):
    model.backward(np.ones_like(model.forward(x, training=True)))
    model.parameters.vector[:] -= 0.01 * model.gradients.vector


def peak_of(work):
    """What it returns, and the most memory that NumPy takes meanwhile, in bytes."""
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
