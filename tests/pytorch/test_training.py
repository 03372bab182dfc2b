"""Whole networks against PyTorch in float64: loss, every gradient and ten steps of an optimizer agree to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")
nn = torch.nn


class HardSigmoid(nn.Module):
    """PyTorch's own has its 1/6 in float32."""

    def forward(self, x):
        return nn.functional.relu6(x + 3) / 6


ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "hard_sigmoid": HardSigmoid,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": lambda: nn.Softplus(threshold=50),
    "tanh": nn.Tanh,
}
CLASSES, OUTPUTS, ROWS = 3, 2, 24


class Add(nn.Module):
    """x + f(x)."""

    def __init__(self, *inside):
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x):
        return x + self.inside(x)


def random_architecture(seed):
    """Blocks drawn at random, as (ours, PyTorch's) pairs; seed decides all, and even seeds classify."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(3, 9))
    features, pairs = width, []

    def dense(inputs, outputs, bias=True):
        name = str(rng.choice(list(ACTIVATIONS)))
        ours = cr.Linear(inputs, outputs, activation=name, bias=bias)
        return ours, nn.Sequential(nn.Linear(inputs, outputs, bias=bias), ACTIVATIONS[name]())

    def block(kind, inputs):
        outputs = int(rng.integers(3, 9))
        if kind == "dense":
            return [dense(inputs, outputs)], outputs
        if kind == "batch norm":  # no bias reaches it: its gradient is 0, and Adam would scale up the rounding
            linear = cr.Linear(inputs, outputs, bias=False), nn.Linear(inputs, outputs, bias=False)
            return [linear, (cr.BatchNorm(outputs), nn.BatchNorm1d(outputs)), (cr.Tanh(), nn.Tanh())], outputs
        if kind == "layer norm":
            return [(cr.LayerNorm(inputs), nn.LayerNorm(inputs)), dense(inputs, outputs)], outputs
        if kind == "prelu":
            linear = cr.Linear(inputs, outputs), nn.Linear(inputs, outputs)
            return [linear, (cr.PReLU(outputs), nn.PReLU(outputs))], outputs
        last = cr.Linear(outputs, inputs, bias=False), nn.Linear(outputs, inputs, bias=False)
        first = dense(inputs, outputs)
        return [(cr.Residual([first[0], last[0]]), Add(first[1], last[1]))], inputs

    kinds = ["dense", "batch norm", "layer norm", "prelu", "residual"]
    for kind in rng.permutation(kinds)[: rng.integers(2, 5)]:
        added, width = block(kind, width)
        pairs += added
    outputs = CLASSES if seed % 2 == 0 else OUTPUTS
    pairs.append((cr.Linear(width, outputs), nn.Linear(width, outputs)))
    if seed % 4 == 0:
        pairs.append((cr.Softmax(), nn.Softmax(dim=1)))
    ours, theirs = zip(*pairs, strict=True)
    return features, cr.Sequential(ours, rng=seed, dtype="float64"), nn.Sequential(*theirs).double()


SEEDS = range(5)


@pytest.fixture(autouse=True)
def in_float64_on_one_thread():
    """NAdam keeps its product of momenta in the default dtype; threads only cost time at this size."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)


class Pair:
    """Our network and PyTorch's with the same weights, data and loss."""

    def __init__(self, seed):
        self.features, self.model, self.module = random_architecture(seed)
        rng = np.random.default_rng(100 + seed)
        self.model.parameters.vector[:] += 0.1 * rng.standard_normal(self.model.parameters.vector.size)
        self.tensors = dict(zip(self.model.parameters, self.module.parameters(), strict=True))
        for name, tensor in self.tensors.items():
            tensor.data = torch.tensor(self.oriented(name, self.model.parameters[name]).copy())
        self.x = rng.standard_normal((ROWS, self.features))
        probabilities = isinstance(self.model.layers[-1], cr.Softmax)
        if seed % 2 == 0:
            self.y = rng.integers(0, CLASSES, ROWS)
            self.loss = cr.CrossEntropy(from_logits=not probabilities)
            read = torch.log if probabilities else (lambda z: torch.log_softmax(z, 1))
            self.their_loss = lambda z: nn.functional.nll_loss(read(z), torch.tensor(self.y))
        else:
            self.y = rng.standard_normal((ROWS, OUTPUTS))
            self.loss = cr.SquaredError()
            self.their_loss = lambda z: ((z - torch.tensor(self.y)) ** 2).sum(dim=1).mean()

    def oriented(self, name, array):
        """PyTorch keeps a weight matrix as (O, I)."""
        return array.T if name.endswith(".W") else array

    def backward(self):
        """One forward and one backward pass on both sides; the two losses."""
        z = self.model.forward(self.x, training=True)
        value, dz = self.loss(z, self.y)
        self.model.backward(dz)
        self.module.zero_grad()
        their_value = self.their_loss(self.module(torch.tensor(self.x)))
        their_value.backward()
        return value, their_value.item()

    def assert_equal(self, ours, theirs):
        for name, tensor in self.tensors.items():
            expected = theirs(tensor).detach().numpy()
            np.testing.assert_allclose(self.oriented(name, ours[name]), expected, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.fixture(params=SEEDS, ids=lambda seed: f"architecture {seed}")
def pair(request):
    return Pair(request.param)


def test_the_architectures_differ_and_together_hold_every_kind():
    written = [repr(random_architecture(seed)[1]) for seed in SEEDS]
    assert len(set(written)) == len(SEEDS)
    kinds = ("BatchNorm(", "LayerNorm(", "Residual(", "PReLU(", "Softmax(", "Linear(")
    assert [kind for kind in kinds if not any(kind in one for one in written)] == []


def test_loss_and_every_gradient_agree(pair):
    value, their_value = pair.backward()
    assert value == pytest.approx(their_value, rel=1e-9)
    pair.assert_equal(pair.model.gradients, lambda tensor: tensor.grad)


def test_the_gradient_of_the_input_agrees(pair):
    z = pair.model.forward(pair.x, training=True)
    dx = pair.model.backward(pair.loss(z, pair.y)[1], input_gradient=True)
    x = torch.tensor(pair.x, requires_grad=True)
    pair.their_loss(pair.module(x)).backward()
    np.testing.assert_allclose(dx, x.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_ten_steps_agree(pair):
    """Of NAdam, whose steps look ahead; the others are in test_optimizers.py."""
    optimizer, their_optimizer = cr.NAdam(0.01), torch.optim.NAdam(pair.module.parameters(), 0.01)
    before = pair.model.parameters.vector.copy()
    for _ in range(10):
        value, their_value = pair.backward()
        assert value == pytest.approx(their_value, rel=1e-9)
        optimizer.step(pair.model.parameters.vector, pair.model.gradients.vector)
        their_optimizer.step()
    assert np.abs(pair.model.parameters.vector - before).max() > 1e-3
    pair.assert_equal(pair.model.parameters, lambda tensor: tensor)


@pytest.mark.parametrize("momentum", [0.1, 0.5])
@pytest.mark.parametrize("rows", [2, 24])
def test_running_statistics_and_predictions_of_batch_norm_agree(momentum, rows, rng):
    ours, theirs = cr.BatchNorm(5, momentum=momentum), nn.BatchNorm1d(5, momentum=momentum).double()
    model = cr.Sequential([ours], dtype="float64")
    for _ in range(10):
        x = rng.normal(3, 2, size=(rows, 5))
        expected = theirs(torch.tensor(x))
        np.testing.assert_allclose(model.forward(x, training=True), expected.detach(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean, rtol=1e-12)
    np.testing.assert_allclose(ours.running_variance, theirs.running_var, rtol=1e-12)
    theirs.eval()
    np.testing.assert_allclose(model.predict(x), theirs(torch.tensor(x)).detach(), rtol=1e-12, atol=1e-13)
