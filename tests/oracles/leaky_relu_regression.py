"""Oracle B: leaky ReLU, full batch; columns are samples, W is (out, in), and a dictionary holds W1, b1, W2, ..."""

from __future__ import annotations

import numpy as np

SLOPE = 0.01


def forward(params, X):
    """Caches A0, Z1, A1, ... under their names; the last layer is linear."""
    depth = len(params) // 2
    cache = {"A0": X}
    for k in range(1, depth + 1):
        Z = np.dot(params[f"W{k}"], cache[f"A{k - 1}"]) + params[f"b{k}"]
        cache[f"Z{k}"] = Z
        cache[f"A{k}"] = Z if k == depth else np.maximum(Z, SLOPE * Z)
    return cache[f"A{depth}"], cache


def half_mean_square(Y_hat, Y):
    return float(0.5 * np.mean((Y - Y_hat) ** 2))


def backward(params, cache, Y_hat, Y):
    depth, m = len(params) // 2, Y.shape[1]
    grads = {}
    dA = -(Y - Y_hat) / m
    for k in range(depth, 0, -1):
        dZ = dA
        if k < depth:
            dZ = dA.copy()
            dZ[cache[f"Z{k}"] < 0] *= SLOPE
        grads[f"W{k}"] = np.dot(dZ, cache[f"A{k - 1}"].T)
        grads[f"b{k}"] = np.sum(dZ, axis=1, keepdims=True)
        dA = np.dot(params[f"W{k}"].T, dZ)
    return grads


def update(params, grads, rate):
    return {name: params[name] - rate * grads[name] for name in params}
