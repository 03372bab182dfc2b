"""A small table of numbers and words."""

from __future__ import annotations

from chainrule.data.tables import Table


def trees() -> Table:
    return Table(
        {
            "height": [2.0, 4.0, 6.0, 8.0],
            "constant": [0.1, 0.1, 0.1, 0.1],
            "kind": ["oak", "fir", "oak", "elm"],
            "price": [10.5, 20.25, 30.0, 47.75],
            "cut": ["no", "no", "no", "yes"],
        }
    )
