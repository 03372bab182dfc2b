"""Compile a header with the system's C compiler, and run it."""

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
    """Compile a header that :func:`write` wrote, and compare its answers with the model's.

    Parameters
    ----------
    model : Sequential or fitted estimator
        The model that was written.
    path : path
        The header.
    rows : array (N, ...)
        Rows for ``model.predict``.

    Returns
    -------
    float or None
        The distance, by :mod:`chainrule.persistence.agreement`; None without a C compiler.

    Raises
    ------
    ValueError
        If the file is not such a header, or does not compile.
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
    """Return the answers of a header for rows x in float32; None without a C compiler."""
    name = name_of(path)
    program = _PROGRAM.replace("NAME", name.upper()).replace("name_predict", f"{name}_predict")
    told = answered(path, name, program, x.tobytes())
    return None if told is None else np.frombuffer(told, np.float32).reshape(len(x), outputs)


def check_table(model: TableModel, path: Path, columns: dict[str, Array]) -> float | None:
    """Compare a table model with its header: each row fills the struct, words by their functions."""
    name = name_of(path)
    told = answered(path, name, reading(model, name), in_bytes(columns))
    if told is None:
        return None
    expected = model.answers(columns)
    return distance(read_answers(model, told, len(next(iter(columns.values())))), expected)


def name_of(path: Path) -> str:
    """Return the prefix of the functions of a header."""
    check_readable("check", path, "C header")
    found = _PREDICT.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(sentence("check", f"{path} to be a header that chainrule wrote", "another file"))
    return found[1]


def found_compiler() -> str | None:
    """Return the C compiler of this machine."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def answered(path: Path, name: str, program: str, rows: bytes) -> bytes | None:
    """Return the output of a program that includes the header, given these bytes; None without a C compiler."""
    compiler = found_compiler()
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder, "model.h"))
        Path(folder, "main.c").write_text(program, encoding="utf-8")
        static = f"-D{name.upper()}_BUFFER=static"  # a wide network does not fit on the stack
        command = [compiler, "-std=c99", "-O1", static, "main.c", "-o", "main", "-lm"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        if made.returncode:
            raise ValueError(sentence("check", f"{path} to compile", made.stderr[:300].strip() or "no message"))
        return subprocess.run([str(Path(folder, "main"))], input=rows, capture_output=True, check=True).stdout
