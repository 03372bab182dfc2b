"""Where rows come from, and how an epoch goes through them."""

from .batches import batches, split
from .idx import read_idx
from .named import NamedData, load_named
from .tables import Table, read_table

__all__ = ["NamedData", "Table", "batches", "load_named", "read_idx", "read_table", "split"]
