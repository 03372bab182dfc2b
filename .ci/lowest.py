"""Print the lowest version of every package that pyproject.toml asks for, as constraints for pip: ``numpy==1.26``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

content = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
extras = content["project"]["optional-dependencies"].values()
groups = content["dependency-groups"].values()
for requirements in (content["project"]["dependencies"], *extras, *groups):
    for requirement in requirements:
        if isinstance(requirement, str) and (floor := re.fullmatch(r"([\w-]+)>=([\w.]+)", requirement)):
            print(f"{floor[1]}=={floor[2]}")
