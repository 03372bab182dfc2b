"""A rank that fails, dies or falls silent: the job ends, one sentence names the rank, and what was saved is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.distributed import jobs
from training.distributed.jobs import WITH_MPI

pytestmark = WITH_MPI

TRAINING = """
    import os, resource, signal, sys, time
    import numpy as np, chainrule as cr
    how, failing, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    communicator = cr.distributed.MPI(timeout=2)

    class Fail(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == (6 if how == "writes" else 4) and communicator.rank == failing:
                print(f"process {os.getpid()}\\n", end="", flush=True)
                match how:
                    case "raises": raise OSError("the disk is on fire")
                    case "needs memory": np.ones(10**15)
                    case "killed": os.kill(os.getpid(), signal.SIGKILL)
                    case "stopped": os.kill(os.getpid(), signal.SIGSTOP)
                    case "hangs": time.sleep(10**6)
                    case "pauses": time.sleep(0.5)
                    case "exits": sys.exit(0)
                    case "writes": resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    sys.stderr = open(os.devnull, "w")  # as the shell does on all ranks but the first
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 20)), rng.integers(0, 5, 300)
    callbacks = [cr.callbacks.Checkpoint(folder), Fail()]
    model = cr.MLP([20, 32, 5], dropout=0.1, rng=0)
    trainer = cr.Trainer(model, "cross_entropy", callbacks=callbacks, communicator=communicator)
    if how == "resumes":
        trainer.resume(folder)
    try:
        trainer.fit(x, y, epochs=6, verbose=0)
    except Exception as error:
        print(f"{type(error).__name__}: {error}\\n", end="", flush=True)
        raise SystemExit(3) from None
    finite = np.isfinite(model.parameters.vector).all()
    print(f"{trainer.epoch} {len(trainer.history)} {finite}\\n", end="", flush=True)  # in one piece
"""


def train(folder: Path, how: str, failing: int = 0, ranks: int = 2) -> tuple[int, str, str]:
    """The exit code of a training with a failing rank, and what it printed."""
    job = jobs.run_script(ranks, TRAINING, how, failing, folder)
    return job.returncode, job.stdout, job.stderr


def assert_that_it_resumes_on_fewer_ranks(folder: Path) -> None:
    assert [path.name for path in folder.glob("*.safetensors")] != []
    assert train(folder, "resumes", failing=-1, ranks=1)[:2] == (0, "6 6 True\n")


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize(
    ("how", "said"), [("raises", "OSError: the disk is on fire"), ("needs memory", "MemoryError:")]
)
def test_an_error_on_one_rank_ends_all_with_its_name(tmp_path, how, said, failing):
    code, out, _ = train(tmp_path, how, failing)
    assert code == 3
    assert f"RankError: fit expects every rank to continue, got an error on rank {failing}: " in out
    assert out.count(said) == 2
    assert_that_it_resumes_on_fewer_ranks(tmp_path)


@pytest.mark.parametrize(("how", "failing"), [("stopped", 1), pytest.param("hangs", 0, marks=pytest.mark.slow)])
def test_a_silent_rank_ends_the_job(tmp_path, how, failing):
    code, out, err = train(tmp_path, how, failing)
    assert code != 0
    process = out.split()[1]
    (line,) = [line for line in err.splitlines() if line.startswith("fit expects")]
    who = f"rank {failing} (process {process} on "
    assert line.startswith(f"fit expects an answer from every rank within 2 s, got none from {who}")
    assert line.endswith("; resume from the last checkpoint, with fewer ranks if need be.")
    assert_that_it_resumes_on_fewer_ranks(tmp_path)


def test_a_disk_that_is_full_at_the_last_checkpoint_is_an_error_on_all_ranks(tmp_path):
    code, out, _ = train(tmp_path, "writes", 0)
    assert code == 3
    said = "OSError: Checkpoint expects to write "
    assert sorted(line.split(said)[0] for line in out.splitlines() if said in line) == [
        "",
        "RankError: fit expects every rank to continue, got an error on rank 0: ",
    ]
    assert [
        path.name for path in tmp_path.iterdir() if not path.match("step-*.safetensors") and path.name != ".lock"
    ] == []
    assert_that_it_resumes_on_fewer_ranks(tmp_path)


def test_a_rank_that_exits_ends_the_others(tmp_path):
    code, out, _ = train(tmp_path, "exits", 1)
    assert code == 3
    assert "RankError: fit expects every rank to continue, got an error on rank 1: SystemExit: 0" in out
    assert_that_it_resumes_on_fewer_ranks(tmp_path)


def test_a_pause_shorter_than_the_timeout_continues(tmp_path):
    code, out, _ = train(tmp_path, "pauses", 1)
    assert code == 0
    assert out.count("6 6 True") == 2


@pytest.mark.parametrize("failing", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_killed_rank_ends_the_job_and_leaves_whole_checkpoints(tmp_path, failing):
    code, out, err = train(tmp_path, "killed", failing)
    assert code != 0
    (line,) = [line for line in err.splitlines() if line.startswith("fit expects")]
    who = f"rank {failing} (process {out.split()[1]} on "
    assert line.startswith(f"fit expects every rank to run to its end, got {who}")
    assert line.endswith(") killed; resume from the last checkpoint, with fewer ranks if need be.")
    assert_that_it_resumes_on_fewer_ranks(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(10))
@pytest.mark.parametrize("how", ["needs memory", "killed", "stopped", "hangs"])
def test_ten_times_each(tmp_path, how, trial):
    ranks, failing = 2 + trial % 2, trial % 2
    code, out, err = train(tmp_path, how, failing, ranks)
    assert code != 0
    assert f"rank {failing}" in out + err
    assert_that_it_resumes_on_fewer_ranks(tmp_path)
