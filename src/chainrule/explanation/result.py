"""``explain(model, x, y)``: the steps of a sample through the model, and what each column contributed."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .._support.files import as_path, write_text
from .contributions import Contributions, contributions
from .shown import Journey, as_text
from .subjects import WHO, Subject, as_rows, as_subject
from .trace import LossStep, Step, equations_of, trace


class Explanation(Journey):
    """Result of :func:`explain`: print it, show it in a notebook, or save it as a page.

    Parameters
    ----------
    title, conditions : str
        What was explained, and how: the number of rows, whether dropout was on, the optimizer.
    rows : int
        The number N of rows.
    cells : tuple of Cell
        For a table, each column of the row and the numbers it becomes: ``column``, ``value``, ``how``, ``features``,
        ``numbers``.
    steps : tuple of Step
        The operations in the order of the forward pass: ``layer``, ``name``, ``op``, ``equation``,
        ``gradient_equation``, ``inputs``, ``outputs``, ``output_gradient``, ``input_gradient``, ``parameters``. Each
        parameter has ``name``, ``value``, ``gradient`` and ``update``. Empty for several rows of a table.
    loss : LossStep or None
        The loss: ``value``, ``penalty``, ``gradient``, ``equation``; None without y.
    optimizer, rule : str, tuple of str
        The optimizer of the updates, and its equations.
    contributions : Contributions or None
        For a table, what each column contributed: ``columns``, ``values``, ``output``, ``start``, ``end``, ``error``.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.Linear(2, 1, bias=False, initializer="ones")])
    >>> print(cr.explain(model, [1.0, 3.0]))
    Sequential([Linear(2 → 1, no bias)])
    1 row; dropout and noise off, as in prediction
    <BLANKLINE>
    forward
    0  Linear(2 → 1, no bias)
       affine: y = xW + b
         x              2  1          3
         W          2 × 1  1
                           1
         y              1  4
    """

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        from .._support import notebook

        return notebook.page(self.to_html(), self.title)

    def to_html(self) -> str:
        """Return a self-contained HTML page, for light and dark screens, that loads nothing and runs no scripts.

        Returns
        -------
        str
            The document.
        """
        from .page import page

        return page(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of :meth:`to_html` to a file, which is replaced atomically.

        Parameters
        ----------
        path : path
            The file, such as ``"explained.html"``.
        """
        write_text(WHO, as_path(WHO, path), self.to_html())


def explain(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    training: bool = False,
    baseline: Any = None,
) -> Explanation:
    """Follow a sample through every layer: forward, backward, and through one step of the optimizer.

    For an estimator, also what each column contributed to the answer F, by integrated gradients:

        cᵢ = (xᵢ − x⁰ᵢ) ∫₀¹ ∂F/∂xᵢ(x⁰ + t (x − x⁰)) dt,    Σᵢ cᵢ = F(x) − F(x⁰)

    F is the log-odds of the predicted class, or the first number, before it is limited to the range of training; x⁰ is
    a typical row. What one column becomes, such as one-hot features, counts for that column. Nothing is modified.

    Parameters
    ----------
    model : Sequential, Trainer or fitted estimator
        The model; of estimators those of this library.
    x : array, frame, mapping or pandas Series
        One sample, or several: of a network a batch, of an estimator rows whose contributions are averaged.
    y : optional
        The answers, as in training; without them, the pass ends at the outputs.
    loss : str, Loss or callable, optional
        The loss, for a Sequential; others have their own.
    optimizer : str or Optimizer, optional
        The rule of the update, in its present state; by default the trainer's, or ``SGD(0.1)``.
    training : bool
        Whether to draw dropout and noise, and to normalise by the batch; by default as in prediction.
    baseline : row or rows, optional
        The row x⁰; of several rows the typical one: the middle of numbers and dates, the most frequent category. By
        default that of several x, or else medians of training and no known category.

    Returns
    -------
    Explanation
        Plain arrays and words; print it, show it in a notebook, or save it as a page.

    Examples
    --------
    >>> import chainrule as cr
    >>> found = cr.explain(cr.MLP([2, 1], rng=0), [1.0, 3.0], 0.5, loss="squared_error")
    >>> W = found.steps[0].parameters[0]
    >>> bool(abs(W.update + 0.1 * W.gradient).max() < 1e-7)
    True

    References
    ----------
    Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017), section 3.
    """
    subject = as_subject(model, x, y, loss, optimizer)
    return _explained(model, subject, contributions(model, subject, baseline, x, y), x, bool(training))


def _explained(model: Any, subject: Subject, found: Contributions | None, x: Any, training: bool) -> Explanation:
    """Follow the rows, unless they are several of a table, and state the conditions."""
    count, of_table = len(subject.x), subject.rows is not None
    steps: tuple[Step, ...] = ()
    loss: LossStep | None = None
    conditions = [f"{count:,} row{'s' * (count > 1)}"]
    if found is not None and len(found.rows) < count:
        conditions.append(f"contributions of {len(found.rows)} of them")
    if count == 1 or not of_table:
        what = subject.network, subject.x, subject.y, subject.loss, subject.optimizer
        steps, loss = trace(*what, training=training)
        drawn = "dropout drawn, statistics of the batch" if training else "dropout and noise off, as in prediction"
        conditions.append(drawn)
    if count == 1 and of_table:
        conditions.append(f"answer: {_said(model, x)}")
    cells = subject.rows.cells() if subject.rows is not None and count == 1 else ()
    rule, words = equations_of(subject.optimizer)[0], (" ".join(repr(model).split()), "; ".join(conditions), count)
    return Explanation(*words, cells, steps, loss, repr(subject.optimizer), rule, found)


def _said(model: Any, x: Any) -> str:
    """Return the estimator's answer for the row."""
    answer = np.ravel(model.predict(as_rows(x))).tolist()
    return ", ".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in answer)
