"""``report(model, x, y)``: the table, and its HTML page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import sentence
from .._support.files import as_path, write_text
from ..training.trainer import Trainer
from .answers import WHO, Answers, ask, names_of
from .page import Details, page
from .tables import ClassRow, as_text, baseline, class_rows, scores


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Result of :func:`report`; ``print`` shows it, and :meth:`save` writes the page.

    Parameters
    ----------
    scores : dict of str to float
        Scores by metric. Classification: accuracy, balanced_accuracy, f1_score (mean over the classes), roc_auc_score,
        log_loss, expected_calibration_error; regression: r2_score, mean_absolute_error, root_mean_squared_error, in the
        units of y. Scores that these rows do not define are left out.
    baseline : dict of str to float
        The scores of a guess that knows only the shares of the classes in these rows, or their mean.
    classes : list of ClassRow
        ``name``, ``rows``, ``recall``, ``precision`` and ``f1`` of each class; empty for a regression.
    answers : Answers
        The rows and the model's predictions.
    details : Details
        The other contents of the page.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.Adam(0.1))
    >>> history = trainer.fit(x, 3 * x + 1, epochs=50, verbose=0)
    >>> found = cr.report(trainer, x, 3 * x + 1)
    >>> found.scores["r2_score"] > 0.999, found.baseline["r2_score"]
    (True, 0.0)
    """

    scores: dict[str, float]
    baseline: dict[str, float]
    classes: list[ClassRow]
    answers: Answers
    details: Details

    def __str__(self) -> str:
        return as_text(self.scores, self.baseline, len(self.answers.true), self.classes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        from .._support import notebook

        return notebook.page(self._page(), self.details.title)

    def _page(self) -> str:
        return page(self.answers, self.scores, self.baseline, self.classes, self.details)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a self-contained HTML page: scores, learning curves, pictures, worst examples, importances.

        The page loads nothing and runs no scripts. Its pictures need Matplotlib, and the importances scikit-learn;
        without them, a sentence replaces them. The file is replaced atomically.

        Parameters
        ----------
        path : path
            The file, such as ``"report.html"``.
        """
        write_text(WHO, as_path(WHO, path), self._page())


def report(
    model: Any,
    x: Any,
    y: Any,
    *,
    class_names: Sequence[Any] | None = None,
    feature_names: Sequence[str] | None = None,
    image_shape: tuple[int, int] | None = None,
    rows: Mapping[str, Sequence[Any]] | None = None,
    history: Any = None,
    title: str = "What the model learned",
    target: str = "value",
    note: str = "",
    about: Mapping[str, Any] | None = None,
) -> Report:
    """Evaluate a trained model on rows with known answers, preferably rows that it was not trained on.

    Parameters
    ----------
    model : Trainer, Sequential or fitted estimator
        Any estimator with ``predict``, and with ``predict_proba`` and ``classes_`` if it is a classifier.
    x : array (N, I) or frame
        Input; for an estimator, anything that it accepts.
    y : array (N,), (N, 1) or (N, O)
        Labels or numbers, as in training. For a Sequential alone, integers are classes and floats a regression.
    class_names : list, optional
        K names for tables and pictures; the labels by default.
    feature_names : list of str, optional
        I names; inputs of the same name, such as one-hot columns, are shuffled together. A frame's by default.
    image_shape : (int, int), optional
        Height and width if rows are grey images: the worst examples are drawn, and importances left out.
    rows : dict of str to list, optional
        N values by name, to show in place of x for the worst examples.
    history : History, optional
        The learning curves; the trainer's by default.
    title, target, note : str
        Heading of the page, name and unit of the numbers that a regression predicts, and a sentence below the heading.
    about : dict, optional
        Facts for the end of the page: name → value, or heading → dict of these.

    Returns
    -------
    Report
        The scores, to print or save.

    Raises
    ------
    ValueError, TypeError
        If the model predicts neither exclusive classes nor a number for each target, or the data do not fit.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.Linear(1, 2)], rng=0)
    >>> print(cr.report(model, [[-1.0], [1.0]], [0, 1]))  # doctest: +ELLIPSIS
    2 rows ...
    """
    answers = ask(model, x, y, class_names)
    names, history = _names((answers.x, x), feature_names), _history(model, history)
    return _found(answers, Details(title, target, note, names, image_shape, rows, history, about or {}))


def _names(rows: Sequence[Any], given: Sequence[str] | None) -> list[str] | None:
    names = next(filter(None, map(names_of, rows)), None) if given is None else given
    return None if names is None else [str(name) for name in names]


def _history(model: Any, given: Any) -> Any:
    return model.history if given is None and isinstance(model, Trainer) else given


def _found(answers: Answers, details: Details) -> Report:
    """The report, if the names, the shape and the columns that its page is to show fit these rows."""
    inputs, names, shape = int(np.prod(answers.x.shape[1:])), details.feature_names, details.image_shape
    if names is not None and len(names) != inputs:
        raise ValueError(sentence(WHO, f"{inputs} feature_names, one per input", str(len(names))))
    if shape is not None and inputs != np.prod(shape):
        raise ValueError(sentence(WHO, f"image_shape (height, width) of {inputs} pixels", str(shape)))
    for name, values in (details.rows or {}).items():
        if len(values) != len(answers.true):
            raise ValueError(sentence(WHO, f"{len(answers.true)} values in rows[{name!r}]", str(len(values))))
    classes = class_rows(answers) if answers.class_names else []
    return Report(scores(answers), baseline(answers), classes, answers, details)
