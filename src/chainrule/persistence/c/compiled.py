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
from .network import as_network, check_rows

COMPILERS = ("cc", "gcc", "clang")
_PREDICT = re.compile(r"^static inline void (\w+)_predict\(", re.MULTILINE)
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
    network = as_network(model)
    x = check_rows(network, rows)
    with np.errstate(over="ignore"):
        y = compiled_answers(Path(path), x.astype(np.float32), network.outputs)
    if y is None:
        return None
    return largest_difference(y, network.answer(x), network.unit)


def compiled_answers(path: Path, x: Array, outputs: int) -> Array | None:
    """What the header answers for rows x, float32; None where there is no C compiler."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    check_readable("check", path, "C header")
    found = _PREDICT.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(sentence("check", f"{path} to be a header that chainrule wrote", "another file"))
    if compiler is None:
        return None
    program = _PROGRAM.replace("NAME", found[1].upper()).replace("name_predict", f"{found[1]}_predict")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder, "model.h"))
        Path(folder, "main.c").write_text(program, encoding="utf-8")
        static = f"-D{found[1].upper()}_BUFFER=static"  # a wide network has no room on the stack
        command = [compiler, "-std=c99", "-O1", static, "main.c", "-o", "main", "-lm"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        if made.returncode:
            raise ValueError(sentence("check", f"{path} to compile", made.stderr[:300].strip() or "no message"))
        told = subprocess.run([str(Path(folder, "main"))], input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(told.stdout, np.float32).reshape(len(x), outputs)
