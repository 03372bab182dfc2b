"""Show the layers, size and metadata of a model file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ..persistence import load
from .facts import Facts, add_model_argument, model_path

EXAMPLE = "chainrule inspect flowers-model/model.safetensors"
MAX_NAMES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule inspect``."""
    add_model_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the summary and the metadata."""
    path = model_path(args.model)
    model = load(path)
    print(f"{path}: {path.stat().st_size:,} bytes, {model.dtype.name}", model.summary(), sep="\n")
    try:
        lines = described(Facts.from_metadata(model.metadata), model.metadata)
    except ValueError:  # a model that the user saved: its metadata as they are
        lines = model.metadata
    for name, value in lines.items():
        print(f"{name:<10}  {_plain(value)}")
    return 0


def described(facts: Facts, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as readable text, and all other metadata unchanged."""
    lines: dict[str, Any] = {"source": facts.source, "task": facts.task}
    lines["target"] = facts.target + (f": {_some(facts.class_names)}" if facts.class_names else "")
    if facts.encoder is not None:
        lines["columns"] = _some(facts.encoder.columns)
        lines["inputs"] = f"{facts.inputs} ({_some(facts.encoder.feature_names)})"
    else:
        lines["inputs"] = f"{facts.inputs} pixels ({' × '.join(map(str, facts.image_shape or ()))})"
    return lines | {name: value for name, value in metadata.items() if name not in facts.to_metadata()}


def _plain(value: Any) -> str:
    """A JSON value as plain text: ``seed 0, epochs 20``."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _some(names: Any) -> str:
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
