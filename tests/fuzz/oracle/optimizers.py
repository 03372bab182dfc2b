"""Optimizers, each parameter an array of its own: ``direction`` is the rule, ``step`` all that stands around it."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from .rounding import Rounding

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


class Optimizer:
    decay = 0.0

    def __init__(
        self, learning_rate, *, weight_decay=None, clip_norm=None, clip_value=None, groups=None, **rule: Any
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = self.decay if weight_decay is None else weight_decay
        self.clip_norm, self.clip_value, self.groups = clip_norm, clip_value, groups or {}
        vars(self).update(self.defaults() | rule)
        self.t = 0
        self.memory: dict[str, Arrays] = {}
        self.total_steps = 0
        self.rounding = Rounding()

    def defaults(self) -> dict[str, Any]:
        return {}

    def direction(self, name: str, g: Array, held: Arrays) -> Array:
        raise NotImplementedError

    def step(self, weights: Arrays, gradients: Arrays) -> None:
        rate, decay = self.now(self.learning_rate), self.now(self.weight_decay)
        gradients = {name: self.clipped(g) for name, g in gradients.items()}
        norm = math.sqrt(sum((g**2).sum() for g in gradients.values()))
        if self.clip_norm is not None and norm > self.clip_norm:
            gradients = {name: self.rounding(g * self.clip_norm / norm) for name, g in gradients.items()}
        self.t += 1
        for name, w in weights.items():
            held = self.memory.setdefault(name, {})
            eta = rate * self.factor(name, "learning_rate_factor")
            self.move(name, w, gradients[name], held, eta, decay * self.factor(name, "weight_decay_factor"))

    def move(self, name: str, w: Array, g: Array, held: Arrays, eta: float, decay: float) -> None:
        w *= 1 - eta * decay
        w[...] = self.rounding(w - eta * self.direction(name, g, held))

    def clipped(self, g: Array) -> Array:
        return g if self.clip_value is None else np.minimum(np.maximum(g, -self.clip_value), self.clip_value)

    def now(self, rate: Any) -> float:
        return rate(self.t, self.total_steps) if callable(rate) else rate

    def factor(self, name: str, what: str) -> float:
        """The product of what all patterns that match say."""
        return math.prod(g.get(what, 1.0) for pattern, g in self.groups.items() if fnmatchcase(name, pattern))

    def average(self, held: Arrays, name: str, beta: float, value: Array, weight: float | None = None) -> Array:
        """held ← β held + (1 − β) value."""
        before = held.get(name, np.zeros_like(value))
        held[name] = self.rounding(beta * before + (1 - beta if weight is None else weight) * value)
        return held[name]


class SGD(Optimizer):
    def defaults(self):
        return {"momentum": 0.0, "dampening": 0.0, "nesterov": False}

    def direction(self, name, g, held):
        if not self.momentum:
            return g
        v = self.average(held, "v", self.momentum, g, weight=1 - self.dampening)
        return g + self.momentum * v if self.nesterov else v


class RMSprop(Optimizer):
    def defaults(self):
        return {"rho": 0.99, "momentum": 0.0, "epsilon": 1e-8}

    def direction(self, name, g, held):
        d = g / (np.sqrt(self.average(held, "v", self.rho, g**2)) + self.epsilon)
        return self.average(held, "b", self.momentum, d, weight=1.0) if self.momentum else d


class Adagrad(Optimizer):
    def defaults(self):
        return {"initial_accumulator": 0.0, "epsilon": 1e-10}

    def direction(self, name, g, held):
        held["v"] = self.rounding(held.get("v", self.initial_accumulator) + g**2)
        return g / (np.sqrt(held["v"]) + self.epsilon)


class Adam(Optimizer):
    def defaults(self):
        return {"betas": (0.9, 0.999), "epsilon": 1e-8}

    def direction(self, name, g, held):
        beta1, beta2 = self.betas
        m = self.average(held, "m", beta1, g) / (1 - beta1**self.t)
        v = self.average(held, "v", beta2, g**2) / (1 - beta2**self.t)
        return m / (np.sqrt(v) + self.epsilon)


class AdamW(Adam):
    decay = 0.01


class NAdam(Adam):
    def defaults(self):
        return super().defaults() | {"momentum_decay": 0.004}

    def mu(self, t):
        return self.betas[0] * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def direction(self, name, g, held):
        beta1, beta2 = self.betas
        m = self.average(held, "m", beta1, g)
        v = self.average(held, "v", beta2, g**2) / (1 - beta2**self.t)
        now = math.prod(self.mu(i) for i in range(1, self.t + 1))
        ahead = g * (1 - self.mu(self.t)) / (1 - now)
        ahead = ahead + m * self.mu(self.t + 1) / (1 - now * self.mu(self.t + 1))
        return ahead / (np.sqrt(v) + self.epsilon)


class Lion(Optimizer):
    def defaults(self):
        return {"betas": (0.9, 0.99)}

    def direction(self, name, g, held):
        beta1, beta2 = self.betas
        m = held.get("m", np.zeros_like(g))
        d = self.rounding.kink(self.rounding(beta1 * m + (1 - beta1) * g))
        self.average(held, "m", beta2, g)
        return np.sign(d)


class Muon(Adam):
    decay = 0.01

    def defaults(self):
        return super().defaults() | {"momentum": 0.95, "nesterov": True, "iterations": 5}

    def direction(self, name, g, held):
        if g.ndim != 2:
            return super().direction(name, g, held)
        mu = self.momentum
        m = self.average(held, "m", mu, g)
        d = (1 - mu) * g + mu * m if self.nesterov else m
        norm = math.sqrt((d**2).sum())
        x = d / norm if norm else d
        a, b, c = 3.4445, -4.7750, 2.0315
        for _ in range(self.iterations):
            gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
            change = b * gram + c * gram @ gram
            x = self.rounding(a * x + (change @ x if x.shape[0] <= x.shape[1] else x @ change))
        return 0.2 * math.sqrt(max(g.shape)) * x


class Layerwise(Optimizer):
    def ratio(self, w: Array, norm: float, length: float) -> float:
        self.rounding.kink(np.array([norm, length]))
        found = norm / length if w.ndim > 1 and norm > 0 and length > 0 else 1.0
        return found if self.clip_ratio is None or w.ndim < 2 else min(found, self.clip_ratio)


class LARS(Layerwise):
    def defaults(self):
        return {"momentum": 0.9, "trust_coefficient": 1e-3, "clip_ratio": None}

    def move(self, name, w, g, held, eta, decay):
        norm = math.sqrt((w**2).sum())
        length = math.sqrt((g**2).sum()) + decay * norm
        scaled = self.ratio(w, self.trust_coefficient * norm, length) * (g + decay * w)
        w[...] = self.rounding(w - eta * self.average(held, "v", self.momentum, scaled, weight=1.0))


class LAMB(Layerwise, Adam):
    decay = 0.01

    def defaults(self):
        return super().defaults() | {"epsilon": 1e-6, "clip_ratio": None}

    def move(self, name, w, g, held, eta, decay):
        update = self.direction(name, g, held) + decay * w
        ratio = self.ratio(w, math.sqrt((w**2).sum()), math.sqrt((update**2).sum()))
        w[...] = self.rounding(w - eta * ratio * update)
