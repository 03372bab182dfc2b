"""What a model learned, of rows that you choose: scores as a table, and on demand one self-contained page."""

from __future__ import annotations

from .result import Report, report

__all__ = ["Report", "report"]
