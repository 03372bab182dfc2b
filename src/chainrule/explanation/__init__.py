"""Explanations: a sample followed through the model, forward and backward, and what each column contributed."""

from __future__ import annotations

from .result import Explanation, explain

__all__ = ["Explanation", "explain"]
