"""The NTK parametrisation by groups of an optimizer, against its literal equations in plain NumPy.

RealMLP writes a dense layer as z = h W̃ / √d + b, W̃ ~ N(0, 1), d the width of h. Ours keeps W = W̃ / √d, by which the
gradient is √d times as large. Adam divides m̂ by √v̂: that factor cancels, as long as ε has it, too. So a step of η on
W̃ is one of η / √d on W, and the decay 1 − η ω is the same factor for either: ``learning_rate_factor`` 1/√d and
``weight_decay_factor`` √d, whose product is what the decay is multiplied by.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr

STEPS, ROWS, INPUTS, WIDTH, CLASSES = 50, 96, 5, 24, 3
RATE, DECAY, BETA1, BETA2, EPSILON, SMOOTHING = 0.04, 0.02, 0.9, 0.95, 1e-8, 0.1
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # of SELU
ROOTS = {1: math.sqrt(INPUTS), 3: math.sqrt(WIDTH)}  # of the widths of h, by the place of the layer
#: The factors on the learning rate and on the decay: of the weights, biases, the scale in front, the activations.
FACTORS = {"W": (1.0, 1.0), "b": (0.1, 0.0), "gain": (6.0, 36.0), "amount": (0.1, 0.01)}

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(ROWS, INPUTS)), RNG.integers(0, CLASSES, ROWS)
FIRST = {
    "0.gain": np.ones(INPUTS),
    "1.W": RNG.normal(size=(INPUTS, WIDTH)),
    "1.b": RNG.normal(size=WIDTH),
    "2.amount": np.ones(WIDTH),
    "3.W": RNG.normal(size=(WIDTH, CLASSES)),
    "3.b": RNG.normal(size=CLASSES),
}


def literal_gradients(p: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Of the mean cross-entropy with smoothed labels, as the paper writes the network."""
    h0 = x * p["0.gain"]
    z1 = h0 @ p["1.W"] / ROOTS[1] + p["1.b"]
    f = SCALE * np.where(z1 > 0, z1, ALPHA * np.expm1(np.minimum(z1, 0)))
    slope = SCALE * np.where(z1 > 0, 1, ALPHA * np.exp(np.minimum(z1, 0)))
    h1 = z1 + p["2.amount"] * (f - z1)
    z = h1 @ p["3.W"] / ROOTS[3] + p["3.b"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    dz = (e / e.sum(axis=1, keepdims=True) - (1 - SMOOTHING) * np.eye(CLASSES)[y] - SMOOTHING / CLASSES) / len(x)
    dh1 = dz @ p["3.W"].T / ROOTS[3]
    dz1 = dh1 * (1 - p["2.amount"] + p["2.amount"] * slope)
    return {
        "0.gain": (dz1 @ p["1.W"].T / ROOTS[1] * x).sum(axis=0),
        "1.W": h0.T @ dz1 / ROOTS[1],
        "1.b": dz1.sum(axis=0),
        "2.amount": (dh1 * (f - z1)).sum(axis=0),
        "3.W": h1.T @ dz / ROOTS[3],
        "3.b": dz.sum(axis=0),
    }


def literal_training(batches: list[slice]) -> dict[str, np.ndarray]:
    """Decay, then Adam, at rates that follow coslog4 and flat_cos of the share of the steps that are done."""
    p = {name: array.copy() for name, array in FIRST.items()}
    m, v = ({name: np.zeros_like(array) for name, array in p.items()} for _ in range(2))
    for step in range(STEPS):
        t = step / STEPS
        eta = RATE * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t))) / 2
        omega = DECAY * (1 if t <= 0.5 else (1 + math.cos(math.pi * (2 * t - 1))) / 2)
        batch = batches[step % len(batches)]
        for name, g in literal_gradients(p, X[batch], Y[batch]).items():
            place, kind = name.split(".")
            factor, decay = FACTORS[kind]
            p[name] *= 1 - eta * omega * decay
            m[name] = BETA1 * m[name] + (1 - BETA1) * g
            v[name] = BETA2 * v[name] + (1 - BETA2) * g * g
            m_hat, v_hat = m[name] / (1 - BETA1 ** (step + 1)), v[name] / (1 - BETA2 ** (step + 1))
            epsilon = EPSILON / ROOTS[int(place)] if kind == "W" else EPSILON
            p[name] -= eta * factor * m_hat / (np.sqrt(v_hat) + epsilon)
    return p


def model_and_optimizer(cls: type[cr.Adam]) -> tuple[cr.Sequential, cr.Adam]:
    layers = [cr.Scale(INPUTS), cr.Linear(INPUTS, WIDTH), cr.ParametricActivation(WIDTH, "selu")]
    model = cr.Sequential([*layers, cr.Linear(WIDTH, CLASSES)], rng=0, dtype="float64")
    groups = {}
    for name, first in FIRST.items():
        place, kind = name.split(".")
        root = ROOTS[int(place)] if kind == "W" else 1.0
        model.parameters[name][:] = first / root
        rate, decay = FACTORS[kind]
        groups[name] = {"learning_rate_factor": rate / root, "weight_decay_factor": decay / rate * root}
    schedule, decay = cr.schedules.CosLog4(RATE), cr.schedules.FlatCos(DECAY)
    return model, cls(schedule, betas=(BETA1, BETA2), epsilon=EPSILON, weight_decay=decay, groups=groups)


def assert_same(model: cr.Sequential, expected: dict[str, np.ndarray]) -> None:
    for name, theirs in expected.items():
        place, kind = name.split(".")
        root = ROOTS[int(place)] if kind == "W" else 1.0
        np.testing.assert_allclose(model.parameters[name] * root, theirs, rtol=0, atol=1e-10, err_msg=name)
        assert np.abs(theirs - FIRST[name]).max() > 1e-3  # it has moved


@pytest.mark.parametrize("cls", [cr.Adam, cr.AdamW])
def test_a_training_by_hand_is_the_literal_one(cls: Any) -> None:
    model, optimizer = model_and_optimizer(cls)
    batches, loss = (
        [slice(start, start + 32) for start in range(0, ROWS, 32)],
        cr.CrossEntropy(label_smoothing=SMOOTHING),
    )
    optimizer.setup(model.parameters, total_steps=STEPS)
    for step in range(STEPS):
        batch = batches[step % len(batches)]
        z = model.forward(X[batch], training=True)
        model.backward(loss(z, Y[batch])[1])
        optimizer.step(model.parameters.vector, model.gradients.vector)
    assert_same(model, literal_training(batches))


def test_a_training_by_the_trainer_is_the_literal_one() -> None:
    model, optimizer = model_and_optimizer(cr.Adam)
    trainer = cr.Trainer(model, cr.CrossEntropy(label_smoothing=SMOOTHING), optimizer, batch_size=None)
    trainer.fit(X, Y, epochs=STEPS, verbose=0)
    assert_same(model, literal_training([slice(None)]))
