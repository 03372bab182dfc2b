"""What ranks agree upon: the same start, the same end, one that writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import StopTraining
from training.distributed.crew import on_ranks
from training.engines import CLASSES, INPUTS, LABELS, X


def trainer_on(communicator: Any, **settings: Any) -> cr.Trainer:
    given = {"model": cr.MLP([INPUTS, 8, CLASSES], rng=0), "loss": "cross_entropy", "communicator": communicator}
    return cr.Trainer(**given | settings)


def errors(work: Any) -> list[str]:
    """What ``work`` raises on each of two ranks."""

    def attempt(communicator: Any) -> str:
        with pytest.raises(ValueError, match="expects") as caught:
            work(communicator)
        return str(caught.value)

    return on_ranks(2, attempt)


def test_another_network_seed_or_data_are_refused_on_every_rank():
    def other_network(communicator: Any) -> None:
        model = cr.MLP([INPUTS, 8 + communicator.rank, CLASSES], rng=0)
        trainer_on(communicator, model=model).fit(X, LABELS)

    def other_data(communicator: Any) -> None:
        trainer_on(communicator).fit(X + communicator.rank, LABELS)

    def other_seed(communicator: Any) -> None:
        trainer_on(communicator, rng=communicator.rank).fit(X, LABELS)

    def other_rate(communicator: Any) -> None:
        trainer_on(communicator, optimizer=cr.Adam(1e-3 + communicator.rank)).fit(X, LABELS)

    works = {"network": other_network, "data": other_data, "seed": other_seed, "settings": other_rate}
    for what, work in works.items():
        told = errors(work)
        assert told[0] == told[1]
        assert told[0].startswith(f"fit expects the same {what} on every rank, got another on rank 1 than on rank 0;")


def test_an_error_on_one_rank_is_one_on_all():
    def fail(communicator: Any) -> None:
        x = X.copy()
        x[0, 0] = np.nan if communicator.rank else 0
        trainer_on(communicator).fit(x, LABELS)

    assert ["finite" in text for text in errors(fail)] == [False, True]


class StopOnOneRank(cr.Callback):
    def __init__(self, rank: int, raises: bool) -> None:
        self.rank, self.raises = rank, raises

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        if trainer.communicator.rank == self.rank and trainer.step == 5:
            if self.raises:
                raise StopTraining("enough")
            trainer.stop = True


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("raises", [False, True])
def test_all_stop_where_one_does(rank, raises):
    def work(communicator: Any) -> tuple[int, int, str]:
        trainer = trainer_on(communicator, callbacks=[StopOnOneRank(rank, raises)])
        history = trainer.fit(X, LABELS, epochs=9, verbose=0)
        return trainer.step, len(history), history.reason

    (step, epochs, reason), other = on_ranks(2, work)
    assert (step, epochs) == other[:2] == ((5, 0) if raises else (7, 1))
    reasons = [reason, other[2]]
    assert reasons[rank] == ("enough" if raises else "")
    assert reasons[1 - rank] == (f"rank {rank} stopped: enough" if raises else "")


def test_rank_0_alone_prints_and_writes(tmp_path, capsys):
    def work(communicator: Any) -> None:
        folder = tmp_path / str(communicator.rank)
        callbacks = [cr.callbacks.Checkpoint(folder), cr.callbacks.CSVLog(folder / "log.csv")]
        trainer_on(communicator, callbacks=callbacks).fit(X, LABELS, epochs=2)

    on_ranks(2, work)
    assert [path.name for path in sorted(Path(tmp_path).iterdir())] == ["0"]
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_checkpoint_resumes_on_any_number_of_ranks(tmp_path, size):
    def begin(communicator: Any) -> None:
        callbacks = [cr.callbacks.Checkpoint(tmp_path, every=None, seconds=1e-9), StopOnOneRank(1, raises=True)]
        trainer_on(communicator, callbacks=callbacks, metrics=["accuracy"]).fit(X, LABELS, epochs=3, verbose=0)

    def resume(communicator: Any) -> tuple[np.ndarray, list[dict[str, float]]]:
        callbacks = [cr.callbacks.Checkpoint(tmp_path, every=None)]
        trainer = trainer_on(communicator, callbacks=callbacks, metrics=["accuracy"]).resume(tmp_path)
        return trained(trainer)

    def trained(trainer: cr.Trainer) -> tuple[np.ndarray, list[dict[str, float]]]:
        history = trainer.fit(X, LABELS, epochs=3, verbose=0)
        return trainer.model.parameters.vector, [{**row, "seconds": 0.0} for row in history.rows]

    on_ranks(2, begin)
    whole = on_ranks(2, lambda communicator: trained(trainer_on(communicator, metrics=["accuracy"])))
    for vector, rows in on_ranks(size, resume):
        if size == 2:
            np.testing.assert_array_equal(vector, whole[0][0])
            assert rows == whole[0][1]
        np.testing.assert_allclose(vector, whole[0][0], atol=1e-4)


def test_a_layer_that_draws_other_numbers_on_each_rank():
    """The order of the rows stays that of rank 0."""

    class Blur(cr.Layer):
        def forward(self, x: np.ndarray, work: Any) -> np.ndarray:
            return x + 0.1 * work.rng.standard_normal(x.shape).astype(x.dtype) if work.training else x

        def backward(self, dy: np.ndarray, work: Any, input_gradient: bool = True) -> np.ndarray:
            return dy

    def work(communicator: Any) -> np.ndarray:
        model = cr.Sequential([Blur(), cr.Linear(INPUTS, CLASSES)], rng=0)
        cr.Trainer(model, "cross_entropy", communicator=communicator).fit(X, LABELS, epochs=3, verbose=0)
        return model.parameters.vector

    first, *others = on_ranks(3, work)
    for vector in others:
        np.testing.assert_array_equal(vector, first)


def test_only_a_communicator_is_taken_for_one():
    with pytest.raises(TypeError, match="Trainer expects a communicator, got a str"):
        trainer_on("MPI")
