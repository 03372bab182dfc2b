"""Kernels, and only kernels, treat subnormal numbers, which slow a processor down, as 0."""

from __future__ import annotations

import platform

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.ops.fused import KERNELS

FLUSHES = KERNELS == "fused" and platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")
TINY = {"float32": 1e-40, "float64": 1e-310}


def fit(dtype, threads, monkeypatch):
    """A training of a unit that is dead: its gradient is 0, and of Adam's means only what they were is left."""
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    model = cr.MLP([3, 4, 2], rng=0, dtype=dtype)
    model.layers[0].b[:] = -100
    trainer = cr.Trainer(model, "cross_entropy", cr.Adam(), batch_size=16)
    x, y = np.ones((32, 3), dtype), np.arange(32) % 2
    trainer.fit(x, y, epochs=1, verbose=0)
    trainer.optimizer.state["mean"][:12] = TINY[dtype]
    trainer.fit(x, y, epochs=1, verbose=0)
    return trainer.optimizer.state["mean"][:12]


def step(dtype):
    w, adam = np.ones(12, dtype), cr.Adam()
    adam.step(w, np.zeros_like(w))
    adam.state["mean"][:] = TINY[dtype]
    adam.step(w, np.zeros_like(w))
    return adam.state["mean"]


def affine(dtype):
    return ops.affine(np.full((3, 2), TINY[dtype], dtype), np.full((2, 4), 0.5, dtype))


def affine_backward(dtype):
    x, W = np.full((3, 2), TINY[dtype], dtype), np.full((2, 4), 0.5, dtype)
    return ops.affine_backward(np.full((3, 4), 0.5, dtype), x, W)[1]


def predict(dtype):
    model = cr.MLP([2, 4], rng=0, dtype=dtype)
    model.parameters.vector[:] = 0.5
    model.layers[0].b[:] = 0
    return model.predict(np.full((3, 2), TINY[dtype], dtype))


CALLS = {"step": step, "affine": affine, "affine_backward": affine_backward, "predict": predict}


def assert_mode_is_as_it_was(dtype):
    tiny = np.full(40, TINY[dtype], dtype)
    assert (tiny * np.ones(40, dtype) > 0).all()
    assert (tiny * np.ones(40, dtype) == tiny).all()


@pytest.mark.parametrize("dtype", TINY)
@pytest.mark.parametrize("name", CALLS)
def test_kernels_count_subnormal_numbers_as_zero(name, dtype):
    result = CALLS[name](dtype)
    assert np.abs(result).max() < np.finfo(dtype).smallest_normal
    assert (result == 0).all() == FLUSHES
    assert_mode_is_as_it_was(dtype)


@pytest.mark.parametrize("dtype", TINY)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_counts_subnormal_numbers_as_zero(threads, dtype, monkeypatch):
    assert (fit(dtype, threads, monkeypatch) == 0).all() == FLUSHES
    assert_mode_is_as_it_was(dtype)


@pytest.mark.parametrize("dtype", TINY)
def test_activations_underflow_gradually(dtype):
    x = np.full(40, np.log(TINY[dtype]), dtype)
    assert (ops.sigmoid(x) > 0).all()
