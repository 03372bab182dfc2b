"""What the name of a column says: that it identifies rows, that it is a code, that it is a time."""

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
    """The words of a name, in lower case: ``customer``, ``id`` of ``CustomerID``, ``customer_id``, ``customerId``."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_id_name(name: str) -> bool:
    """Whether a name says that a column identifies rows."""
    lower = name.lower()
    return not _IDS.isdisjoint(parts(name)) or (lower.endswith("id") and lower[:-2] in _WHOSE)


def is_postal_name(name: str) -> bool:
    """Whether a name says that integers are postcodes, of which there may be many."""
    return not _POSTAL.isdisjoint(parts(name))


def is_code_name(name: str) -> bool:
    """Whether a name says that integers are codes of something, and no measure."""
    return not _CODES.isdisjoint(parts(name))


def is_time_name(name: str) -> bool:
    """Whether a name says that integers are times."""
    return not _TIMES.isdisjoint(parts(name))
