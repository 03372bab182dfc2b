"""Small tables and models that the shell's tests share, and the shell itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli import main, outputs


@dataclass(frozen=True)
class Answer:
    """What a command gave."""

    code: int
    out: str
    err: str


Shell = Callable[..., Answer]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """``shell("train", "digits")`` runs a command in this process."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # of argparse
            code = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture
def refuses(shell: Shell) -> Callable[..., str]:
    """Runs a command that must fail with one sentence and no traceback; returns the sentence."""

    def run(*words: object) -> str:
        answer = shell(*words)
        assert answer.code == 2
        assert answer.err.startswith("chainrule: error: ")
        assert answer.err.count("\n") == 1
        assert answer.err.endswith("\n")
        assert "Traceback" not in answer.err
        return answer.err

    return run


def lines_of(out: str) -> dict[str, str]:
    """The report of ``train`` by its first words, below the table of kinds."""
    _, marked, report = out.rpartition("to overrule: ")
    lines = report.splitlines()[1:] if marked else out.splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else."""
    monkeypatch.setattr(outputs, "write_figures", lambda *args: [])


def write_flowers(path: Path, rows: int = 120, seed: int = 0) -> Path:
    """Two numbers and a word from which the kind follows with certainty."""
    rng = np.random.default_rng(seed)
    lines = ["length,width,colour,kind"]
    for length, width, red in zip(
        rng.normal(5, 2, rows), rng.normal(50, 20, rows), rng.integers(0, 2, rows), strict=True
    ):
        kind = "rose" if red and length > 4 else "lily" if red else "iris"
        lines.append(f"{length:.3f},{width:.2f},{'red' if red else 'blue'},{kind}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_prices(path: Path, rows: int = 200, seed: int = 0) -> Path:
    """A price of 1,000 and 30 for each unit of the area, in the middle column."""
    rng = np.random.default_rng(seed)
    lines = ["area,price,floor"]
    for area, floor in zip(rng.uniform(20, 200, rows), rng.integers(0, 9, rows), strict=True):
        lines.append(f"{area:.1f},{1000 + 30 * area + 200 * floor:.1f},{floor}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three classes."""
    return write_flowers(tmp_path_factory.mktemp("flowers") / "flowers.csv")


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of numbers."""
    return write_prices(tmp_path_factory.mktemp("prices") / "prices.csv")


def trained(source: object, out: Path, *options: object) -> Path:
    """The folder of a model trained quietly."""
    assert main([str(word) for word in ("train", source, "--quiet", "--out", out, *options)]) == 0
    return out


@pytest.fixture(scope="session")
def flowers_model(flowers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of ``flowers``."""
    return trained(flowers, tmp_path_factory.mktemp("models") / "flowers", "--epochs", 60)


@pytest.fixture(scope="session")
def prices_model(prices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of ``prices``."""
    return trained(prices, tmp_path_factory.mktemp("models") / "prices", "--target", "price", "--epochs", 200)


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of ``digits``."""
    pytest.importorskip("sklearn")
    return trained("digits", tmp_path_factory.mktemp("models") / "digits", "--hidden", "64", "--epochs", 10)
