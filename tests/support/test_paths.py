"""Whatever takes a path refuses what is none in its own words, and takes bytes wherever it takes text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.data.named import read_idx


def model() -> cr.Sequential:
    return cr.MLP([4, 3], rng=0)


TAKES_A_PATH: dict[str, Callable[[Any], Any]] = {
    "save": lambda path: cr.save(model(), path),
    "load": cr.load,
    "export": lambda path: cr.export(model(), path),
    "read_table": cr.data.read_table,
    "read_idx": read_idx,
    "resume": lambda path: cr.Trainer(model(), "cross_entropy").resume(path),
    "CSVLog": cr.callbacks.CSVLog,
    "Checkpoint": cr.callbacks.Checkpoint,
    "TensorBoard": cr.callbacks.TensorBoard,
}


@pytest.mark.parametrize("path", [None, 5.5, ["x"]], ids=repr)
@pytest.mark.parametrize("who", TAKES_A_PATH)
def test_what_is_no_path_is_refused(who: str, path: Any) -> None:
    if (who, path) == ("read_table", ["x"]):
        path = [5.5]  # it takes a list of paths
    with pytest.raises(TypeError, match=f"{who} expects the path of a file as text or pathlib.Path, got"):
        TAKES_A_PATH[who](path)


@pytest.mark.parametrize("who", TAKES_A_PATH)
def test_a_path_that_no_file_can_have_is_refused(who: str) -> None:
    with pytest.raises(ValueError, match=f"{who} expects a path that a file can have, got"):
        TAKES_A_PATH[who]("a\0b")
    with pytest.raises(ValueError, match=r"a path that a file can have, got 'a+' and 960 more characters"):
        TAKES_A_PATH[who]("a" * 1000)


def test_bytes_are_a_path(tmp_path: Path) -> None:
    path = tmp_path / "m.h"
    assert cr.export(model(), os.fsencode(path)).path == path
    assert path.is_file()
    assert cr.callbacks.CSVLog(os.fsencode(path)).path == path


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_log_without_a_name_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="CSVLog expects the path of a file, got the folder"):
        cr.callbacks.CSVLog(path)
