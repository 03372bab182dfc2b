"""Where rows come from, and how an epoch goes through them."""

from .batches import batches, split
from .idx import read_idx
from .named import load_named
from .tables import read_table

__all__ = ["batches", "load_named", "read_idx", "read_table", "split"]
