"""PyTorch: its ``state_dict`` to and from a model, and safetensors files of one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_finite, sentence
from .._support.files import as_path, check_readable, in_our_words, open_tensors, refusal, tensors_in, write_arrays
from ..layers import (
    ELU,
    GELU,
    SELU,
    BatchNorm,
    Dropout,
    Flatten,
    HardSigmoid,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..model import Sequential
from .agreement import Answers, answers, distance
from .exchange import Arrays, by_order, check_shapes, fill, grouped, in_order, slots
from .own_code import check_very_classes

LOAD, DUMP = "load_state_dict", "state_dict"
COUNTER = "num_batches_tracked"  # of BatchNorm: PyTorch needs it only where momentum is None
UNUSED = np.zeros((), np.int64)
Module = tuple[str, tuple[Any, ...], dict[str, Any]]  # "nn.Linear", and the arguments that are not its defaults
#: The modules that are called as ours, or almost.
PLAIN: dict[type[Layer], str] = {
    **{cls: f"nn.{cls.__name__}" for cls in (ReLU, SELU, SiLU, Mish, Softplus, Tanh, Sigmoid, Identity, Flatten)},
    HardSigmoid: "nn.Hardsigmoid",
}


def state_dict(model: Sequential) -> dict[str, Array]:
    """The parameters and running statistics of a model as PyTorch's ``state_dict`` has them: copies, W transposed.

    The names are those of the ``torch.nn.Sequential`` of the same network, in which an activation and dropout are
    modules of their own: "0.weight", "0.bias", "3.running_mean". A ``Residual`` is taken for a module whose layers are
    an ``nn.Sequential`` called ``layers``.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential` whose layers with arrays are Linear, BatchNorm, LayerNorm and PReLU

    Returns
    -------
    arrays : dict from name to array, in the model's dtype; ``torch.nn.Module.load_state_dict`` takes them as tensors:
        ``{name: torch.from_numpy(array) for ...}``

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([4, 8, 3], activation="relu", dropout=0.1, rng=0)
    >>> {name: array.shape for name, array in cr.state_dict(model).items()}
    {'0.weight': (8, 4), '0.bias': (8,), '3.weight': (3, 8), '3.bias': (3,)}

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html, ``state_dict``
    """
    with np.errstate(over="ignore"):
        return {
            name: np.array(array, None if name.endswith(COUNTER) else model.dtype, order="C")
            for name, array in _views_of(model).items()
        }


def _views_of(model: Sequential) -> dict[str, Array]:
    """The same as views into the model: running statistics are float64 there."""
    found = slots(DUMP, model, _views)
    names = _module_names(model.layers)
    tensors: dict[str, Array] = {}
    for slot in found:
        for name, array in slot.arrays.items():
            tensors[f"{names[slot.name]}.{name}"] = array
        if isinstance(slot.layer, BatchNorm):
            tensors[f"{names[slot.name]}.{COUNTER}"] = UNUSED
    return tensors


def load_state_dict(
    model: Sequential,
    source: str | os.PathLike[str] | Mapping[str, Any],
    order: Sequence[str] | None = None,
) -> None:
    """Put the parameters and running statistics of a PyTorch network into the model of the same layers.

    Modules are matched to layers in order, whatever they are called and whatever stands between them: a ``state_dict``
    is in order; in a file names are sorted, numbers as numbers. The model is changed as a whole or not at all.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential` whose layers with arrays are Linear, BatchNorm, LayerNorm and PReLU
    source : a safetensors file (``safetensors.torch.save_file(net.state_dict(), path)``), or a mapping from name to
        tensor or array: ``net.state_dict()``
    order : the names of the modules ("encoder.0", "head"), in the order of the model's layers; needed where a file has
        modules of equal shapes whose names differ in more than numbers

    Raises
    ------
    ValueError
        Names or shapes differ, which are then listed side by side; or the file is a pickle (``.pt``), which is not
        opened: it could execute anything.
    OSError
        There is no such file, or it cannot be read.

    Notes
    -----
    A ``state_dict`` has no settings: ``BatchNorm`` and ``LayerNorm`` have PyTorch's epsilon (1e-5) and momentum (0.1)
    by default, and slopes and activations are those of the model.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> cr.load_state_dict(model, {"linear.weight": np.array([[1.0, 2.0]]), "linear.bias": np.array([0.5])})
    >>> model.predict([[10.0, 100.0]])
    array([[210.5]], dtype=float32)
    """
    ours = slots(LOAD, model, _views)
    is_file = not isinstance(source, Mapping)
    groups = grouped(_read(as_path(LOAD, source)) if is_file else _as_arrays(source))  # type: ignore[arg-type]
    for group in groups.values():
        group.pop(COUNTER, None)
    groups = {prefix: group for prefix, group in groups.items() if group}
    if order is not None:
        groups = by_order(LOAD, groups, order)
    elif is_file:
        groups = in_order(LOAD, ours, groups)
    for slot, group in zip(ours, groups.values(), strict=False):
        if isinstance(slot.layer, PReLU) and group.keys() == {"weight"} and group["weight"].shape == (1,):
            group["weight"] = np.repeat(group["weight"], slot.layer.features)  # nn.PReLU() has one slope for all
    check_shapes(LOAD, ours, groups, "make the model of the same layers")
    fill(LOAD, ours, groups)


def write(model: Sequential, path: str | os.PathLike[str], precision: str | None = None, rows: Any = None) -> list[str]:
    """Write ``state_dict(model)`` into a safetensors file; notes on the PyTorch network that it is for.

    ``precision`` is float32 or float16, or None: the model's own.
    """
    if precision not in (None, "float32", "float16"):
        expected = "precision float32 or float16"
        raise ValueError(sentence("export to PyTorch", expected, repr(precision), "quantise in PyTorch"))
    check_very_classes("export to PyTorch", _everywhere(model.layers))
    tensors = {
        name: array if name.endswith(COUNTER) else _held(name, array, precision or model.dtype)
        for name, array in _views_of(model).items()
    }
    network = _expression([_module(layer) for layer in _flat(model.layers)])
    write_arrays("export", as_path("export", path), tensors, {"format": "pt", "torch": network})
    return [f"for net = {network}", "net.load_state_dict(safetensors.torch.load_file(path))"]


def _held(name: str, array: Array, dtype: Any) -> Array:
    """The numbers in the type of the file, which must not make infinity of them."""
    check_finite("export to PyTorch", name, array)
    with np.errstate(over="ignore"):
        held: Array = np.ascontiguousarray(array, dtype)
    if not np.isfinite(held).all():
        expected = f"parameters within ±{np.finfo(dtype).max:.5g} for {np.dtype(dtype).name}"
        raise ValueError(sentence("export to PyTorch", expected, f"larger ones in {name}", "train in float64"))
    return held


def check(model: Sequential, path: str | os.PathLike[str], rows: Array) -> float | None:
    """How far PyTorch's answers of the file are from the model's, as :mod:`.agreement` has it; None without PyTorch."""
    try:
        import torch
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        return None
    modules = [_module(layer) for layer in _flat(model.layers)]
    if not all(name.startswith("nn.") for name, _, _ in modules):
        return None  # PyTorch has no Residual, say
    net = torch.nn.Sequential(*(getattr(torch.nn, name[3:])(*given, **named) for name, given, named in modules))
    tensors = load_file(Path(path))
    double = any(tensor.dtype == torch.float64 for tensor in tensors.values())  # float16 is for other processors
    net = net.to(torch.float64 if double else torch.float32).eval()
    net.load_state_dict(tensors)
    with torch.no_grad(), np.errstate(over="ignore"):
        theirs = net(torch.from_numpy(np.asarray(rows, np.float64 if double else np.float32))).numpy()
    return distance(Answers(theirs), answers(model, rows))


def _views(layer: Layer) -> Arrays | None:
    """The layer's arrays by PyTorch's names and in its orientation."""
    if isinstance(layer, Linear):
        return {"weight": layer.W.T} | ({"bias": layer.b} if layer.bias else {})
    if isinstance(layer, BatchNorm):
        running = {"running_mean": layer.running_mean, "running_var": layer.running_variance}
        return {"weight": layer.gain, "bias": layer.bias} | running
    if isinstance(layer, LayerNorm):
        return {"weight": layer.gain, "bias": layer.bias}
    return {"weight": layer.slope} if isinstance(layer, PReLU) else None


def _flat(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers as PyTorch counts modules: the activation of a Linear, unless it does nothing, is one."""
    for layer in layers:
        yield layer
        if isinstance(layer, Linear) and not isinstance(layer._activation, (Identity, type(None))):
            yield layer._activation


def _everywhere(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The same with the layers inside others."""
    for layer in _flat(layers):
        yield layer
        yield from _everywhere(layer.children)


def _module_names(layers: Sequence[Layer], ours: str = "", theirs: str = "") -> dict[str, str]:
    """Of each layer of ours ("1.0") the name that its module has ("2.layers.0")."""
    names: dict[str, str] = {}
    numbers = {id(layer): number for number, layer in enumerate(_flat(layers))}
    for index, layer in enumerate(layers):
        name = f"{theirs}{numbers[id(layer)]}"
        names[f"{ours}{index}"] = name
        names |= _module_names(layer.children, f"{ours}{index}.", f"{name}.layers.")
    return names


def _module(layer: Layer) -> Module:
    """The module of torch.nn that does the same."""
    if isinstance(layer, Linear):
        return "nn.Linear", (layer.in_features, layer.out_features), {} if layer.bias else {"bias": False}
    if isinstance(layer, BatchNorm):
        return "nn.BatchNorm1d", (layer.features,), _unless(eps=(layer.epsilon, 1e-5), momentum=(layer.momentum, 0.1))
    if isinstance(layer, LayerNorm):
        return "nn.LayerNorm", (layer.features,), _unless(eps=(layer.epsilon, 1e-5))
    if isinstance(layer, PReLU):
        return "nn.PReLU", (layer.features,), {}
    if isinstance(layer, Dropout):
        return "nn.Dropout", (layer.rate,), {}
    if isinstance(layer, LeakyReLU):
        return "nn.LeakyReLU", (layer.slope,), {}
    if isinstance(layer, ELU):
        return "nn.ELU", (), _unless(alpha=(layer.alpha, 1.0))
    if isinstance(layer, GELU):
        return "nn.GELU", (), _unless(approximate=(layer.approximate, "none"))
    if isinstance(layer, Softmax):
        return "nn.Softmax", (), {"dim": 1}
    if isinstance(layer, Residual):
        return "Residual", tuple(_module(inner) for inner in _flat(layer.layers)), {}
    return PLAIN.get(type(layer), type(layer).__name__), (), {}


def _unless(**settings: tuple[Any, Any]) -> dict[str, Any]:
    """The settings that are not PyTorch's defaults."""
    return {name: value for name, (value, default) in settings.items() if value != default}


def _expression(modules: Sequence[Module]) -> str:
    """Python that builds the network, for people to read."""
    return f"nn.Sequential({', '.join(map(_written, modules))})"


def _written(module: Module) -> str:
    name, given, named = module
    if name == "Residual":
        return f"Residual({_expression(given)})"
    arguments = [*map(repr, given), *(f"{key}={value!r}" for key, value in named.items())]
    return f"{name}({', '.join(arguments)})"


# --- reading ------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file; nothing is executed, so pickles are refused."""
    what = "safetensors file"
    check_readable(LOAD, path, what)
    check_no_pickle(LOAD, path)
    with open_tensors(LOAD, path, what) as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        odd = {kind for kind in kinds if not kind.startswith(("F16", "F32", "F64", "I", "U"))}
        if odd:
            remedy = "save net.float().state_dict()"
            raise refusal(LOAD, path, "to hold numbers that NumPy has", ", ".join(sorted(odd)), remedy)
        return tensors_in(LOAD, path, file)


def check_no_pickle(who: str, path: Path) -> None:
    """Raise at what ``torch.save`` writes: a pickle, alone or in a zip archive."""
    with in_our_words(who, f"a file at {path}"), path.open("rb") as stream:
        start = stream.read(2)
    if (start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")) or zipfile.is_zipfile(path):
        remedy = "in PyTorch write safetensors.torch.save_file(net.state_dict(), path)"
        got = "a pickle, or an archive of one, which could execute anything"
        raise refusal(who, path, "to be a safetensors file", got, remedy)


def _as_arrays(source: Mapping[Any, Any]) -> dict[str, Array]:
    """The values as arrays, tensors on any device among them."""
    arrays = {}
    for name, value in source.items():
        if not isinstance(name, str):
            raise TypeError(sentence(LOAD, "names of text", repr(name)))
        try:
            arrays[name] = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
        except Exception as error:  # of a tensor that is on no device, or of another library
            reason = f"{type(value).__name__} ({error})"
            raise TypeError(sentence(LOAD, f"an array for {name}", reason, "pass net.float().state_dict()")) from None
    return arrays
