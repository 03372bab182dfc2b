"""Save, load and export models."""

from __future__ import annotations

from .native import load, save

__all__ = ["load", "save"]
