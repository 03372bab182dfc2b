"""Every loss that PyTorch has, and its gradient, against PyTorch in float64."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from chainrule import losses
from losses.table import counts, fractions, labels, numbers, shares
from ops.table import Draw

torch = pytest.importorskip("torch")
F = torch.nn.functional

N = 7
CLASS_WEIGHT = (1.0, 0.5, 2.0, 3.0)


def pinball(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    below = torch.relu(y[:, :, None] - z.reshape(N, 2, 2))
    above = torch.relu(z.reshape(N, 2, 2) - y[:, :, None])
    tau = torch.tensor([0.2, 0.7], dtype=torch.float64)
    return tau * below + (1 - tau) * above


def gaussian(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    distribution = torch.distributions.Normal(z[:, :2], torch.sqrt(torch.exp(z[:, 2:]) + 1e-6))
    return -distribution.log_prob(y)


# loss, its target, the same in PyTorch: from (z, y) to terms (N, ...) that are summed over the outputs
CASES = [
    (losses.CrossEntropy(), labels, lambda z, y: F.cross_entropy(z, y, reduction="none")),
    (losses.CrossEntropy(), shares, lambda z, y: F.cross_entropy(z, y, reduction="none")),
    *[
        (
            losses.CrossEntropy(label_smoothing=0.1),
            target,
            lambda z, y: F.cross_entropy(z, y, reduction="none", label_smoothing=0.1),
        )
        for target in (labels, shares)
    ],
    (losses.BinaryCrossEntropy(), fractions, lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none")),
    (losses.SquaredError(), numbers, lambda z, y: F.mse_loss(z, y, reduction="none")),
    (losses.HalfSquaredError(), numbers, lambda z, y: F.mse_loss(z, y, reduction="none") / 2),
    (losses.AbsoluteError(), numbers, lambda z, y: F.l1_loss(z, y, reduction="none")),
    (losses.Huber(), numbers, lambda z, y: F.huber_loss(z, y, reduction="none")),
    (losses.Huber(delta=2.5), numbers, lambda z, y: F.huber_loss(z, y, reduction="none", delta=2.5)),
    (losses.LogCosh(), numbers, lambda z, y: torch.log(torch.cosh(z - y))),
    (losses.PoissonNLL(), counts, lambda z, y: F.poisson_nll_loss(z, y, log_input=True, reduction="none")),
    (losses.Quantile((0.2, 0.7)), partial(numbers, outputs=2), pinball),
    (losses.GaussianNLL(), partial(numbers, outputs=2), gaussian),
]


def assert_same(ours: tuple[float, np.ndarray], value: torch.Tensor, z: torch.Tensor) -> None:
    value.backward()
    assert ours[0] == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(ours[1], z.grad.numpy(), rtol=1e-12, atol=1e-12 * np.abs(z.grad.numpy()).max())


def test_every_loss_has_a_case() -> None:
    assert {type(loss) for loss, _, _ in CASES} == set(losses.LOSSES.values())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1.0, 20.0])
@pytest.mark.parametrize(("loss", "target", "theirs"), CASES, ids=[repr(loss) for loss, _, _ in CASES])
def test_the_value_and_gradient_of_pytorch(loss, target, theirs, scale, weighted, rng) -> None:
    z, weight = scale * rng.normal(size=(N, 4)), rng.uniform(size=N)
    y = target(Draw(rng, "float64"), z)
    tensor = torch.tensor(z, requires_grad=True)
    terms = theirs(tensor, torch.tensor(y)).reshape(N, -1).sum(dim=1)
    value = (terms * torch.tensor(weight)).sum() / weight.sum() if weighted else terms.mean()
    assert_same(loss(z, y, weight if weighted else None), value, tensor)


def test_class_weights_of_integer_labels_are_those_of_pytorch(rng: np.random.Generator) -> None:
    """Its mean also divides by the sum of the weights; it smooths, and mixes soft labels, in other ways."""
    z, y = rng.normal(size=(N, 4)), rng.integers(4, size=N)
    tensor = torch.tensor(z, requires_grad=True)
    value = F.cross_entropy(tensor, torch.tensor(y), weight=torch.tensor(CLASS_WEIGHT, dtype=torch.float64))
    assert_same(losses.CrossEntropy(class_weight=CLASS_WEIGHT)(z, y), value, tensor)


def test_probabilities_after_a_softmax(rng: np.random.Generator) -> None:
    z, y = rng.dirichlet(np.ones(4), size=N), rng.integers(4, size=N)
    tensor = torch.tensor(z, requires_grad=True)
    value = F.nll_loss(torch.log(tensor), torch.tensor(y))
    assert_same(losses.CrossEntropy(from_logits=False)(z, y), value, tensor)


def test_probabilities_after_a_sigmoid(rng: np.random.Generator) -> None:
    z, y = rng.uniform(0.01, 0.99, size=(N, 4)), rng.uniform(size=(N, 4))
    tensor = torch.tensor(z, requires_grad=True)
    value = F.binary_cross_entropy(tensor, torch.tensor(y), reduction="sum") / N
    assert_same(losses.BinaryCrossEntropy(from_logits=False)(z, y), value, tensor)
