"""Export a model to a file for other programs, and compare the file with the model before keeping it."""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .._support.checks import check_finite, check_name, sentence
from .._support.files import as_path, replacing
from ..model import Sequential
from .agreement import LIMITS, answers, float32_distance, gives_probabilities, got_of, in_a_sentence, lost_columns
from .estimators import check_no_own_code, is_ours
from .rows import drawn_rows, first_step, given_rows, last_step, without_idle_steps
from .tables import rows_of, table_model

#: name → (suffix, module of this folder, its precisions in the order in which they are tried where none is asked for).
#: Each module has ``write(model, path, rows, **options)``, which gives notes, and ``check(model, path, rows)``: the
#: distance of :mod:`.agreement` between file and model, or None where nothing here can run the file.
FORMATS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "onnx": (".onnx", "onnx", ("float32", "float64")),
    "c": (".h", "c", ("float32",)),
    "pytorch": (".safetensors", "pytorch", ()),
}
SPREAD = "as a part of the spread of its outputs"
TAKE_TABLES = ("onnx", "c")
OWN_ROWS = "pass X=rows, some rows of your data, where the random ones are not like them"


@dataclass(frozen=True)
class Exported:
    """Result of :func:`export`.

    Attributes
    ----------
    path : Path
        The file.
    format : str
        Its format.
    bytes : int
        Its size.
    checked : float or None
        Largest |y′ − y| between the file's outputs y′ and the model's y: unscaled for probabilities, otherwise divided
        by the output's standard deviation over the rows; at least the share of rows with another label. None if no
        program that runs the file is installed.
    notes : list of str
        What to know about the file.
    unit : str
        The unit of ``checked``.
    rows : str
        Which rows were compared, if the model does not determine them; empty for your own rows, and for those from a
        scaler, an encoder or a fitted estimator.

    Examples
    --------
    >>> from chainrule.persistence.export import Exported
    >>> print(Exported("digits.onnx", "onnx", 407_000, 2.4e-7, ["x holds 64 numbers a row"]))
    digits.onnx: onnx, 407,000 bytes
    largest difference from the model, as a part of the spread of its outputs: 2.4e-07
    note: x holds 64 numbers a row
    """

    path: Path
    format: str
    bytes: int
    checked: float | None
    notes: list[str] = field(default_factory=list)
    unit: str = SPREAD
    rows: str = ""

    def _repr_html_(self) -> str:
        from .._support.notebook import table

        first, *others = str(self).split("\n")
        return table((first,), (), notes=others)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.format}, {self.bytes:,} bytes"]
        if self.checked is not None:
            limits = f", on {self.rows}; pass X=rows to compare on yours" if self.rows else ""
            lines.append(f"largest difference from the model, {self.unit}: {self.checked:.2g}{limits}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def export(
    model: Any, path: str | os.PathLike[str], format: str | None = None, *, X: Any = None, **options: Any
) -> Exported:
    """Export a model to a file for other programs; keep it only if it predicts the same as the model.

    Both predict the same rows, the model in float64: ``X``, or random rows from what a fitted estimator or pipeline
    knows of its columns. For a network alone, they are standard normal, or around the centre of its first layer, and
    the result says so. If float32 cannot distinguish rows (seconds since 1970, for example), a float32 file is refused,
    and an ONNX file takes float64 unless you set the precision.

    Parameters
    ----------
    model : Sequential, fitted estimator or fitted scikit-learn pipeline
        The file includes an estimator's encoding, scaling and classes: a table's takes raw rows, column by column.
    path : path
        The file, which is replaced atomically.
    format : {"onnx", "c", "pytorch"}, optional
        The format ("pytorch" is a ``state_dict`` in safetensors); by default, from the suffix of ``path``.
    X : array or frame, optional
        Some rows for the comparison, as ``model.predict`` takes them.
    **options : optional
        For "onnx": ``precision`` "float32", "float64", "float16" or "int8"; ``outputs`` "model" or "probabilities";
        ``input_shape`` of one row; ``opset``, 21, or None for the newest. For "c", a C99 header: ``precision``
        "float32" or "int8"; ``name``, the prefix of its functions; ``self_test`` False to leave out the test rows. For
        "pytorch": ``precision`` "float32" or "float16".

    Returns
    -------
    Exported
        The result; print it.

    Raises
    ------
    ValueError, TypeError
        If the format or an option is unknown, the format cannot hold the model, or the file would predict otherwise.
    ModuleNotFoundError, OSError
        If a library is missing (the error names the command that installs it), or the folder cannot be written to.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> model = cr.MLP([4, 16, 3], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = cr.export(model, pathlib.Path(folder) / "flowers.onnx", outputs="probabilities")
    >>> done.format, done.checked < 1e-5
    ('onnx', True)
    """
    path = as_path("export", path)
    name = _format(path, format)
    model = without_idle_steps(model)
    check_model(model)
    task, about = _task(name, model, X, options)
    asked = options.get("precision")
    precisions = FORMATS[name][2] if asked is None and FORMATS[name][2] else (asked,)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        notes, checked = written(task, draft, precisions)
        _put(draft, path)
    return Exported(path, name, path.stat().st_size, checked, notes, task.unit, about)


def _put(draft: Path, path: Path) -> None:
    with replacing("export", path) as stream, draft.open("rb") as whole:
        shutil.copyfileobj(whole, stream)


def _task(name: str, model: Any, X: Any, options: dict[str, Any]) -> tuple[Task, str]:
    """What is to be written, and what the rows are where the user does not give them and the model does not tell."""
    tool = importlib.import_module(f".{FORMATS[name][1]}", __package__)
    _check_options(tool.write, options)
    kept = {option: value for option, value in options.items() if option != "precision"}
    unit = "in probability" if gives_probabilities(model, **kept) else SPREAD
    table = table_model(model) if name in TAKE_TABLES else None
    remedy = "" if X is not None else OWN_ROWS
    if table is not None:
        rows, about = rows_of(table, X)
        return Task(name, tool, table, rows, kept, unit, remedy), about
    shape = None if (shape := options.get("input_shape")) is None else tuple(shape)
    rows, about = drawn_rows(model, shape=shape) if X is None else (given_rows(model, X, shape), "")
    return Task(name, tool, model, rows, kept, unit, remedy), about


def _format(path: Path, format: str | None) -> str:
    if format is not None:
        return check_name("export", "a format", format, FORMATS)
    for name, (suffix, _, _) in FORMATS.items():
        if path.suffix.lower() == suffix:
            return name
    known = ", ".join(f"{suffix} ({name})" for name, (suffix, _, _) in FORMATS.items())
    raise ValueError(sentence("export", f"a format, or a suffix that tells it: {known}", str(path)))


def _check_options(write: Callable[..., list[str]], options: dict[str, Any]) -> None:
    known = [name for name in inspect.signature(write).parameters if name not in ("model", "path", "rows")]
    for name in options:
        check_name("export", "an option of this format", name, known)


# --- a draft, and its comparison with the model -------------------------------------------------------------------


UNKNOWN_STEP = "do the step that is not known outside the file"


@dataclass(frozen=True)
class Task:
    """What is written and compared: a model by the tool of a format, on some rows.

    Attributes
    ----------
    name, tool : of the format, whose ``write`` and ``check`` are called
    model, rows : as these take them
    options : of ``write``
    unit : str, of distances
    remedy : what to do about rows that are not like the user's, or nothing
    """

    name: str
    tool: ModuleType
    model: Any
    rows: Any
    options: dict[str, Any]
    unit: str
    remedy: str = ""


def written(task: Task, path: Path, precisions: tuple[str | None, ...]) -> tuple[list[str], float | None]:
    """Write the file in the first of the precisions that answers as the model does; its notes, and the distance."""
    refused: list[_Wrong | ValueError] = []
    for precision in precisions:
        given = task.options if precision is None else task.options | {"precision": precision}
        try:
            with in_a_sentence("export", f"a model that can be written as {task.name} and run", UNKNOWN_STEP):
                notes: list[str] = task.tool.write(task.model, path, rows=task.rows, **given)
                checked, wrong = _compared(task, path, precision)
        except ValueError as error:  # it may be of a number that only the next precision can hold
            refused.append(error)
            continue
        if wrong is None:
            return notes, checked
        refused.append(wrong)
    raise _refusal(refused, task)


@dataclass(frozen=True)
class _Wrong:
    """A file that answers something else: by how much, and the columns of which its type loses digits."""

    precision: str
    distance: float
    lost: str


def _compared(task: Task, path: Path, precision: str | None) -> tuple[float | None, _Wrong | None]:
    model, rows = task.model, task.rows
    if rows is None:
        return None, None
    checked: float | None = task.tool.check(model, path, rows)
    answer, limit = partial(answers, model), LIMITS[precision or "float32"]
    narrow = precision not in (None, "float64") and not isinstance(rows, dict)  # columns come with all their digits
    found = float32_distance(answer, rows) if checked is None and narrow else checked
    if found is None or found <= limit:
        return checked, None
    lost = lost_columns(answer, rows, getattr(model, "feature_names_in_", ()), limit) if narrow else ""
    return checked, _Wrong(precision or "as in the model", found, lost)


def _refusal(refused: list[_Wrong | ValueError], task: Task) -> ValueError:
    """The error for a model of which no precision gives a file: the last that answered, and what hindered the next."""
    wrong, hindered = None, ""
    for one in refused:
        if isinstance(one, _Wrong):
            wrong, hindered = one, ""
        else:
            hindered += f", and float64 does not help: {got_of(one)}"
    if wrong is None:
        return next(one for one in refused if isinstance(one, ValueError))
    remedies = []
    if wrong.lost:
        remedies.append("shift and scale such a column before training")
    elif wrong.precision in ("float16", "int8"):
        remedies.append('take precision="float32"')
    elif wrong.precision == "float32":
        which = "the columns or the target" if task.unit == SPREAD else "the columns"
        remedies.append(f"shift and scale {which} before training")
    if (wrong.lost or wrong.precision == "float32") and not hindered:
        remedies.append("export to ONNX in float64")
    if task.remedy:
        remedies.append(task.remedy)
    lost = f": float32 loses digits of {wrong.lost}" if wrong.lost else ""
    got = f"one that differs by {wrong.distance:.2g}, {task.unit}{lost}{hindered}"
    expected = f"a file that answers as the model does (precision {wrong.precision})"
    return ValueError(sentence("export", expected, got, ", or ".join(remedies)))


# --- models that can be exported ----------------------------------------------------------------------------------


def check_model(model: Any) -> None:
    """Raise for any other."""
    network = model if isinstance(model, Sequential) else getattr(last_step(model), "model_", None)
    if isinstance(network, Sequential):
        check_no_own_code("export", network)
        for name, array in {**network.parameters, **network.buffers}.items():
            check_finite("export", name, array)
    if isinstance(model, Sequential):
        return
    if is_ours(last_step(model)):
        from ..estimators.base import check_no_own_answers

        check_no_own_answers("export", last_step(model))
    if not hasattr(model, "get_params"):
        remedy = "write export(model, path)"
        raise TypeError(sentence("export", "a Sequential model or a fitted estimator", type(model).__name__, remedy))
    if not hasattr(model, "predict"):
        raise TypeError(sentence("export", "an estimator that predicts", type(model).__name__))
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except ValueError:
        raise ValueError(sentence("export", "a fitted estimator", f"{model!r}", "fit it first")) from None
    if not hasattr(model, "n_features_in_"):
        got = f"{type(model).__name__}, whose first step is {type(first_step(model)).__name__}"
        remedy = "export the steps that take columns, and do what comes before them outside the file"
        raise ValueError(sentence("export", "a model that takes a table of columns", got, remedy))
