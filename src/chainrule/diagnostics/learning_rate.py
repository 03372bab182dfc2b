"""Find a learning rate by a short training run in which it rises from far too low to far too high."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, check_integer, check_number, sentence
from .._support.errors import DivergenceError
from ..training.callbacks import Callback, Training
from ..training.trainer import Trainer

RECENT = 5  # steps, over which noise is averaged
LOST = 4.0  # times the minimum loss, at which the test ends


@dataclass(frozen=True)
class RateTest:
    """Result of :func:`learning_rate_range_test`; ``plots.learning_rates`` draws it.

    Attributes
    ----------
    rates : array (T,)
        Learning rate of each step.
    losses : array (T,)
        Loss of each step's batch, before the step.
    smoothed : array (T,)
        Running mean of the losses.
    suggestion : float
        Rate at which the smoothed loss falls most steeply with log(rate).
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float


class _Recorder(Callback):
    """Records the losses, and ends training when it diverges."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.least = np.inf

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        self.losses.append(loss)
        recent = float(np.mean(self.losses[-RECENT:]))
        if len(self.losses) >= RECENT:
            self.least = min(self.least, recent)
        if recent > self.least + (LOST - 1) * abs(self.least):
            raise _LostError


class _LostError(Exception):
    """The loss has risen far above its minimum."""


def learning_rate_range_test(
    trainer: Trainer,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
) -> RateTest:
    """Train a copy of the trainer's model with a rising learning rate, and find where the loss falls fastest.

        η(t) = lowest · (highest / lowest)^(t / (steps − 1)),   t = 0 ... steps − 1

    It ends early when the loss has risen to four times its minimum.

    Parameters
    ----------
    trainer : Trainer
        Source of the model, loss, optimizer and batch size; not modified.
    x, y, sample_weight : arrays
        As for :meth:`~chainrule.Trainer.fit`.
    lowest, highest : float, > 0
        First and last learning rate.
    steps : int, >= 10
        Number of steps.

    Returns
    -------
    RateTest
        The losses and a suggestion.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(512, 4))
    >>> trainer = cr.Trainer(cr.MLP([4, 32, 1], rng=0), "squared_error", "adam")
    >>> test = cr.learning_rate_range_test(trainer, x, x[:, :1] * x[:, 1:2])
    >>> 1e-3 < test.suggestion < 1e-1
    True

    References
    ----------
    Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3.
    """
    who = "learning_rate_range_test"
    if not isinstance(trainer, Trainer):
        raise TypeError(sentence(who, "a Trainer", repr(trainer), "write Trainer(model, loss, optimizer) first"))
    lowest = check_number(who, "lowest", lowest, above=0)
    highest = check_number(who, "highest", highest, above=lowest)
    rates = np.geomspace(lowest, highest, check_integer(who, "steps", steps, minimum=10))
    losses = _losses(trainer, rates, x, y, sample_weight)
    seen = len(losses)
    if seen < 10:
        got = f"divergence after {seen}"
        raise ValueError(sentence(who, "at least 10 steps before divergence", got, f"pass lowest < {lowest:g}"))
    smoothed = _running_mean(losses)
    return RateTest(rates[:seen], losses, smoothed, _steepest(rates[:seen], smoothed))


def _losses(trainer: Trainer, rates: Array, x: Any, y: Any, sample_weight: Any) -> Array:
    """Return the loss of each step of a copy of the trainer at these rates; fewer if it diverges earlier."""
    recorder = _Recorder()
    optimizer = copy.deepcopy(trainer.optimizer)
    optimizer.state = {}
    optimizer.learning_rate = lambda step, total: float(rates[min(step, len(rates) - 1)])
    trial = Trainer(
        copy.deepcopy(trainer.model),
        trainer.loss,
        optimizer,
        batch_size=trainer.batch_size,
        callbacks=[recorder],
        rng=copy.deepcopy(trainer.rng),
        sample=trainer.sample,
        drop_last=trainer.drop_last,
        average_penalty=trainer.average_penalty,
        augment=trainer.augment,
        products=trainer.products,
    )
    try:
        while len(recorder.losses) < len(rates):
            trial.fit(x, y, sample_weight, epochs=1, verbose=0)
    except (DivergenceError, _LostError):
        pass  # the expected end
    return np.array(recorder.losses[: len(rates)])


def _running_mean(losses: Array) -> Array:
    """Return the mean of each loss and its neighbours: a twentieth of all on either side, fewer near the ends."""
    reach = max(2, len(losses) // 20)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    at = np.arange(len(losses))
    start, stop = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(losses))
    mean: Array = (sums[stop] - sums[start]) / (stop - start)
    return mean


def _steepest(rates: Array, smoothed: Array) -> float:
    """Return the rate at which the smoothed loss falls most from one neighbourhood to the next."""
    reach = max(2, len(rates) // 20)
    fall = smoothed[: -2 * reach] - smoothed[2 * reach :]
    return float(rates[reach + int(np.argmax(fall))])
