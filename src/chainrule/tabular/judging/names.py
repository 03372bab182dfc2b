"""Infer from the name of a column that it identifies rows, is a code, or is a time."""

from __future__ import annotations

import re

_PARTS = re.compile(r"[A-Z]?[a-zäöüß]+|[A-Z]+(?![a-z])|\d+")
_IDS = frozenset(("id", "ids", "uid", "uuid", "guid", "pid", "key", "pk", "idx", "index", "rowid", "rownum", "nr"))
_WHOSE = frozenset(("account", "client", "customer", "employee", "item", "member", "order", "passenger", "patient"))
_WHOSE |= {"person", "product", "student", "user"}
_POSTAL = frozenset(("zip", "zipcode", "postcode", "postalcode", "postal", "plz"))
_CODES = frozenset(("class", "subclass", "type", "code", "category"))
_TIMES = frozenset(("date", "time", "timestamp", "epoch", "unixtime", "datetime", "year", "yr", "ts"))


def parts(name: str) -> list[str]:
    """Split a name into words in lower case: ``CustomerID`` and ``customer_id`` give customer and id."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_id_name(name: str) -> bool:
    """Whether a name states that a column identifies rows."""
    lower = name.lower()
    return not _IDS.isdisjoint(parts(name)) or (lower.endswith("id") and lower[:-2] in _WHOSE)


def is_postal_name(name: str) -> bool:
    """Whether a name states that integers are postcodes, of which there may be many."""
    return not _POSTAL.isdisjoint(parts(name))


def is_code_name(name: str) -> bool:
    """Whether a name states that integers are codes rather than measurements."""
    return not _CODES.isdisjoint(parts(name))


def is_time_name(name: str) -> bool:
    """Whether a name states that integers are times."""
    return not _TIMES.isdisjoint(parts(name))
