"""Layers: ``forward`` keeps what ``backward`` needs, ``backward`` gives dx and sets the gradients of the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .rounding import Rounding

Array = np.ndarray[Any, Any]
MASK64 = 2**64 - 1


class Layer:
    """A layer without parameters; ``rounding`` disturbs what it computes, if it is to."""

    rounding: Rounding

    def parameters(self) -> dict[str, Array]:
        return {}

    def gradients(self) -> dict[str, Array]:
        return {}

    def buffers(self) -> dict[str, Array]:
        return {}

    def inner(self) -> list[Layer]:
        return []

    def penalty(self) -> float:
        return 0.0

    def forward(self, x: Array, training: bool, rng: np.random.Generator) -> Array:
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        raise NotImplementedError


def walk(layers: list[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer with the prefix of its parameters' names, ``"2.0."`` for the first inside the third."""
    for index, layer in enumerate(layers):
        yield f"{prefix}{index}.", layer
        yield from walk(layer.inner(), f"{prefix}{index}.")


class Flatten(Layer):
    def forward(self, x, training, rng):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Residual(Layer):
    """y = x + f(x)."""

    def __init__(self, layers):
        self.layers = layers

    def inner(self):
        return self.layers

    def forward(self, x, training, rng):
        y = x
        for layer in self.layers:
            y = layer.forward(y, training, rng)
        return self.rounding(x + y)

    def backward(self, dy):
        dx = dy
        for layer in reversed(self.layers):
            dx = layer.backward(dx)
        return self.rounding(dy + dx)


class Columns(Layer):
    """Some columns of x through layers of their own, then the next, side by side."""

    def __init__(self, parts):
        self.parts = parts

    def inner(self):
        return [layer for _, layers in self.parts for layer in layers]

    def forward(self, x, training, rng):
        outputs, start = [], 0
        for width, layers in self.parts:
            y, start = x[:, start : start + width], start + width
            for layer in layers:
                y = layer.forward(y, training, rng)
            outputs.append(y)
        self.widths = [y.shape[1] for y in outputs]
        return np.hstack(outputs)

    def backward(self, dy):
        inputs, start = [], 0
        for (_, layers), width in zip(self.parts, self.widths, strict=True):
            dx, start = dy[:, start : start + width], start + width
            for layer in reversed(layers):
                dx = layer.backward(dx)
            inputs.append(dx)
        return np.hstack(inputs)


class PBLD(Layer):
    """For column j the sums cos(2π x w1 + b1) W2 + b2; all of these, and then x."""

    def __init__(self, features, frequencies, outputs, scale):
        self.w1, self.b1 = np.zeros((2, features, frequencies))
        self.W2, self.b2 = np.zeros((features, frequencies, outputs - 1)), np.zeros((features, outputs - 1))

    def parameters(self):
        return {"w1": self.w1, "b1": self.b1, "W2": self.W2, "b2": self.b2}

    def gradients(self):
        return {"w1": self.dw1, "b1": self.db1, "W2": self.dW2, "b2": self.db2}

    def forward(self, x, training, rng):
        self.x, self.u = x, self.rounding(2 * np.pi * x[:, :, None] * self.w1 + self.b1)
        z = np.einsum("njh,jhk->njk", np.cos(self.u), self.W2) + self.b2
        return self.rounding(np.hstack([z.reshape(len(x), -1), x]))

    def backward(self, dy):
        split = self.b2.size
        dz = dy[:, :split].reshape(len(dy), *self.b2.shape)
        du = self.rounding(-np.sin(self.u) * np.einsum("njk,jhk->njh", dz, self.W2))
        self.dW2, self.db2 = self.rounding(np.einsum("njh,njk->jhk", np.cos(self.u), dz)), self.rounding(dz.sum(axis=0))
        self.db1, self.dw1 = self.rounding(du.sum(axis=0)), self.rounding(2 * np.pi * (self.x[:, :, None] * du).sum(0))
        return self.rounding(dy[:, split:] + 2 * np.pi * (du * self.w1).sum(axis=2))


class PiecewiseLinear(Layer):
    """For column j the sum x slope + bias + c steps, c being how much of each bin lies below x."""

    def __init__(self, edges, outputs):
        self.edges = [np.float32(one).astype(float) for one in edges]
        self.steps = np.zeros((len(edges), max(map(len, edges)) - 1, outputs))
        self.slope, self.bias = np.zeros((2, len(edges), outputs))

    def parameters(self):
        return {"steps": self.steps, "slope": self.slope, "bias": self.bias}

    def gradients(self):
        return {"steps": self.dsteps, "slope": self.dslope, "bias": self.dbias}

    def shares(self, x):
        """c and its slope."""
        c, slopes = np.zeros((2, len(x), *self.steps.shape[:2]))
        for j, edges in enumerate(self.edges):
            for m, (low, high) in enumerate(pairwise(edges)):
                whole = (x[:, j] - low) / (high - low)
                least, most = -np.inf if m == 0 else 0, np.inf if m == len(edges) - 2 else 1
                c[:, j, m] = np.clip(whole, least, most)
                slopes[:, j, m] = ((least < whole) & (whole < most)) / (high - low)
        return c, slopes

    def forward(self, x, training, rng):
        self.x, (self.c, self.slopes) = x, self.shares(x)
        y = np.einsum("njm,jmk->njk", self.c, self.steps) + x[:, :, None] * self.slope + self.bias
        return self.rounding(y.reshape(len(x), -1))

    def backward(self, dy):
        dy = dy.reshape(len(dy), *self.slope.shape)
        self.dsteps = self.rounding(np.einsum("njm,njk->jmk", self.c, dy))
        self.dslope, self.dbias = self.rounding(np.einsum("nj,njk->jk", self.x, dy)), self.rounding(dy.sum(axis=0))
        rise = np.einsum("njm,jmk->njk", self.slopes, self.steps) + self.slope
        return self.rounding((dy * rise).sum(axis=2))


class Dropout(Layer):
    """y = x m. The mask comes from a 64-bit key: 16 bits of splitmix64 for each entry, which must not be below p."""

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, training, rng):
        self.mask = np.ones(x.shape)
        if training and self.rate:
            threshold = min(int(self.rate * 65536 + 0.5), 65535)
            words = splitmix64(rng, -(-x.size // 4))
            bits = np.array([word >> shift & 0xFFFF for word in words for shift in (0, 16, 32, 48)])[: x.size]
            self.mask = np.where(bits >= threshold, 65536 / (65536 - threshold), 0.0).reshape(x.shape)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class GaussianNoise(Layer):
    """y = x + σ e. Each word of splitmix64 gives a point of the plane, whose coordinates are two e, 64 words apart."""

    def __init__(self, sigma):
        self.sigma = sigma

    def forward(self, x, training, rng):
        if not training or not self.sigma:
            return x
        words = np.array(splitmix64(rng, -(-x.size // 128) * 64), np.uint64).reshape(-1, 64)
        w = np.maximum(self.rounding(2**31 / ((words >> np.uint64(33)) + 0.5)), 1)
        r = self.rounding(np.sqrt(2 * np.log(w)))
        turn = (words & np.uint64(2**32 - 1)) / 2**32
        angle = self.rounding(2 * np.pi * np.where(turn < 0.5, turn, turn - 1))
        e = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1).ravel()[: x.size]
        return self.rounding(x + self.rounding(self.sigma * e.reshape(x.shape)))

    def backward(self, dy):
        return dy


def splitmix64(rng, count):
    """So many words from a key that the generator gives."""
    found, state = [], int(rng.integers(0, 2**64, dtype=np.uint64))
    for _ in range(count):
        state = z = (state + 0x9E3779B97F4A7C15) & MASK64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        found.append(z ^ z >> 31)
    return found


class Linear(Layer):
    """y = σ(x W + b), and the penalty l1 Σ|W| + l2 ΣW²."""

    def __init__(self, in_features, out_features, activation=None, bias=True, l1=0.0, l2=0.0):
        self.W = np.zeros((in_features, out_features))
        self.b = np.zeros(out_features) if bias else None
        self.activation, self.l1, self.l2 = activation, l1, l2

    def parameters(self):
        return {"W": self.W} | ({} if self.b is None else {"b": self.b})

    def gradients(self):
        return {"W": self.dW} | ({} if self.b is None else {"b": self.db})

    def inner(self):
        return [] if self.activation is None else [self.activation]

    def penalty(self):
        return self.l1 * np.abs(self.W).sum() + self.l2 * (self.W**2).sum()

    def forward(self, x, training, rng):
        self.x = x
        z = self.rounding(x @ self.W + (0 if self.b is None else self.b))
        return z if self.activation is None else self.activation.forward(z, training, rng)

    def backward(self, dy):
        dz = dy if self.activation is None else self.activation.backward(dy)
        self.dW, self.db = self.rounding(self.x.T @ dz), self.rounding(dz.sum(axis=0))
        return self.rounding(dz @ self.W.T)

    def penalty_gradient(self):
        if self.l1:
            self.rounding.kink(self.W)
        return self.l1 * np.sign(self.W) + 2 * self.l2 * self.W


class Scale(Layer):
    """y = gain x."""

    def __init__(self, features):
        self.gain = np.zeros(features)

    def parameters(self):
        return {"gain": self.gain}

    def gradients(self):
        return {"gain": self.dgain}

    def forward(self, x, training, rng):
        self.x = x
        return self.rounding(x * self.gain)

    def backward(self, dy):
        self.dgain = self.rounding((dy * self.x).sum(axis=0))
        return self.rounding(dy * self.gain)


class PReLU(Layer):
    """y = x above 0 and a x below, with an a for each feature that is learned."""

    def __init__(self, features):
        self.slope = np.zeros(features)

    def parameters(self):
        return {"slope": self.slope}

    def gradients(self):
        return {"slope": self.dslope}

    def forward(self, x, training, rng):
        self.x = self.rounding.kink(x)
        return self.rounding(np.where(x > 0, x, self.slope * x))

    def backward(self, dy):
        self.dslope = self.rounding(np.where(self.x > 0, 0, dy * self.x).sum(axis=0))
        return self.rounding(np.where(self.x > 0, dy, self.slope * dy))


class ParametricActivation(Layer):
    """y = x + a (f(x) − x), with an a for each feature that is learned."""

    def __init__(self, features, activation):
        self.amount, self.activation = np.zeros(features), activation

    def parameters(self):
        return {"amount": self.amount}

    def gradients(self):
        return {"amount": self.damount}

    def inner(self):
        return [self.activation]

    def forward(self, x, training, rng):
        self.beyond = self.activation.forward(x, training, rng) - x
        return self.rounding(x + self.amount * self.beyond)

    def backward(self, dy):
        self.damount = self.rounding((dy * self.beyond).sum(axis=0))
        return self.rounding(dy - self.amount * dy + self.activation.backward(self.amount * dy))


class Normalization(Layer):
    """y = gain (x − μ)/s + bias, s = √(σ² + ε). The gradient goes through μ and s too: their Jacobian is written out.

    ∂ŷᵢ/∂xⱼ = (δᵢⱼ − 1/m − ŷᵢ ŷⱼ/m) / s, for each column (axis 0) or row (axis 1) apart.
    """

    axis: int

    def __init__(self, features, epsilon):
        self.gain, self.bias, self.epsilon = np.zeros(features), np.zeros(features), epsilon

    def parameters(self):
        return {"gain": self.gain, "bias": self.bias}

    def gradients(self):
        return {"gain": self.dgain, "bias": self.dbias}

    def standardize(self, x):
        self.mean = self.rounding(x.mean(axis=self.axis, keepdims=True))
        self.variance = ((x - self.mean) ** 2).mean(axis=self.axis, keepdims=True)
        self.s = np.sqrt(self.variance + self.epsilon)
        self.standard = self.rounding((x - self.mean) / self.s)
        return self.rounding(self.gain * self.standard + self.bias)

    def backward(self, dy):
        self.dgain = self.rounding((dy * self.standard).sum(axis=0))
        self.dbias = self.rounding(dy.sum(axis=0))
        lines, heads, s = dy * self.gain, self.standard, self.s
        if self.axis == 0:
            lines, heads, s = lines.T, heads.T, s.T
        m = lines.shape[1]
        through_mean = self.rounding(np.full((m, m), 1 / m))
        through_s = self.rounding(heads[:, :, None] * heads[:, None, :] / m)
        jacobians = (np.eye(m) - through_mean - through_s) / s[:, :, None]
        dx = np.einsum("ni,nij->nj", lines, jacobians)
        return self.rounding(dx.T if self.axis == 0 else dx)


class LayerNorm(Normalization):
    axis = 1

    def __init__(self, features, epsilon=1e-5):
        super().__init__(features, epsilon)

    def forward(self, x, training, rng):
        return self.standardize(x)


class BatchNorm(Normalization):
    axis = 0

    def __init__(self, features, momentum=0.1, epsilon=1e-5):
        super().__init__(features, epsilon)
        self.momentum = momentum
        self.running_mean, self.running_variance = np.zeros(features), np.ones(features)

    def buffers(self):
        return {"running_mean": self.running_mean, "running_variance": self.running_variance}

    def forward(self, x, training, rng):
        if not training:
            factor = self.rounding(self.gain / np.sqrt(self.running_variance + self.epsilon))
            return self.rounding(x * factor) + self.rounding(self.bias - self.running_mean * factor)
        y = self.standardize(x)
        m, unbiased = self.momentum, self.variance[0] * len(x) / (len(x) - 1)
        self.running_mean[:] = self.rounding((1 - m) * self.running_mean + m * self.mean[0])
        self.running_variance[:] = self.rounding((1 - m) * self.running_variance + m * unbiased)
        return y
