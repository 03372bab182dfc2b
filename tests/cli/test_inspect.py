"""``chainrule inspect``: what a model file holds, in lines that one can read; and the facts that it is trusted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.cli.facts import Facts


def test_a_table_model_is_described(shell, flowers_model: Path) -> None:
    path = flowers_model / "model.safetensors"
    answer = shell("inspect", path)
    assert answer.code == 0
    first, *lines = answer.out.splitlines()
    assert first == f"{path}: {path.stat().st_size:,} bytes, float32"
    summary = cr.load(path).summary().splitlines()
    assert lines[: len(summary)] == summary
    facts = dict(line.split(maxsplit=1) for line in lines[len(summary) :])
    assert facts["source"] == "flowers.csv"
    assert facts["task"] == "classification"
    assert facts["target"] == "kind: iris, lily, rose"
    assert facts["columns"] == "length, width, colour"
    assert facts["inputs"] == "4 (length, width, colour=blue, colour=red)"
    assert facts["training"].startswith("seed 0, hidden [32], activation relu, dropout 0, optimizer adamw")
    assert facts["chainrule"] == cr.__version__
    assert shell("inspect", flowers_model).out == answer.out


def test_an_image_model_is_described(shell, digits_model: Path) -> None:
    out = shell("inspect", digits_model).out
    assert "inputs      64 pixels (8 × 8)" in out
    assert "target      class: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n" in out


def test_a_long_list_is_cut(shell, tmp_path: Path, without_pictures) -> None:
    header = ",".join(f"c{i}" for i in range(13))
    rows = [",".join(str((7 * row + i) % 11 + 0.5) for i in range(13)) for row in range(30)]
    (tmp_path / "wide.csv").write_text("\n".join([header, *rows]) + "\n")
    shell("train", tmp_path / "wide.csv", "--epochs", 1, "--hidden", 4, "--out", tmp_path / "out", "--quiet")
    out = shell("inspect", tmp_path / "out").out
    assert "columns     c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more\n" in out


def test_a_model_of_ones_own_shows_its_metadata(shell, tmp_path: Path) -> None:
    model = cr.MLP([2, 3], rng=0)
    model.metadata = {"by": "me", "shape": [1, 2.5], "nothing": None}
    cr.save(model, tmp_path / "own")
    assert shell("inspect", tmp_path / "own").out.splitlines()[4:] == [
        "by          me",
        "shape       [1, 2.5]",
        "nothing     None",
    ]


def test_what_is_no_model_is_refused(refuses, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    assert "cut to be a whole safetensors file" in refuses("inspect", tmp_path / "cut")


IMAGES: dict[str, Any] = {
    "source": "digits",
    "task": "classification",
    "target": "class",
    "class_names": ["a", "b"],
    "encoder": None,
    "image_shape": [8, 8],
}


def test_facts_survive_the_way_through_json(flowers_model: Path) -> None:
    metadata = cr.load(flowers_model / "model.safetensors").metadata
    facts = Facts.from_metadata(metadata)
    assert facts.to_metadata().items() <= metadata.items()
    assert Facts.from_metadata(IMAGES).to_metadata() == IMAGES


@pytest.mark.parametrize(
    "change",
    [
        {"source": None},
        {"target": 3},
        {"class_names": None},
        {"class_names": ["a", 1]},
        {"image_shape": None},
        {"image_shape": [8]},
        {"image_shape": [8, 8.0]},
        {"image_shape": "8x8"},
        {"encoder": {}},
        {"encoder": {}, "image_shape": None},
        {"encoder": 5, "image_shape": None},
    ],
    ids=str,
)
def test_facts_that_nobody_wrote_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expects"):
        Facts.from_metadata(IMAGES | change)


def test_classes_of_another_encoder_are_refused(flowers_model: Path) -> None:
    metadata = cr.load(flowers_model / "model.safetensors").metadata
    with pytest.raises(ValueError, match="expects 2 classes"):
        Facts.from_metadata(metadata | {"class_names": ["a", "b"]})
