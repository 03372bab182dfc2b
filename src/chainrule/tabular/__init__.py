"""Tables with columns of numbers and of text, made into what a network takes, and back."""

from __future__ import annotations

from .encoder import TableEncoder

__all__ = ["TableEncoder"]
