"""A file written to a draft and compared with its model, in one precision after another until one agrees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .._support.checks import sentence
from .agreement import LIMITS, answers, float32_distance, lost_columns
from .foreign import got_of, in_a_sentence

UNKNOWN_STEP = "do the step that is not known outside the file"
SPREAD = "as a part of the spread of its outputs"


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
    """The distance between file and model, and what is wrong with it."""
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
