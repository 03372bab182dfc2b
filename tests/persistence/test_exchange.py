"""The weights of PyTorch without PyTorch: what is matched, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import chainrule as cr
from chainrule.persistence import pytorch

W1, W2, W3 = (np.random.default_rng(seed).normal(size=(3, 3)).astype(np.float32) for seed in range(3))


def model(*biases: bool) -> cr.Sequential:
    """Dense layers of three by three, with a bias or without."""
    return cr.Sequential([cr.Linear(3, 3, "tanh", bias=bias) for bias in biases or (False, False)], rng=0)


def weights(net: cr.Sequential) -> list[np.ndarray]:
    return [array.T for name, array in net.parameters.items() if name.endswith("W")]


def equal(net: cr.Sequential, *expected: np.ndarray) -> bool:
    return len(weights(net)) == len(expected) and all(map(np.array_equal, weights(net), expected))


def test_the_matrix_of_pytorch_is_transposed() -> None:
    net = cr.Sequential([cr.Linear(2, 1, bias=False)], rng=0)
    cr.convert.load_state_dict(net, {"weight": [[2.0, 3.0]]})
    assert net.predict([[10.0, 100.0]]).tolist() == [[320.0]]
    assert cr.convert.state_dict(net)["0.weight"].tolist() == [[2.0, 3.0]]


def test_names_are_those_of_the_sequential_of_pytorch() -> None:
    block = cr.Residual([cr.LayerNorm(3), cr.Linear(3, 3, "relu"), cr.Linear(3, 3)])
    layers = [
        cr.Linear(2, 3, cr.GELU()),
        cr.Dropout(0.1),
        block,
        cr.PReLU(3),
        cr.Linear(3, 3, "identity"),
        cr.BatchNorm(3),
    ]
    tensors = cr.convert.state_dict(cr.Sequential(layers, rng=0))
    assert list(tensors) == [
        *("0.weight", "0.bias", "3.layers.0.weight", "3.layers.0.bias", "3.layers.1.weight", "3.layers.1.bias"),
        *("3.layers.3.weight", "3.layers.3.bias", "4.weight", "5.weight", "5.bias", "6.weight", "6.bias"),
        *("6.running_mean", "6.running_var", "6.num_batches_tracked"),
    ]
    assert {array.dtype.name for name, array in tensors.items() if not name.endswith("tracked")} == {"float32"}


def test_what_is_given_away_is_a_copy() -> None:
    net = model()
    cr.convert.state_dict(net)["0.weight"][:] = 7
    assert 7 not in net.parameters.vector


def test_a_mapping_is_in_order_whatever_its_names() -> None:
    net = model()
    cr.convert.load_state_dict(net, {"zeta.weight": W1, "alpha.weight": W2})
    assert equal(net, W1, W2)


def test_numbers_in_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    save_file({"net.10.weight": W3, "net.2.weight": W2, "net.0.weight": W1}, tmp_path / "net")
    net = model(False, False, False)
    cr.convert.load_state_dict(net, tmp_path / "net")
    assert equal(net, W1, W2, W3)


def test_names_without_an_order_are_told_by_their_shapes(tmp_path: Path) -> None:
    wide = np.ones((5, 3), np.float32)
    save_file({"head.weight": wide, "block1.weight": W1, "block2.weight": W2}, tmp_path / "net")
    net = cr.Sequential([cr.Linear(3, 3, bias=False), cr.Linear(3, 3, bias=False), cr.Linear(3, 5, bias=False)], rng=0)
    cr.convert.load_state_dict(net, tmp_path / "net")
    assert equal(net, W1, W2, wide)


def test_names_without_an_order_and_equal_shapes_are_asked_for(tmp_path: Path) -> None:
    save_file({"encoder.weight": W1, "decoder.weight": W2}, tmp_path / "net")
    net = model()
    with pytest.raises(ValueError, match=r"which of decoder, encoder is for Linear.*pass order=\[\.\.\.\]"):
        cr.convert.load_state_dict(net, tmp_path / "net")
    cr.convert.load_state_dict(net, tmp_path / "net", order=["encoder", "decoder"])
    assert equal(net, W1, W2)
    with pytest.raises(ValueError, match=r"order to name decoder, encoder, got \['encoder'\]"):
        cr.convert.load_state_dict(net, tmp_path / "net", order=["encoder"])


def test_a_mismatch_shows_both_sides_and_changes_nothing(tmp_path: Path) -> None:
    net = model(True, True)
    before = net.parameters.vector.copy()
    given = {"0.weight": W1, "0.bias": W1[0], "2.weight": np.ones((4, 3)), "2.bias": np.ones(4)}
    with pytest.raises(
        ValueError, match="load_state_dict expects arrays of the shapes of the model's 2 layers"
    ) as caught:
        cr.convert.load_state_dict(net, given)
    lines = [line.split() for line in str(caught.value).splitlines()[1:]]
    assert lines[0] == ["the", "model", "expects", "the", "file", "has"]
    assert ["weight", "(3,", "3)", "weight", "(4,", "3)"] in lines
    assert np.array_equal(net.parameters.vector, before)
    with pytest.raises(ValueError, match="got 1 groups that differ"):
        cr.convert.load_state_dict(net, {"0.weight": W1, "0.bias": W1[0]})


def test_a_long_mismatch_is_cut() -> None:
    with pytest.raises(ValueError, match="… and 63 lines more"):
        cr.convert.load_state_dict(model(*[True] * 34), {"0.weight": W1})


@pytest.mark.parametrize("value", ["text", np.array(["a"]), [[1, 2], [3]], object()])
def test_what_is_no_array_of_numbers_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^load_state_dict expects"):
        cr.convert.load_state_dict(cr.Sequential([cr.PReLU(1)]), {"0.weight": value})


def test_text_of_the_right_shape_is_refused() -> None:
    with pytest.raises(TypeError, match=r"numbers in 0\.weight, got dtype <U1"):
        cr.convert.load_state_dict(cr.Sequential([cr.PReLU(2)]), {"0.weight": np.array(["a", "b"])})
    with pytest.raises(TypeError, match="names of text, got 0"):
        cr.convert.load_state_dict(cr.Sequential([cr.PReLU(2)]), {0: np.ones(2)})  # type: ignore[dict-item]


def test_layers_that_pytorch_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layers with arrays to be among Linear, .*, got Scale\(2\)"):
        cr.convert.state_dict(cr.Sequential([cr.Scale(2)]))
    with pytest.raises(TypeError, match="state_dict expects a Sequential model, got str"):
        cr.convert.state_dict("model")  # type: ignore[arg-type]


def test_files_that_hold_no_tensors_are_refused(tmp_path: Path) -> None:
    net = model()
    with pytest.raises(FileNotFoundError, match="load_state_dict expects a safetensors file at"):
        cr.convert.load_state_dict(net, tmp_path / "nothing")
    (tmp_path / "cut").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ValueError, match="to be a whole safetensors file"):
        cr.convert.load_state_dict(net, tmp_path / "cut")
    (tmp_path / "old.pt").write_bytes(b"\x80\x02}q\0.")
    with zipfile.ZipFile(tmp_path / "new.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n.")
    for name in ("old.pt", "new.pt"):
        with pytest.raises(ValueError, match=r"a pickle, .*; in PyTorch write safetensors\.torch\.save_file"):
            cr.convert.load_state_dict(net, tmp_path / name)


def test_our_own_file_has_other_names_and_says_so(tmp_path: Path) -> None:
    net = model()
    cr.save(net, tmp_path / "ours")
    with pytest.raises(ValueError, match="arrays of the shapes of"):
        cr.convert.load_state_dict(net, tmp_path / "ours")


def test_a_network_is_written_as_python(tmp_path: Path) -> None:
    """For people, and for the check with PyTorch itself, in tests/pytorch."""
    layers = [
        cr.Linear(4, 3, "relu", bias=False),
        cr.BatchNorm(3, momentum=0.5, epsilon=1e-3),
        cr.LayerNorm(3),
        cr.PReLU(3),
    ]
    layers += [cr.Dropout(0.1), cr.GELU("tanh"), cr.HardSigmoid(), cr.Flatten(), cr.Softmax()]
    notes = pytorch.write(cr.Sequential(layers, rng=0), tmp_path / "net", precision="float16")
    assert notes[0] == (
        "for net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.BatchNorm1d(3, eps=0.001, momentum=0.5), "
        "nn.LayerNorm(3), nn.PReLU(3), nn.Dropout(0.1), nn.GELU(approximate='tanh'), nn.Hardsigmoid(), nn.Flatten(), "
        "nn.Softmax(dim=1))"
    )
    tensors = load_file(tmp_path / "net")
    assert {array.dtype.name for array in tensors.values()} == {"float16", "int64"}
    net = cr.Sequential([cr.Linear(4, 3, bias=False), cr.BatchNorm(3), cr.LayerNorm(3), cr.PReLU(3)], rng=1)
    cr.convert.load_state_dict(net, tmp_path / "net")
    with pytest.raises(ValueError, match="precision float32 or float16, got 'int8'"):
        pytorch.write(net, tmp_path / "net", precision="int8")


def test_one_slope_is_for_all() -> None:
    net = cr.Sequential([cr.PReLU(3)])
    cr.convert.load_state_dict(net, {"weight": np.array([0.5])})
    assert net.parameters["0.slope"].tolist() == [0.5] * 3


def test_a_written_file_comes_back(tmp_path: Path) -> None:
    net = cr.Sequential([cr.Residual([cr.Linear(3, 3, cr.LeakyReLU(0.2))]), cr.GaussianNoise(0.1), cr.ELU(0.5)], rng=0)
    notes = pytorch.write(net, tmp_path / "net")
    assert (
        "Residual(nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU(0.2))), GaussianNoise(), nn.ELU(alpha=0.5))" in notes[0]
    )
    assert sorted(load_file(tmp_path / "net")) == ["0.layers.0.bias", "0.layers.0.weight"]
    assert pytorch.check(net, tmp_path / "net", np.ones((2, 3))) is None
    twin = cr.Sequential([cr.Residual([cr.Linear(3, 3)])], rng=1)
    cr.convert.load_state_dict(twin, tmp_path / "net")
    np.testing.assert_array_equal(twin.parameters.vector, net.parameters.vector)


class Tensor:
    """One that cannot be taken from its device."""

    def detach(self) -> None:
        raise KeyError("a\nb\x1b[2J")


ODD_SOURCES: dict[str, object] = {
    **{
        f"a weight that is {name}": {"0.weight": value, "0.bias": np.zeros(3)}
        for name, value in {
            "nothing": None,
            "text": "x",
            "ragged": [[1], [1, 2]],
            "an object": np.array([[1, None]] * 3, object),
            "complex": np.zeros((3, 2), complex),
            "one number": 3,
            "dates": np.zeros((3, 2), "M8[s]"),
            "endless": [[10**400] * 2] * 3,
            "a tensor of another kind": Tensor(),
            "a class": int,
        }.items()
    },
    "an integer": 5,
    "nothing": None,
    "a list": [1],
    "empty": {},
    "names of numbers": {1: 2},
    "names that no screen should show": {"\x1b[2J\u202e.weight": np.zeros((3, 2))},
    "a name without an end": {"x" * 10**6 + ".w": np.zeros(1)},
    "very many": {f"{index}.w": np.zeros(1) for index in range(3000)},
}


@pytest.mark.parametrize("source", ODD_SOURCES.values(), ids=ODD_SOURCES)
def test_what_holds_no_such_arrays_is_refused_in_words(source: Any) -> None:
    net = cr.Sequential([cr.Linear(2, 3)], rng=0)
    before = net.parameters.vector.copy()
    with pytest.raises((ValueError, TypeError), match=r"^load_state_dict expects .+, got .+\.") as caught:
        cr.convert.load_state_dict(net, source)
    lines = str(caught.value).split("\n")
    assert all(map(str.isprintable, lines))
    assert max(map(len, lines)) < 1500
    assert len(lines) < 60
    np.testing.assert_array_equal(net.parameters.vector, before)


@pytest.mark.parametrize("order", ["0", 5, [0], ["0", "0"], [None], []], ids=repr)
def test_an_order_of_other_names_is_refused(order: Any) -> None:
    net = cr.Sequential([cr.Linear(2, 3)], rng=0)
    source = {"a.weight": np.zeros((3, 2)), "a.bias": np.zeros(3)}
    with pytest.raises(ValueError, match=r"load_state_dict expects order to name a, got "):
        cr.convert.load_state_dict(net, source, order=order)


@pytest.mark.parametrize("own", [[1], "ab", 5, {"A": 3}, {"A": cr.ReLU()}, {1: cr.ReLU}], ids=repr)
def test_what_is_no_class_of_layers_is_refused(own: Any, tmp_path: Path) -> None:
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "model")
    with pytest.raises(TypeError, match=r"^load expects custom_layers=\{name: class\}, classes of layers, got "):
        cr.load(tmp_path / "model", custom_layers=own)
