"""SOURCE: a table that can be read, or the name of a data set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .._support.checks import check_name, nearest, sentence
from .._support.files import as_path
from ..data.named import NAMES

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """The user's text, and whether it is a table; the file if it can be read repeatedly."""

    text: str
    is_table: bool
    file: Path | None = None

    @property
    def name(self) -> str:
        """The name without folders."""
        return "standard input" if self.text == STDIN else Path(self.text).name


def is_file(source: str) -> bool:
    """Whether a source can be read repeatedly."""
    return source != STDIN and (Path(source).is_file() or Path(source).is_dir() or "::" in source)


def resolve(who: str, source: str) -> Source:
    """Resolve a table or the name of a data set; an existing file takes precedence."""
    if source == STDIN:
        return Source(source, is_table=True)
    path = as_path(who, source)
    if path.exists() and not (path.is_dir() and source in NAMES):
        if path.is_dir() and not any(path.rglob("*.parquet")):
            raise IsADirectoryError(sentence(who, "a table", f"the folder {source}", "name a file in it"))
        return Source(source, is_table=True, file=path if path.is_file() else None)  # a pipe counts as a file
    head, found, _ = source.rpartition("::")
    if found and Path(head).is_file():
        return Source(source, is_table=True, file=Path(head))
    if path.suffix or os.sep in source:
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        got = f"no such file{nearest(path.name, others)}"
        raise FileNotFoundError(sentence(who, f"a table at {source}", got))
    return Source(check_name(who, "a data set, or an existing file", source, NAMES), is_table=False)
