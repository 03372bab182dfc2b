"""What a random training is made of: tables of parts, each with the arguments that it may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator


class Of:
    """``Of("Adam", learning_rate=0.1)``: a part by its name and arguments, to be built from whatever has this name."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.options = name, options

    def build(self, namespace: Any) -> Any:
        return getattr(namespace, self.name)(**{key: built(value, namespace) for key, value in self.options.items()})

    def __repr__(self) -> str:
        return f"Of({', '.join([repr(self.name), *(f'{key}={value!r}' for key, value in self.options.items())])})"


def built(value: Any, namespace: Any) -> Any:
    if isinstance(value, Of):
        return value.build(namespace)
    return [built(item, namespace) for item in value] if isinstance(value, list) else value


def number(rng: Rng, low: float, high: float) -> float:
    """Between the two, of three digits, so that a case can be read."""
    return float(f"{rng.uniform(low, high):.3g}")


def one_of(rng: Rng, choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


# --- schedules and optimizers ---

SCHEDULES: dict[str, Callable[[Rng], dict[str, Any]]] = {
    "Constant": lambda rng: {},
    "CosLog4": lambda rng: {},
    "Exponential": lambda rng: {"decay": number(rng, 0.5, 0.99), "every": int(rng.integers(1, 4))},
    "FlatCos": lambda rng: {},
    "InverseScaling": lambda rng: {"power": number(rng, 0, 1)},
    "OneCycle": lambda rng: {"warmup": number(rng, 0, 0.9), "initial_divisor": 10.0, "final_divisor": 100.0},
    "ReduceOnPlateau": lambda rng: {"factor": 0.5, "patience": int(rng.integers(2)), "minimum": 0.0, "threshold": 0.05},
    "StepDecay": lambda rng: {"factor": number(rng, 0.3, 0.9), "every": int(rng.integers(1, 6))},
    "WarmupCosine": lambda rng: {"warmup": one_of(rng, [0, 3, 0.25]), "final": number(rng, 0, 0.005)},
}


def draw_schedule(rng: Rng, rate: float) -> Of:
    name = one_of(rng, list(SCHEDULES))
    return Of(name, rate=rate, **SCHEDULES[name](rng))


def betas(rng: Rng) -> tuple[float, float]:
    return number(rng, 0, 0.95), number(rng, 0.5, 0.999)


def sgd(rng: Rng) -> dict[str, Any]:
    momentum = one_of(rng, [0.0, number(rng, 0.1, 0.95)])
    nesterov = bool(momentum and rng.random() < 0.4)
    dampening = 0.0 if nesterov or rng.random() < 0.5 else number(rng, 0.1, 0.95)
    return {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}


def adam(rng: Rng) -> dict[str, Any]:
    return {"betas": betas(rng), "epsilon": one_of(rng, [1e-8, 1e-6, 1e-3])}


def clip_ratio(rng: Rng) -> dict[str, Any]:
    return {"clip_ratio": one_of(rng, [None, number(rng, 0.01, 2)])}


#: The highest learning rate, and the arguments of the rule.
OPTIMIZERS: dict[str, tuple[float, Callable[[Rng], dict[str, Any]]]] = {
    "SGD": (0.1, sgd),
    "RMSprop": (
        0.01,
        lambda rng: {"rho": number(rng, 0.5, 0.99), "momentum": one_of(rng, [0.0, 0.8]), "epsilon": 1e-6},
    ),
    "Adagrad": (0.05, lambda rng: {"initial_accumulator": one_of(rng, [0.0, 0.1]), "epsilon": 1e-8}),
    "Adam": (0.03, adam),
    "AdamW": (0.03, adam),
    "NAdam": (0.03, lambda rng: adam(rng) | {"momentum_decay": number(rng, 0, 0.1)}),
    "Lion": (0.01, lambda rng: {"betas": betas(rng)}),
    "Muon": (
        0.02,
        lambda rng: adam(rng) | {"momentum": number(rng, 0, 0.95), "nesterov": bool(rng.integers(2)), "iterations": 3},
    ),
    "LARS": (
        0.1,
        lambda rng: {"momentum": number(rng, 0, 0.95), "trust_coefficient": number(rng, 0.001, 0.5)} | clip_ratio(rng),
    ),
    "LAMB": (0.03, lambda rng: adam(rng) | clip_ratio(rng)),
}


def draw_optimizer(rng: Rng) -> Of:
    name = one_of(rng, list(OPTIMIZERS))
    highest, rule = OPTIMIZERS[name]
    rate = number(rng, highest / 20, highest)
    options = {"learning_rate": rate if rng.random() < 0.4 else draw_schedule(rng, rate)} | rule(rng)
    if rng.random() < 0.5:
        decay = number(rng, 0, 0.5)
        options["weight_decay"] = decay if rng.random() < 0.8 else Of("Exponential", rate=decay, decay=0.8, every=2)
    if rng.random() < 0.3:
        options["clip_norm"] = number(rng, 0.01, 2)
    if rng.random() < 0.3:
        options["clip_value"] = number(rng, 0.001, 0.3)
    if rng.random() < 0.3:
        factors = {"learning_rate_factor": number(rng, 0, 3), "weight_decay_factor": number(rng, 0, 2)}
        options["groups"] = {one_of(rng, ["*.W", "*", "?.*"]): factors}
    return Of(name, **options)


# --- layers ---

ACTIVATIONS: dict[str, Callable[[Rng], dict[str, Any]]] = {
    "ELU": lambda rng: {"alpha": number(rng, 0.3, 1.5)},
    "GELU": lambda rng: {"approximate": one_of(rng, ["none", "tanh"])},
    "HardSigmoid": lambda rng: {},
    "Identity": lambda rng: {},
    "LeakyReLU": lambda rng: {"slope": number(rng, 0, 1)},
    "Mish": lambda rng: {},
    "ReLU": lambda rng: {},
    "SELU": lambda rng: {},
    "SiLU": lambda rng: {},
    "Sigmoid": lambda rng: {},
    "Softmax": lambda rng: {},
    "Softplus": lambda rng: {},
    "Tanh": lambda rng: {},
}


def draw_activation(rng: Rng) -> Of:
    name = one_of(rng, list(ACTIVATIONS))
    return Of(name, **ACTIVATIONS[name](rng))


def linear(rng: Rng, inputs: int, outputs: int, activation: Of | None) -> Of:
    options: dict[str, Any] = {"in_features": inputs, "out_features": outputs, "activation": activation}
    options["bias"] = bool(rng.random() < 0.85)
    for penalty in ("l1", "l2"):
        if rng.random() < 0.25:
            options[penalty] = number(rng, 0.001, 0.1)
    return Of("Linear", **options)


#: What may stand between two Linear layers of this width. Those that compiled trainings know are the most likely.
BETWEEN: dict[str, tuple[float, Callable[[Rng, int], Of]]] = {
    "activation": (2, lambda rng, width: draw_activation(rng)),
    "BatchNorm": (
        3,
        lambda rng, width: Of(
            "BatchNorm", features=width, momentum=number(rng, 0.05, 1), epsilon=one_of(rng, [1e-5, 1e-2])
        ),
    ),
    "Columns": (1, lambda rng, width: Of("Columns", parts=draw_parts(rng, width))),
    "Dropout": (3, lambda rng, width: Of("Dropout", rate=one_of(rng, [0.0, number(rng, 0.01, 0.9)]))),
    "GaussianNoise": (1, lambda rng, width: Of("GaussianNoise", sigma=one_of(rng, [0.0, number(rng, 0.01, 0.9)]))),
    "LayerNorm": (3, lambda rng, width: Of("LayerNorm", features=width, epsilon=one_of(rng, [1e-5, 1e-2]))),
    "ParametricActivation": (
        1,
        lambda rng, width: Of("ParametricActivation", features=width, activation=draw_activation(rng)),
    ),
    "PReLU": (1, lambda rng, width: Of("PReLU", features=width)),
    "Residual": (1, lambda rng, width: Of("Residual", layers=draw_block(rng, width))),
    "Scale": (0.5, lambda rng, width: Of("Scale", features=width)),
}


def pbld(rng: Rng, width: int) -> Of:
    outputs, scale = int(rng.integers(2, 5)), number(rng, 0.01, 0.5)
    return Of("PBLD", features=width, frequencies=int(rng.integers(1, 20)), outputs=outputs, scale=scale)


def piecewise(rng: Rng, width: int) -> Of:
    edges = [np.unique(rng.normal(size=rng.integers(2, 9)).round(2)) for _ in range(width)]
    whole = [[*map(float, one), float(one[-1] + 1)] for one in edges]
    return Of("PiecewiseLinear", edges=whole, outputs=int(rng.integers(1, 5)))


def of_numbers(rng: Rng, width: int) -> Of:
    return pbld(rng, width) if rng.random() < 0.5 else piecewise(rng, width)


def draw_parts(rng: Rng, width: int) -> list[Any]:
    """Parts of columns that keep the width."""
    first = int(rng.integers(1, width + 1))
    waves = of_numbers(rng, first)
    back = linear(rng, first * waves.options["outputs"], first, None)
    parts = [[first, [waves, back]], [width - first, []]]
    return parts[: 1 + (first < width)]


def draw_front(rng: Rng, width: int) -> tuple[Of, int]:
    """Waves or pieces of some columns in front of a network, and how wide it is then."""
    first = int(rng.integers(1, width + 1))
    waves = of_numbers(rng, first)
    parts = [[first, [waves]], [width - first, []]][: 1 + (first < width)]
    if rng.random() < 0.5:
        parts.reverse()
    return Of("Columns", parts=parts), width + first * (waves.options["outputs"] - 1)


def draw_block(rng: Rng, width: int) -> list[Of]:
    """Layers that keep the width."""
    inner = int(rng.integers(1, 6))
    between = draw_between(rng, inner)
    first = linear(rng, width, inner, draw_activation(rng) if rng.random() < 0.5 else None)
    return [first, *between, linear(rng, inner, width, None)]


def draw_between(rng: Rng, width: int) -> list[Of]:
    chances = np.array([chance for chance, _ in BETWEEN.values()])
    kinds = rng.choice(list(BETWEEN), size=rng.integers(3), p=chances / chances.sum())
    return [BETWEEN[kind][1](rng, width) for kind in kinds]


def draw_layers(rng: Rng, inputs: tuple[int, ...], widest: int, outputs: int, last: Of | None) -> list[Of]:
    layers = [Of("Flatten")] if len(inputs) > 1 else []
    width = int(np.prod(inputs))
    if rng.random() < 0.2:
        layers += draw_between(rng, width)
    elif rng.random() < 0.2:
        front, width = draw_front(rng, width)
        layers.append(front)
    for _ in range(rng.integers(0, 4)):
        wide = int(rng.integers(1, widest + 1))
        layers.append(linear(rng, width, wide, draw_activation(rng) if rng.random() < 0.7 else None))
        layers += draw_between(rng, wide)
        width = wide
    inside = last is not None and rng.random() < 0.5
    layers.append(linear(rng, width, outputs, last if inside else None))
    return layers if last is None or inside else [*layers, last]


# --- losses ---


def levels(rng: Rng) -> tuple[float, ...]:
    return tuple(sorted({number(rng, 0.05, 0.95) for _ in range(rng.integers(1, 4))}))


def cross_entropy(rng: Rng, classes: int) -> dict[str, Any]:
    weights = [number(rng, 0.3, 3) for _ in range(classes)]
    return {
        "from_logits": bool(rng.random() < 0.75),
        "label_smoothing": one_of(rng, [0.0, number(rng, 0, 0.4)]),
        "class_weight": one_of(rng, [None, tuple(weights), {0: weights[0]}]),
    }


#: The kind of the targets, outputs for each of them, and the arguments for so many targets.
LOSSES: dict[str, tuple[tuple[str, ...], Callable[[Rng, int], dict[str, Any]]]] = {
    "AbsoluteError": (("numbers",), lambda rng, n: {}),
    "BinaryCrossEntropy": (("shares",), lambda rng, n: {"from_logits": bool(rng.random() < 0.75)}),
    "CrossEntropy": (("labels", "soft labels"), cross_entropy),
    "GaussianNLL": (("numbers",), lambda rng, n: {"floor": one_of(rng, [1e-6, 0.1])}),
    "HalfSquaredError": (("numbers",), lambda rng, n: {}),
    "Huber": (("numbers",), lambda rng, n: {"delta": number(rng, 0.2, 2)}),
    "LogCosh": (("numbers",), lambda rng, n: {}),
    "PoissonNLL": (("counts",), lambda rng, n: {}),
    "Quantile": (("numbers",), lambda rng, n: {"levels": levels(rng)}),
    "SquaredError": (("numbers",), lambda rng, n: {}),
}


def draw_loss(rng: Rng) -> tuple[Of, str, int, int, Of | None]:
    """The loss, the kind and number of its targets, the network's outputs, and what must come after them."""
    name = one_of(rng, list(LOSSES))
    kinds, options = LOSSES[name]
    targets = int(rng.integers(2, 5) if name == "CrossEntropy" else rng.integers(1, 4))
    loss = Of(name, **options(rng, targets))
    outputs = targets * {"GaussianNLL": 2, "Quantile": len(loss.options.get("levels", ()))}.get(name, 1)
    last = None
    if not loss.options.get("from_logits", True):
        last = Of("Softmax" if name == "CrossEntropy" else "Sigmoid")
    return loss, one_of(rng, kinds), targets, outputs, last
