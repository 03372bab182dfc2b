"""What takes minutes, or data that not everybody has, is computed where ``CHAINRULE_DATA`` is set and read elsewhere.

The file ``docs/learn/stored/NAME.json`` keeps the last result; the page says where it comes from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "stored"


def result(name: str, compute: Callable[[], Any]) -> Any:
    """Return ``compute()``, which is numbers, texts, lists and dicts; where the data are not there, what is stored."""
    file = FOLDER / f"{name}.json"
    if "CHAINRULE_DATA" not in os.environ:
        print("Stored output: the data set is not on the machine that built this page.")
        return json.loads(file.read_text(encoding="utf-8"))
    found = json.loads(json.dumps(compute()))
    if not file.is_file():  # delete the file to store a new result
        FOLDER.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found
