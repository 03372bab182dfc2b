"""Train a network on a table or a named data set.

SOURCE is a file with a table (CSV, TSV, Parquet, Arrow, JSON lines, Excel, SQLite; also gzipped), a folder of Parquet
files, a pattern such as "2024/*.csv", a URL of Parquet files, - for standard input, or one of digits, mnist,
fashion-mnist. A table needs no preprocessing: it may have missing values, categories, dates and text, and may be larger
than memory. The target is the last column, unless --target names another. The kind of each column is printed, with the
options that overrule it. Some rows are kept for the test and not used for training; others choose the best epoch, whose
weights are kept.

--resume DIR resumes an interrupted run, bit for bit. --repeat RUN repeats an earlier run by its run.json, and compares
the results.
"""

from __future__ import annotations

import argparse
import glob
import re
import sys
from pathlib import Path

from .._support.checks import check_integer, sentence
from .._support.files import as_path, writable_folder
from .._support.locks import alone_in
from ..tabular.plans import MOST_VALIDATED, PRESETS, VALIDATION
from . import images, runs, tables
from .images import IMAGE_DROPOUT, LEAST_EPOCHS, LEAST_STEPS, MOST_EPOCHS, Recipe
from .reading import STDIN, Source, add_reading_options, names, resolve
from .screen import folder_of_rank, ranks, say, say_command
from .understanding import add_overrules

EXAMPLE = "chainrule train flowers.csv --target species --out flowers-model"
ANOTHER = "choose another with --out DIR"
_SUFFIX = re.compile(
    r"(\.(csv|tsv|txt|data|parquet|pq|arrow|feather|jsonl|ndjson|json|xlsx|db|sqlite))?(\.(gz|zip))?$", re.IGNORECASE
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule train``."""
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="a table, or one of digits, mnist, fashion-mnist")
    _add_table_options(parser.add_argument_group("options for tables"))
    add_reading_options(parser)
    _add_image_options(parser.add_argument_group("options for images"))
    group = parser.add_argument_group("options for both")
    most = f"{LEAST_EPOCHS} to {MOST_EPOCHS}, for about {LEAST_STEPS} steps"
    group.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        help=f"passes over the training rows (default: images {most}; tables by --preset)",
    )
    least = f"{VALIDATION}, but 100 to {MOST_VALIDATED:,} rows, others for each network; 8 folds with --preset best"
    shares = f"tables {least}; images {images.VALIDATION}"
    group.add_argument(
        "--validation",
        metavar="X|FILE",
        type=_validation,
        help=f"fraction of rows held out for validation (default: {shares}); or a table of such rows",
    )
    group.add_argument(
        "--seed", metavar="N", type=int, help="random seed; the same seed gives the same result (default: 0)"
    )
    parser.add_argument("--out", metavar="DIR", help="output folder (default: SOURCE-model, without the suffix)")
    parser.add_argument("--force", action="store_true", help="replace a finished run in the output folder")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", metavar="DIR", help="resume the interrupted run in this output folder")
    again.add_argument("--repeat", metavar="RUN", help="repeat the run of this folder (default of --out: RUN-repeat)")
    parser.add_argument("--quiet", action="store_true", help="hide the progress")


def _add_table_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--target", metavar="COLUMN", help="the column to predict (default: the last)")
    group.add_argument("--task", metavar="TASK", help="classification or regression (default: inferred)")
    group.add_argument("--columns", metavar="A,B", type=names, help="columns to use (default: all)")
    add_overrules(group)
    known = ", ".join(PRESETS)
    group.add_argument("--preset", metavar="NAME", help=f"how much is trained: {known} (default: default)")
    group.add_argument("--metric", metavar="NAME", help="chooses the best epoch: log-loss, accuracy; rmse, mae")
    group.add_argument("--quantiles", metavar="X,Y", type=_levels, help="predict these quantiles, such as 0.1,0.5,0.9")
    group.add_argument("--class-weight", metavar="A=2,B=1", help="weights of the classes, or balanced")
    group.add_argument("--sample-weight", metavar="COLUMN", help="the column with the weights of the rows")
    group.add_argument("--group", metavar="COLUMN", help="keep the rows of one group, such as a customer, in one part")
    group.add_argument("--time", metavar="COLUMN", help="test on the last rows by this column, train on the first")
    group.add_argument("--time-limit", metavar="SECONDS", type=float, help="maximum duration of the training")
    group.add_argument(
        "--test-fraction",
        metavar="X",
        type=float,
        help=f"fraction of rows held out for the test (default: {tables.TEST}, at most {tables.MOST_TESTED:,} rows)",
    )


def _add_image_options(group: argparse._ArgumentGroup) -> None:
    recipe = Recipe()
    sizes = ",".join(map(str, recipe.hidden))
    group.add_argument(
        "--hidden", metavar="N,N", type=widths, help=f"widths of the hidden layers, or none (default: {sizes})"
    )
    group.add_argument(
        "--activation", metavar="NAME", help=f"activation of the hidden layers (default: {recipe.activation})"
    )
    group.add_argument("--dropout", metavar="X", type=float, help=f"dropout rate (default: {IMAGE_DROPOUT})")
    group.add_argument(
        "--optimizer", metavar="NAME", help=f"optimizer, such as adam or sgd (default: {recipe.optimizer})"
    )
    rate = "peak learning rate, after warm-up and before cosine decay (default: depends on the optimizer)"
    group.add_argument("--learning-rate", metavar="X", type=float, help=rate)
    group.add_argument("--batch-size", metavar="N", type=int, help=f"rows per step (default: {recipe.batch_size})")


def widths(value: str) -> tuple[int, ...]:
    """Parse ``256,128`` as integers, and ``none`` as no layers."""
    try:
        return () if value == "none" else tuple(int(width) for width in value.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expects widths such as 256,128, or none, got {value!r}") from None


def _levels(value: str) -> list[float]:
    """Parse ``0.1,0.9`` as numbers."""
    try:
        return sorted({float(level) for level in value.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"expects quantiles such as 0.1,0.5,0.9, got {value!r}") from None


def _validation(value: str) -> float | str:
    """Parse a fraction, or return the name of a file."""
    try:
        return float(value)
    except ValueError:
        if value:
            return value
        raise argparse.ArgumentTypeError(f"expects a fraction such as 0.1, or a table, got {value!r}") from None


def run(args: argparse.Namespace) -> int:
    """Prepare, train, write the files, and report in a few lines."""
    with ranks() as args.communicator:
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    earlier = runs.earlier_run(args)
    if earlier is not None:
        if args.resume is not None and earlier.ended:
            if args.communicator.rank == 0:
                with alone_in("train", earlier.folder, ANOTHER):
                    earlier.remove_checkpoints()
            say("result", f"the run in {earlier.folder} is complete: nothing to resume")
            return 0
        runs.fill(args, earlier)
    args.seed = check_integer("train", "--seed", 0 if args.seed is None else args.seed, minimum=0)
    source = resolve("train", args.source)
    out = _folder_of(args, source)
    with folder_of_rank(args.communicator, out) as folder:
        return _begin(args, source, folder, earlier)


def _begin(args: argparse.Namespace, source: Source, out: Path, earlier: runs.Run | None) -> int:
    runs.check_unfinished(args, out)
    job: runs.Job = tables.prepare(args, source) if source.is_table else images.prepare(args, source)
    writable_folder("train", out, ANOTHER)  # before the training, so that an invalid folder fails early
    with alone_in("train", out, ANOTHER):
        return _train(args, job, out, earlier)


def _train(args: argparse.Namespace, job: runs.Job, out: Path, earlier: runs.Run | None) -> int:
    record, differing = runs.begin(args, job, out, earlier)
    if differing:
        print(f"note: {', '.join(differing)}: results will agree closely, but not bit for bit", file=sys.stderr)
    try:
        status = job.train(args, record)
    except KeyboardInterrupt:  # after the last step; during training it gives a result
        say_command("resume", "train", "--resume", out)
        raise
    if status:
        say_command("resume", "train", "--resume", out)
    elif args.repeat is not None and earlier is not None:
        return _compare(record.digest, earlier.digest, differing)
    return status


def _compare(mine: str, theirs: str, differing: list[str]) -> int:
    """Print whether the parameters equal those of the earlier run; return 1 if they should but do not."""
    if mine == theirs:
        say("repeat", f"bit-identical to the earlier run, SHA-256 of the parameters {mine}")
        return 0
    say("repeat", f"not bit-identical, SHA-256 of the parameters {mine}, of the earlier run {theirs}")
    return 0 if differing else 1


def _folder_of(args: argparse.Namespace, source: Source) -> Path:
    """Return the output folder, which may not exist yet."""
    path = source.file or Path(source.text)
    name = path.parent.name if source.file is None and glob.has_magic(path.name) else path.name
    if args.out is None and (source.text == STDIN or not name or glob.has_magic(name)):
        raise ValueError(sentence("train", "--out DIR for a pattern or a table from standard input", "none"))
    return as_path("train", args.out or f"{_SUFFIX.sub('', name)}-model")
