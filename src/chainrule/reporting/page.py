"""The page: one HTML file that loads nothing, runs no scripts, and escapes everything from data."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, plots
from .._support.checks import Array
from .._support.text import printable
from ..ops import softmax
from .answers import Answers, columns_of, taken
from .style import as_image, as_small_images, document
from .tables import GUESS, MOST_ROWS, NAMES, ClassRow, percent, permutation, worst_rows, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 30  # in a confusion matrix that can be read
MOST_LINES, MOST_HEADINGS = 200, 20  # of a table, of the facts
WORST, IMAGES, MOST_COLUMNS = 12, 24, 24  # of the examples shown
MOST_CHARACTERS, UNBROKEN = 200, 30  # of a value, and in one line


@dataclass(frozen=True, eq=False)
class Details:
    """What the page shows besides the predictions."""

    title: str
    target: str
    note: str
    feature_names: list[str] | None
    image_shape: tuple[int, int] | None
    rows: Mapping[str, Sequence[Any]] | None
    history: Any
    about: Mapping[str, Any]


def page(
    answers: Answers,
    scores: Mapping[str, float],
    baseline: Mapping[str, float],
    classes: Sequence[ClassRow],
    details: Details,
) -> str:
    """Return the document."""
    halves = [
        _scores(answers, scores, baseline),
        *_curves(details.history),
        *_importances(answers, details),
        *_about_answers(answers, classes, details),
    ]
    title = escape(_short(details.title))
    note = f'<p class="note">{escape(printable(details.note))}</p>' if details.note else ""
    count, date = len(answers.true), time.strftime("%Y-%m-%d")
    task = f"Classification into {len(answers.class_names)} classes" if answers.class_names else "Regression"
    about = f"{task} · {count:,} row{'s' * (count != 1)} · {date} · chainrule {__version__}"
    below = f"{_worst(answers, details)}{_facts(details.about)}"
    return document(
        title, f"<h1>{title}</h1>\n<p>{about}</p>\n{note}", f'<div class="halves">\n{"".join(halves)}</div>\n{below}'
    )


def _section(name: str, *parts: str) -> str:
    inner = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(name)}</h2>\n{inner}\n</section>\n"


def _paragraph(text: str) -> str:
    return f"<p>{escape(printable(text))}</p>"


def _table(head: Sequence[str], lines: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """Return a table that scrolls if it is too wide; the columns ``numbers`` are right-aligned."""
    kinds = ["n" if place in numbers else "" for place in range(len(head))]
    top = "".join(_cell("th", name, kind) for kind, name in zip(kinds, head, strict=True))
    body = "\n".join(
        f"<tr>{''.join(_cell('td', value, kind) for kind, value in zip(kinds, line, strict=True))}</tr>"
        for line in lines
    )
    inner = f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="scroll" tabindex="0"><table>\n{inner}</table></div>'


def _cell(tag: str, value: object, kind: str) -> str:
    """Return a cell of a table; short ones are not broken into lines."""
    text = _short(value)
    kind = kind or ("s" if len(text) <= UNBROKEN else "")
    mark = f' class="{kind}"' if kind else ""
    return f"<{tag}{mark}>{escape(text)}</{tag}>"


def _short(value: object) -> str:
    """Format any value in one line of bounded length."""
    if isinstance(value, (bool, str)) or value is None:
        text = str(value)
    elif isinstance(value, (int, float, np.number)):
        text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (list, dict)) else str(value)
    return printable(" ".join(text[: 2 * MOST_CHARACTERS].split()), MOST_CHARACTERS)


def _picture(description: str, draw: Callable[[], Figure]) -> str:
    """Return the figure, or a sentence that says what it needs."""
    try:
        return f"<figure>{as_image(draw(), escape(description))}</figure>"
    except ImportError as error:
        return f'<p class="note">{escape(str(error))}</p>'


# --- the sections ---------------------------------------------------------------------------------------------------


def _scores(answers: Answers, scores: Mapping[str, float], baseline: Mapping[str, float]) -> str:
    lines = "\n".join(
        f'<tr><th scope="row">{escape(NAMES[name][0])}<small>{escape(NAMES[name][1])}</small></th>'
        f'<td class="n">{written(name, value)}</td><td class="n">{written(name, baseline[name])}</td></tr>'
        for name, value in scores.items()
    )
    top = '<th scope="col"></th><th scope="col" class="n">model</th><th scope="col" class="n">guess</th>'
    guess = _paragraph(GUESS[bool(answers.class_names)])
    return _section(
        "Scores", f'<table class="scores"><thead><tr>{top}</tr></thead><tbody>\n{lines}\n</tbody></table>', guess
    )


def _curves(history: Any) -> Iterator[str]:
    if history is None or len(history) == 0:
        return
    try:
        shown = _picture("Learning curves: loss and metrics over the epochs", lambda: plots.curves(history))
    except (ValueError, TypeError) as error:  # a file that was edited
        shown = f'<p class="note">{escape(_short(str(error)))}</p>'
    yield _section("Learning curves", shown)


def _about_answers(answers: Answers, classes: Sequence[ClassRow], details: Details) -> Iterator[str]:
    if not answers.class_names:
        if answers.z.shape[1] == 1:
            yield _section(
                "Predictions",
                _picture(
                    "Predicted over true values",
                    lambda: plots.predictions(answers.true, answers.z, details.target),
                ),
            )
        return
    yield _section(
        "Calibration",
        _picture(
            "Reliability diagram: share of right predictions over their confidence",
            lambda: plots.reliability(answers.probabilities, answers.true),
        ),
        _paragraph(
            "Where dots lie on the diagonal, the model is right as often as it is sure; below it, it is too sure of "
            "itself."
        ),
    )
    yield _section("Classes", *_about_classes(answers, classes))


def _about_classes(answers: Answers, classes: Sequence[ClassRow]) -> Iterator[str]:
    names = answers.class_names
    if len(names) <= MOST_CLASSES:
        yield _picture(
            "Confusion matrix: how often each class was taken for each",
            lambda: plots.confusion(answers.true, answers.said, names),
        )
    else:
        yield _confused(answers)
    lines = [
        (row.name, f"{row.rows:,}", percent(row.recall), percent(row.precision), percent(row.f1))
        for row in classes[:MOST_LINES]
    ]
    yield _table(["class", "rows", "recall", "precision", "F1"], lines, numbers=(1, 2, 3, 4))
    more = f" The first {MOST_LINES} of {len(classes):,} classes." if len(classes) > MOST_LINES else ""
    meaning = "Recall: the share of a class that was found. Precision: the share of its predictions that is right."
    yield _paragraph(meaning + more)


def _confused(answers: Answers) -> str:
    """Return the most frequent mistakes, for more classes than a readable matrix has."""
    wrong = answers.true != answers.said
    if not wrong.any():
        return _paragraph("Not one mistake.")
    pairs, counts = np.unique(np.stack([answers.true[wrong], answers.said[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:WORST]
    names = answers.class_names
    lines = [(names[pairs[0, k]], names[pairs[1, k]], f"{counts[k]:,}") for k in order]
    return _paragraph("The most frequent mistakes:") + _table(["true", "predicted", "rows"], lines, numbers=(2,))


def _worst(answers: Answers, details: Details) -> str:
    names = answers.class_names
    if details.image_shape is not None:
        return _section("Worst examples", *_worst_images(answers, details.image_shape))
    chosen = worst_rows(answers, WORST)
    rows: Mapping[str, Any] = details.rows or columns_of(answers.x, details.feature_names)
    shown = list(rows)[:MOST_COLUMNS]
    if names:
        head = ["true", "predicted", "p(predicted)", "p(true)"]
        p = answers.probabilities
        facts = [
            [names[answers.true[k]], names[answers.said[k]], percent(p[k].max()), percent(p[k, answers.true[k]])]
            for k in chosen
        ]
    else:
        head = ["true", "predicted", "error"]
        facts = [[_numbers(part[k]) for part in (answers.true, answers.z, answers.z - answers.true)] for k in chosen]
    lines = [[*fact, *(rows[name][k] for name in shown)] for k, fact in zip(chosen, facts, strict=True)]
    first = range(2 if names else 0, len(head))
    what = "highest loss" if names else "largest errors"
    more = f" The first {len(shown)} of {len(rows)} columns." if len(shown) < len(rows) else ""
    return _section(
        "Worst examples",
        _paragraph(
            f"The {len(chosen)} rows with the {what}: see whether they are right before you blame the model.{more}"
        ),
        _table([*head, *shown], lines, numbers=[*first, *_numeric(rows, shown, len(head))]),
    )


def _worst_images(answers: Answers, image_shape: tuple[int, int]) -> Iterator[str]:
    chosen, names = worst_rows(answers, IMAGES), answers.class_names
    try:
        images = as_small_images(np.asarray(taken(answers.x, chosen)).reshape(-1, *image_shape))
    except ImportError as error:
        yield f'<p class="note">{escape(str(error))}</p>'
        return
    tiles = []
    for k, image in zip(chosen, images, strict=True):
        if names:
            said = f"{_short(names[answers.said[k]])}, {percent(softmax(answers.z[k : k + 1]).max(), 1)}"
            words = f"true {_short(names[answers.true[k]])}", f"said {said}"
        else:
            words = f"true {_numbers(answers.true[k])}", f"said {_numbers(answers.z[k])}"
        tiles.append(f"<li>{image}{escape(words[0])}<br>{escape(words[1])}</li>")
    yield _paragraph("The most confident mistakes come first." if names else "The largest errors come first.")
    yield f'<ul class="tiles">{"".join(tiles)}</ul>'


def _numeric(rows: Mapping[str, Any], shown: Sequence[str], start: int) -> Iterator[int]:
    for place, name in enumerate(shown, start):
        if np.asarray(rows[name]).dtype.kind in "iuf":
            yield place


def _numbers(values: Array) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _importances(answers: Answers, details: Details) -> Iterator[str]:
    if details.image_shape is not None or len(answers.x.shape) != 2:
        return
    names = details.feature_names or [f"x{k}" for k in range(answers.x.shape[1])]
    if len(answers.true) < 2:
        return
    try:
        columns, falls = permutation(answers, names)
    except ImportError as error:
        yield _section("Importance of the columns", f'<p class="note">{escape(str(error))}</p>')
        return
    what = "fall of accuracy" if answers.class_names else "rise of RMSE"
    some = f" ({MOST_ROWS:,} of them)" if len(answers.true) > MOST_ROWS else ""
    yield _section(
        "Importance of the columns",
        _picture("Importance of each column", lambda: plots.importances(falls, columns, f"{what} when shuffled")),
        _paragraph(
            f"Each bar is the {what} when the column's values are shuffled among the rows{some}, the mean of "
            f"{falls.shape[1]} times; the line is one standard deviation to either side. Of columns that say the same, "
            "each may look unimportant, because the model has the other."
        ),
    )


def _facts(about: Mapping[str, Any]) -> str:
    """Return facts as tables, with a default heading for those without one."""
    plain = {name: value for name, value in about.items() if not isinstance(value, Mapping)}
    headed = {name: value for name, value in about.items() if isinstance(value, Mapping)}
    parts = [_fact_table("", plain)] if plain else []
    parts += [_fact_table(_short(name), facts) for name, facts in itertools.islice(headed.items(), MOST_HEADINGS)]
    return _section("How it was made", f'<div class="facts">{"".join(parts)}</div>') if parts else ""


def _fact_table(heading: str, facts: Mapping[str, Any]) -> str:
    lines = "\n".join(
        f'<tr><th scope="row">{escape(_short(name))}</th><td>{escape(_short(value))}</td></tr>'
        for name, value in itertools.islice(_leaves(facts), MOST_LINES)
    )
    top = f"<h3>{escape(heading)}</h3>" if heading else ""
    return f'<div>{top}<div class="scroll" tabindex="0"><table><tbody>\n{lines}\n</tbody></table></div></div>'


def _leaves(facts: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield ``name · inner name`` and value, two levels deep."""
    for name, value in facts.items():
        whole = f"{above}{name}"
        if isinstance(value, Mapping) and value and depth < 2:
            yield from _leaves(value, f"{whole} · ", depth + 1)
        else:
            yield whole, value
