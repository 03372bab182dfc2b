"""A model comes back from its file equal to the last bit, or is refused when it is saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import chainrule as cr
from custom import Plain


class Shift(cr.Layer):
    """A layer of the user's own: a learned shift, a counter, and an option."""

    def __init__(self, features: int, factor: float = 1.0) -> None:
        self.features, self.factor = features, factor
        self.seen = np.zeros((), np.int64)

    def parameter_shapes(self):
        return {"shift": (self.features,)}

    def initialize(self, rng):
        self.shift[:] = rng.normal(size=self.features)

    def buffers(self):
        return {"seen": self.seen}

    def forward(self, x, work):
        if work.training:
            self.seen += len(x)
        return self.factor * (x + self.shift)

    def backward(self, dy, work, input_gradient=True):
        self.dshift[:] = self.factor * dy.sum(axis=0)
        return self.factor * dy


class Listed(Plain):
    """Its constructor takes what JSON cannot hold, so it cannot come back."""

    def __init__(self, array) -> None:
        self.array = array


MODELS: dict[str, Callable[[], cr.Sequential]] = {
    "mlp": lambda: cr.MLP([4, 8, 3], activation="gelu", dropout=0.2, l1=0.01, l2=0.1, rng=0),
    "float64": lambda: cr.MLP([4, 8, 3], rng=0, dtype="float64", softmax=True),
    "statistics": lambda: cr.Sequential([cr.Linear(4, 5, bias=False), cr.BatchNorm(5), cr.SiLU()], rng=0),
    "nested": lambda: cr.Sequential(
        [cr.Residual([cr.LayerNorm(4), cr.Linear(4, 4, activation=cr.LeakyReLU(0.3)), cr.BatchNorm(4)]), cr.PReLU(4)],
        rng=0,
    ),
    "no parameters": lambda: cr.Sequential([cr.Flatten(), cr.Tanh(), cr.GELU("tanh")]),
}


@pytest.mark.parametrize("make_model", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_equal_to_the_last_bit(make_model, tmp_path: Path, rng: np.random.Generator) -> None:
    model, x = make_model(), rng.normal(size=(6, 4))
    model.forward(x, training=True)  # moves the running statistics
    model.metadata = {
        "classes": ["ja", "nein", "日本"],
        "score": 0.1 + 0.2,
        "nothing": None,
        "nested": {"a": [1, True]},
    }
    cr.save(model, tmp_path / "model.safetensors")
    twin = cr.load(tmp_path / "model.safetensors")
    assert twin.dtype == model.dtype
    assert twin.parameters.shapes == model.parameters.shapes
    assert twin.parameters.vector.tobytes() == model.parameters.vector.tobytes()
    assert {name: array.tobytes() for name, array in twin.buffers.items()} == {
        name: array.tobytes() for name, array in model.buffers.items()
    }
    assert twin.predict(x).tobytes() == model.predict(x).tobytes()
    assert twin.metadata == model.metadata
    assert twin.config() == model.config()
    assert twin.summary() == model.summary()


def test_a_loaded_model_learns_on(tmp_path: Path) -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "line")
    model = cr.load(tmp_path / "line")
    cr.Trainer(model, "squared_error", cr.SGD(0.1)).fit(x, y, epochs=200, verbose=0)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-3)


def test_any_safetensors_reader_finds_the_arrays_and_the_header(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(2, 3), cr.BatchNorm(3)], rng=0)
    model.metadata = {"unit": "kg"}
    cr.save(model, tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == ["0.W", "0.b", "1.bias", "1.gain", "1.running_mean", "1.running_variance"]
        np.testing.assert_array_equal(file.get_tensor("0.W"), model.parameters["0.W"])
        header = file.metadata()
    assert len(header["digest"]) == 64
    assert json.loads(header["chainrule"]) == {
        "format": 2,
        "version": cr.__version__,
        "model": model.config(),
        "metadata": {"unit": "kg"},
    }


def test_equal_models_give_equal_files(tmp_path: Path) -> None:
    for name in "abcdefgh":
        cr.save(cr.MLP([3, 4, 2], rng=7), tmp_path / name)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_custom_layer_comes_back_through_its_class(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(4, 3), cr.Residual([Shift(3, factor=2.5)])], rng=0)
    model.forward(np.ones((5, 4)), training=True)
    cr.save(model, tmp_path / "model")
    twin = cr.load(tmp_path / "model", custom_layers={"Shift": Shift})
    assert twin.buffers["1.0.seen"] == 5
    x = np.ones((2, 4))
    assert twin.predict(x).tobytes() == model.predict(x).tobytes()
    with pytest.raises(ValueError, match=r"'Shift'.*custom_layers"):
        cr.load(tmp_path / "model")


def test_a_number_of_numpy_is_an_argument_like_any_other(tmp_path: Path) -> None:
    cr.save(cr.Sequential([Shift(np.int64(2), factor=np.float32(3))], rng=0), tmp_path / "model")
    assert cr.load(tmp_path / "model", custom_layers={"Shift": Shift}).layers[0].factor == 3


# --- what could not come back


class Forgetful(Listed):
    def __init__(self, rate) -> None:
        pass


class Named(Listed):
    def __init__(self) -> None:
        self.names = np.array(["a", "b"])

    def buffers(self):
        return {"names": self.names}


REFUSED: dict[str, tuple[Callable[[], cr.Layer], type[Exception], str]] = {
    "an array as argument": (lambda: Listed(np.zeros(2)), TypeError, "constructor arguments that JSON can hold"),
    "a list of NumPy": (lambda: Shift(2, np.array([3.0, 4.0])), TypeError, "constructor arguments that JSON can hold"),
    "a function": (lambda: Listed(np.sin), ValueError, r"save expects layers that config.*array'\)"),
    "a forgotten argument": (lambda: Forgetful(3), ValueError, r"save expects layers that config.* 'rate'"),
    "a borrowed name": (
        lambda: type("Tanh", (Shift,), {})(2),
        ValueError,
        "'Tanh', which has the same class name",
    ),
    "a buffer of text": (Named, TypeError, r"save expects numbers in the buffer '0\.names'"),
}


@pytest.mark.parametrize(("make_layer", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_a_layer_that_could_not_come_back_is_refused(make_layer, error, says, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        cr.save(cr.Sequential([make_layer()], rng=0), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_hides_its_size_is_refused(tmp_path: Path) -> None:
    class Hidden(Shift):
        def __init__(self) -> None:
            super().__init__(3)

    model = cr.Sequential([Hidden()], rng=0)
    cr.save(model, tmp_path / "fine")
    model.layers[0].features = 4  # now its config builds another
    model.parameters.shapes["0.shift"] = (4,)
    with pytest.raises(ValueError, match="save expects layers that config"):
        cr.save(model, tmp_path / "model")


def test_a_folder_that_cannot_be_written_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"save expects to write .*; choose a folder that exists"):
        cr.save(cr.MLP([2, 2], rng=0), tmp_path / "file" / "model")
    with pytest.raises(FileNotFoundError, match=r"save expects to write .*; choose a folder that exists"):
        cr.save(cr.MLP([2, 2], rng=0), tmp_path / "no" / "model")
