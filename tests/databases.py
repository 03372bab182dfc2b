"""Databases in memory and in files, for cursors that a test leaves behind: Python warns of what nobody closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_open: list[sqlite3.Connection] = []


def connected(path: str | Path = ":memory:") -> sqlite3.Connection:
    """A connection that is closed after the test."""
    _open.append(sqlite3.connect(path))
    return _open[-1]


def close_all() -> None:
    while _open:
        _open.pop().close()
