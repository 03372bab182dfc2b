"""A model in a file that others run: one function, which compares the file with the model before it keeps it."""

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
    """What :func:`export` wrote.

    Attributes
    ----------
    path : Path
    format : str
    bytes : int, the size of the file
    checked : float or None, the largest |y′ − y| between the file's outputs y′ and the model's y: of probabilities as
        it is, of other numbers divided by the spread of the output, its standard deviation over the rows. At least the
        part of the rows with another label. None where nothing that runs such a file is installed
    notes : list of str, what to know about the file
    unit : str, what ``checked`` is a part of
    rows : str, what the rows were that file and model were compared on, where the model does not tell what yours are
        like: empty for rows that you gave, and for those that a scaler, an encoder or a fitted estimator knows

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
    """Write a model as a file that others run; keep it only if it answers as the model does.

    Both are asked about the same 100 rows, the model in float64: ``rows``, or random ones as the scaler and the
    encoders of a fitted estimator know them. A network alone does not tell what your rows are like: it is asked about
    standard normal ones, or ones around which its first layer is centred, and the result says so. Where a file can only
    hold float32 and that loses what tells rows apart, such as in seconds since 1970, it is refused. An ONNX file takes
    float64 then, unless you ask for a precision.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`, or a fitted estimator, whose scaling and classes then are in the file, too;
        for ONNX also a fitted pipeline of scikit-learn
    path : where to write; the file appears whole or not at all, in place of one that was there
    format : "onnx", "c" or "pytorch" (a ``state_dict`` in safetensors); None tells it from the suffix of ``path``
    rows : array or frame of some rows as ``model.predict`` takes them, for the comparison. A pipeline that takes its
        columns by name needs them where it does not tell the types of the columns
    **options : of the format. For "onnx": ``precision`` "float32", "float64", "float16" or "int8"; ``outputs`` "model"
        or "probabilities"; ``input_shape`` of one row, such as (28, 28), where flat rows will not do; ``opset``, the
        version of ONNX's operators, 21, or None for the newest that is installed. For "c", one C99 header with a
        function ``NAME_predict(const float *x, float *y)`` for one row: ``precision`` "float32" or "int8"; ``name``,
        NAME, else that of the file; ``self_test`` False to leave out the ten rows that it can be tested with on the
        device. For "pytorch": ``precision`` "float32" or "float16" in place of the model's own

    Returns
    -------
    exported : :class:`Exported`; print it

    Raises
    ------
    ValueError, TypeError
        The format or an option is unknown; the model has a layer or a method of your own, parameters that are not
        finite, labels or a step of a pipeline that the format cannot hold; or the file would answer something else.
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
    """The rows to compare on, and what is to be said of them; None of those of the user."""
    shape = None if shape is None else tuple(shape)
    return drawn_rows(model, shape=shape) if rows is None else (given_rows(model, rows, shape), None)


@dataclass(frozen=True)
class _Wrong:
    """A file that answers something else: by how much, and the columns of which its type loses digits."""

    precision: str
    distance: float
    lost: str


def _compared(
    tool: ModuleType, model: Any, draft: Path, rows: Any, precision: str | None
) -> tuple[float | None, _Wrong | None]:
    """The distance between file and model, and what is wrong with it."""
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
    """The format by its name, or by the suffix."""
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
