"""A layer of the user's own, and how a model takes the arrays of its layers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from custom import Plain


class Powers(cr.Layer):
    """y = Σₖ aₖ xᵏ for each feature, k = 1 … degree: learned coefficients, a penalty and an own rule to begin."""

    def __init__(self, degree: int = 2) -> None:
        self.degree = degree

    def parameter_shapes(self):
        return {"a": (self.degree,)}

    def initialize(self, rng):
        self.a[:] = rng.uniform(0.5, 1, self.degree)

    def forward(self, x, work):
        work["powers"] = np.stack([x**k for k in range(1, self.degree + 1)], axis=-1)
        work["x"] = x
        return work["powers"] @ self.a

    def backward(self, dy, work, input_gradient=True):
        self.da[:] = np.einsum("ni,nik->k", dy, work["powers"]) + 0.2 * self.a
        return dy * sum(k * a * work["x"] ** (k - 1) for k, a in enumerate(self.a, start=1))

    def penalty(self):
        return float(0.1 * np.sum(self.a**2))


def test_a_custom_layer_learns_is_proved_and_is_saved_by_its_description(rng):
    x = rng.standard_normal((64, 2))
    y = x.sum(axis=1, keepdims=True) ** 3
    model = cr.Sequential([cr.Linear(2, 2), Powers(3), cr.Linear(2, 1)], rng=0)
    assert list(model.parameters) == ["0.W", "0.b", "1.a", "2.W", "2.b"]
    assert cr.gradcheck(model, x, y, loss="squared_error").passed
    history = cr.Trainer(model, "squared_error", cr.Adam(0.01)).fit(x, y, epochs=20, verbose=0)
    assert history["loss"][-1] < history["loss"][0] / 2
    twin = cr.Sequential.from_config(model.config(), custom_layers={"Powers": Powers})
    twin.parameters.vector[:] = model.parameters.vector
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    with pytest.raises(ValueError, match="the name of a layer, got 'Powers'"):
        cr.Sequential.from_config(model.config())


def test_a_custom_layer_may_assign_its_gradient(rng):
    class Shift(cr.Layer):
        def parameter_shapes(self):
            return {"by": (4,)}

        def initialize(self, rng):
            self.by = np.zeros(4)

        def forward(self, x, work):
            return x + self.by

        def backward(self, dy, work, input_gradient=True):
            self.dby = dy.sum(axis=0)
            return dy

    model = cr.Sequential([cr.Linear(3, 4), Shift()], rng=0)
    check = cr.gradcheck(model, rng.standard_normal((5, 3)), rng.standard_normal((5, 4)), "squared_error")
    assert check.passed


class Forgetful(Plain):
    def backward(self, dy, work, input_gradient=True):
        return None


@pytest.mark.parametrize("in_front", [[], [cr.ReLU()]])
def test_a_backward_that_returns_nothing_is_named(in_front):
    model = cr.Sequential([*in_front, Forgetful(), cr.Softmax()])
    model.forward(np.ones((2, 3)), training=True)
    with pytest.raises(TypeError, match=r"backward of Forgetful\(\) expects to return dx, got None"):
        model.backward(np.ones((2, 3)), input_gradient=True)


def test_a_layer_must_have_both_directions():
    with pytest.raises(TypeError, match="abstract"):
        cr.Layer()


# ---- in one model at a time


class Rotation(Plain):
    """Names its parameters as told, and holds None in place of each until a model gives it arrays."""

    def __init__(self, names=("W",)):
        self.names = names
        for name in names:
            setattr(self, name, None)

    def parameter_shapes(self):
        return dict.fromkeys(self.names, (2,))


def test_a_layer_may_declare_its_parameters_before_it_has_them():
    layer = Rotation()
    model = cr.Sequential([layer])
    assert np.shares_memory(layer.W, model.parameters.vector)
    with pytest.raises(ValueError, match=r"each layer object once, got .* already in another model"):
        cr.Sequential([layer])


def test_a_parameter_may_not_be_called_as_the_gradient_of_another():
    with pytest.raises(ValueError, match=r"expects parameters .*, got 'r' and 'dr'; rename one of them\."):
        cr.Sequential([Rotation(("r", "x", "dr"))])


def test_after_a_failure_the_layers_are_free_for_another_attempt():
    healthy, failing = cr.Linear(2, 3), cr.Linear(3, 1, initializer=lambda *_: np.ones(7))
    with pytest.raises(ValueError, match="an initializer that gives W"):
        cr.Sequential([cr.Residual([healthy, cr.Linear(3, 2)]), cr.Linear(2, 3), failing])
    model = cr.Sequential([healthy, cr.Linear(3, 1)])
    assert np.shares_memory(healthy.W, model.parameters.vector)


def test_a_layer_that_takes_no_arrays_leaves_the_others_free():
    class Fixed(Rotation):
        W = property(lambda self: None, lambda self, value: None)
        dW = property(lambda self: None)

    healthy = cr.Linear(2, 2)
    with pytest.raises(AttributeError):
        cr.Sequential([healthy, Fixed()])
    cr.Sequential([healthy])


def test_a_layer_in_a_model_stays_there_when_another_model_refuses_it():
    layer = cr.Linear(2, 2)
    model = cr.Sequential([layer])
    for _ in range(2):
        with pytest.raises(ValueError, match="already in another model"):
            cr.Sequential([cr.Linear(2, 2), layer])
    assert np.shares_memory(layer.W, model.parameters.vector)


def test_an_array_assigned_to_a_parameter_goes_into_the_model():
    """Not beside it, where no optimizer would move it."""
    model = cr.Sequential([cr.Linear(3, 2)], rng=0)
    model.layers[0].W = np.ones((3, 2))
    model.layers[0].W *= 2
    np.testing.assert_array_equal(model.parameters["0.W"], np.full((3, 2), 2.0))
    with pytest.raises(ValueError, match=r"Linear\(3 → 2\) expects an array for W of shape \(3, 2\), got \(2, 3\)"):
        model.layers[0].W = np.ones((2, 3))
