"""Our own speed from commit to commit: `asv run` and `asv compare` in benchmarks/."""
