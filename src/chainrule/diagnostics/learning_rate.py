"""Which learning rate? A short training in which it rises from far too low to far too high."""

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
LOST = 4.0  # times the least loss, at which the test ends


@dataclass(frozen=True)
class RateTest:
    """What :func:`learning_rate_range_test` saw; ``plots.learning_rates`` draws it.

    Attributes
    ----------
    rates : array (T,), the learning rate of each step
    losses : array (T,), the loss of each step's batch, before it
    smoothed : array (T,), their running mean
    suggestion : float, the rate at which the smoothed loss falls most steeply by log(rate)
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float


class _Recorder(Callback):
    """Notes the losses, and ends the training when it is lost."""

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
    """The loss has risen far above its least."""


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
    """Train a copy of the trainer's model while the learning rate rises, and see where the loss falls fastest.

        η(t) = lowest · (highest / lowest)^(t / (steps − 1)),   t = 0 ... steps − 1

    It ends early when the loss has risen to four times its least. The trainer, its model and its optimizer stay as
    they are.

    Parameters
    ----------
    trainer : :class:`~chainrule.Trainer`, whose loss, optimizer and size of batches are taken
    x, y, sample_weight : as for :meth:`~chainrule.Trainer.fit`
    lowest, highest : float, > 0, the first and the last learning rate
    steps : int, at least 10

    Returns
    -------
    test : :class:`RateTest`

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
    steps = check_integer(who, "steps", steps, minimum=10)
    rates = np.geomspace(lowest, highest, steps)
    losses = _losses(trainer, rates, x, y, sample_weight)
    seen = len(losses)
    if seen < 10:
        got = f"one that is lost after {seen}"
        raise ValueError(sentence(who, "a training of at least 10 steps", got, f"begin with lowest < {lowest:g}"))
    smoothed = _running_mean(losses)
    return RateTest(rates[:seen], losses, smoothed, _steepest(rates[:seen], smoothed))


def _losses(trainer: Trainer, rates: Array, x: Any, y: Any, sample_weight: Any) -> Array:
    """Of each step of a copy of the trainer that takes these learning rates; fewer if it is lost earlier."""
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
    )
    try:
        while len(recorder.losses) < len(rates):
            trial.fit(x, y, sample_weight, epochs=1, verbose=0)
    except (DivergenceError, _LostError):
        pass  # as it should, in the end
    return np.array(recorder.losses[: len(rates)])


def _running_mean(losses: Array) -> Array:
    """The mean of each loss and its neighbours, a twentieth of all on either side, fewer near the ends."""
    reach = max(2, len(losses) // 20)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    at = np.arange(len(losses))
    start, stop = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(losses))
    mean: Array = (sums[stop] - sums[start]) / (stop - start)
    return mean


def _steepest(rates: Array, smoothed: Array) -> float:
    """Where the smoothed loss falls most from one neighbourhood to the next, on its way to its least."""
    reach = max(2, len(rates) // 20)
    fall = smoothed[: -2 * reach] - smoothed[2 * reach :]
    return float(rates[reach + int(np.argmax(fall))])
