"""Show what computes here: versions, kernels, threads, BLAS.

Include it in every bug report.
"""

from __future__ import annotations

import argparse

from ..runtime.config import show_config

EXAMPLE = "chainrule config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``chainrule config`` takes none."""


def run(args: argparse.Namespace) -> int:
    """Print the configuration."""
    show_config()
    return 0
