"""A stream on several ranks: each reads its own rows alone, and together they train on every row once an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.streams import Windows
from chainrule.training.ranks import Shares
from custom import Double
from training.distributed.crew import on_ranks
from training.streamed import Rows, small_windows

INPUTS, CLASSES, COUNT, SIZE, EPOCHS = 3, 4, 203, 10, 3
RNG = np.random.default_rng(0)
X, Y, WEIGHT = RNG.normal(size=(COUNT, INPUTS)), RNG.integers(0, CLASSES, COUNT), RNG.random(COUNT)
BYTES = 8 * (INPUTS + 2)  # of a row


def fit(
    data: tuple[Any, ...], own: bool = False, rate: float = 0.1, **settings: Any
) -> tuple[np.ndarray, list[dict[str, float]]]:
    layers = [cr.Linear(INPUTS, 8, "tanh"), *([Double()] if own else []), cr.Linear(8, CLASSES, l2=0.01)]
    model = cr.Sequential(layers, rng=0, dtype="float64")
    given = {"batch_size": SIZE, "rng": 1, "metrics": ["accuracy"]}
    trainer = cr.Trainer(model, "cross_entropy", cr.SGD(rate), **given | settings)
    history = trainer.fit(*data, epochs=EPOCHS, verbose=0)
    return model.parameters.vector, [{**row, "seconds": 0.0} for row in history.rows]


class Ranks(cr.distributed.Serial):
    """So many, of which this one does nothing."""

    def __init__(self, size: int) -> None:
        self.size = size


def orders(size: int, drop_last: bool, most_rows: int) -> list[np.ndarray]:
    """The numbers of the rows of each epoch, in the order in which so many ranks take them."""
    lengths, found, rng = Rows(X).lengths, [], np.random.default_rng(1)
    windows, starts = Windows(lengths, SIZE, drop_last, most_rows), np.cumsum(lengths) - lengths
    for _ in range(EPOCHS):
        seed, numbers = int(rng.integers(2**63)), []
        for window in range(windows.count):
            pieces = windows.pieces(seed, window)
            rows = np.concatenate([starts[group] + np.arange(start, stop) for group, start, stop in pieces])
            numbers.append(rows[Shares(Ranks(size), windows.used(window), SIZE).order(seed, window)])
        found.append(np.concatenate(numbers))
    return found


@pytest.mark.parametrize("own", [False, True], ids=["plan", "operations"])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("most_rows", [60, 1000])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_each_reads_its_own_rows_and_all_train_as_one(monkeypatch, size, most_rows, drop_last, own):
    small_windows(monkeypatch, most_rows, BYTES)
    sources = [Rows(X, Y, WEIGHT) for _ in range(size)]
    settings = {"own": own, "drop_last": drop_last}
    told = on_ranks(size, lambda ranks: fit((sources[ranks.rank],), communicator=ranks, **settings))
    expected = orders(size, drop_last, most_rows)
    for order in expected:
        assert len(set(order.tolist())) == len(order) == (200 if drop_last else COUNT)
    epochs = [np.concatenate([order, np.setdiff1d(np.arange(COUNT), order)]) for order in expected]
    vector, rows = fit((X, Y, WEIGHT), sample=lambda count: epochs.pop(0), **settings)
    for mine, history in told:
        np.testing.assert_array_equal(mine, told[0][0])
        np.testing.assert_allclose(mine, vector, rtol=0, atol=1e-12)
        assert history == told[0][1]
        for row, alone in zip(history, rows, strict=True):
            assert row["loss"] == pytest.approx(alone["loss"], rel=1e-12)
    times, share = 1 if most_rows > COUNT else EPOCHS, -(-SIZE // size) / SIZE
    for source in sources:  # the first group for a check; in a last batch of fewer rows than ranks, all have all
        assert len(source.rows_read()) <= 7 + times * (share * COUNT + size - 1)


def test_rows_that_are_mixed_with_others_are_read_by_all(monkeypatch):
    small_windows(monkeypatch, 60, BYTES)
    mixing = {"augment": [cr.data.MixUp(classes=CLASSES)], "metrics": []}
    alone = fit((Rows(X, Y),), **mixing)
    for vector, _ in on_ranks(2, lambda ranks: fit((Rows(X, Y),), communicator=ranks, **mixing)):
        np.testing.assert_allclose(vector, alone[0], rtol=0, atol=1e-12)


def test_a_divergence_is_explained_on_all_ranks_alike(monkeypatch):
    small_windows(monkeypatch, 60, BYTES)

    def work(ranks: Any) -> str:
        with pytest.raises(cr.DivergenceError) as caught:
            fit((Rows(X, Y),), rate=1e200, communicator=ranks)
        return str(caught.value)

    first, second = on_ranks(2, work)
    assert first == second
    assert "The model has its weights of step " in first
