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
from training.streamed import Rows


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


class ChangeOneRank(cr.Callback):
    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        if trainer.communicator.rank == 1 and trainer.epoch == 3:
            trainer.model.parameters.vector[7] += 1e-3


def another_row(rank: int) -> np.ndarray:
    x = X.copy()
    x[1, 1] += rank
    return x


#: What each rank passes to the trainer and to its fit, and what rank 1 has differently.
DIFFERENCES: dict[str, tuple[Any, str]] = {
    "network": (
        lambda rank: {"model": cr.MLP([INPUTS, 8 + rank, CLASSES], rng=0)},
        "got model.layers[0].out_features 8 on rank 0, 9 on rank 1; build it with the same arguments, and with rng=0.",
    ),
    "network, its weights": (
        lambda rank: {"model": cr.MLP([INPUTS, 8, CLASSES], rng=rank)},
        "got model/parameters float32 (",
    ),
    "data": (lambda rank: {"x": another_row(rank)}, "got training x float32 (210, 7), checksum "),
    "data, their number": (lambda rank: {"x": X[rank:], "y": LABELS[rank:]}, "got training x float32 (210, 7), "),
    "data, their labels": (lambda rank: {"y": np.roll(LABELS, rank)}, "got training y int64 (210,), checksum "),
    "data, their type": (lambda rank: {"y": LABELS.astype(["i8", "i4"][rank])}, "got training y int64 (210,), "),
    "data, validation": (
        lambda rank: {"validation": (X, LABELS) if rank else None},
        "got validation x None on rank 0, float32 (210, 7), checksum ",
    ),
    "seed": (lambda rank: {"rng": rank}, "got random numbers of checksum "),
    "settings": (
        lambda rank: {"optimizer": cr.Adam(1e-3 + rank)},
        "got optimizer.learning_rate 0.001 on rank 0, 1.001 on rank 1; pass the same arguments.",
    ),
    "settings, batch size": (lambda rank: {"batch_size": 32 >> rank}, "got batch_size 32 on rank 0, 16 on rank 1; "),
    "settings, metrics": (
        lambda rank: {"metrics": ["accuracy"] * rank},
        "got metrics [] on rank 0, ['accuracy'] on rank 1; ",
    ),
    "parameters": (
        lambda rank: {"callbacks": [ChangeOneRank()]},
        "after the same steps, got others on rank 1 than on ",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_ranks_that_differ_are_refused_on_every_rank(name):
    make, said = DIFFERENCES[name]

    def work(communicator: Any) -> None:
        given = {"x": X, "y": LABELS, "validation": None} | make(communicator.rank)
        fit = {key: given.pop(key) for key in ("x", "y", "validation")}
        trainer_on(communicator, **given).fit(**fit, verbose=0)

    first, second = errors(work)
    assert first == second
    assert first.startswith(f"fit expects the same {name.split(',')[0]} on every rank")
    assert said in first


@pytest.mark.parametrize("lengths", [(70, 70, 70), (100, 110)])
def test_streams_of_other_lengths_are_refused(lengths):
    def work(communicator: Any) -> None:
        first = Rows(X, LABELS, lengths=(70, 140))
        trainer_on(communicator).fit(Rows(X, LABELS, lengths=lengths) if communicator.rank else first)

    first, second = errors(work)
    assert first == second
    assert first.startswith("fit expects the same data on every rank, got training ")


def test_an_error_on_one_rank_is_one_on_all():
    def fail(communicator: Any) -> None:
        x = X.copy()
        x[0, 0] = np.nan if communicator.rank else 0
        trainer_on(communicator).fit(x, LABELS)

    assert ["finite" in text for text in errors(fail)] == [False, True]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_end"])
def test_an_error_in_the_first_or_the_last_hook_is_one_on_all(hook, rank):
    def fail(communicator: Any) -> None:
        failing = type("Failing", (cr.Callback,), {hook: lambda self, trainer: raise_value_error()})
        callbacks = [failing()] if communicator.rank == rank else []
        trainer_on(communicator, callbacks=callbacks).fit(X, LABELS, epochs=1, verbose=0)

    told = errors(fail)
    assert told[rank] == "Callback expects space on the disk"
    assert told[1 - rank] == "fit expects every rank to continue"


def raise_value_error() -> None:
    raise ValueError("Callback expects space on the disk")


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("hook", ["on_epoch_end", "on_batch_end"])
def test_a_callback_on_one_rank_sees_every_epoch_and_step(hook, rank):
    def work(communicator: Any) -> tuple[list[int], np.ndarray]:
        seen: list[int] = []
        see = lambda self, trainer, told: seen.append(trainer.step)  # noqa: E731
        callback = type("Seeing", (cr.Callback,), {hook: see})()
        trainer = trainer_on(communicator, callbacks=[callback] if communicator.rank == rank else [])
        trainer.fit(X, LABELS, epochs=40, verbose=0)
        return seen, trainer.model.parameters.vector

    told = on_ranks(2, work)
    steps = range(7, 281, 7) if hook == "on_epoch_end" else range(1, 281)
    assert [seen for seen, _ in told] == [list(steps) if one == rank else [] for one in range(2)]
    np.testing.assert_array_equal(told[0][1], told[1][1])


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
