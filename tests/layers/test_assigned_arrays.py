"""Arrays of every layout, dtype and shape, assigned to a layer or a model: copied into what is there, or refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
import hostile

X, Y = np.random.default_rng(0).normal(size=(48, 4)).astype("f4"), np.arange(48) % 3
KINDS = [*hostile.SAME, *hostile.OTHER]


def network(**settings):
    layers = [
        cr.Scale(4),
        cr.Linear(4, 6),
        cr.BatchNorm(6),
        cr.PReLU(6),
        cr.ParametricActivation(6, "selu"),
        cr.LayerNorm(6),
        cr.Linear(6, 3, bias=True),
    ]
    return cr.Sequential(layers, rng=0, **settings)


def compiled_network(**settings):
    """Every layer has a kernel."""
    layers = [cr.BatchNorm(4), cr.Linear(4, 6, "relu"), cr.BatchNorm(6), cr.LayerNorm(6), cr.Linear(6, 3)]
    return cr.Sequential(layers, rng=0, **settings)


def fit(model):
    cr.Trainer(model, "cross_entropy", cr.SGD(0.05), batch_size=16, rng=1).fit(X, Y, epochs=2, verbose=0)
    return np.concatenate([model.parameters.vector, *model.buffers.values()])


def refusal(act):
    """What is said against an act; "" if nothing is."""
    try:
        act()
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


#: Every array that a user may assign to: the object that holds it, and its name.
PLACES = {
    **{
        f"{index}.{name}": (lambda model, index=index: model.layers[index], name)
        for index, layer in enumerate(network().layers)
        for name in [*layer.parameter_shapes(), *layer.buffers()]
    },
    "parameters": (lambda model: model.parameters, "vector"),
    "gradients": (lambda model: model.gradients, "vector"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_assigned_is_copied_or_refused(place, kind):
    holder, name = PLACES[place]
    guarded, model = hostile.Guarded(), network()
    there = getattr(holder(model), name)
    values = np.random.default_rng(1).random(there.shape).astype(there.dtype)
    array, before = (hostile.SAME | hostile.OTHER)[kind](guarded, values), there.copy()
    refused = refusal(lambda: setattr(holder(model), name, array))
    if refused:
        assert " expects " in refused
        assert kind in hostile.OTHER
        np.testing.assert_array_equal(there, before)
    else:
        np.testing.assert_allclose(there, np.array(array).astype(float).reshape(there.shape), rtol=1e-6)
    assert getattr(holder(model), name) is there
    twin = network()
    getattr(holder(twin), name)[...] = there
    np.testing.assert_array_equal(fit(model), fit(twin))
    assert guarded.intact()


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_that_is_in_no_model_yet(kind):
    """Its statistics are guarded from the first."""
    layer, values = cr.BatchNorm(4), np.linspace(0, 1, 4)
    array = (hostile.SAME | hostile.OTHER)[kind](hostile.Guarded(), values)
    refused = refusal(lambda: setattr(layer, "running_mean", array))
    assert not refused or (" expects " in refused and kind in hostile.OTHER)
    layer.running_variance = 2 * values + 1
    assert (layer.running_mean.dtype, layer.running_mean.shape) == (np.float64, (4,))
    assert layer.running_mean.flags.carray
    model = cr.Sequential([layer, cr.Linear(4, 3)], rng=0)
    np.testing.assert_array_equal(layer.running_mean, 0)  # a model gives first values to all that it takes
    layer.running_mean = values
    assert np.isfinite(fit(model)).all()


def test_two_layers_share_no_statistics():
    model = compiled_network()
    other = compiled_network()
    model.layers[2].running_mean = other.layers[2].running_mean
    model.layers[2].running_variance = model.layers[2].running_mean
    fit(model)
    np.testing.assert_array_equal(other.layers[2].running_mean, 0)
    assert not np.may_share_memory(model.layers[2].running_mean, model.layers[2].running_variance)


@pytest.mark.parametrize("make", [network, compiled_network])
@pytest.mark.parametrize("how", ["copied", "pickled", "mapped"])
def test_a_copy_owns_its_arrays(make, how, tmp_path):
    model = make()
    fit(model)
    if how == "mapped":
        joblib = pytest.importorskip("joblib")
        joblib.dump(model, tmp_path / "model")
        twin = joblib.load(tmp_path / "model", mmap_mode="r")
    else:
        twin = copy.deepcopy(model) if how == "copied" else pickle.loads(pickle.dumps(model))
    for array in (*twin.buffers.values(), twin.parameters.vector, twin.gradients.vector):
        assert type(array) is np.ndarray
        assert array.flags.carray
    before = {name: array.copy() for name, array in model.buffers.items()}
    trained = fit(twin)
    for name, array in model.buffers.items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(trained, fit(model))
