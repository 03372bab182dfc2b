"""Reports on a model's predictions: a table of scores, and a self-contained HTML page."""

from __future__ import annotations

from .result import Report, report

__all__ = ["Report", "report"]
