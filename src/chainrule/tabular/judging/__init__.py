"""Rules that decide the kind of a column, each with its reason."""

from __future__ import annotations

from collections.abc import Collection

from ..columns import Column, Moments, Numbers, Others
from .named import judge_stated
from .rules import DROP, Facts, judge_moments, judge_numbers, judge_words

__all__ = ["Facts", "judge"]


def judge(who: str, name: str, column: Column, missing: Collection[str], kind: str = "", form: str = "") -> Facts:
    """Decide the kind of an input, unless ``kind`` states it; ``missing`` are further words for a missing value."""
    if kind:
        return judge_stated(who, name, column, missing, kind, form)
    if isinstance(column, Others):
        return Facts(DROP, 0, 0, "", "").left_out(column.what)
    if isinstance(column, Moments):
        return judge_moments(column)
    if isinstance(column, Numbers):
        return judge_numbers(name, column)
    return judge_words(who, name, column, missing)
