"""Export a trained model as a file for other programs, and compare the file with the model.

The format follows from --format, or from the suffix of FILE: .onnx for ONNX Runtime, in Python, browsers and elsewhere;
.h for a C99 header without dependencies, for microcontrollers and any other program; .safetensors for a PyTorch
state_dict. If a program that runs the file is installed, file and model are compared on 100 rows, which resemble the
training rows of a table model. The file is kept only if the answers agree.
"""

from __future__ import annotations

import argparse

from ..persistence import load
from ..persistence.export import FORMATS, export
from .models import add_model_argument, model_path, output_path

EXAMPLE = "chainrule export flowers-model --out flowers.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule export``."""
    add_model_argument(parser)
    parser.add_argument("--out", metavar="FILE", required=True, help="output file")
    parser.add_argument("--format", metavar="NAME", help=f"{' or '.join(FORMATS)} (default: by the suffix of FILE)")
    parser.add_argument(
        "--precision",
        metavar="NAME",
        help="float64, float32, float16 or int8 (default: float32, or float64 in ONNX if the data need it)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file, and print what it is."""
    options = {} if args.precision is None else {"precision": args.precision}
    model = model_path(args.model)
    out = output_path("export", args.out, model)
    print(export(load(model), out, args.format, **options))
    return 0
