"""Encoding of tables with numeric and text columns as network inputs and targets, and decoding of outputs."""

from __future__ import annotations

from .encoder import TableEncoder

__all__ = ["TableEncoder"]
