"""Activations, softmax and normalisation against PyTorch: values and gradients, in both precisions."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from chainrule import ops

torch = pytest.importorskip("torch")
functional = torch.nn.functional

TWINS = {  # PyTorch's softplus goes over to x above a threshold, its hardsigmoid has 1/6 in float32: both cost digits
    "elu": (ops.elu, dict(alpha=0.7), lambda x: functional.elu(x, alpha=0.7)),
    "gelu": (ops.gelu, {}, functional.gelu),
    "gelu_tanh": (ops.gelu_tanh, {}, lambda x: functional.gelu(x, approximate="tanh")),
    "hard_sigmoid": (ops.hard_sigmoid, {}, lambda x: functional.relu6(x + 3) / 6),
    "identity": (ops.identity, {}, lambda x: x * 1),
    "leaky_relu": (ops.leaky_relu, dict(slope=0.2), lambda x: functional.leaky_relu(x, 0.2)),
    "mish": (ops.mish, {}, lambda x: x * torch.tanh(functional.softplus(x, threshold=50))),
    "relu": (ops.relu, {}, functional.relu),
    "selu": (ops.selu, {}, functional.selu),
    "sigmoid": (ops.sigmoid, {}, torch.sigmoid),
    "silu": (ops.silu, {}, functional.silu),
    "softplus": (ops.softplus, {}, lambda x: functional.softplus(x, threshold=50)),
    "tanh": (ops.tanh, {}, torch.tanh),
    "softmax": (ops.softmax, {}, lambda x: torch.softmax(x, -1)),
    "log_softmax": (ops.log_softmax, {}, lambda x: torch.log_softmax(x, -1)),
    "logsumexp": (ops.logsumexp, {}, lambda x: torch.logsumexp(x, -1)),
}
TOLERANCE = {"float64": 1e-12, "float32": 2e-6}


@pytest.fixture
def x():
    """Both signs, small and large, and the kinks of relu and hard_sigmoid themselves."""
    numbers = np.concatenate([np.linspace(-30, 30, 601), np.linspace(-1, 1, 196), [-3, 0, 3]])
    return np.random.default_rng(0).permutation(numbers).reshape(100, 8)


def pull_back(op, parameters, dy, x, y):
    backward = getattr(ops, op.__name__ + "_backward")
    known = dict(x=x, y=y, **parameters)
    return backward(dy, **{name: known[name] for name in inspect.signature(backward).parameters if name in known})


def assert_agree(actual, expected, dtype):
    assert actual.dtype == np.dtype(dtype)
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("op", "parameters", "twin"), TWINS.values(), ids=TWINS.keys())
def test_values_and_gradients_agree(op, parameters, twin, dtype, x, rng):
    x = x.astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    y, expected = op(x, **parameters), twin(tensor)
    assert_agree(y, expected, dtype)
    dy = rng.standard_normal(y.shape).astype(dtype)
    expected.backward(torch.tensor(dy))
    assert_agree(pull_back(op, parameters, dy, x, y), tensor.grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_prelu_agrees(dtype, x, rng):
    x, slope, dy = x.astype(dtype), rng.standard_normal(8).astype(dtype), rng.standard_normal(x.shape).astype(dtype)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, slope)]
    expected = functional.prelu(*tensors)
    assert_agree(ops.prelu(x, slope), expected, dtype)
    expected.backward(torch.tensor(dy))
    dx, dslope = ops.prelu_backward(dy, x, slope)
    assert_agree(dx, tensors[0].grad, dtype)
    np.testing.assert_allclose(dslope, tensors[1].grad.numpy(), rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_standardisation_agrees(dtype, axis, x, rng):
    x, dy = x.astype(dtype), rng.standard_normal(x.shape).astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    twin = (
        functional.batch_norm(tensor, None, None, training=True) if axis == 0 else functional.layer_norm(tensor, (8,))
    )
    y, inverse_deviation, _, _ = ops.standardize(x, axis, epsilon=1e-5)
    assert_agree(y, twin, dtype)
    twin.backward(torch.tensor(dy))
    assert_agree(ops.standardize_backward(dy, y, inverse_deviation, axis), tensor.grad, dtype)


@pytest.mark.parametrize("name", ["gelu", "sigmoid", "silu", "tanh", "selu", "elu", "softplus", "mish", "log_softmax"])
def test_saturated_values_and_gradients_agree(name):
    op, parameters, twin = TWINS[name]
    x = np.array([[-1e4, -1e3, -300, -90], [90, 300, 1e3, 1e4], [1e4, 0, -1e4, 1]], np.float32)
    tensor = torch.tensor(x, requires_grad=True)
    y, expected = op(x, **parameters), twin(tensor)
    assert_agree(y, expected, "float32")
    expected.backward(torch.ones(3, 4))
    assert_agree(pull_back(op, parameters, np.ones_like(x), x, y), tensor.grad, "float32")
