"""Lines, tables and means from figures."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks import machine, markdown, report


def row(name: str, seconds: float, **peers: float) -> dict[str, Any]:
    """A row of the file, each peer with its ratio."""
    figures = {
        key: {"ratio": ratio, "min": ratio / 2, "max": ratio * 2, "seconds": ratio * seconds}
        for key, ratio in peers.items()
    }
    return {"row": name, "seconds": seconds, "peers": figures, "left_out": {"scikit_learn": "has no dropout"}}


STEPS = [
    row("784-32-10x32", 1e-3, floor=0.5, pytorch=8.0, pytorch_compile=2.0),
    row("784-128-10x32", 2e-5, floor=0.25, pytorch=8.0),
    row("784-512-256-10x128+gelu", 2.0, floor=0.5, jax_scan=2.0),
]
LATENCY = {"ratio": 1.0, "min": 1.0, "max": 1.0, "seconds": 1e-5, "file": 1_234_567}
FACTS = {
    "machine": machine.describe() | {"environment": {"OPENBLAS_CORETYPE": "Haswell"}},
    "date": "2026-01-02",
    "step": STEPS,
    "predict": [row("1 row", 1e-5, onnx_runtime=3.0)],
    "import": row("import", 0.1, numpy=0.8, pytorch=20.0),
    "size": {"ours": 800_000, "wheel": 300_000, "numpy": 70_000_000},
    "memory": {"ours": 60_000_000, "pytorch": 340_000_000},
    "latency": {
        "row": "784-128-10",
        "peers": {
            "chainrule": LATENCY | {"program": None, "difference": 0.0},
            "C, int8": LATENCY | {"ratio": 2.0, "max": 3.0, "program": 120_000, "difference": 0.0234},
        },
        "left_out": {"ONNX Runtime, int8": "ONNX Runtime is not installed"},
    },
    "mnist": {
        "recipe": "as usual",
        "target": 0.9842,
        "sides": {"ours": {"median": 4.5, "reached": [4.5, None]}, "pytorch": {"median": None, "reached": [None]}},
    },
}


NAME = machine.name(FACTS["machine"])


def test_the_floor_is_below_us_and_the_peers_above() -> None:
    text = report.row_lines(STEPS[0], "a step")
    assert text.splitlines()[0] == "784-32-10x32: 1 ms a step"
    assert "the products alone     2.00×  (1.00 to 4.00)" in text
    assert "PyTorch eager          8.00×  (4.00 to 16.00)" in text
    assert text.splitlines()[-1].split() == ["scikit-learn", "–", "has", "no", "dropout"]


def test_the_better_way_to_run_pytorch_is_the_one_that_counts() -> None:
    assert [report.with_best(each).get(report.BEST, {}).get("ratio") for each in STEPS] == [2.0, 8.0, None]


def test_means_are_geometric_and_over_the_rows_that_a_peer_ran() -> None:
    (_, grid), (_, everything) = report.averages(STEPS)
    assert grid[report.BEST] == (pytest.approx(4.0), 2)
    assert grid["floor"] == (pytest.approx(8**0.5), 2)
    assert everything["jax_scan"] == (pytest.approx(2.0), 1)
    assert [title for title, _ in report.averages(STEPS[:2])] == ["the grid"]


def test_the_tables_hold_every_row_and_section() -> None:
    text = markdown.render(FACTS)
    lines = text.splitlines()
    assert lines[0] == "| training step | ours | times the products | PyTorch's best | JAX compiled |"
    assert lines[2] == "| 784-32-10 × 32 | 1 ms | 2.00× (1.00–4.00) | 2.00× (1.00–4.00) | – |"
    assert "| 784-512-256-10 × 128, gelu | 2 s |" in text
    assert "| **geometric mean of the grid** |  | **2.83×** | **4.00×** | – |" in text
    assert "| 1 row | 10 µs | 3.00× (1.50–6.00) | ONNX Runtime 3.00× |" in text
    assert "| chainrule | 10 µs | 1.00× (1.00–1.00) | 1,235 kB |  | 0 |" in lines
    assert "| C, int8 | 10 µs | 2.00× (1.00–3.00) | 1,235 kB | 120 kB | 0.02 |" in lines
    assert "| ONNX Runtime, int8 | – | ONNX Runtime is not installed | | | |" in lines
    assert "| import | 100 ms (1.25× NumPy) |" in text
    assert "| installed | 0.8 MB, wheel 0.3 MB | NumPy 70 MB |" in text
    assert "| MNIST to 98.42 % | 4.5 s | PyTorch eager not reached |" in text
    assert "RESTRICTED by OPENBLAS_CORETYPE=Haswell" in lines[-1]


def test_a_file_of_one_section_is_one_table() -> None:
    text = markdown.render({key: FACTS[key] for key in ("machine", "date", "predict")})
    assert text.count("|---") == text.split("\n\n")[0].count("|---")


def test_files_of_two_processors_are_side_by_side() -> None:
    other = FACTS | {
        "machine": FACTS["machine"] | {"processor": "Other CPU", "flags": []},
        "step": [row("784-32-10x32", 3e-3)],
    }
    text = markdown.render(FACTS, other)
    lines = text.splitlines()
    assert lines[0].endswith("| JAX compiled, " + NAME + " | ours, Other CPU |")
    assert lines[1].count("---") == lines[2].count(" | ") + 1
    assert lines[2].endswith("| – | 3 ms |")
    (gelu,) = [line for line in lines if line.startswith("| 784-512-256-10 × 128, gelu |")]
    assert gelu.endswith("| – |")
    assert text.count("2026-01-02") == 2
    same = markdown.render(FACTS, FACTS | {"date": "2026-01-03", "step": []})
    assert "| best peer, " + NAME + ", 2026-01-03 |" in same


def test_the_best_peer_and_how_often_we_are_faster() -> None:
    found = row("1 row", 1e-5, floor=0.1, onnx_runtime=0.9, pytorch=3.0)
    found["peers"]["onnx_runtime"]["rounds"] = {"ours": [1.0, 2.0, 3.0], "theirs": [2.0, 1.0, 3.0]}
    assert report.prediction_lines(found).splitlines()[-1].endswith("the best peer, ONNX Runtime, in 1 of 3 rounds")
    assert markdown.best_cell(found) == "ONNX Runtime 0.90×, 1 of 3 rounds"
    assert markdown.best_cell(row("1 row", 1e-5, floor=0.1)) == "–"


def test_the_lines_of_the_small_sections() -> None:
    assert report.size_lines(FACTS["size"]) == "installed size: chainrule 0.8 MB, NumPy 70 MB; our wheel 0.3 MB"
    assert report.memory_lines(FACTS["memory"]).endswith("chainrule 60 MB, PyTorch eager 340 MB")
    first, ours, theirs = report.mnist_lines(FACTS["mnist"]).splitlines()
    assert first == "MNIST to 98.42 %: as usual"
    assert ours.split() == ["chainrule", "4.5", "s", "(seeds:", "4.5,", "–)"]
    assert "not reached" in theirs


def test_the_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine.RESTRICTING:
        monkeypatch.delenv(name, raising=False)
    facts = machine.describe()
    assert facts["versions"]["numpy"]
    assert facts["kernels"] in ("numpy", "fused")
    assert not machine.restricted(facts)
    assert machine.slug(facts).endswith("-cores")
    known = {"processor": "AMD EPYC", "flags": ["avx2", "avx512f"], "cores": 2, "environment": {}}
    assert (machine.name(known), machine.slug(known)) == ("AMD EPYC AVX-512", "amd-epyc-avx-512-2-cores")
    assert machine.name(known | {"flags": []}) == "AMD EPYC"
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    assert machine.slug(machine.describe()).endswith("-restricted")
