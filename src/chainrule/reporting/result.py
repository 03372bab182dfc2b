"""``report(model, x, y)``: the table, and the page that it can be saved as."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import sentence
from .._support.files import as_path, write_text
from ..training.trainer import Trainer
from .answers import WHO, Answers, ask
from .inputs import names_of
from .page import Details, page
from .tables import ClassRow, as_text, baseline, class_rows, scores


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What :func:`report` found; ``print`` shows it, :meth:`save` writes the page.

    Attributes
    ----------
    scores : name of the metric → value. Classification: accuracy, balanced_accuracy, f1_score (mean over the classes),
        roc_auc_score, log_loss, expected_calibration_error; regression: r2_score, mean_absolute_error,
        root_mean_squared_error, in the units of y. One that these rows do not allow is left out
    baseline : the same scores of a guess that knows the shares of the classes in these rows, or their mean
    classes : of each class ``name``, ``rows``, ``recall``, ``precision`` and ``f1``; empty for a regression

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
        """Write one HTML page with everything in it: scores, learning curves, pictures, worst examples, importances.

        The page loads nothing and runs nothing. Its pictures need Matplotlib, the importances of the columns
        scikit-learn; without them a sentence stands in their place. The file is replaced whole or not at all.

        Parameters
        ----------
        path : the file, such as ``"report.html"``
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
    """Hold a trained model against rows with known answers, best such as it has never seen.

    Parameters
    ----------
    model : a :class:`~chainrule.Trainer`, a :class:`~chainrule.Sequential`, or a fitted estimator with ``predict`` (and
        ``predict_proba`` and ``classes_`` if it is a classifier), ours or another
    x : array (N, I), or for an estimator whatever it takes, such as a frame with named columns of numbers and text
    y : labels (N,) or (N, 1), or numbers (N,) or (N, O), as the model was trained on. Of a Sequential alone, integer
        labels mean classes, numbers a regression
    class_names : K names, for the tables and pictures; None takes the labels
    feature_names : I names, for the importances and the worst examples; inputs of the same name are shuffled together,
        as one-hot coded text should be. None takes those of a frame
    image_shape : (height, width), if each row of x is a grey image: the worst examples are drawn, importances left out
    rows : name → N values, to be shown of the worst examples instead of x
    history : for the learning curves; None takes the trainer's
    title, note : the heading of the page, and a sentence below it
    target : name and unit of what a regression predicts
    about : facts for the end of the page: name → value, or heading → such a mapping

    Returns
    -------
    report : :class:`Report`

    Raises
    ------
    ValueError, TypeError for a model that gives neither classes that exclude each other nor a number for each target,
    and for data that do not fit.

    Examples
    --------
    >>> import chainrule as cr
    >>> digits = cr.data.load_named("digits")
    >>> trainer = cr.Trainer(cr.MLP([64, 32, 10], rng=0), "cross_entropy", metrics=["accuracy"])
    >>> history = trainer.fit(digits.x, digits.y, epochs=20, verbose=0)
    >>> found = cr.report(trainer, digits.x_test, digits.y_test, image_shape=(8, 8))
    >>> found.scores["accuracy"] > 0.9, found.classes[3].rows
    (True, 37)
    >>> print(found)  # doctest: +ELLIPSIS
    359 rows                      model       guess
    Accuracy                    9... %     10.31 %
    ...
    """
    answers = ask(model, x, y, class_names)
    names, history = _names(x, feature_names), _history(model, history)
    return _found(answers, Details(title, target, note, names, image_shape, rows, history, about or {}))


def _names(x: Any, given: Sequence[str] | None) -> list[str] | None:
    names = names_of(x) if given is None else given
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
