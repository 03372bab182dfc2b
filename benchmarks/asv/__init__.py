"""Our own speed from commit to commit: `asv run` and `asv compare` in benchmarks/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # for `benchmarks`, which is not installed
