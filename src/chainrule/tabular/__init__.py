"""Tables: read from files, understood column by column, encoded as the inputs of a network."""

from __future__ import annotations

from .encoding import TableEncoder

__all__ = ["TableEncoder"]
