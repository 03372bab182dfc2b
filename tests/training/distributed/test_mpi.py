"""MPI as the communicator: the same training as on ranks that are threads, and the end of a job that cannot go on."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from training.distributed import jobs
from training.distributed.jobs import WITH_MPI

TRAINING = """
    import sys
    import numpy as np, chainrule as cr
    communicator = cr.distributed.MPI() if sys.argv[1] == "mpi" else cr.distributed.Serial()
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(210, 7)), rng.integers(0, 5, 210), rng.random(210)
    wide = [cr.Linear(7, 100, "relu", l2=0.01), cr.Dropout(0.2), cr.Linear(100, 50, "gelu"), cr.Linear(50, 5)]
    normal = [cr.Linear(7, 16), cr.BatchNorm(16), cr.ReLU(), cr.GaussianNoise(0.1), cr.Linear(16, 5)]
    for name, layers in {"wide": wide, "normal": normal}.items():
        model, optimizer = cr.Sequential(layers, rng=0, dtype="float64"), cr.SGD(0.01, momentum=0.9, clip_norm=1.0)
        trainer = cr.Trainer(
            model, "cross_entropy", optimizer, 20, ["accuracy"], average_penalty=True, communicator=communicator
        )
        history = trainer.fit(x, y, weight, validation=0.1, epochs=11, verbose=0)
        told = np.concatenate([model.parameters.vector, *model.buffers.values(), history["validation_loss"]])
        np.save(f"{sys.argv[2]}/{name}-{communicator.rank}.npy", told)
"""


def trained(folder: Path, ranks: int, how: str) -> list[np.ndarray]:
    """The numbers that each network ends with, which are the same on every rank."""
    folder.mkdir()
    jobs.lines(jobs.run_script(ranks, TRAINING, how, folder))
    found = []
    for name in ("wide", "normal"):
        first, *others = (np.load(folder / f"{name}-{rank}.npy") for rank in range(ranks))
        for other in others:
            np.testing.assert_array_equal(other, first)
        found.append(first)
    return found


@WITH_MPI
@pytest.mark.parametrize("ranks", [2, *[pytest.param(ranks, marks=pytest.mark.slow) for ranks in (3, 4)]])
def test_ranks_train_as_one_process(tmp_path, ranks):
    alone, first = trained(tmp_path / "alone", 1, "serial"), trained(tmp_path / "first", ranks, "mpi")
    second = trained(tmp_path / "second", ranks, "mpi")
    for one, several, again in zip(alone, first, second, strict=True):
        np.testing.assert_allclose(several, one, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(several, again)


@WITH_MPI
def test_sums_of_every_size_are_the_same_on_every_rank_and_in_its_memory():
    script = """
        import numpy as np, chainrule as cr
        communicator = cr.distributed.MPI()
        for size in 0, 1, 7, 5_000, 300_001:
            for make in (lambda like: like), communicator.room:
                array = make(np.zeros(size, np.float32))
                array[:] = np.arange(size) * 0.1 * (communicator.rank + 1)
                parts = communicator.allgather(array.copy())
                communicator.allreduce(array)
                assert np.array_equal(array, sum(parts[1:], parts[0]))
        told = communicator.allgather(communicator.rank), communicator.size, communicator.threads > 0
        print(f"{told}\\n", end="")  # in one piece
    """
    assert jobs.lines(jobs.run_script(2, script)) == ["([0, 1], 2, True)"] * 2


@WITH_MPI
def test_a_process_alone_is_one_rank():
    job = jobs.run(1, sys.executable, "-c", "import chainrule as cr; print(cr.distributed.MPI().size)")
    assert jobs.lines(job) == ["1"]


@pytest.mark.skipif(WITH_MPI.args[0] is False, reason="mpi4py is installed")
def test_without_mpi4py_the_error_has_the_command_that_installs_it():
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install 'chainrule[mpi]'")):
        cr.distributed.MPI()
