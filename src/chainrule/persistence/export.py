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
from .agreement import LIMITS, answers, float32_distance, gives_probabilities, lost_columns
from .columns import first_step, last_step, without_idle_steps
from .estimators import is_ours
from .foreign import got_of, in_a_sentence
from .own_code import check_no_own_code
from .rows import drawn_rows, given_rows

#: name → (suffix, module of this folder, its precisions in the order in which they are tried where none is asked for).
#: Each module has ``write(model, path, rows, **options)``, which gives notes, and ``check(model, path, rows)``: the
#: distance of :mod:`.agreement` between file and model, or None where nothing here can run the file.
FORMATS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "onnx": (".onnx", "onnx", ("float32", "float64")),
    "c": (".h", "c", ("float32",)),
    "pytorch": (".safetensors", "pytorch", ()),
}


UNKNOWN_STEP = "do the step that is not known outside the file"
SPREAD = "as a part of the spread of its outputs"


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
        """The file and what is known about it, as a notebook shows it."""
        from .._support.notebook import table

        first, *others = str(self).split("\n")
        return table((first,), (), notes=others)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.format}, {self.bytes:,} bytes"]
        if self.checked is not None:
            limits = f", on {self.rows}; pass rows=X to compare on yours" if self.rows else ""
            lines.append(f"largest difference from the model, {self.unit}: {self.checked:.2g}{limits}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def export(
    model: Any, path: str | os.PathLike[str], format: str | None = None, *, rows: Any = None, **options: Any
) -> Exported:
    """Export a model to a file for other programs; keep it only if it predicts the same as the model.

    Both predict the same 100 rows, the model in float64: ``rows``, or random rows from the scaler and encoders of a
    fitted estimator. For a network alone, they are standard normal, or around the centre of its first layer, and the
    result says so. If float32 cannot distinguish rows (seconds since 1970, for example), a float32 file is refused, and
    an ONNX file takes float64 unless you set the precision.

    Parameters
    ----------
    model : Sequential or fitted estimator
        The file includes an estimator's scaling and classes. ONNX also accepts scikit-learn pipelines.
    path : path
        The file, which is replaced atomically.
    format : {"onnx", "c", "pytorch"}, optional
        The format ("pytorch" is a ``state_dict`` in safetensors); by default, from the suffix of ``path``.
    rows : array or frame, optional
        Some rows for the comparison. Pipelines that select columns by name may need them for the columns' types.
    **options : optional
        For "onnx": ``precision`` "float32", "float64", "float16" or "int8"; ``outputs`` "model" or "probabilities";
        ``input_shape`` of one row, such as (28, 28), if rows are not flat; ``opset``, the version of ONNX's operators,
        21, or None for the newest installed. For "c", a C99 header with a function
        ``NAME_predict(const float *x, float *y)`` for one row: ``precision`` "float32" or "int8"; ``name``, NAME, by
        default the file's; ``self_test`` False to leave out the ten test rows. For "pytorch": ``precision`` "float32"
        or "float16".

    Returns
    -------
    Exported
        The result; print it.

    Raises
    ------
    ValueError, TypeError
        If the format or an option is unknown; the model has a layer or method of your own, parameters that are not
        finite, or labels or a pipeline step that the format cannot hold; or the file would predict something else.
    ModuleNotFoundError
        If the libraries that write the format are missing; the error names the command that installs them.
    OSError
        If the folder does not exist or cannot be written to.

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
    path = as_path("export", path)
    name = _format(path, format)
    _, module, precisions = FORMATS[name]
    tool = importlib.import_module(f".{module}", __package__)
    model = without_idle_steps(model)
    _check_model(model)
    _check_options(tool.write, options)
    rows, about = _rows_for(model, rows, options.get("input_shape"))
    asked = options.pop("precision", None)
    unit = "in probability" if gives_probabilities(model, **options) else SPREAD
    refused: list[_Wrong | ValueError] = []
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        for precision in precisions if asked is None and precisions else (asked,):
            given = options if precision is None else options | {"precision": precision}
            try:
                with in_a_sentence("export", f"a model that can be written as {name} and run", UNKNOWN_STEP):
                    notes = tool.write(model, draft, rows=rows, **given)
                    checked, wrong = _compared(tool, model, draft, rows, precision)
            except ValueError as error:  # it may be of a number that only the next precision can hold
                refused.append(error)
                continue
            if wrong is None:
                break
            refused.append(wrong)
        else:
            raise _refusal(refused, unit, random=about is not None)
        with replacing("export", path) as stream, draft.open("rb") as written:
            shutil.copyfileobj(written, stream)
    return Exported(path, name, path.stat().st_size, checked, notes, unit, about or "")


def _rows_for(model: Any, rows: Any, shape: Any) -> tuple[Any, str | None]:
    """Return the rows to compare on, and their description; None for the user's rows."""
    shape = None if shape is None else tuple(shape)
    return drawn_rows(model, shape=shape) if rows is None else (given_rows(model, rows, shape), None)


@dataclass(frozen=True)
class _Wrong:
    """A file with different predictions: by how much, and the columns that lose digits in its dtype."""

    precision: str
    distance: float
    lost: str


def _compared(
    tool: ModuleType, model: Any, draft: Path, rows: Any, precision: str | None
) -> tuple[float | None, _Wrong | None]:
    """Return the distance between file and model, and the problem, if any."""
    if rows is None:
        return None, None
    checked: float | None = tool.check(model, draft, rows)
    answer, limit = partial(answers, model), LIMITS[precision or "float32"]
    narrow = precision not in (None, "float64")
    found = float32_distance(answer, rows) if checked is None and narrow else checked
    if found is None or found <= limit:
        return checked, None
    lost = lost_columns(answer, rows, getattr(model, "feature_names_in_", ()), limit) if narrow else ""
    return checked, _Wrong(precision or "as in the model", found, lost)


def _refusal(refused: list[_Wrong | ValueError], unit: str, random: bool) -> ValueError:
    """Return the error for a model that no precision can export: the last result, and why the next failed."""
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
        which = "the columns or the target" if unit == SPREAD else "the columns"
        remedies.append(f"shift and scale {which} before training")
    if (wrong.lost or wrong.precision == "float32") and not hindered:
        remedies.append("export to ONNX in float64")
    if random:
        remedies.append("pass rows=X, some rows of your data, where the random ones are not like them")
    lost = f": float32 loses digits of {wrong.lost}" if wrong.lost else ""
    got = f"one that differs by {wrong.distance:.2g}, {unit}{lost}{hindered}"
    expected = f"a file that answers as the model does (precision {wrong.precision})"
    return ValueError(sentence("export", expected, got, ", or ".join(remedies)))


def _format(path: Path, format: str | None) -> str:
    """Return the format by its name, or by the suffix."""
    if format is not None:
        return check_name("export", "a format", format, FORMATS)
    for name, (suffix, _, _) in FORMATS.items():
        if path.suffix.lower() == suffix:
            return name
    known = ", ".join(f"{suffix} ({name})" for name, (suffix, _, _) in FORMATS.items())
    raise ValueError(sentence("export", f"a format, or a suffix that tells it: {known}", str(path)))


def _check_model(model: Any) -> None:
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


def _check_options(write: Callable[..., list[str]], options: dict[str, Any]) -> None:
    known = [name for name in inspect.signature(write).parameters if name not in ("model", "path", "rows")]
    for name in options:
        check_name("export", "an option of this format", name, known)
