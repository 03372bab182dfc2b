"""The tree of sources, and copies of it without what was built or is being written in it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = (".[!c]*", ".coverage*")  # all but .ci: other test processes write their coverage meanwhile
MADE = shutil.ignore_patterns(
    *HIDDEN, "__pycache__", "*.so", "*.egg-info", "_kernels.c", "build", "dist", "demo", "results"
)


def copied(folder: Path) -> Path:
    """A copy in a folder that does not exist yet."""
    return Path(shutil.copytree(ROOT, folder, ignore=MADE))
