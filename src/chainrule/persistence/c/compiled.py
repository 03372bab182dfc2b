"""The header compiled by the system's C compiler, and what it answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.differences import largest_difference
from ..._support.files import check_readable
from ..agreement import distance
from ..tables import TableModel
from .network import as_network, check_rows
from .trial import in_bytes, read_answers, reading

COMPILERS = ("cc", "gcc", "clang")
_PREDICT = re.compile(r"^static inline (?:void|size_t) (\w+)_predict\(", re.MULTILINE)
_PROGRAM = """\
#include <stdio.h>
#include "model.h"

int main(void)
{
    static float x[NAME_INPUTS], y[NAME_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        name_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


def check(model: Any, path: str | os.PathLike[str], rows: Any) -> float | None:
    """Compile a header that :func:`write` wrote, and hold its answers against the model's.

    Parameters
    ----------
    model : what was written
    path : the header
    rows : array (N, ...), as ``model.predict`` takes them

    Returns
    -------
    distance : float, of :mod:`chainrule.persistence.agreement`; None where there is no C compiler

    Raises
    ------
    ValueError
        The file is no such header, or it does not compile.
    """
    path = Path(path)
    if isinstance(model, TableModel):
        return check_table(model, path, rows)
    network = as_network(model)
    x = check_rows(network, rows)
    with np.errstate(over="ignore"):
        y = compiled_answers(path, x.astype(np.float32), network.outputs)
    if y is None:
        return None
    return largest_difference(y, network.answer(x), network.unit)


def compiled_answers(path: Path, x: Array, outputs: int) -> Array | None:
    """What the header answers for rows x, float32; None where there is no C compiler."""
    name = name_of(path)
    program = _PROGRAM.replace("NAME", name.upper()).replace("name_predict", f"{name}_predict")
    told = answered(path, name, program, x.tobytes())
    return None if told is None else np.frombuffer(told, np.float32).reshape(len(x), outputs)


def check_table(model: TableModel, path: Path, columns: dict[str, Array]) -> float | None:
    """The same for a model that takes a table: each row is filled into the struct, words by their functions."""
    name = name_of(path)
    told = answered(path, name, reading(model, name), in_bytes(columns))
    if told is None:
        return None
    expected = model.answers(columns)
    return distance(read_answers(model, told, len(next(iter(columns.values())))), expected)


def name_of(path: Path) -> str:
    """The name with which the functions of a header begin."""
    check_readable("check", path, "C header")
    found = _PREDICT.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(sentence("check", f"{path} to be a header that chainrule wrote", "another file"))
    return found[1]


def answered(path: Path, name: str, program: str, rows: bytes) -> bytes | None:
    """What a program that includes the header says to these bytes; None where there is no C compiler."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder, "model.h"))
        Path(folder, "main.c").write_text(program, encoding="utf-8")
        static = f"-D{name.upper()}_BUFFER=static"  # a wide network has no room on the stack
        command = [compiler, "-std=c99", "-O1", static, "main.c", "-o", "main", "-lm"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        if made.returncode:
            raise ValueError(sentence("check", f"{path} to compile", made.stderr[:300].strip() or "no message"))
        return subprocess.run([str(Path(folder, "main"))], input=rows, capture_output=True, check=True).stdout
