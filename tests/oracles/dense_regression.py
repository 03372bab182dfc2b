"""Oracle E: dense layers as z = X Wᵀ + b, ReLU or leaky ReLU, mean squared error, gradient descent on all rows."""

from __future__ import annotations


def train(X, y, W, b, slope, rate, steps):
    """Yield (loss before the step, W, b after it); slope 0 is ReLU, 0.01 leaky ReLU; the last layer is linear."""
    W, b, n = list(W), list(b), X.shape[0]
    for _ in range(steps):
        a, pre = [X], []
        for k, (w, c) in enumerate(zip(W, b, strict=True)):
            z = a[-1] @ w.T + c
            pre.append(z)
            a.append(z if k == len(W) - 1 else z * (z > 0) + slope * z * (z <= 0))
        loss = ((a[-1] - y) ** 2).sum() / n
        dz = (2 / n) * (a[-1] - y)
        for k in range(len(W))[::-1]:
            dw, dc = dz.T @ a[k], dz.sum(0)
            if k:  # with the weights as they were
                dz = (dz @ W[k]) * ((pre[k - 1] > 0) + slope * (pre[k - 1] <= 0))
            W[k], b[k] = W[k] - rate * dw, b[k] - rate * dc
        yield loss, list(W), list(b)
