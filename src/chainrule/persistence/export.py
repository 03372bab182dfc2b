"""A model in a file that others run: one function, which compares the file with the model before it says so."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from .._support.checks import Array, check_name, sentence
from ..model import Sequential
from .rows import random_rows

#: name → (suffix, module of this folder, its function ``write(model, path, **options) -> notes``). Each module also has
#: ``check(model, path, rows)``, the largest difference between file and model, or None where nothing here can run it.
FORMATS: dict[str, tuple[str, str, str]] = {
    "onnx": (".onnx", "onnx", "write"),
    "c": (".h", "c", "write"),
    "pytorch": (".safetensors", "pytorch", "write"),
}
ROWS = 100  # that file and model are compared on


@dataclass(frozen=True)
class Exported:
    """What :func:`export` wrote.

    Attributes
    ----------
    path : Path
    format : str
    bytes : int, the size of the file
    checked : float or None, the largest |y′ − y| / max(1, |y|) between the file's outputs y′ and the model's y on
        random rows; None where nothing that runs such a file is installed
    notes : list of str, what to know about the file

    Examples
    --------
    >>> import chainrule as cr
    >>> print(cr.Exported("digits.onnx", "onnx", 407_000, 2.4e-7, ["x holds 64 numbers a row"]))
    digits.onnx: onnx, 407,000 bytes
    largest difference from the model on 100 random rows: 2.4e-07
    note: x holds 64 numbers a row
    """

    path: Path
    format: str
    bytes: int
    checked: float | None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.format}, {self.bytes:,} bytes"]
        if self.checked is not None:
            lines.append(f"largest difference from the model on {ROWS} random rows: {self.checked:.2g}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def export(model: Any, path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Exported:
    """Write a model as a file that others run, and compare the file with the model on random rows.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`, or a fitted estimator, whose scaling and classes then are in the file, too;
        for ONNX also a fitted pipeline of scikit-learn
    path : where to write; the file appears whole or not at all, in place of one that was there
    format : "onnx", "c" or "pytorch" (a ``state_dict`` in safetensors); None tells it from the suffix of ``path``
    **options : of the format. For "onnx": ``precision`` "float32", "float16" or "int8"; ``outputs`` "model" or
        "probabilities"; ``input_shape`` of one row, such as (28, 28), where flat rows will not do; ``opset``, the
        version of ONNX's operators, 21, or None for the newest that is installed. For "c", one C99 header with a
        function ``NAME_predict(const float *x, float *y)`` for one row: ``precision`` "float32" or "int8"; ``name``,
        NAME, else that of the file; ``self_test`` False to leave out the ten rows that it can be tested with on the
        device

    Returns
    -------
    exported : :class:`Exported`; print it

    Raises
    ------
    ValueError, TypeError
        The format or an option is unknown, or the model has a layer of your own, which the format cannot hold.
    ModuleNotFoundError
        The libraries that write the format are missing; it names the command that installs them.
    OSError
        The folder does not exist or cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> model = cr.MLP([4, 16, 3], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = cr.export(model, pathlib.Path(folder) / "flowers.onnx", outputs="probabilities")
    >>> done.format, done.checked < 1e-5
    ('onnx', True)

    References
    ----------
    ONNX: https://onnx.ai
    """
    path = Path(path)
    _, module, function = FORMATS[_format(path, format)]
    tool = importlib.import_module(f".{module}", __package__)
    write: Callable[..., list[str]] = getattr(tool, function)
    _check_model(model)
    _check_options(write, options)
    notes = write(model, path, **options)
    shape = options.get("input_shape")
    rows = random_rows(model, ROWS, None if shape is None else tuple(shape))
    return Exported(path, _format(path, format), path.stat().st_size, _checked(tool, model, path, rows), notes)


def _checked(tool: ModuleType, model: Any, path: Path, rows: Array | None) -> float | None:
    checked: float | None = None if rows is None else tool.check(model, path, rows)
    return checked


def _format(path: Path, format: str | None) -> str:
    """The format by its name, or by the suffix."""
    if format is not None:
        return check_name("export", "a format", format, FORMATS)
    for name, (suffix, _, _) in FORMATS.items():
        if path.suffix.lower() == suffix:
            return name
    known = ", ".join(f"{suffix} ({name})" for name, (suffix, _, _) in FORMATS.items())
    raise ValueError(sentence("export", f"a format, or a suffix that tells it: {known}", str(path)))


def _check_model(model: Any) -> None:
    if isinstance(model, Sequential) or hasattr(model, "n_features_in_"):
        return
    if hasattr(model, "get_params"):
        raise ValueError(sentence("export", "a fitted estimator", f"{model!r}", "fit it first"))
    remedy = "write export(model, path)"
    raise TypeError(sentence("export", "a Sequential model or a fitted estimator", type(model).__name__, remedy))


def _check_options(write: Callable[..., list[str]], options: dict[str, Any]) -> None:
    known = [name for name in inspect.signature(write).parameters if name not in ("model", "path")]
    for name in options:
        check_name("export", "an option of this format", name, known)
