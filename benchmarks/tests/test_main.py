"""``python -m benchmarks``: figures on the terminal and in a file, tables from the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import __main__ as bench
from benchmarks import latency, peers

QUICK = ("--rounds", 2, "--seconds", 0.001)
OVERHEAD = {"row": "4-8-3x16", "watched": "all", "ratio": 1.02, "min": 1.01, "max": 1.03, "our_seconds": 1.0}
ROW = ("step", "--rows", "4-32-16-4x150", "--peers", "floor")


def test_figures_are_printed_and_kept(shell, tmp_path: Path) -> None:
    answer = shell(*ROW, *QUICK, "--out", tmp_path / "new")
    assert answer.code == 0
    assert "4-32-16-4x150: " in answer.out
    assert "geometric mean over the grid: the products alone" in answer.out
    (path,) = (tmp_path / "new").glob("*.json")
    facts = json.loads(path.read_text(encoding="utf-8"))
    assert {"machine", "date", "step"} == set(facts)
    (row,) = facts["step"]
    assert set(row) == {"row", "seconds", "peers", "left_out"}
    assert set(row["peers"]["floor"]) == {"ratio", "min", "max", "seconds", "our_seconds", "rounds"}
    table = shell("--markdown", path)
    assert table.code == 0
    assert "| 4-32-16-4 × 150 |" in table.out


def test_the_small_sections(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.predict.COUNTS", (1,))
    monkeypatch.setattr("benchmarks.footprint.IMPORTS", {"numpy": "numpy"})
    mnist = {"recipe": "quick", "target": 0.5, "sides": {"ours": {"median": 1.0, "reached": [1.0]}}}
    monkeypatch.setattr("benchmarks.mnist.measure", lambda seeds: mnist | {"seeds": list(seeds)})
    out = tmp_path / "all.json"
    monkeypatch.setattr("benchmarks.overhead.measure", lambda rounds: OVERHEAD | {"rounds": rounds})
    words = (
        "predict",
        "import",
        "size",
        "memory",
        "overhead",
        "mnist",
        "--peers",
        "floor",
        "--seeds",
        2,
        *QUICK,
        "--out",
        out,
    )
    answer = shell(*words)
    assert answer.code == 0
    facts = json.loads(out.read_text(encoding="utf-8"))
    assert {"predict", "import", "size", "memory", "overhead", "mnist"} <= set(facts)
    assert facts["overhead"]["rounds"] == 2
    assert "4-8-3x16: 1 s an epoch; all: +2.0 % (+1.0 to +3.0)" in answer.out
    assert facts["mnist"]["seeds"] == [0, 1]
    assert "1 row: " in answer.out
    assert "MNIST to 50.00 %: quick" in answer.out


def test_one_row_wherever_it_runs(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ways = {"chainrule": latency.ours}
    monkeypatch.setattr(latency, "CONTESTANTS", ways)
    answer = shell("latency", *QUICK, "--out", tmp_path / "latency.json")
    assert answer.code == 0
    table = answer.out.splitlines()[1:]
    assert table[0].startswith("| one row through 784-128-10 | time | times ours | file |")
    assert table[2].startswith("| chainrule | ")
    assert "\n".join(table) in shell("--markdown", tmp_path / "latency.json").out


def test_a_fit_of_the_estimators(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    monkeypatch.setattr("benchmarks.estimators.HIDDEN", ((4,),))
    out = tmp_path / "fits.json"
    answer = shell("estimators", "--seeds", 2, "--out", out)
    assert answer.code == 0
    assert "digits 64-4-10: " in answer.out
    assert "adult is left out: " in answer.out
    assert "geometric mean over all rows: scikit-learn " in answer.out
    (row,) = json.loads(out.read_text(encoding="utf-8"))["estimators"]
    assert len(row["scores"]["ours"]) == 2
    assert "| digits 64-4-10 |" in shell("--markdown", out).out


def test_who_is_absent_is_left_out_with_one_line(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "jax" else True)
    assert bench.chosen_peers("floor, jax_scan") == [peers.FLOOR]
    answer = shell("size", "--peers", "jax_scan")
    (line,) = [line for line in answer.err.splitlines() if "JAX" in line]
    assert line == "JAX compiled is not installed and is left out: make bench-peers"


def test_a_busy_machine_is_pointed_out(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    described = bench.machine.describe()
    for load, noted in ((9.0, True), (0.0, False)):
        facts = described | {"load": [load]}
        monkeypatch.setattr(bench.machine, "describe", lambda facts=facts: facts)
        assert ("keep this machine busy" in shell("size").err) == noted


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stp",), "did you mean 'step'?"),
        (("--rows", "784-32-10x3"), "did you mean '784-32-10x32'?"),
        (("--peers", "torch"), "the name of a peer"),
        (("--rounds", 0), "--rounds >= 1"),
        (("--seconds", 0), "--seconds > 0"),
        (("--seeds", 0), "--seeds >= 1"),
        (("--markdown", "nothing.json"), "No such file or directory: 'nothing.json'"),
    ],
    ids=str,
)
def test_a_wrong_word_is_told_in_one_sentence(words: tuple[object, ...], says: str, shell) -> None:
    answer = shell(*words)
    assert answer.code == 2
    assert says in " ".join(answer.err.split())
