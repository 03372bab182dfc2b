"""Tables as files, and as lists."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.tables import Table


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_lists(table: Table) -> dict[str, list[object]]:
    return {name: column.tolist() for name, column in table.items()}
