"""Keras: the weights of its ``.keras``, ``.weights.h5`` and ``.h5`` files in a model of the same layers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import sentence
from .._support.files import as_path, refusal
from ..layers import (
    ELU,
    BatchNorm,
    Dropout,
    Flatten,
    GaussianNoise,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    PReLU,
    Residual,
)
from ..model import Sequential
from .exchange import Arrays, Slot, check_shapes, fill, slots
from .hdf5 import check_unpacks, child, numbers, opened, texts

WHO = "load_keras_weights"
#: What Keras calls our layers in files, and their variables in their order.
KINDS: dict[type[Layer], tuple[str, tuple[str, ...]]] = {
    Linear: ("dense", ("kernel", "bias")),
    BatchNorm: ("batch_normalization", ("gamma", "beta", "moving_mean", "moving_variance")),
    LayerNorm: ("layer_normalization", ("gamma", "beta")),
    PReLU: ("p_re_lu", ("alpha",)),
}
CLASSES: dict[str, type[Layer]] = {
    "Dense": Linear,
    "BatchNormalization": BatchNorm,
    "LayerNormalization": LayerNorm,
    "PReLU": PReLU,
}
ACTIVATIONS = {
    **{name.lower(): name for name in ("ReLU", "Sigmoid", "Tanh", "Softmax", "GELU", "SiLU", "SELU", "Mish")},
    "elu": "ELU(1.0)",
    "swish": "SiLU",
    "softplus": "Softplus",
    "hard_sigmoid": "HardSigmoid",
    "leaky_relu": "LeakyReLU(0.2)",
}
SILENT = ("InputLayer", "Dropout", "GaussianNoise", "Flatten")  # without effect on a row of numbers in prediction
EPSILON = 1e-3  # Keras's default


def load_keras_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Put the weights of a Keras network into the model of the same layers.

    Dense, BatchNormalization, LayerNormalization and PReLU are matched to Linear, BatchNorm, LayerNorm and PReLU in
    their order. The model is changed as a whole or not at all. Needs h5py: ``pip install 'chainrule[keras]'``.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`
    path : what ``model.save("net.keras")`` or ``model.save_weights("net.weights.h5")`` of Keras 3 wrote, or
        ``model.save("net.h5")`` of any Keras. Nothing in it is executed or unpacked to the disk

    Raises
    ------
    ValueError
        The shapes differ, which are then listed side by side; or, where the file tells them, activations or epsilon:
        Keras normalises with ``epsilon=1e-3``, so write ``BatchNorm(8, momentum=0.01, epsilon=1e-3)``; ``.weights.h5``
        does not tell. Or the file is damaged, holds other layers with weights, or points to other files.
    ModuleNotFoundError
        h5py is not installed.
    OSError
        There is no such file, or it cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import h5py
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "line.weights.h5"
    ...     with h5py.File(path, "w") as file:  # as Keras 3 would
    ...         file["layers/dense/vars/0"], file["layers/dense/vars/1"] = [[1.0], [2.0]], [0.5]
    ...     cr.load_keras_weights(model, path)
    >>> model.predict([[10.0, 100.0]])
    array([[210.5]], dtype=float32)

    Notes
    -----
    h5py reads the file, and the HDF5 library behind it may not return from one that somebody damaged on purpose: of
    strangers take safetensors.

    References
    ----------
    https://keras.io/guides/serialization_and_saving/
    """
    path = as_path(WHO, path)
    ours = slots(WHO, model, _views)
    with opened(WHO, path) as (root, config):
        described = layers_of(config)
        known = [(CLASSES[name], settings) for name, settings in described if name in CLASSES]
        settings = dict(zip(_numbered([cls for cls, _ in known]), [held for _, held in known], strict=True))
        kinds = _numbered([type(slot.layer) for slot in ours])
        if child(WHO, path, root, "model_weights") is not None or texts(root, "layer_names") is not None:
            groups = _by_name(path, root)
        else:
            groups = _by_kind(path, root, kinds, settings)
        for kind, slot, group in zip(kinds, ours, groups.values(), strict=False):
            for leaf in _absent(settings.get(kind, {})) - group.keys() & slot.arrays.keys():
                group[leaf] = np.full(slot.arrays[leaf].shape, float(leaf == "gamma"))
        check_shapes(WHO, ours, groups, "make the model of the same layers as the Keras one")
        for group in groups.values():
            for array in group.values():
                if hasattr(array, "chunks") and array.chunks is not None:
                    check_unpacks(WHO, path, array)
        _check_epsilon(path, zip(kinds, ours, strict=True), settings)
        _check_steps(path, model, config, described)
        fill(WHO, ours, groups)


def _views(layer: Layer) -> Arrays | None:
    """The layer's arrays by Keras's names; its kernels are (I, O), as ours are."""
    if isinstance(layer, Linear):
        return {"kernel": layer.W} | ({"bias": layer.b} if layer.bias else {})
    if isinstance(layer, BatchNorm):
        moving = {"moving_mean": layer.running_mean, "moving_variance": layer.running_variance}
        return {"gamma": layer.gain, "beta": layer.bias} | moving
    if isinstance(layer, LayerNorm):
        return {"gamma": layer.gain, "beta": layer.bias}
    return {"alpha": layer.slope} if isinstance(layer, PReLU) else None


def _numbered(classes: Sequence[type[Layer]]) -> list[str]:
    """``dense, dense_1, p_re_lu``: the class and its how-manieth, as Keras 3 names layers in files."""
    counts: Counter[str] = Counter()
    names = []
    for cls in classes:
        kind = KINDS[cls][0]
        names.append(f"{kind}_{counts[kind]}" if counts[kind] else kind)
        counts[kind] += 1
    return names


def _absent(settings: Mapping[str, Any]) -> set[str]:
    """What a normalisation has no variable for: its gain is 1, or its bias 0."""
    return {leaf for leaf, key in (("gamma", "scale"), ("beta", "center")) if settings.get(key) is False}


# --- the two layouts ----------------------------------------------------------------------------------------------


def _by_kind(
    path: Path, root: Any, kinds: Sequence[str], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Keras 3, ``layers/dense_1/vars/0``: the groups that layers of ours want, in their order; then all others."""
    for name in ("layers", "_layer_checkpoint_dependencies"):  # the second by TensorFlow 2.12
        layers = child(WHO, path, root, name)
        if hasattr(layers, "keys"):
            break
    else:
        raise refusal(WHO, path, "to hold the layers of a Keras model", ", ".join(root) or "nothing", "")
    found: dict[str, dict[str, Any]] = {}
    for name in layers:
        variables = child(WHO, path, layers, f"{name}/vars")
        if hasattr(variables, "keys") and len(variables):
            known = next((leaves for kind, leaves in KINDS.values() if name.rstrip("_0123456789") == kind), ())
            leaves = [leaf for leaf in known if leaf not in _absent(settings.get(name, {}))]
            keys = sorted(variables, key=lambda key: (len(key), key))
            found[name] = {
                leaves[i] if i < len(leaves) else f"vars/{key}": numbers(WHO, path, child(WHO, path, variables, key))
                for i, key in enumerate(keys)
            }
    ordered = {name: found.pop(name) for name in kinds if name in found}
    return ordered | found


def _by_name(path: Path, root: Any) -> dict[str, dict[str, Any]]:
    """The older layout, ``model_weights/dense_1/dense_1/kernel:0``: attributes list the names in order."""
    top = child(WHO, path, root, "model_weights")
    top = root if top is None else top
    groups: dict[str, dict[str, Any]] = {}
    for name in texts(top, "layer_names") or []:
        layer = child(WHO, path, top, name)
        found = {}
        for weight in (None if layer is None else texts(layer, "weight_names")) or []:
            dataset = numbers(WHO, path, child(WHO, path, layer, weight))
            found[weight.rpartition("/")[2].partition(":")[0]] = dataset
        found.pop("seed_generator_state", None)
        if found:
            groups[name] = found
    return groups


# --- what the file tells of settings --------------------------------------------------------------------------------


def layers_of(config: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The class and the settings of each layer in a configuration; none where it is of another form."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner  # a list in Keras 1
    found: list[tuple[str, Mapping[str, Any]]] = []
    for layer in layers if isinstance(layers, list) else []:
        name, settings = (layer.get("class_name"), layer.get("config")) if isinstance(layer, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(settings, dict):
            return []
        found.append((name, settings))
    return found


def _check_epsilon(path: Path, ours: Iterable[tuple[str, Slot]], settings: Mapping[str, Mapping[str, Any]]) -> None:
    for kind, slot in ours:
        if kind in settings and isinstance(slot.layer, (BatchNorm, LayerNorm)):
            epsilon = settings[kind].get("epsilon", EPSILON)
            if epsilon != slot.layer.epsilon:
                expected = f"epsilon {epsilon!r} for {kind} of {path}, as Keras has it"
                got = f"{slot.layer.epsilon!r} in {slot.layer!r}"
                raise ValueError(sentence(WHO, expected, got, "give the layer that epsilon"))


def _check_steps(
    path: Path, model: Sequential, config: Any, described: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """What stands between the weights must be the same, where the file tells it: the order is that of a Sequential."""
    if isinstance(config, dict) and config.get("class_name") == "Sequential" and described:
        theirs = [step for name, settings in described for step in _their_steps(name, settings)]
        ours = [step for layer in model.layers for step in _our_steps(layer)]
        if ours != theirs:
            expected = f"a model of the steps of {path}, {' → '.join(theirs)}"
            raise ValueError(sentence(WHO, expected, " → ".join(ours), "make it of the same layers and activations"))


def _their_steps(name: str, settings: Mapping[str, Any]) -> Iterator[str]:
    if name in CLASSES:
        yield CLASSES[name].__name__
    elif name in ("LeakyReLU", "ELU"):
        slope = settings.get("negative_slope", settings.get("alpha", {"LeakyReLU": 0.3, "ELU": 1.0}[name]))
        yield f"{name}({slope})"
    elif name not in (*SILENT, "Activation"):
        odd = [f"{key}={settings[key]}" for key in ("max_value", "negative_slope", "threshold") if settings.get(key)]
        yield f"{name}({', '.join(odd)})" if odd else name
    activation = settings.get("activation", "linear") if name in ("Dense", "Activation") else "linear"
    if activation not in ("linear", None):
        yield ACTIVATIONS.get(str(activation), str(activation))


def _our_steps(layer: Layer) -> Iterator[str]:
    if isinstance(layer, Linear):
        yield "Linear"
        if layer.activation is not None:
            yield from _our_steps(layer.activation)
    elif isinstance(layer, LeakyReLU):
        yield f"LeakyReLU({layer.slope})"
    elif isinstance(layer, ELU):
        yield f"ELU({layer.alpha})"
    elif isinstance(layer, (BatchNorm, LayerNorm, PReLU)):
        yield type(layer).__name__
    elif not isinstance(layer, (Dropout, GaussianNoise, Flatten, Identity)):
        odd = isinstance(layer, Residual) or layer.config() != type(layer)().config()
        yield repr(layer) if odd else type(layer).__name__
