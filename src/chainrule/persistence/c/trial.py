"""Write a C program that reads rows of a table, calls the header, and writes the answers, for comparison."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ..._support.checks import Array
from ...tabular.encoders.program import WORDS
from ..agreement import Answers
from ..tables import TableModel
from .columns import Columns

_PROGRAM = """\
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
    text = _PROGRAM.replace("KIND", "double" if model.classes is None else "float").replace("NAME", name)
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
