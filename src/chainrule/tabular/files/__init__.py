"""Files that hold tables: what they are, told by their contents, and how each becomes an Arrow table."""
