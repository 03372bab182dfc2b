"""Weights to PyTorch and back: the two networks give the same numbers, on architectures drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule._support.differences import largest_difference
from chainrule.layers.program import Call
from chainrule.persistence import pytorch
from chainrule.persistence.agreement import gives_probabilities

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
load_file, save_file = safetensors.load_file, safetensors.save_file

nn = torch.nn

ACTIVATIONS: dict[str, tuple[Callable[[], cr.Activation], Callable[[], object]]] = {
    "relu": (cr.ReLU, nn.ReLU),
    "leaky": (lambda: cr.LeakyReLU(0.2), lambda: nn.LeakyReLU(0.2)),
    "elu": (lambda: cr.ELU(0.7), lambda: nn.ELU(0.7)),
    "selu": (cr.SELU, nn.SELU),
    "gelu": (cr.GELU, nn.GELU),
    "gelu by tanh": (lambda: cr.GELU("tanh"), lambda: nn.GELU("tanh")),
    "silu": (cr.SiLU, nn.SiLU),
    "mish": (cr.Mish, nn.Mish),
    "softplus": (cr.Softplus, nn.Softplus),
    "tanh": (cr.Tanh, nn.Tanh),
    "sigmoid": (cr.Sigmoid, nn.Sigmoid),
    "hard sigmoid": (cr.HardSigmoid, nn.Hardsigmoid),
    "identity": (cr.Identity, nn.Identity),
}


Maker = tuple[float, Callable[[int], cr.Layer], Callable[[int], object]]
BEHIND: tuple[Maker, ...] = (
    (0.5, cr.BatchNorm, nn.BatchNorm1d),
    (0.3, cr.LayerNorm, nn.LayerNorm),
    (0.3, cr.PReLU, nn.PReLU),
    (0.3, lambda width: cr.Dropout(0.3), lambda width: nn.Dropout(0.3)),
)


def twins(seed: int) -> tuple[cr.Sequential, object, int]:
    """A network of ours and one of PyTorch's, of the same layers but with weights of their own, and its inputs."""
    rng = np.random.default_rng(seed)
    width = inputs = int(rng.integers(1, 12))
    ours: list[cr.Layer] = []
    theirs: list[object] = []
    for _ in range(rng.integers(1, 5)):
        out, bias = int(rng.integers(4, 12)), bool(rng.random() < 0.8)
        make, make_theirs = list(ACTIVATIONS.values())[rng.integers(len(ACTIVATIONS))]
        within = rng.random() < 0.5 and make is not cr.Identity
        ours.append(cr.Linear(width, out, activation=make() if within else None, bias=bias))
        theirs.append(nn.Linear(width, out, bias=bias))
        if within:
            theirs.append(make_theirs())
        for chance, layer, module in BEHIND:
            if rng.random() < chance:
                ours.append(layer(out))
                theirs.append(module(out))
        if not within:
            ours.append(make())
            theirs.append(make_theirs())
        width = out
    torch.manual_seed(seed)
    net = nn.Sequential(*theirs)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        net.train()
        for _ in range(3):  # moves the running statistics
            net(torch.randn(16, inputs) * 2 + 1)
    return cr.Sequential(ours, rng=seed), net.eval(), inputs


def check_equal(some: np.ndarray, others: np.ndarray) -> None:
    np.testing.assert_allclose(some, others, rtol=0, atol=1e-6 * max(1, np.abs(others).max()))


def outputs(net: object, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("seed", range(20))
def test_weights_go_both_ways(seed: int, tmp_path: Path) -> None:
    model, net, inputs = twins(seed)
    x = np.random.default_rng(seed).normal(size=(9, inputs)).astype(np.float32)
    cr.convert.load_state_dict(model, net.state_dict())
    check_equal(model.predict(x), outputs(net, x))
    save_file(net.state_dict(), tmp_path / "theirs.safetensors")
    again, fresh, _ = twins(seed)
    again.parameters.vector[:] = 7
    cr.convert.load_state_dict(again, tmp_path / "theirs.safetensors")
    assert again.parameters.vector.tobytes() == model.parameters.vector.tobytes()
    model.forward(np.random.default_rng(1).normal(2, 3, (8, inputs)), training=True)
    model.parameters.vector[:] *= 1.25
    pytorch.write(model, tmp_path / "ours.safetensors")
    fresh.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    check_equal(outputs(fresh, x), model.predict(x))
    assert list(cr.convert.state_dict(model)) == list(fresh.state_dict())
    theirs, ours = outputs(fresh, x), model.predict(x)
    assert np.abs(theirs - ours).max() < 1e-6 * max(1, np.abs(ours).max())
    unit = 1.0 if gives_probabilities(model) else None
    difference = pytorch.check(model, tmp_path / "ours.safetensors", x)
    assert difference == pytest.approx(largest_difference(theirs, ours, unit), rel=0.5, abs=1e-6)


def test_a_network_that_is_written_names_its_module(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(4, 3, "gelu", bias=False), cr.BatchNorm(3, epsilon=1e-3), cr.Softmax()], rng=0)
    notes = pytorch.write(model, tmp_path / "net.safetensors")
    source = notes[0].removeprefix("for net = ")
    assert "nn.GELU(), nn.BatchNorm1d(3, eps=0.001), nn.Softmax(dim=1)" in source
    net = eval(source, {"nn": nn}).eval()
    net.load_state_dict(load_file(tmp_path / "net.safetensors"))
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(outputs(net, x), model.predict(x), rtol=1e-6)


class Gate(cr.Layer):
    """y = max(x, 0.3 x) of xW + b, said in primitives."""

    def parameter_shapes(self):
        return {"W": (4, 3), "b": (3,)}

    def initialize(self, rng):
        self.W[:], self.b[:] = rng.normal(size=(4, 3)), rng.normal(size=3)

    def forward(self, x, work):
        z = x @ self.W + self.b
        return np.maximum(z, 0.3 * z)

    def backward(self, dy, work, input_gradient=True):
        raise NotImplementedError

    def program(self, training=False):
        return Call("affine", {"W": self.W, "b": self.b}), Call("leaky_relu", numbers={"slope": 0.3})


def test_a_layer_of_ones_own_that_gives_its_program_answers_alike(tmp_path: Path) -> None:
    model = cr.Sequential([Gate(), cr.Linear(3, 2)], rng=0)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    done = cr.export(model, tmp_path / "net.safetensors", X=x)
    assert done.checked is not None
    assert done.checked < 1e-5
    net = nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(0.3), nn.Linear(3, 2))
    net.load_state_dict(load_file(done.path))
    check_equal(outputs(net, x), model.predict(x))
    twin = cr.Sequential([Gate(), cr.Linear(3, 2)], rng=1)
    cr.convert.load_state_dict(twin, net.state_dict())
    assert twin.parameters.vector.tobytes() == model.parameters.vector.tobytes()


def test_half_precision_is_written_as_such(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(4, 3), cr.BatchNorm(3)], rng=0)
    pytorch.write(model, tmp_path / "half.safetensors", precision="float16")
    tensors = load_file(tmp_path / "half.safetensors")
    assert {name: tensor.dtype for name, tensor in tensors.items() if "num" not in name}.popitem()[1] is torch.float16
    assert tensors["1.num_batches_tracked"].dtype is torch.int64
    twin = cr.Sequential([cr.Linear(4, 3), cr.BatchNorm(3)], rng=1)
    cr.convert.load_state_dict(twin, tmp_path / "half.safetensors")
    np.testing.assert_allclose(twin.parameters.vector, model.parameters.vector, atol=1e-3)
    with pytest.raises(ValueError, match="precision float32 or float16, got 'int8'"):
        pytorch.write(model, tmp_path / "no", precision="int8")


def test_one_slope_for_all_becomes_one_for_each() -> None:
    model = cr.Sequential([cr.PReLU(3)])
    cr.convert.load_state_dict(model, nn.Sequential(nn.PReLU(init=0.1)).state_dict())
    assert model.parameters["0.slope"].tolist() == [np.float32(0.1)] * 3


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    net = nn.Linear(2, 1)
    for zipped in (True, False):
        torch.save(net.state_dict(), tmp_path / "net.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(
            ValueError, match=r"^load_state_dict expects .*net\.pt .*a pickle.*; in PyTorch write .*\.$"
        ):
            cr.convert.load_state_dict(cr.MLP([2, 1]), tmp_path / "net.pt")


def test_numbers_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    net = nn.Linear(2, 1).to(torch.bfloat16)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    for source in (tmp_path / "net.safetensors", net.state_dict()):
        with pytest.raises((TypeError, ValueError), match=r"^load_state_dict expects .*float\(\)\.state_dict\(\)"):
            cr.convert.load_state_dict(cr.MLP([2, 1]), source)


def test_a_custom_module_is_matched_by_the_order_of_its_layers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out_first, self.body, self.last = nn.Linear(4, 3), nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.last(torch.relu(self.body(torch.relu(self.out_first(x)))))

    net = Net()
    model = cr.MLP([4, 3, 3, 3], rng=0)
    cr.convert.load_state_dict(model, net.state_dict())
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(model.predict(x), outputs(net, x), rtol=1e-5, atol=1e-6)
