"""The animated picture of the README: one command draws it, and without animations its last frame is seen."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("spiral.svg", "spiral-still.svg")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("contourpy", reason="Matplotlib is not installed")
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["spiral.py", "--out", str(folder)])
        runpy.run_path(str(DOCS / "spiral.py"), run_name="__main__")
    return folder


def test_the_network_learns_every_point_and_the_still_shows_it(drawn: Path) -> None:
    still = (drawn / "spiral-still.svg").read_text(encoding="utf-8")
    assert "200 of 200 points right" in still
    assert re.findall(r"epoch (\d+)", still) == ["120", "120"]
    assert "animation" not in still


def test_the_animation_shows_each_epoch_and_at_rest_the_last(drawn: Path) -> None:
    root = ElementTree.parse(drawn / "spiral.svg").getroot()
    frames = [group for group in root.iter(f"{SVG}g") if group.get("class") == "f"]
    epochs = [int(next(group.itertext()).removeprefix("epoch ")) for group in frames]
    assert epochs == sorted(set(epochs))
    assert epochs[:3] == [0, 1, 2]
    (last,) = (group for group in root.iter(f"{SVG}g") if group.get("id") == "last")
    assert next(last.itertext()) == "epoch 120"
    style = "".join(each.text or "" for each in root.iter(f"{SVG}style"))
    at_rest, moving = re.split(r"@media screen and \(prefers-reduced-motion:no-preference\)", style)
    assert ".f{visibility:hidden}" in at_rest
    assert "last" not in at_rest
    assert all(f"#f{k}{{animation-delay" in moving for k in range(len(frames)))


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_in_the_tree_are_whole_small_and_described(name: str) -> None:
    file = DOCS / "_static" / name
    assert file.stat().st_size < 300_000
    root = ElementTree.parse(file).getroot()
    assert root.get("role") == "img"
    assert root.get("aria-label", "").endswith("spiral apart.")
