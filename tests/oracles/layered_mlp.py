"""Oracle A: a layered perceptron with penalties, softmax and two losses; rows are samples."""

from __future__ import annotations

import numpy as np


def relu(z):
    return np.where(z > 0, z, 0.0)


def relu_slope(z):
    return np.where(z > 0, 1.0, 0.0)


def logistic(z):
    return 1.0 / (1.0 + np.exp(-z))


def logistic_slope(z):
    return np.exp(-z) / (1.0 + np.exp(-z)) ** 2


ACTIVATIONS = {"relu": (relu, relu_slope), "sigmoid": (logistic, logistic_slope)}


class LayeredMLP:
    def __init__(self, W, b, activation, softmax=False, loss="sq-error", rate=0.1, l1=0.0, l2=0.0, keep=None):
        self.W = [w.copy() for w in W]
        self.b = None if b is None else [c.copy() for c in b]
        self.f, self.slope = ACTIVATIONS[activation]
        self.softmax, self.loss, self.rate, self.l1, self.l2 = softmax, loss, rate, l1, l2
        self.keep = keep  # draws the dropout factors of a hidden layer's output: keep(shape) -> array

    def forward(self, x):
        """Output, with the inputs of each layer, its sums z, and the dropout factors behind it."""
        inputs, sums, factors = [x], [], []
        for i in range(len(self.W)):
            z = inputs[i] @ self.W[i]
            if self.b is not None:
                z = z + self.b[i]
            sums.append(z)
            if i < len(self.W) - 1:
                a = self.f(z)
                m = np.ones_like(a) if self.keep is None else self.keep(a.shape)
                factors.append(m)
                inputs.append(a * m)
        out = sums[-1]
        if self.softmax:
            e = np.exp(out - np.max(out, axis=1)[:, None])
            out = e / np.sum(e, axis=1)[:, None]
        return out, inputs, sums, factors

    def cost(self, out, targets):
        if self.loss == "cross-entropy":
            data = -np.mean([np.log(row[k]) for row, k in zip(out, np.argmax(targets, axis=1), strict=True)])
        else:
            data = np.sum((targets - out) ** 2) / len(targets)
        return data + sum(self.l1 * np.abs(w).sum() + self.l2 * (w**2).sum() for w in self.W)

    def output_delta(self, out, targets):
        """The derivative of the mean loss by the last layer's sums."""
        n = len(targets)
        if self.loss == "cross-entropy":
            return (out - targets) / n  # softmax and logarithm cancel
        delta = 2.0 * (out - targets) / n
        if not self.softmax:
            return delta
        # each sample's own Jacobian of softmax, written out
        return np.stack([(np.diag(p) - np.outer(p, p)) @ d for p, d in zip(out, delta, strict=True)])

    def step(self, x, targets):
        """One step of gradient descent; the cost before it."""
        out, inputs, sums, factors = self.forward(x)
        cost = self.cost(out, targets)
        delta = self.output_delta(out, targets)
        gradients = []
        for i in range(len(self.W) - 1, -1, -1):
            grad_W = inputs[i].T @ delta + self.l1 * np.sign(self.W[i]) + self.l2 * 2.0 * self.W[i]
            grad_b = np.sum(delta, axis=0)
            if i > 0:
                delta = (delta @ self.W[i].T) * factors[i - 1] * self.slope(sums[i - 1])
            gradients.append((i, grad_W, grad_b))
        for i, grad_W, grad_b in gradients:
            self.W[i] = self.W[i] - self.rate * grad_W
            if self.b is not None:
                self.b[i] = self.b[i] - self.rate * grad_b
        return cost


def shuffled_batches(rng, x, targets, size):
    """One epoch: every row once, in a new order."""
    order = rng.permutation(len(x))
    while len(order):
        now, order = order[:size], order[size:]
        yield x[now], targets[now]
