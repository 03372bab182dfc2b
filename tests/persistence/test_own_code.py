"""Code of the user's own in a network is refused by every file that would do without it."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.persistence import export

X = np.random.default_rng(0).normal(size=(5, 3))


class Doubled(cr.Sequential):
    def forward(self, x, training=False):
        return 2 * super().forward(x, training)


class Rounded(cr.Sequential):
    def predict(self, x, batch_size=None):
        return super().predict(x, batch_size).round()


class Loud(cr.Sequential):
    def backward(self, dy, input_gradient=False):
        return super().backward(2 * dy, input_gradient)


class Costly(cr.Sequential):
    def penalty(self):
        return 1.0 + super().penalty()


class Derived(Doubled):
    pass


class Named(cr.Sequential):
    """A class that only says how a network of its kind is made and described."""

    def __init__(self):
        super().__init__(layers(), rng=0)

    def describe(self):
        return "mine"


def layers():
    return [cr.Linear(3, 4, activation=cr.Tanh()), cr.Residual([cr.Linear(4, 4), cr.ReLU()]), cr.Linear(4, 2)]


def replaced(place, name):
    """A network in which a method of the part at this place is one of the object's own."""
    model = cr.Sequential(layers(), rng=0)
    part = place(model)
    method = getattr(part, name)
    setattr(part, name, lambda *args, **options: 2 * method(*args, **options))
    return model


PREDICTS = {
    "forward": (lambda: Doubled(layers(), rng=0), "Doubled, which overrides forward"),
    "forward of an ancestor": (lambda: Derived(layers(), rng=0), "Derived, which overrides forward"),
    "predict": (lambda: Rounded(layers(), rng=0), "Rounded, which overrides predict"),
    "of the model": (lambda: replaced(lambda model: model, "forward"), "one that was replaced on the model"),
    "predict of the model": (lambda: replaced(lambda model: model, "predict"), "one that was replaced on the model"),
    "of a layer": (lambda: replaced(lambda model: model.layers[2], "forward"), "one that was replaced on layer 2"),
    "inside": (lambda: replaced(lambda model: model.layers[1].layers[0], "forward"), "was replaced on layer 1.0"),
    "of an activation": (lambda: replaced(lambda model: model.layers[0].activation, "apply"), "replaced on layer 0"),
}
TRAINS = {
    "backward": (lambda: Loud(layers(), rng=0), "Loud, which overrides backward"),
    "penalty": (lambda: Costly(layers(), rng=0), "Costly, which overrides penalty"),
}


@pytest.mark.parametrize(("make", "says"), (PREDICTS | TRAINS).values(), ids=PREDICTS | TRAINS)
def test_a_model_with_code_of_its_own_is_not_saved(make, says, tmp_path) -> None:
    with pytest.raises(TypeError, match=r"^save expects ") as caught:
        cr.save(make(), tmp_path / "model")
    assert says in str(caught.value)
    assert "; put what it does into a layer of your own" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", export.FORMATS)
@pytest.mark.parametrize(("make", "says"), PREDICTS.values(), ids=PREDICTS)
def test_a_model_that_predicts_by_code_of_its_own_is_not_exported(make, says, format, tmp_path) -> None:
    with pytest.raises(TypeError, match=r"^export expects ") as caught:
        cr.export(make(), tmp_path / "model", format)
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("make", "says"), TRAINS.values(), ids=TRAINS)
def test_a_model_that_only_trains_by_code_of_its_own_is_exported(make, says, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    assert cr.export(make(), tmp_path / "model.onnx").checked < 1e-5


def test_a_class_that_computes_as_ours_does_comes_back_as_sequential(tmp_path) -> None:
    model = Named()
    cr.save(model, tmp_path / "model")
    again = cr.load(tmp_path / "model")
    assert type(again) is cr.Sequential
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_code_of_its_own_that_was_taken_off_again_does_not_hinder(tmp_path) -> None:
    model = replaced(lambda model: model.layers[2], "forward")
    del model.layers[2].forward
    cr.save(model, tmp_path / "model")
    np.testing.assert_array_equal(cr.load(tmp_path / "model").predict(X), model.predict(X))


class Half(cr.Linear):
    def forward(self, x, work):
        return super().forward(x, work) / 2


class Steep(cr.LeakyReLU):
    def apply(self, x, out):
        return np.multiply(super().apply(x, out), 3, out=out)


DERIVED = {
    "a layer": lambda: cr.Sequential([Half(3, 2)], rng=0),
    "inside another": lambda: cr.Sequential([cr.Residual([Half(3, 3)])], rng=0),
    "an activation": lambda: cr.Sequential([cr.Linear(3, 2), Steep(0.1)], rng=0),
    "an activation of a layer": lambda: cr.Sequential([cr.Linear(3, 2, activation=Steep(0.1))], rng=0),
}


@pytest.mark.parametrize("format", ["onnx", "c"])
@pytest.mark.parametrize("make", DERIVED.values(), ids=DERIVED)
def test_a_layer_derived_from_one_of_ours_is_not_taken_for_it(make, format, tmp_path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    with pytest.raises(ValueError, match=r"^export to \w+ expects layers that say by program"):
        cr.export(make(), tmp_path / "model", format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DERIVED)
def test_pytorch_gets_a_custom_activations_name_and_no_arrays_of_a_layer(name, tmp_path) -> None:
    if "activation" in name:  # loading the arrays needs the module anyway
        assert "Steep()" in cr.export(DERIVED[name](), tmp_path / "model", "pytorch").notes[0]
    else:
        with pytest.raises(ValueError, match=r"whose class states no program"):
            cr.export(DERIVED[name](), tmp_path / "model", "pytorch")
