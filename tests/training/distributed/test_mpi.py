"""MPI as the communicator: the same training as on ranks that are threads, and the end of a job that cannot go on."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.fused import KERNELS
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
        for size in 0, 1, 7, 5_000, 300_001, 4_999:
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


DIFFERENCES = """
    import os, sys
    names = "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"
    rank = int(next(os.environ[name] for name in names if name in os.environ))
    os.environ["CHAINRULE_KERNELS"] = sys.argv[1 + rank]
    import numpy as np, chainrule as cr
    communicator, version = cr.distributed.MPI(timeout=20), cr.__version__

    class Fail(cr.Callback):
        def on_train_end(self, trainer):
            raise OSError("the disk is on fire")

    def fit(width=300, callbacks=()):
        model = cr.MLP([20, width, 5], rng=0)  # wide enough for memory that the ranks share
        trainer = cr.Trainer(model, "cross_entropy", callbacks=callbacks, communicator=communicator)
        rng = np.random.default_rng(0)
        trainer.fit(rng.normal(size=(100, 20)), rng.integers(0, 5, 100), epochs=2, verbose=0)
        return "trained"

    def of_another_version():
        cr.__version__ = version + rank * ".1"
        try:
            fit()
        finally:
            cr.__version__ = version

    for work in lambda: fit(300 + rank), of_another_version, lambda: fit(callbacks=[Fail()] * (1 - rank)), fit:
        try:
            said = work()
        except (ValueError, OSError) as error:
            said = str(error)
        print(f"{rank}: {said}\\n", end="")
"""


@WITH_MPI
def test_ranks_that_differ_are_refused_and_then_train_together():
    """What they exchange after a failure is not confused with what was on its way."""
    said = [line[3:] for line in jobs.lines(jobs.run_script(2, DIFFERENCES, KERNELS, KERNELS))]
    assert len(said) == 8
    half = [sorted(said[:4]), sorted(said[4:])]
    network = (
        "fit expects the same network on every rank, got model.layers[0].out_features 300 on rank 0, 301 on rank 1"
    )
    version = f"fit expects the same version of chainrule on every rank, got {cr.__version__} on rank 0, "
    for told in half:
        assert [text.startswith((network, version)) for text in told].count(True) == 2
        assert "trained" in told
    assert "the disk is on fire" in half[0]
    assert "fit expects every rank to continue, got an error on rank 0: OSError: the disk is on fire." in half[1]


@WITH_MPI
@pytest.mark.skipif(KERNELS == "numpy", reason="no compiled kernels")
def test_ranks_with_and_without_kernels_are_refused():
    said = jobs.lines(jobs.run_script(2, DIFFERENCES, "numpy", "fused"))
    expected = "fit expects the same kernels on every rank, got numpy on rank 0, fused on rank 1"
    assert [line[:1] for line in said if line[3:].startswith(expected)] == ["0"] * 3 + ["1"] * 3


@WITH_MPI
def test_fit_on_one_rank_alone_is_an_error():
    script = """
        import numpy as np, chainrule as cr
        communicator = cr.distributed.MPI()
        trainer = cr.Trainer(cr.MLP([2, 2], rng=0), "cross_entropy", communicator=communicator)
        if communicator.rank == 0:
            trainer.fit(np.eye(2), [0, 1], verbose=0)
    """
    job = jobs.run_script(2, script)
    assert job.returncode != 0
    assert re.search(r"RankError: fit expects every rank to take part, got rank 1 \(process \d+ on ", job.stderr)
    assert "), which has ended; call fit on every rank." in job.stderr


@WITH_MPI
def test_mpi_that_the_user_has_not_initialized_or_has_finalized():
    script = """
        import mpi4py
        mpi4py.rc.initialize = False
        import chainrule as cr
        print(cr.distributed.MPI().size)
        from mpi4py import MPI
        MPI.Finalize()
        try:
            cr.distributed.MPI()
        except ValueError as error:
            print(error)
    """
    said = "distributed.MPI expects MPI to be in use, got one that was finalized; make it earlier."
    assert jobs.lines(jobs.run_script(1, script)) == ["1", said]


@WITH_MPI
@pytest.mark.parametrize("lone", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_communicator_on_one_rank_alone_ends_the_job(lone):
    script = """
        import sys, time
        from mpi4py import MPI
        import chainrule as cr
        if MPI.COMM_WORLD.rank != int(sys.argv[1]):
            time.sleep(10**6)
        cr.distributed.MPI(timeout=0.1)
    """
    job = jobs.run_script(2, script, lone)
    assert job.returncode != 0
    said = "distributed.MPI expects every rank to make one within 0.1 s, got some that have not; call it on every rank."
    assert said in job.stderr.splitlines()


@WITH_MPI
def test_the_script_of_the_page_runs(tmp_path):
    page = Path(__file__).parents[3] / "docs" / "scale.md"
    ((script,),) = [re.findall(r"^:caption: train.py\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)]
    (tmp_path / "train.py").write_text(f"import os\nos.chdir({str(tmp_path)!r})\n{script}")
    job = jobs.run(2, sys.executable, tmp_path / "train.py")
    assert job.returncode == 0, job.stderr
    assert len([line for line in job.stderr.splitlines() if "loss" in line]) == 3
    assert cr.load(tmp_path / "model.safetensors").parameters.vector.any()
    assert list((tmp_path / "checkpoints").glob("step-*.safetensors")) != []


@pytest.mark.skipif(WITH_MPI.args[0] is False, reason="mpi4py is installed")
def test_without_mpi4py_the_error_has_the_command_that_installs_it():
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install 'chainrule[mpi]'")):
        cr.distributed.MPI()
