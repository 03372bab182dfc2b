"""PyTorch: the ``state_dict`` of a model, in memory and in safetensors files.

Two tables map each op and its arrays to PyTorch's names; a layer is written as the calls of its program.
"""

from __future__ import annotations

import ast
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_finite, sentence
from .._support.files import as_path, check_readable, in_our_words, open_tensors, refusal, tensors_in, write_arrays
from ..layers.program import numbers_of
from ..model import Sequential
from .agreement import Answers, answers, distance
from .exchange import Part, by_order, check_shapes, fill, grouped, in_order, parts, slots
from .programs import ELEMENTWISE

LOAD, DUMP = "load_state_dict", "state_dict"
COUNTER = "num_batches_tracked"  # of BatchNorm: PyTorch reads it only where momentum is None
UNUSED = np.zeros((), np.int64)
#: op → PyTorch's name of each array, and ours. PyTorch's matrices are (O, I).
ARRAYS = {
    "affine": {"weight": "W", "bias": "b"},
    "batch_norm": {"weight": "gain", "bias": "bias", "running_mean": "running_mean", "running_var": "running_variance"},
    "layer_norm": {"weight": "gain", "bias": "bias"},
    "prelu": {"weight": "slope"},
}
#: op → PyTorch's module, with the op's arrays and numbers by name; ``biased`` is whether there is a b.
MODULES = {op: entry.torch for op, entry in ELEMENTWISE.items() if entry.torch} | {
    "affine": "nn.Linear({W.shape[0]}, {W.shape[1]}, bias={biased})",
    "batch_norm": "nn.BatchNorm1d({gain.size}, eps={epsilon}, momentum={momentum})",
    "dropout": "nn.Dropout({rate})",
    "flatten": "nn.Flatten()",
    "layer_norm": "nn.LayerNorm({gain.size}, eps={epsilon})",
    "prelu": "nn.PReLU({slope.size})",
    "softmax": "nn.Softmax(dim=1)",
}
LACKING = {"add": "Residual", "gaussian_noise": "GaussianNoise"}
DEFAULTS = re.compile(r"(, )?(bias=True|eps=1e-05|momentum=0\.1|alpha=1\.0)(?=[,)])")  # PyTorch's own


def state_dict(model: Sequential) -> dict[str, Array]:
    """Copy the parameters and running statistics of a model under PyTorch's names, with W transposed.

    The names are those of the ``torch.nn.Sequential`` of the same network, in which activations and dropout are
    separate modules: "0.weight", "0.bias", "3.running_mean". A ``Residual`` is a module with its layers in an
    ``nn.Sequential`` called ``layers``.

    Parameters
    ----------
    model : Sequential
        A model whose layers with arrays are Linear, BatchNorm, LayerNorm and PReLU, or your own whose
        ``program(training=True)`` computes the same.

    Returns
    -------
    dict of str to array
        Arrays in the model's dtype. ``torch.nn.Module.load_state_dict`` accepts them as tensors:
        ``{name: torch.from_numpy(array) for ...}``.

    Raises
    ------
    ValueError
        If another layer has arrays.
    TypeError
        If the model is not a Sequential.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([4, 8, 3], activation="relu", dropout=0.1, rng=0)
    >>> {name: array.shape for name, array in cr.convert.state_dict(model).items()}
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
    """Return the same as views into the model, whose running statistics are float64."""
    tensors: dict[str, Array] = {}
    for slot in slots(DUMP, model, ARRAYS, transposed=True):
        tensors |= {f"{slot.part.module}.{name}": array for name, array in slot.arrays.items()}
        if "running_mean" in slot.arrays:
            tensors[f"{slot.part.module}.{COUNTER}"] = UNUSED
    return tensors


def load_state_dict(
    model: Sequential,
    source: str | os.PathLike[str] | Mapping[str, Any],
    order: Sequence[str] | None = None,
) -> None:
    """Load the parameters and running statistics of a PyTorch network into a model of the same layers.

    Modules with arrays are matched to layers in order, independent of their names. A ``state_dict`` is in order; the
    names in a file are in natural order. After an error, the model is unchanged.

    Parameters
    ----------
    model : Sequential
        A model as for :func:`state_dict`.
    source : path or mapping of name to tensor or array
        A safetensors file (``safetensors.torch.save_file(net.state_dict(), path)``), or ``net.state_dict()``.
    order : list of str, optional
        The names of the modules ("encoder.0", "head"), in the order of the model's layers; required if a file has
        modules of equal shapes whose names differ in more than numbers.

    Raises
    ------
    ValueError
        If the shapes differ (the error lists both sides), or the file is a pickle (``.pt``), which is never opened
        because it could execute code.
    OSError
        If the file does not exist or cannot be read.

    Notes
    -----
    A ``state_dict`` has no settings: epsilon, momentum, slopes and activations stay those of the model. The defaults of
    ``BatchNorm`` and ``LayerNorm`` are PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> cr.convert.load_state_dict(model, {"linear.weight": np.array([[1.0, 2.0]]), "linear.bias": np.array([0.5])})
    >>> model.predict([[10.0, 100.0]])
    array([[210.5]], dtype=float32)
    """
    ours = slots(LOAD, model, ARRAYS, transposed=True)
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
        if slot.call.op == "prelu" and group.keys() == {"weight"} and group["weight"].shape == (1,):
            group["weight"] = np.repeat(group["weight"], slot.arrays["weight"].size)  # nn.PReLU() has one slope for all
    check_shapes(LOAD, ours, groups, "make the model of the same layers")
    fill(LOAD, model, ours, groups)


def write(model: Sequential, path: str | os.PathLike[str], precision: str | None = None, rows: Any = None) -> list[str]:
    """Write ``state_dict(model)`` to a safetensors file; return notes on how to load it in PyTorch.

    ``precision`` is float32 or float16, or None for the model's own.
    """
    if precision not in (None, "float32", "float16"):
        expected = "precision float32 or float16"
        raise ValueError(sentence("export to PyTorch", expected, repr(precision), "quantise in PyTorch"))
    tensors = {
        name: array if name.endswith(COUNTER) else _held(name, array, precision or model.dtype)
        for name, array in _views_of(model).items()
    }
    network = _network(parts(model.layers))
    write_arrays("export", as_path("export", path), tensors, {"format": "pt", "torch": network})
    return [f"for net = {network}", "net.load_state_dict(safetensors.torch.load_file(path))"]


def _held(name: str, array: Array, dtype: Any) -> Array:
    check_finite("export to PyTorch", name, array)
    with np.errstate(over="ignore"):
        held: Array = np.ascontiguousarray(array, dtype)
    if not np.isfinite(held).all():
        expected = f"parameters within ±{np.finfo(dtype).max:.5g} for {np.dtype(dtype).name}"
        raise ValueError(sentence("export to PyTorch", expected, f"larger ones in {name}", "train in float64"))
    return held


def check(model: Sequential, path: str | os.PathLike[str], rows: Array) -> float | None:
    """Return the distance (:mod:`.agreement`) between PyTorch's outputs and the model's; None without PyTorch."""
    try:
        import torch
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        return None
    modules = parts(model.layers)
    if not all(part.call is not None and part.call.op in MODULES for part in modules):
        return None  # PyTorch has no Residual, say
    net = _made(torch.nn, ast.parse(_network(modules), mode="eval").body)
    tensors = load_file(Path(path))
    double = any(tensor.dtype == torch.float64 for tensor in tensors.values())  # float16 is for other processors
    net = net.to(torch.float64 if double else torch.float32).eval()
    net.load_state_dict(tensors)
    with torch.no_grad(), np.errstate(over="ignore"):
        theirs = net(torch.from_numpy(np.asarray(rows, np.float64 if double else np.float32))).numpy()
    return distance(Answers(theirs), answers(model, rows))


def _network(modules: Sequence[Part]) -> str:
    return f"nn.Sequential({', '.join(map(_module, modules))})"


def _module(part: Part) -> str:
    """Return Python code that builds the module; one that PyTorch lacks gets the name of the layer or op."""
    call, inner = part.call, _network(part.inner) if part.inner else ""
    if call is None:
        return f"{type(part.layer).__name__}({inner})"
    if call.op not in MODULES:
        return f"{LACKING.get(call.op, call.op)}({inner})"
    numbers = numbers_of(call) if call.op in ELEMENTWISE else call.numbers
    try:
        text = MODULES[call.op].format(**call.arrays, **numbers, biased="b" in call.arrays)
    except KeyError as missing:
        expected = f"{missing} among the numbers of {call.op} in the program of {part.layer!r}"
        raise ValueError(sentence("export to PyTorch", expected, f"{dict(call.numbers)}")) from None
    return DEFAULTS.sub("", text)


def _made(nn: Any, expression: ast.expr) -> Any:
    if not isinstance(expression, ast.Call):
        return ast.literal_eval(expression)
    given = [_made(nn, argument) for argument in expression.args]
    named = {str(argument.arg): ast.literal_eval(argument.value) for argument in expression.keywords}
    return getattr(nn, ast.unparse(expression.func).removeprefix("nn."))(*given, **named)


# --- reading ------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Array]:
    """Read the arrays of a safetensors file; pickles are refused, because they execute code."""
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
    """Raise for files from ``torch.save``: a pickle, alone or in a zip archive."""
    with in_our_words(who, f"a file at {path}"), path.open("rb") as stream:
        start = stream.read(2)
    if (start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")) or zipfile.is_zipfile(path):
        remedy = "in PyTorch write safetensors.torch.save_file(net.state_dict(), path)"
        got = "a pickle, or an archive of one, which could execute anything"
        raise refusal(who, path, "to be a safetensors file", got, remedy)


def _as_arrays(source: Mapping[Any, Any]) -> dict[str, Array]:
    arrays = {}
    for name, value in source.items():
        if not isinstance(name, str):
            raise TypeError(sentence(LOAD, "names of text", repr(name)))
        try:
            arrays[name] = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
        except Exception as error:  # whatever a tensor without a device, or of another library, raises
            reason = f"{type(value).__name__} ({error})"
            raise TypeError(sentence(LOAD, f"an array for {name}", reason, "pass net.float().state_dict()")) from None
    return arrays
