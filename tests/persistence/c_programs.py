"""C that chainrule wrote, compiled without a warning, and what it answers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.persistence import c

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover"]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def compiled(folder: Path, program: str, *flags: str, compiler: str = "cc", standard: list[str] = STRICT) -> Path:
    """The program, which must compile without a warning."""
    suffix = "c" if compiler == "cc" else "cpp"
    (folder / f"main.{suffix}").write_text(program, encoding="utf-8")
    command = [compiler, *standard, *flags, f"main.{suffix}", "-o", "main", "-lm"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[:3000]
    assert made.stderr == ""
    return folder / "main"


@dataclass
class Exported:
    """A header, rows for it, and what it should answer."""

    header: Path
    x: np.ndarray
    y: np.ndarray

    @property
    def name(self) -> str:
        return self.header.stem


def export(folder: Path, name: str, model: Any, x: Any, y: Any = None, **options: Any) -> Exported:
    header = folder / f"{name}.h"
    c.write(model, header, name=name, **options)
    x = np.asarray(x, np.float32)
    return Exported(header, x, np.asarray(model.predict(x) if y is None else y, np.float64).reshape(len(x), -1))


def answers(folder: Path, exported: list[Exported], *flags: str, **options: Any) -> Iterator[tuple[Exported, Any]]:
    """What all of them answer, in one program."""
    includes = "\n".join(f'#include "{one.header.name}"' for one in exported)
    loops = "\n".join(
        f"""    for (int row = 0; row < {len(one.x)}; row++) {{
        float x[{one.name.upper()}_INPUTS], y[{one.name.upper()}_OUTPUTS];
        if (fread(x, sizeof x, 1, stdin) != 1) return 1;
        {one.name}_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }}"""
        for one in exported
    )
    program = f"#include <stdio.h>\n{includes}\nint main(void)\n{{\n{loops}\n    return 0;\n}}\n"
    path = compiled(folder, program, *flags, **options)
    given = b"".join(one.x.tobytes() for one in exported)
    told = subprocess.run([str(path)], input=given, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr.decode()[:3000]
    numbers = np.frombuffer(told.stdout, np.float32)
    assert numbers.size == sum(one.y.size for one in exported)
    for one in exported:
        yield one, numbers[: one.y.size].reshape(one.y.shape)
        numbers = numbers[one.y.size :]


def difference(y: Any, expected: Any) -> float:
    return float(np.max(np.abs(y - expected) / np.maximum(1, np.abs(expected)), initial=0))
