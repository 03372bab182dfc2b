"""Save, load and export models."""

from .native import load, save

__all__ = ["load", "save"]
