"""Print the lowest version of every package that pyproject.toml asks for, as constraints for pip: ``numpy==1.26``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

CONTENT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONTENT["project"]
EXTRAS = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "bench"}

floors = {}
for requirement in [*PROJECT["dependencies"], *(need for needs in EXTRAS.values() for need in needs)]:
    if found := re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement):
        floors[found[1]] = found[2]
print(*(f"{name}=={floor}" for name, floor in sorted(floors.items())), sep="\n")
