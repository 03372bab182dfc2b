"""Files written for one test, and what is read of them as plain lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.tabular.reading import Table, read_table

ASKED = "^read_table expects "


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_lists(table: Table) -> dict[str, list[Any]]:
    return {name: table.frame[name].to_list() for name in table.frame.columns}


def kinds(table: Table) -> dict[str, str]:
    return {name: str(table.frame[name].dtype) for name in table.frame.columns}


def refused(path: Any, **options: Any) -> str:
    """The sentence with which a file is refused: one line that says who, what and why."""
    with pytest.raises(ValueError, match=ASKED) as caught:
        read_table(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)
