"""Compile a header with the system's C compiler, and run it in a program that reads rows and writes the answers."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.differences import largest_difference
from ..._support.files import check_readable
from ...tabular.encoders.program import WORDS
from ..agreement import Answers, distance
from ..tables import TableModel
from .columns import Columns
from .network import as_network, check_rows

_TABLE_PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

static int read_text(char **text)
{
    uint32_t size;
    if (fread(&size, sizeof size, 1, stdin) != 1) {
        return 0;
    }
    free(*text);
    *text = calloc(size + 1u, 1);
    return *text != NULL && fread(*text, 1, size, stdin) == size;
}

int main(void)
{
    static NAME_row row;
    static KIND y[UPPER_OUTPUTS];
    static char *text[COLUMNS];
    for (;;) {
READING
        ASKING
        fwrite(y, sizeof y, 1, stdout);
    }
}
"""


def reading(model: TableModel, name: str) -> str:
    """Return the program for this model."""
    fields = "\n".join(f"        if (!({one})) {{\n            return 0;\n        }}" for one in _fields(model, name))
    asking = f"{name}_predict(&row, y);"
    if model.classes is not None and not model.is_multilabel:
        asking = f"const int64_t label = (int64_t){asking}\n        fwrite(&label, sizeof label, 1, stdout);"
    parts = {"READING": fields, "ASKING": asking, "COLUMNS": str(len(model.sources)), "UPPER": name.upper()}
    text = _TABLE_PROGRAM.replace("KIND", "double" if model.classes is None else "float").replace("NAME", name)
    for part, meaning in parts.items():
        text = text.replace(part, meaning)
    return text


def _fields(model: TableModel, name: str) -> Iterator[str]:
    """Return an expression for each field that reads it and is true on success."""
    columns = Columns(model, name)
    for at, source in enumerate(model.sources):
        own = columns.fields[source.name]
        if source.takes != WORDS:
            yield f"fread(&row.{own}, sizeof row.{own}, 1, stdin) == 1"
        elif source.name in columns.words:
            yield f"read_text(&text[{at}]) && (row.{own} = {name}_{own}_from_text(text[{at}]), 1)"
        else:
            yield f"read_text(&text[{at}]) && (row.{own} = text[{at}], 1)"


def in_bytes(columns: dict[str, Array]) -> bytes:
    """Convert rows to the bytes that the program reads."""
    parts = []
    for row in zip(*columns.values(), strict=True):
        for value in row:
            if isinstance(value, str):
                text = value.encode("utf-8", "replace").replace(b"\0", b" ")
                parts.append(struct.pack("=I", len(text)) + text)
            else:
                parts.append(np.asarray(value).tobytes())
    return b"".join(parts)


def read_answers(model: TableModel, told: bytes, count: int) -> Answers:
    """Parse the program's answers for this many rows."""
    if model.classes is None:
        return Answers(np.frombuffer(told, np.float64).reshape(count, -1))
    width = len(model.classes)
    if model.is_multilabel:
        p = np.frombuffer(told, np.float32).reshape(count, width)
        return Answers(p, (p > 0.5).astype(np.int64))
    rows = np.frombuffer(told, np.dtype([("label", np.int64), ("p", np.float32, (width,))]))
    return Answers(rows["p"], model.classes[rows["label"]])


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
    """Return the distance of a header that :func:`write` wrote from its model; None without a C compiler."""
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
