"""JAX: a whole epoch as one compiled ``scan``, parameters and optimizer state donated to it."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from chainrule._support.checks import Array

from ..grid import MOMENTUM, Problem
from .contract import Predictor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Jax:
    """Pure functions of (parameters, optimizer state, running statistics, random key)."""

    def __init__(self, problem: Problem) -> None:
        import jax

        self.jax: Any = jax
        self.row = problem.row
        self.rng = np.random.default_rng(0)
        with self.precision():
            self.x, self.y = jax.numpy.asarray(problem.x), jax.numpy.asarray(problem.y)
            self.carry = self._start(problem)
            self.epoch = jax.jit(self._full_batch if problem.row.full_batch else self._epoch, donate_argnums=0)
            self.apply = jax.jit(lambda parameters, running, x: self.forward(parameters, running, x, None)[0])

    def precision(self) -> Any:
        """float64 is a switch of the whole library, off by default."""
        return self.jax.enable_x64(True) if self.row.dtype == "float64" else contextlib.nullcontext()

    def _start(self, problem: Problem) -> Any:
        jnp, row = self.jax.numpy, self.row
        parameters: list[dict[str, Any]] = []
        running = []
        for index, (W, b) in enumerate(problem.weights):
            layer = {"W": jnp.array(W)} | ({} if b is None else {"b": jnp.array(b)})
            if row.batch_norm and index < len(problem.weights) - 1:
                width, dtype = W.shape[1], W.dtype
                layer |= {"gain": jnp.ones(width, dtype), "bias": jnp.zeros(width, dtype)}
                running.append((jnp.zeros(width, dtype), jnp.ones(width, dtype)))
            parameters.append(layer)
        zeros = [self.jax.tree.map(jnp.zeros_like, parameters) for _ in range(2 if row.optimizer == "adam" else 1)]
        return parameters, (zeros, jnp.zeros((), jnp.int32)), running, self.jax.random.key(0, impl="rbg")

    def forward(self, parameters: Any, running: Any, x: Any, key: Any) -> tuple[Any, Any]:
        """Outputs and new running statistics; no key: evaluation."""
        jax, row = self.jax, self.row
        running = list(running)
        for index, layer in enumerate(parameters):
            x = x @ layer["W"] + layer.get("b", 0)
            if index == len(parameters) - 1:
                break
            if row.batch_norm:
                x, running[index] = self._batch_norm(layer, running[index], x, key is not None)
            x = jax.nn.gelu(x, approximate=False) if row.activation == "gelu" else jax.nn.relu(x)
            if row.dropout and key is not None:
                keep = jax.random.bernoulli(jax.random.fold_in(key, index), 1 - row.dropout, x.shape)
                x = jax.numpy.where(keep, x / (1 - row.dropout), 0)
        return x, running

    def _batch_norm(self, layer: Any, running: Any, x: Any, training: bool) -> tuple[Any, Any]:
        jnp = self.jax.numpy
        mean, variance = (x.mean(0), x.var(0)) if training else running
        if training:
            fresh = (mean, variance * (len(x) / (len(x) - 1)))
            running = tuple(0.9 * old + 0.1 * new for old, new in zip(running, fresh, strict=True))
        scale = layer["gain"] / jnp.sqrt(variance + 1e-5)
        return (x - mean) * scale + layer["bias"], running

    def loss(self, parameters: Any, running: Any, x: Any, y: Any, key: Any) -> tuple[Any, Any]:
        """The loss of a batch, and the running statistics."""
        z, running = self.forward(parameters, running, x, key)
        if self.row.regression:
            return ((z - y) ** 2).mean(), running
        hot = self.jax.nn.one_hot(y, z.shape[1], dtype=z.dtype)
        return -(hot * self.jax.nn.log_softmax(z)).sum() / len(x), running

    def step(self, carry: Any, x: Any, y: Any) -> Any:
        """Forward, backward, update."""
        jax = self.jax
        parameters, optimizer, running, key = carry
        key, now = jax.random.split(key) if self.row.dropout else (key, key)
        gradients, running = jax.grad(self.loss, has_aux=True)(parameters, running, x, y, now)
        parameters, optimizer = self._update(parameters, gradients, *optimizer)
        return parameters, optimizer, running, key

    def _update(self, parameters: Any, gradients: Any, moments: Any, t: Any) -> tuple[Any, Any]:
        tree, jnp, rate, t = self.jax.tree, self.jax.numpy, self.row.learning_rate, t + 1
        if self.row.optimizer == "momentum":
            v = tree.map(lambda v, g: MOMENTUM * v + g, moments[0], gradients)
            return tree.map(lambda w, v: w - rate * v, parameters, v), ([v], t)
        m = tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradients)
        v = tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradients)
        dtype = parameters[0]["W"].dtype
        c1, c2 = 1 - jnp.asarray(BETA1, dtype) ** t, 1 - jnp.asarray(BETA2, dtype) ** t

        def update(w: Any, m: Any, v: Any) -> Any:
            return w - rate * (m / c1) / (jnp.sqrt(v / c2) + EPSILON)

        return tree.map(update, parameters, m, v), ([m, v], t)

    def _epoch(self, carry: Any, x: Any, y: Any, order: Any) -> Any:
        """All batches of an epoch, each gathered inside the scan."""

        def body(carry: Any, rows: Any) -> tuple[Any, None]:
            xb, yb = (a.at[rows].get(mode="promise_in_bounds") for a in (x, y))
            return self.step(carry, xb, yb), None

        return self.jax.lax.scan(body, carry, order)[0]

    def _full_batch(self, carry: Any, x: Any, y: Any, order: Any) -> Any:
        """So many steps on all the data."""
        return self.jax.lax.scan(lambda carry, _: (self.step(carry, x, y), None), carry, length=self.row.steps)[0]

    def _run(self, order: Array) -> None:
        shaped = order.reshape(-1, self.row.batch).astype(np.int32)
        self.carry = self.epoch(self.carry, self.x, self.y, shaped)

    def train(self, passes: int) -> None:
        """A call for each pass, and the wait for the last."""
        with self.precision():
            for _ in range(passes):
                self._run(self.rng.permutation(self.row.rows))
            self.jax.block_until_ready(self.carry)

    def train_in_order(self) -> None:
        """The same compiled epoch, rows as they stand."""
        with self.precision():
            self._run(np.arange(self.row.rows))
            self.jax.block_until_ready(self.carry)

    def outputs(self) -> Array:
        """By the network in evaluation mode."""
        parameters, _, running, _ = self.carry
        with self.precision():
            return np.asarray(self.apply(parameters, running, self.x))


contestant = Jax


def predictor(problem: Problem, x: Array) -> Predictor:
    """The network under ``jit``, from device array to device array."""
    made = Jax(problem)
    parameters, _, running, _ = made.carry
    given = made.jax.numpy.asarray(x)
    return Predictor(lambda: made.apply(parameters, running, given).block_until_ready())
