"""Activations: y = f(x), dx = f′(x) dy, each derivative in terms of x; and softmax, which mixes a row."""

from __future__ import annotations

import math

import numpy as np

from .layers import Layer


class Activation(Layer):
    """y = f(x), dx = f′(x) dy; ``kinks`` are where f′ jumps.

    Unless f is made of straight ``lines``, f′ may be rounded where numbers near 1 cancel, as in 1 − tanh².
    """

    kinks: tuple[float, ...] = ()
    lines = False

    def f(self, x):
        raise NotImplementedError

    def slope(self, x):
        raise NotImplementedError

    def forward(self, x, training, rng):
        for kink in self.kinks:
            self.rounding.kink(x - kink)
        self.x = x
        return self.rounding(self.f(x))

    def backward(self, dy):
        slope = self.slope(self.x)
        if not self.lines:
            slope = slope + (self.rounding(np.ones_like(slope)) - 1)
        return self.rounding(dy * slope)


def sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


def normal_cdf(x):
    return np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2, otypes=[float])(x)


def softplus(x):
    return np.logaddexp(0, x)


class Identity(Activation):
    lines = True

    def f(self, x):
        return x

    def slope(self, x):
        return np.ones_like(x)


class LeakyReLU(Activation):
    kinks, lines = (0,), True

    def __init__(self, slope=0.01):
        self.a = slope

    def f(self, x):
        return np.where(x > 0, x, self.a * x)

    def slope(self, x):
        return np.where(x > 0, 1, self.a)


class ReLU(LeakyReLU):
    def __init__(self):
        super().__init__(0.0)


class ELU(Activation):
    kinks = (0,)  # f′ is continuous where α is 1

    def __init__(self, alpha=1.0):
        self.alpha, self.scale = alpha, 1.0

    def f(self, x):
        return self.scale * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def slope(self, x):
        return self.scale * np.where(x > 0, 1, self.alpha * np.exp(np.minimum(x, 0)))


class SELU(ELU):
    def __init__(self):
        self.alpha, self.scale = 1.6732632423543772848, 1.0507009873554804934


class HardSigmoid(Activation):
    kinks, lines = (-3, 3), True

    def f(self, x):
        return np.clip(x / 6 + 0.5, 0, 1)

    def slope(self, x):
        return np.where(np.abs(x) < 3, 1 / 6, 0)


class Sigmoid(Activation):
    def f(self, x):
        return sigmoid(x)

    def slope(self, x):
        return sigmoid(x) * sigmoid(-x)


class Tanh(Activation):
    def f(self, x):
        return np.tanh(x)

    def slope(self, x):
        return 1 / np.cosh(x) ** 2


class Softplus(Activation):
    def f(self, x):
        return softplus(x)

    def slope(self, x):
        return sigmoid(x)


class SiLU(Activation):
    def f(self, x):
        return x * sigmoid(x)

    def slope(self, x):
        return sigmoid(x) + x * sigmoid(x) * sigmoid(-x)


class Mish(Activation):
    def f(self, x):
        return x * np.tanh(softplus(x))

    def slope(self, x):
        return np.tanh(softplus(x)) + x * sigmoid(x) / np.cosh(softplus(x)) ** 2


class GELU(Activation):
    def __init__(self, approximate="none"):
        self.approximate = approximate

    def f(self, x):
        if self.approximate == "none":
            return x * normal_cdf(x)
        return x * sigmoid(2 * self.u(x))

    def slope(self, x):
        if self.approximate == "none":
            return normal_cdf(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
        gate = sigmoid(2 * self.u(x))
        return gate + x * gate * sigmoid(-2 * self.u(x)) * 2 * du

    def u(self, x):
        return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


class Softmax(Layer):
    """yₖ = exp xₖ / Σ exp x, and its whole Jacobian ∂yᵢ/∂xⱼ = yᵢ (δᵢⱼ − yⱼ)."""

    def forward(self, x, training, rng):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = self.rounding(e / e.sum(axis=1, keepdims=True))
        return self.y

    def backward(self, dy):
        diagonal = self.y[:, :, None] * np.eye(self.y.shape[1])
        jacobians = diagonal - self.rounding(self.y[:, :, None] * self.y[:, None, :])
        return self.rounding(np.einsum("ni,nij->nj", dy, jacobians))
