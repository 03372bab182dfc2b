"""Ten steps of every optimizer that PyTorch has, in float64, on an objective that couples all parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.optimizers import SGD, Adagrad, Adam, AdamW, Muon, NAdam, Optimizer, RMSprop
from chainrule.parameters import Parameters
from chainrule.schedules import OneCycle

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _in_float64():
    """PyTorch keeps NAdam's product of momenta in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class Quartic:
    """L = ½ |A w|² + ¼ Σ (w − c)⁴, with its gradient; A, c random."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.a = rng.standard_normal((size, size)) / np.sqrt(size)
        self.c = rng.standard_normal(size)
        self.start = rng.standard_normal(size)

    def gradient(self, w: np.ndarray) -> np.ndarray:
        return self.a.T @ (self.a @ w) + (w - self.c) ** 3


class Noise:
    """Gradients that come as they come, whatever w is: rounding errors are not fed back."""

    def __init__(self, size: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.start = self.rng.standard_normal(size)

    def gradient(self, w: np.ndarray) -> np.ndarray:
        return self.rng.standard_normal(w.size)


def our_path(optimizer: Optimizer, problem: Quartic | Noise, steps: int = 10) -> np.ndarray:
    w, path = problem.start.copy(), []
    for _ in range(steps):
        optimizer.step(w, problem.gradient(w))
        path.append(w.copy())
    return np.array(path)


def their_path(make: Callable[[list[Any]], Any], problem: Quartic | Noise, steps: int = 10) -> np.ndarray:
    w = torch.nn.Parameter(torch.tensor(problem.start))
    optimizer, path = make([w]), []
    for _ in range(steps):
        w.grad = torch.tensor(problem.gradient(w.detach().numpy()))
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


def dampened_from_zero(parameters: list[Any], **options: float) -> Any:
    """PyTorch's SGD with its momentum buffer set to zeros, so that the first step is dampened like any other."""
    optimizer = torch.optim.SGD(parameters, **options)
    saved = optimizer.state_dict()
    saved["state"] = {0: {"momentum_buffer": torch.zeros_like(parameters[0])}}
    optimizer.load_state_dict(saved)
    return optimizer


o = torch.optim
ROWS: list[tuple[Optimizer, Callable[[list[Any]], Any]]] = [
    (SGD(0.02), lambda p: o.SGD(p, lr=0.02)),
    (SGD(0.02, momentum=0.9), lambda p: o.SGD(p, lr=0.02, momentum=0.9)),
    (SGD(0.02, momentum=0.7, nesterov=True), lambda p: o.SGD(p, lr=0.02, momentum=0.7, nesterov=True)),
    (SGD(0.1, momentum=0.9, dampening=0.9), lambda p: dampened_from_zero(p, lr=0.1, momentum=0.9, dampening=0.9)),
    (SGD(0.1, momentum=0.8, dampening=0.3), lambda p: dampened_from_zero(p, lr=0.1, momentum=0.8, dampening=0.3)),
    (RMSprop(), lambda p: o.RMSprop(p)),
    (RMSprop(0.03, rho=0.8, epsilon=1e-3), lambda p: o.RMSprop(p, lr=0.03, alpha=0.8, eps=1e-3)),
    (RMSprop(0.01, rho=0.9, momentum=0.5), lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.5)),
    (Adagrad(), lambda p: o.Adagrad(p)),
    (
        Adagrad(0.1, initial_accumulator=0.3, epsilon=1e-4),
        lambda p: o.Adagrad(p, lr=0.1, initial_accumulator_value=0.3, eps=1e-4),
    ),
    (Adam(), lambda p: o.Adam(p)),
    (Adam(0.1, betas=(0.8, 0.95), epsilon=1e-3), lambda p: o.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3)),
    (Adam(0.1, betas=(0.0, 0.9)), lambda p: o.Adam(p, lr=0.1, betas=(0.0, 0.9))),
    (AdamW(), lambda p: o.AdamW(p)),
    (AdamW(0.1, weight_decay=0.3), lambda p: o.AdamW(p, lr=0.1, weight_decay=0.3)),
    (NAdam(), lambda p: o.NAdam(p)),
    (NAdam(0.1, betas=(0.8, 0.9)), lambda p: o.NAdam(p, lr=0.1, betas=(0.8, 0.9))),
    (
        NAdam(0.05, momentum_decay=0.1, weight_decay=0.2, epsilon=1e-3),
        lambda p: o.NAdam(p, lr=0.05, momentum_decay=0.1, weight_decay=0.2, eps=1e-3, decoupled_weight_decay=True),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), ROWS, ids=[repr(ours) for ours, _ in ROWS])
def test_ten_steps_agree_with_pytorch(ours: Optimizer, theirs: Callable[[list[Any]], Any], rng) -> None:
    ours.state = {}
    problem = Quartic(12, rng)
    np.testing.assert_allclose(our_path(ours, problem), their_path(theirs, problem), rtol=1e-12, atol=1e-12)


def test_nadam_agrees_after_its_product_of_momenta_has_vanished() -> None:
    theirs = their_path(lambda p: o.NAdam(p, lr=0.01, betas=(0.5, 0.9)), Noise(4, 0), steps=300)
    ours = our_path(NAdam(0.01, betas=(0.5, 0.9)), Noise(4, 0), steps=300)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_schedule_and_clipping_by_value_agree_with_pytorch(rng) -> None:
    problem = Quartic(12, rng)

    def scheduled(parameters: list[Any]) -> Any:
        optimizer = o.AdamW(parameters, lr=0.1)
        schedule = o.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10, cycle_momentum=False)
        step = optimizer.step

        class Both:
            def step(self) -> None:
                torch.nn.utils.clip_grad_value_(parameters, 0.5)
                step()
                if schedule.last_epoch < 9:
                    schedule.step()

        return Both()

    ours = AdamW(OneCycle(0.1), clip_value=0.5)
    ours.setup(Parameters({"w": (12,)}, "float64"), total_steps=10)
    np.testing.assert_allclose(our_path(ours, problem), their_path(scheduled, problem), rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(not hasattr(o, "Muon"), reason="this PyTorch has no Muon")
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_agrees_with_pytorch_without_its_rounding_to_bfloat16(monkeypatch, rng, nesterov: bool) -> None:
    """PyTorch casts to bfloat16 inside its iteration; with that cast a mere copy, its own code is the oracle."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    shapes = {"0.W": (5, 3), "0.b": (3,), "1.W": (3, 6), "1.b": (6,), "2.W": (6, 6)}
    parameters = Parameters(shapes, "float64")
    problem = Quartic(parameters.vector.size, rng)
    parameters.vector[:] = problem.start
    weights = {
        name: torch.nn.Parameter(torch.tensor(parameters[name].T.copy())) for name in shapes
    }  # W is (O, I) there
    matrices, others = [w for w in weights.values() if w.ndim == 2], [w for w in weights.values() if w.ndim == 1]
    theirs = [
        o.Muon(matrices, lr=0.05, weight_decay=0.1, momentum=0.9, nesterov=nesterov, adjust_lr_fn="match_rms_adamw"),
        o.AdamW(others, lr=0.05, weight_decay=0.1, betas=(0.9, 0.95)),
    ]
    ours = Muon(0.05, momentum=0.9, nesterov=nesterov, betas=(0.9, 0.95), weight_decay=0.1)
    ours.setup(parameters)
    for _ in range(10):
        gradient = problem.gradient(parameters.vector)
        for name, w in weights.items():
            w.grad = torch.tensor(gradient[parameters.slices[name]].reshape(shapes[name]).T.copy())
        for optimizer in theirs:
            optimizer.step()
        ours.step(parameters.vector, gradient)
        for name, w in weights.items():
            np.testing.assert_allclose(parameters[name], w.detach().numpy().T, rtol=1e-12, atol=1e-12)
