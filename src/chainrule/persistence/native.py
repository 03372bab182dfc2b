"""The native format: a safetensors file with the architecture and metadata as JSON in its header.

The tensors are the parameters ("0.W") and the buffers ("1.running_mean") by name. The header's entry ``chainrule``
holds {"format": 2, "version": ..., "model": model.config(), "metadata": model.metadata}; ``digest`` is the SHA-256 of
that entry and of all tensors, which format 1 lacks.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, nearest, sentence
from .._support.files import DIGEST, as_path, digest, open_tensors, read_json, refusal, write_arrays
from ..layers import LAYERS, Layer
from ..layers.base import Shape, arguments_of, parameter_shapes, walk
from ..model import Sequential, layers_from_config, uninitialized_model
from ..parameters import as_float_dtype
from ..training import checkpoint
from ..training.state import arrays_of
from .estimators import PREDICTION, TRAINING, check_no_own_code, estimator_of, parts_of

FORMAT, OF_ESTIMATORS = 2, 3
KEY = "chainrule"
SPARE = 10_000  # units
MAX_LAYERS = 4096  # those inside others and activations included: each takes time before it is found to be a lie
_DTYPES = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "bool": "BOOL",
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}
Form = tuple[Shape, str]  # of a tensor: its shape, and its dtype as safetensors writes it
Expected = Callable[[Sequence[Layer], np.dtype[Any]], dict[str, Form]]


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Save a model to a safetensors file: architecture, parameters, buffers, ``metadata``, version and a digest.

    Parameters
    ----------
    model : Sequential or fitted estimator
        A network, or a fitted TabularClassifier, TabularRegressor, MLPClassifier or MLPRegressor. The file of an
        estimator has its parameters, its network and all that prediction needs, but no callbacks, functions or random
        generators among the parameters, and no state of an optimizer.
    path : path
        The file, by convention with the suffix ``.safetensors``.

    Raises
    ------
    TypeError
        If ``model.metadata``, or an argument of your own layer, is not text, numbers, booleans, None, or lists and
        dicts of these. Or if the model's class overrides a method that computes, or one was replaced on an instance. Or
        if an estimator has a loss or an activation that is not chainrule's.
    ValueError
        If a layer of your own cannot be rebuilt from its ``config()``, or has the class name of a built-in layer.
    OSError
        If the folder does not exist or cannot be written to.

    Notes
    -----
    The file is replaced atomically. An existing file keeps its mode, owner and symbolic links; hard links keep the old
    contents. The file holds no time, path, batch or pickle, so equal models give equal files.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 8, 1], rng=0)
    >>> model.metadata = {"unit": "kg"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "scale.safetensors"
    ...     cr.save(model, path)
    ...     twin = cr.load(path)
    >>> x = np.ones((1, 2))
    >>> bool(twin.predict(x) == model.predict(x)), twin.metadata
    (True, {'unit': 'kg'})

    References
    ----------
    The format: https://huggingface.co/docs/safetensors
    """
    path = as_path("save", path)
    network, metadata, estimator = parts_of(model)
    check_no_own_code("save", network, PREDICTION + TRAINING)
    try:
        tensors = _tensors_that_come_back(network)
        facts = {"format": FORMAT, "version": __version__, "model": network.config(), "metadata": metadata}
        facts |= {} if estimator is None else {"format": OF_ESTIMATORS, "estimator": estimator}
    except RecursionError:
        raise ValueError(sentence("save", "layers in one another", "too many: they are nested too deeply")) from None
    for what, name in (("layers", "model"), ("metadata", "metadata"), ("an estimator", "estimator")):
        _check_json(what, {name: facts.get(name)})
    header = {KEY: json.dumps(facts)}
    write_arrays("save", path, tensors, header | {DIGEST: digest(tensors, header)})


def _check_json(what: str, facts: dict[str, Any]) -> None:
    try:
        read_json(json.dumps(facts, allow_nan=False))  # as load will
        json.dumps(facts, ensure_ascii=False).encode()  # of two halves JSON would make one character
    except (TypeError, ValueError, RecursionError) as error:
        remedy = "turn arrays into lists, and NaN into None"
        got = f"some that it cannot ({error})"
        raise TypeError(sentence("save", f"{what} that JSON can hold", got, remedy)) from None


def load(path: str | os.PathLike[str], custom_layers: Mapping[str, type[Layer]] | None = None) -> Any:
    """Load a model that :func:`save` wrote, bit for bit, or the model of a checkpoint.

    Parameters
    ----------
    path : path
        A file from :func:`save` or :class:`~chainrule.callbacks.Checkpoint`.
    custom_layers : mapping of name to class, optional
        Your own layer classes.

    Returns
    -------
    Sequential or estimator
        What was saved. A network has a new unpredictable ``rng``; from a checkpoint it has no metadata.

    Raises
    ------
    ValueError
        If the file is damaged, was not written by chainrule or by a newer version, or holds an unknown layer.
    OSError
        If the file does not exist (FileNotFoundError) or cannot be read.

    Notes
    -----
    The file is not trusted. Nothing in it is executed, claimed sizes are compared with its bytes before any array is
    allocated, and the digest covers all of it. NumPy and safetensors are enough to load and predict. Files written by
    earlier versions load as well.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> class Double(cr.Layer):
    ...     def forward(self, x, work):
    ...         return 2 * x
    ...     def backward(self, dy, work, input_gradient=True):
    ...         return 2 * dy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "double.safetensors"
    ...     cr.save(cr.Sequential([Double()]), path)
    ...     model = cr.load(path, custom_layers={"Double": Double})
    >>> model.predict([[21.0]])
    array([[42.]], dtype=float32)
    """
    path = as_path("load", path)
    own = _checked_classes(custom_layers)
    with open_tensors("load", path, "model file") as file:
        header = file.metadata()
        if header and checkpoint.KEY in header:
            return _of_checkpoint(path, own)
        facts = _read_facts(path, header)
        forms = {name: _form(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        model = _build(path, facts["model"], forms, own, _expected_forms)
        for name, array in _arrays(model).items():
            array[...] = file.get_tensor(name)
    if facts["format"] > 1 and header[DIGEST] != digest(_arrays(model), {KEY: header[KEY]}):
        raise _refusal(path, "to be as it was written", "one whose digest is not that of its contents")
    model.metadata = facts["metadata"]
    return model if facts["format"] < OF_ESTIMATORS else _estimator(path, facts["estimator"], model)


def _estimator(path: Path, described: dict[str, Any], model: Sequential) -> Any:
    try:
        return estimator_of(described, model)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refusal(path, "to describe an estimator", f"one with {str(error).rstrip('.')}") from None


def _checked_classes(custom_layers: Any) -> dict[str, type[Layer]]:
    own = {} if custom_layers is None else custom_layers
    pairs = own.items() if isinstance(own, Mapping) else [(None, own)]
    for name, cls in pairs:
        if not (isinstance(name, str) and isinstance(cls, type) and issubclass(cls, Layer)):
            got = reprlib.repr(custom_layers)
            raise TypeError(sentence("load", "custom_layers={name: class}, classes of layers", got))
    return dict(own)


def _arrays(model: Sequential) -> dict[str, Array]:
    return {**model.parameters, **model.buffers}


def _of_checkpoint(path: Path, own: dict[str, type[Layer]]) -> Sequential:
    arrays, facts = checkpoint.read_checkpoint("load", path)
    if not isinstance(facts.get("model"), dict):
        raise _refusal(path, "to describe its model", reprlib.repr(facts.get("model")))
    held = {name: array for name, array in arrays.items() if name.startswith(("model/", "buffer/"))}
    forms = {name: (array.shape, _DTYPES.get(array.dtype.name, "")) for name, array in held.items()}
    model = _build(path, facts["model"], forms, own, _forms_in_checkpoint)
    for name, array in arrays_of(model):
        array[...] = held[name]
    return model


# --- writing ------------------------------------------------------------------------------------------------------


def _tensors_that_come_back(model: Sequential) -> dict[str, Array]:
    """Raise now, while the model still exists, if load would refuse it or build a different one."""
    reason = "a layer whose config() rebuilds a different one"
    try:
        own = {cls.__name__: cls for cls in _classes(model.layers) if LAYERS.get(cls.__name__) is not cls}
        again = layers_from_config(model.config(), own)
    except (ValueError, AttributeError) as error:
        own, again, reason = {}, [], f"one for which it is not enough ({str(error).rstrip('.')})"
    for name in own.keys() & LAYERS.keys():
        got = f"{name!r}, which has the same class name as a built-in layer"
        raise ValueError(sentence("save", "layers of your own to have names of their own", got, "rename the class"))
    kinds = [type(layer) for _, layer in walk(model.layers)]
    if [type(layer) for _, layer in walk(again)] != kinds or parameter_shapes(again) != model.parameters.shapes:
        remedy = "let the constructor take numbers, text and layers, and keep each as the attribute of its name"
        raise ValueError(sentence("save", "layers that config() describes in full", reason, remedy))
    count = sum(1 for _ in _described(model.config()["layers"]))
    if count > MAX_LAYERS:
        raise ValueError(sentence("save", f"at most {MAX_LAYERS:,} layers", f"{count:,}"))
    tensors = {name: np.asarray(array, order="C") for name, array in _arrays(model).items()}
    for name, array in tensors.items():
        if array.dtype.name not in _DTYPES:
            raise TypeError(sentence("save", f"numbers in the buffer {name!r}", f"dtype {array.dtype}"))
    forms = {name: (array.shape, _DTYPES[array.dtype.name]) for name, array in tensors.items()}
    try:
        _check_forms(_expected_forms(again, model.dtype), forms)
    except ValueError as error:
        remedy = "keep the shape and the dtype that each array had when its layer was made"
        got = f"one of which {str(error).rstrip('.')}"
        raise ValueError(sentence("save", "a model that load can build again", got, remedy)) from None
    return tensors


def _classes(value: Layer | Sequence[Any]) -> Iterator[type[Layer]]:
    """Yield the classes of all layers in a list, or of a layer and its arguments, such as an activation."""
    if isinstance(value, Layer):
        yield type(value)
        value = [getattr(value, name) for name in arguments_of(type(value))]
    for item in value:
        if isinstance(item, (Layer, list, tuple)):
            yield from _classes(item)


# --- reading ------------------------------------------------------------------------------------------------------


_refusal = partial(refusal, "load")


def _form(tensor: Any) -> Form:
    return tuple(tensor.get_shape()), tensor.get_dtype()


def _read_facts(path: Path, header: Mapping[str, str] | None) -> dict[str, Any]:
    """Read the header: a dict with the architecture under "model" and a dict under "metadata"."""
    if not header or KEY not in header:
        remedy = "load reads what chainrule.save wrote; load_state_dict the weights of PyTorch"
        raise _refusal(path, f"to have a {KEY!r} entry in its header", "a safetensors file without", remedy)
    try:
        facts = read_json(header[KEY])
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "to have JSON in its header", f"invalid JSON ({error})") from None
    if not isinstance(facts, dict) or type(facts.get("format")) is not int:
        raise _refusal(path, "to state its format", reprlib.repr(facts))
    if not 1 <= facts["format"] <= OF_ESTIMATORS:
        got = f"format {reprlib.repr(facts['format'])}, written by version {reprlib.repr(facts.get('version'))}"
        remedy = "install the version of chainrule that wrote it"
        raise _refusal(path, f"to be of format 1 to {OF_ESTIMATORS}", got, remedy)
    parts = ("model", "metadata", "estimator")[: 2 + (facts["format"] == OF_ESTIMATORS)]
    for name in parts:
        if not isinstance(facts.get(name), dict):
            raise _refusal(path, f"to describe its {name}", reprlib.repr(facts.get(name)))
    if facts["format"] > 1:
        for where, names, known in (
            ("header", header, {KEY, DIGEST}),
            ("description", facts, {"format", "version", *parts}),
        ):
            if set(names) != known:
                expected = f"to have a {where} of {', '.join(sorted(known))}"
                raise _refusal(path, expected, reprlib.repr(sorted(names)))
    return facts


def _build(
    path: Path,
    description: dict[str, Any],
    forms: Mapping[str, Form],
    own: dict[str, type[Layer]],
    expected: Expected,
) -> Sequential:
    try:
        if not description.keys() <= {"layers", "dtype"}:
            raise ValueError(sentence("a model", "layers and a dtype", reprlib.repr(sorted(description))))
        _check_types(description, own)
        _check_sizes(description, own, sum(math.prod(shape) for shape, _ in forms.values()))
        layers = layers_from_config(description, own)
        dtype = as_float_dtype("dtype", description.get("dtype"))
        _check_forms(expected(layers, dtype), forms)
        return uninitialized_model(layers, dtype)
    except RecursionError:
        raise _refusal(path, "to describe a model", "one that is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise _refusal(
            path, "to describe a model that can be built", f"one of which {str(error).rstrip('.')}", ""
        ) from None


def _described(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and "type" in value:
        yield value
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, (dict, list)):
                yield from _described(item)


def _check_types(description: Mapping[str, Any], own: Mapping[str, type[Layer]]) -> None:
    known = LAYERS | dict(own)
    for layer in _described(description.get("layers")):
        name = layer["type"]
        if not isinstance(name, str) or name not in known:
            got = reprlib.repr(name) + nearest(str(name), known)
            remedy = "if it is a layer of your own, pass its class: load(path, custom_layers={name: class})"
            raise ValueError(sentence("a layer", "a type that is known", got, remedy))


def _check_sizes(description: Mapping[str, Any], own: Mapping[str, type[Layer]], numbers: int) -> None:
    """Raise before a constructor allocates memory that the file cannot fill.

    A layer with sizes has at least half a number for each unit of each size: m + n <= 2mn for a Linear(m, n), n <= 2n
    for a gain. The sum of all integers in the description is therefore at most twice the numbers in the file, or so
    small that a missing array can be named.
    """
    described = list(_described(description.get("layers")))
    if len(described) > MAX_LAYERS:
        raise ValueError(sentence("a model", f"at most {MAX_LAYERS:,} layers", f"{len(described):,}"))
    ours = (layer for layer in described if layer["type"] not in own)
    total = sum(value for layer in ours for value in layer.values() if type(value) is int and value > 0)
    if total > 2 * numbers + SPARE:
        raise ValueError(sentence("a model", f"sizes that fit the {numbers:,} numbers of its file", f"{total:,} units"))


def _expected_forms(layers: Sequence[Layer], dtype: np.dtype[Any]) -> dict[str, Form]:
    expected: dict[str, Form] = {name: (shape, _DTYPES[dtype.name]) for name, shape in parameter_shapes(layers).items()}
    for prefix, layer in walk(layers):
        for name, array in layer.buffers().items():
            expected[prefix + name] = array.shape, _DTYPES.get(array.dtype.name, array.dtype.name)
    return expected


def _forms_in_checkpoint(layers: Sequence[Layer], dtype: np.dtype[Any]) -> dict[str, Form]:
    parameters = parameter_shapes(layers)
    buffers = {name: form for name, form in _expected_forms(layers, dtype).items() if name not in parameters}
    vector: Form = (sum(map(math.prod, parameters.values())),), _DTYPES[dtype.name]
    return {"model/parameters": vector} | {f"buffer/{name}": form for name, form in buffers.items()}


def _check_forms(expected: Mapping[str, Form], forms: Mapping[str, Form]) -> None:
    for name in [*expected, *forms]:
        if expected.get(name) != forms.get(name):
            want, have = (_written(table.get(name)) for table in (expected, forms))
            raise ValueError(sentence("the architecture", f"{want} as tensor {reprlib.repr(name)}", have))


def _written(form: Form | None) -> str:
    return "none" if form is None else f"{form[1]} of shape {form[0]}"
