"""``chainrule export`` to C: a header of a trained model, and what it costs on a device."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
FLOWERS = CORPUS / "flowers.safetensors"


def test_an_earlier_table_model_with_text(shell, tmp_path: Path) -> None:
    out = tmp_path / "flowers.h"
    answer = shell("export", FLOWERS, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    first, *lines = answer.out.splitlines()
    assert first == f"{out}: c, {out.stat().st_size:,} bytes"
    if shutil.which("cc"):
        assert float(lines.pop(0).rsplit(maxsplit=1)[1]) < 1e-5
    assert re.fullmatch(r"note: flash: [\d,]+ bytes of constants, and the code", lines[0])
    assert lines[3] == "note: x holds 4 numbers per row as the model's TableEncoder gives them: see the file"
    text = out.read_text(encoding="utf-8")
    assert '"iris",\n    "lily",\n    "rose",\n' in text
    assert "  x[2]  1 where 'colour' is 'blue', else 0\n" in text


def test_a_regression_on_numbers_is_in_the_units_of_the_table(shell, tmp_path: Path) -> None:
    options = ("--format", "c", "--precision", "int8", "--out", tmp_path / "prices")
    answer = shell("export", CORPUS / "prices.safetensors", *options)
    assert answer.code == 0
    assert "columns as they are in the table; scaling is in the function\n" in answer.out
    assert re.search(r"note: y is the prediction of '\w+', in its own units\n", answer.out)
    assert "static inline void prices_predict(" in (tmp_path / "prices").read_text(encoding="utf-8")


def test_a_precision_that_c_has_not(refuses, tmp_path: Path) -> None:
    said = refuses("export", FLOWERS, "--precision", "float16", "--out", tmp_path / "a.h")
    assert "export to C expects the name of a precision, got 'float16'" in said


@pytest.mark.parametrize("name", ["c", "C"])
def test_the_suffix_tells_the_format(shell, tmp_path: Path, name: str) -> None:
    assert shell("export", FLOWERS, "--out", tmp_path / ("a.h" if name == "c" else "A.H")).code == 0
