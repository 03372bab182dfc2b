"""LARS and LAMB against their papers' algorithms, written with Python's floats, one array at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.optimizers import LAMB, LARS, SGD, Adam, AdamW, Optimizer
from chainrule.parameters import Parameters
from chainrule.schedules import StepDecay

SHAPES = {"0.W": (6, 4), "0.b": (4,), "0.gain": (1,), "1.W": (4, 9), "1.b": (9,), "2.stack": (2, 3, 5)}
MATRICES = [name for name, shape in SHAPES.items() if len(shape) > 1]
STEPS = 7
Floats = list[float]
EACH = pytest.mark.parametrize("make", [LARS, LAMB])


def drawn(seed: int, scale: float = 1.0, dtype: str = "float64") -> Parameters:
    made = Parameters(SHAPES, dtype)
    made.vector[:] = scale * np.random.default_rng(seed).standard_normal(made.vector.size)
    return made


def norm(numbers: Floats) -> float:
    return math.sqrt(math.fsum(number * number for number in numbers))


def lars_of_the_paper(w: Floats, gradients: list[Floats], matrix: bool, rate, mu=0.9, kappa=1e-3, decay=0.0) -> Floats:
    """Algorithm 1, whose velocity holds the rate: it is rescaled where the rate changes."""
    v = [0.0] * len(w)
    for step, g in enumerate(gradients):
        local = kappa * norm(w) / (norm(g) + decay * norm(w)) if matrix else 1.0
        change = rate(step) / rate(step - 1) if step else 1.0
        v = [mu * change * old + rate(step) * local * (b + decay * a) for old, a, b in zip(v, w, g, strict=True)]
        w = [a - b for a, b in zip(w, v, strict=True)]
    return w


def lamb_of_the_paper(
    w: Floats, gradients: list[Floats], matrix: bool, rate, betas=(0.9, 0.999), epsilon=1e-6, decay=0.01
) -> Floats:
    """Algorithm 2 with φ(z) = z. The means are sums over all gradients so far, each with its weight."""
    for step in range(len(gradients)):
        update = []
        for i, number in enumerate(w):
            m, v = (
                math.fsum(beta ** (step - k) * g[i] ** power for k, g in enumerate(gradients[: step + 1]))
                / math.fsum(beta ** (step - k) for k in range(step + 1))
                for power, beta in enumerate(betas, start=1)
            )
            update.append(m / (math.sqrt(v) + epsilon) + decay * number)
        ratio = norm(w) / norm(update) if matrix else 1.0
        w = [a - rate(step) * ratio * b for a, b in zip(w, update, strict=True)]
    return w


LARS_OPTIONS: list[dict[str, Any]] = [
    {},
    dict(momentum=0.5, trust_coefficient=0.3),
    dict(momentum=0.0, trust_coefficient=0.02, weight_decay=0.4),
]
LAMB_OPTIONS: list[dict[str, Any]] = [{}, dict(betas=(0.5, 0.8), epsilon=1e-3), dict(weight_decay=2.0)]
THEIRS = {"momentum": "mu", "trust_coefficient": "kappa", "weight_decay": "decay"}


@pytest.mark.parametrize(
    "rate", [lambda step, total=None: 0.1, StepDecay(0.4, factor=0.6, every=2)], ids=["0.1", "falling"]
)
@pytest.mark.parametrize(
    ("make", "paper", "options"),
    [(LARS, lars_of_the_paper, options) for options in LARS_OPTIONS]
    + [(LAMB, lamb_of_the_paper, options) for options in LAMB_OPTIONS],
)
def test_steps_are_those_of_the_paper(make: type[Optimizer], paper: Callable[..., Floats], options, rate) -> None:
    p, start, optimizer = drawn(0), drawn(0), make(rate, **options)
    gradients = [drawn(seed) for seed in range(1, 1 + STEPS)]
    optimizer.setup(p)
    for g in gradients:
        optimizer.step(p.vector, g.vector)
    for name in SHAPES:
        given = [g[name].ravel().tolist() for g in gradients]
        theirs = {THEIRS.get(key, key): value for key, value in options.items()}
        expected = paper(start[name].ravel().tolist(), given, name in MATRICES, rate, **theirs)
        np.testing.assert_allclose(p[name].ravel(), expected, rtol=1e-12, atol=1e-14, err_msg=name)


def moved(optimizer: Optimizer, w: Parameters, g: Parameters) -> Parameters:
    """How far one step goes, divided by the rate."""
    after = copy.deepcopy(w)
    optimizer.setup(after)
    optimizer.step(after.vector, g.vector)
    after.vector[:] = (w.vector - after.vector) / optimizer.current_learning_rate
    return after


@EACH
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_gradients_scale_does_not_matter_to_a_matrix_and_its_own_does(make: type[Optimizer], scale: float) -> None:
    options = {"weight_decay": 0.0} | ({"epsilon": 1e-300} if make is LAMB else {})
    w, g, wider = drawn(0), drawn(1), drawn(0, scale)
    first = moved(make(0.1, **options), w, g)
    scaled, grown = moved(make(0.1, **options), w, drawn(1, scale)), moved(make(0.1, **options), wider, g)
    for name in MATRICES:
        np.testing.assert_allclose(scaled[name], first[name], rtol=1e-6)
        np.testing.assert_allclose(grown[name], scale * first[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "share"), [(LARS(0.1, trust_coefficient=0.02), 0.02), (LAMB(0.1), 1.0)], ids=repr
)
def test_the_first_step_is_a_share_of_each_matrixs_norm(optimizer: Optimizer, share: float) -> None:
    w = drawn(0)
    update = moved(optimizer, w, drawn(1))
    for name in MATRICES:
        assert np.linalg.norm(update[name]) == pytest.approx(share * np.linalg.norm(w[name]), rel=1e-9)


@pytest.mark.parametrize(
    ("layerwise", "plain"),
    [
        (LARS(0.01, trust_coefficient=5.0, weight_decay=0.2), SGD(0.01, momentum=0.9)),
        (LAMB(0.01, betas=(0.8, 0.9), epsilon=1e-3), AdamW(0.01, (0.8, 0.9), 1e-3)),
    ],
    ids=repr,
)
def test_biases_and_gains_move_as_without_a_ratio(layerwise: Optimizer, plain: Optimizer) -> None:
    """Their decay is that of SGD in most libraries, a part of the gradient, or that of AdamW."""
    ours, theirs = drawn(9), drawn(9)
    layerwise.setup(ours)
    for seed in range(4):
        g, with_decay = drawn(seed), drawn(seed)
        with_decay.vector[:] += (layerwise.weight_decay if isinstance(plain, SGD) else 0.0) * theirs.vector
        layerwise.step(ours.vector, g.vector)
        plain.step(theirs.vector, with_decay.vector)
    for name in SHAPES:
        assert np.allclose(ours[name], theirs[name], rtol=1e-12) is (name not in MATRICES), name


@pytest.mark.parametrize("optimizer", [LARS(0.1, trust_coefficient=100.0), LAMB(0.1)], ids=repr)
def test_the_ratio_is_clipped(optimizer: Optimizer) -> None:
    w, g = drawn(0, 100.0), drawn(1)
    free = moved(copy.deepcopy(optimizer), w, g)
    optimizer.clip_ratio = 1.0
    clipped = moved(copy.deepcopy(optimizer), w, g)
    plain = moved(SGD(0.1) if isinstance(optimizer, LARS) else AdamW(0.1, epsilon=1e-6), w, g)
    np.testing.assert_allclose(clipped.vector, plain.vector, rtol=1e-9)
    assert all(np.linalg.norm(free[name]) > 2 * np.linalg.norm(clipped[name]) for name in MATRICES)
    optimizer.clip_ratio = 1e9
    np.testing.assert_array_equal(moved(optimizer, w, g).vector, free.vector)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_zero_start_as_without_a_ratio(make: type[Optimizer], dtype: str) -> None:
    zero, g = drawn(0, 0.0, dtype), drawn(1, 1.0, dtype)
    plain = SGD(0.1) if make is LARS else Adam(0.1, epsilon=1e-6)
    np.testing.assert_allclose(moved(make(0.1), zero, g).vector, moved(plain, zero, g).vector, rtol=1e-6)


@EACH
def test_a_gradient_of_zeros_moves_nothing_without_decay(make: type[Optimizer]) -> None:
    np.testing.assert_array_equal(moved(make(0.1, weight_decay=0.0), drawn(0), drawn(1, 0.0)).vector, 0)


def test_without_a_gradient_decay_is_scaled_by_the_ratio_too() -> None:
    w = drawn(0)
    lamb, lars = (moved(make(0.1, weight_decay=0.3), w, drawn(1, 0.0)) for make in (LAMB, LARS))
    for name in SHAPES:
        matrix = name in MATRICES
        np.testing.assert_allclose(lamb[name], (1.0 if matrix else 0.3) * w[name], rtol=1e-9)
        np.testing.assert_allclose(lars[name], (1e-3 if matrix else 0.3) * w[name], rtol=1e-9)


GROUPS = {"0.*": {"weight_decay_factor": 2.0, "learning_rate_factor": 0.5}, "1.*": {"weight_decay_factor": 0.0}}


@EACH
def test_a_group_has_its_own_decay_and_rate(make: type[Optimizer]) -> None:
    w, g = drawn(0), drawn(1)
    together = moved(make(0.1, weight_decay=0.3, groups=GROUPS), w, g)
    for place, decay, share in (("0.", 0.6, 0.5), ("1.", 0.0, 1.0), ("2.", 0.3, 1.0)):
        alone = moved(make(0.1, weight_decay=decay), w, g)
        for name in (name for name in SHAPES if name.startswith(place)):
            np.testing.assert_allclose(together[name], share * alone[name], rtol=1e-9, atol=1e-14, err_msg=name)


@EACH
def test_decay_follows_its_schedule_even_at_a_rate_of_zero(make: type[Optimizer]) -> None:
    """The second step moves nothing, and LARS remembers its decay in the third."""
    rates, decays = [0.1, 0.0, 0.1], [0.3, 0.6, 0.0]
    scheduled = make(lambda step, total: rates[step], weight_decay=lambda step, total: decays[step], groups=GROUPS)
    by_hand = make(0.1, groups=GROUPS)
    p, q = drawn(0), drawn(0)
    scheduled.setup(p)
    by_hand.setup(q)
    for step in range(3):
        g = drawn(1 + step).vector
        scheduled.step(p.vector, g)
        by_hand.learning_rate, by_hand.weight_decay = rates[step] or 1e-30, decays[step]
        by_hand.step(q.vector, g)
    np.testing.assert_allclose(p.vector, q.vector, rtol=1e-12)


@pytest.mark.parametrize(("optimizer", "scale"), [(LARS(0.5, trust_coefficient=0.5), 1e25), (LAMB(0.5), 1.0)], ids=repr)
def test_norms_whose_squares_overflow_float32_are_right(optimizer: Optimizer, scale: float) -> None:
    narrow = moved(copy.deepcopy(optimizer), drawn(0, 1e25, "float32"), drawn(1, scale, "float32"))
    wide = moved(optimizer, drawn(0, 1e25), drawn(1, scale))
    for name in MATRICES:
        np.testing.assert_allclose(narrow[name], wide[name], atol=1e20)


@EACH
def test_both_need_setup(make: type[Optimizer]) -> None:
    optimizer = make()
    with pytest.raises(
        ValueError, match=rf"{make.__name__}.step expects to know the shapes.*call optimizer.setup\(model.parameters\)"
    ):
        optimizer.step(np.ones(3), np.ones(3))
    assert optimizer.state == {}


class PowerFailure(cr.Callback):
    """After this step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        if trainer.step == self.step:
            raise InterruptedError


@EACH
def test_a_training_that_is_resumed_in_mid_epoch_has_the_same_bits(make: type[Optimizer], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5)), rng.integers(0, 3, 32)

    def trainer(folder: str, failure: int) -> cr.Trainer:
        optimizer = make(cr.schedules.WarmupCosine(0.1, warmup=0.2), weight_decay=0.1, clip_norm=1.0)
        model = cr.Sequential([cr.Linear(5, 8, "relu"), cr.Dropout(0.2), cr.Linear(8, 3)], rng=0)
        watchers = [cr.callbacks.Checkpoint(tmp_path / folder, seconds=1e-9), PowerFailure(failure)]
        return cr.Trainer(model, "cross_entropy", optimizer, batch_size=8, callbacks=watchers, rng=1)

    whole, first, second = trainer("whole", -1), trainer("parts", 10), trainer("parts", -1)
    whole.fit(x, y, epochs=4, verbose=0)
    with pytest.raises(InterruptedError):
        first.fit(x, y, epochs=4, verbose=0)
    second.resume(tmp_path / "parts")
    assert 0 < int(second.optimizer.state["step"]) <= 10
    second.fit(x, y, epochs=4, verbose=0)
    np.testing.assert_array_equal(second.model.parameters.vector, whole.model.parameters.vector)


RETURNED: list[Callable[..., np.ndarray]] = [
    lambda g, scratch: g,
    lambda g, scratch: g.copy(),
    lambda g, scratch: np.multiply(g, 1.0, out=scratch[0]),
    lambda g, scratch: np.multiply(g, 1.0, out=scratch[1]),
]


@EACH
def test_a_direction_of_ones_own_may_be_any_of_the_arrays_given(make: type[Optimizer]) -> None:
    def of(pick: Callable[..., np.ndarray]) -> np.ndarray:
        own = type("Own", (make,), {"direction": lambda self, g, state, scratch, coefficients: pick(g, scratch)})
        g = drawn(1)
        update = moved(own(0.1, weight_decay=0.3), drawn(0), g)
        np.testing.assert_array_equal(g.vector, drawn(1).vector)
        return update.vector

    first, *others = map(of, RETURNED)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-12)
