"""The files of a run of ``chainrule train``, as tests read and change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODEL, RECORD = "model.safetensors", "run.json"


def record_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return found


def change_record(folder: Path, **values: Any) -> None:
    (folder / RECORD).write_text(json.dumps(record_of(folder) | values), encoding="utf-8")
