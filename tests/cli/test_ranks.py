"""``mpiexec -n 2 chainrule train``: one folder, one voice, and a run that can go on without a rank that was killed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from training.distributed import jobs
from training.distributed.jobs import WITH_MPI

pytestmark = WITH_MPI
pytest.importorskip("sklearn")

COMMAND = "import sys; from chainrule.cli import main; sys.exit(main())"
KILLED = """
    import os, signal, sys
    from chainrule.cli import main, runs, screen
    from chainrule.training.callbacks import History

    def on_epoch_end(self, trainer, row, record=History.on_epoch_end):
        record(self, trainer, row)
        if trainer.epoch == 5 and screen.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    History.on_epoch_end = on_epoch_end
    runs.SECONDS = 1e-9  # between checkpoints
    sys.exit(main())
"""

FULL = """
    import resource, sys
    from chainrule.cli import main, screen
    from chainrule.training.callbacks import History

    def on_train_end(self, trainer):
        if screen.rank() == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    History.on_train_end = on_train_end
    code = main()
    print(f"rank {screen.rank()} exits with {code}\\n", end="", file=sys.__stderr__)
    sys.exit(code)
"""


def train(ranks: int, *words: object, script: str = COMMAND) -> tuple[int, list[str], list[str]]:
    """The exit code, and the lines of both streams."""
    job = jobs.run_script(ranks, script, "train", *words)
    return job.returncode, job.stdout.splitlines(), job.stderr.splitlines()


def parameters(folder: Path) -> np.ndarray:
    return cr.load(folder / "model.safetensors").parameters.vector


def test_ranks_train_one_model_in_one_folder(tmp_path):
    out = tmp_path / "model"
    code, told, _ = train(2, "digits", "--epochs", 3, "--out", out, "--quiet")
    assert code == 0
    assert [line.split()[0] for line in told] == ["ranks", "data", "model", "result", "files", "next"]
    assert told[0].startswith("ranks    2 processes train, each on ")
    assert train(1, "digits", "--epochs", 3, "--out", tmp_path / "alone", "--quiet")[0] == 0
    np.testing.assert_allclose(parameters(out), parameters(tmp_path / "alone"), atol=1e-3)
    code, _, errors = train(2, "digits", "--out", out)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith("chainrule: error: train expects a folder without a finished run, got ")


def test_the_networks_of_a_table_are_shared_out_and_have_the_same_bits(tmp_path):
    pytest.importorskip("narwhals")
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.3f},{b:.3f},{a * b > 0}" for a, b in rng.normal(size=(200, 2)))
    (tmp_path / "table.csv").write_text(f"a,b,same\n{rows}\n")
    words = [tmp_path / "table.csv", "--epochs", 3, "--quiet", "--out"]
    digests = []
    for ranks in (1, 2):
        code, told, errors = train(ranks, *words, tmp_path / f"{ranks}")
        assert code == 0, errors
        assert [line.split()[0] for line in told].count("members") == 1
        digests.append(json.loads((tmp_path / f"{ranks}" / "run.json").read_text())["result"]["parameters_sha256"])
    assert digests[0] == digests[1]


def test_a_disk_that_is_full_after_the_training_is_an_error_on_all_ranks(tmp_path):
    code, _, errors = train(2, "digits", "--epochs", 1, "--out", tmp_path / "model", "--quiet", script=FULL)
    assert code != 0
    exits, told = sorted(line for line in errors if line[:5] == "rank "), [line for line in errors if "expects" in line]
    assert exits == ["rank 0 exits with 2", "rank 1 exits with 2"]
    assert len(told) == 1
    assert told[0].startswith(
        f"chainrule: error: train expects to write {tmp_path / 'model' / 'model.safetensors'}, got "
    )
    assert [path.name for path in (tmp_path / "model").glob("model*")] == []


def test_a_killed_rank_is_named_and_the_run_resumes_without_it(tmp_path):
    code, _, errors = train(2, "digits", "--epochs", 8, "--out", tmp_path, "--quiet", script=KILLED)
    assert code != 0
    (line,) = [line for line in errors if " expects " in line]
    assert line.startswith("fit expects every rank to run to its end, got rank 1 (process ")
    assert line.endswith(") killed; resume from the last checkpoint, with fewer ranks if need be.")
    assert not (tmp_path / "model.safetensors").exists()
    code, _, errors = train(1, "--resume", tmp_path, "--quiet")
    assert code == 0, errors
    assert len(json.loads((tmp_path / "history.json").read_text())["rows"]) == 8
