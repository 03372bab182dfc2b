"""Oracle D: an image classifier of layer objects; the bias is the last row of the weights, fed by a constant 1."""

from __future__ import annotations

import numpy as np

TINY = 1e-12


class FlattenImages:
    params = None

    def forward(self, x):
        self.shape = x.shape
        return np.array([image.ravel() for image in x])

    def backward(self, grad):
        return grad.reshape(self.shape)


class Dense:
    def __init__(self, W, b):
        self.params = np.vstack([W, b])

    def forward(self, x):
        self.x = np.hstack([x, np.ones((x.shape[0], 1))])
        return self.x @ self.params

    def backward(self, grad):
        self.grad = self.x.T @ grad
        return grad @ self.params[:-1].T


class ReLU:
    params = None

    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, grad):
        return grad * self.on


class Tanh:
    params = None

    def forward(self, x):
        self.x = x
        return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))

    def backward(self, grad):
        return grad / np.cosh(self.x) ** 2


class Sigmoid:
    params = None

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, grad):
        return grad * (self.y - self.y**2)


class Softmax:
    params = None

    def forward(self, x):
        powers = np.exp(x)
        self.y = powers / powers.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, grad):
        return self.y * grad - self.y * np.sum(self.y * grad, axis=1, keepdims=True)


def cross_entropy(p, t):
    p = np.clip(p, TINY, 1.0)
    return -np.sum(t * np.log(p)) / len(t), -(t / p) / len(t)


def binary_cross_entropy(p, t):
    p = np.clip(p, TINY, 1 - TINY)
    return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)) / len(t), ((p - t) / (p * (1 - p))) / len(t)


def squared_error(p, t):
    return np.sum((p - t) ** 2) / len(t), 2 * (p - t) / len(t)


LOSSES = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "squared_error": squared_error,
}


class Momentum:
    """v ← βv + (1 − β)g from v = 0; β = 0 is plain gradient descent."""

    def __init__(self, rate, beta):
        self.rate, self.beta, self.v = rate, beta, {}

    def update(self, key, w, g):
        self.v[key] = self.beta * self.v.get(key, 0.0) + (1 - self.beta) * g
        return w - self.rate * self.v[key]


class Adam:
    """Algorithm 1 of Kingma and Ba, with its bias corrections as written there."""

    def __init__(self, rate, beta1=0.9, beta2=0.999, eps=1e-8):
        self.rate, self.beta1, self.beta2, self.eps = rate, beta1, beta2, eps
        self.memory = {}

    def update(self, key, w, g):
        t, m, v = self.memory.get(key, (0, 0.0, 0.0))
        t, m, v = t + 1, self.beta1 * m + (1 - self.beta1) * g, self.beta2 * v + (1 - self.beta2) * g**2
        self.memory[key] = (t, m, v)
        return w - self.rate * (m / (1 - self.beta1**t)) / (np.sqrt(v / (1 - self.beta2**t)) + self.eps)


class Classifier:
    def __init__(self, layers, loss, optimizer):
        self.layers, self.loss, self.optimizer = layers, LOSSES[loss], optimizer

    def step(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        value, grad = self.loss(x, t)
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        for key, layer in enumerate(self.layers):
            if layer.params is not None:
                layer.params = self.optimizer.update(key, layer.params, layer.grad)
        return value
