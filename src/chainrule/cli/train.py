"""Train a network on a table or a named data set.

SOURCE is a .csv, .tsv (also .gz) or .parquet file, or one of digits, mnist, fashion-mnist. In a table the target is the
last column, unless --target names another; whether it holds classes or numbers is inferred and reported. Numeric inputs
are standardised, text is one-hot encoded. A fraction of the rows is held out for the test and not used for training.

A training that was interrupted, even by a power failure, resumes with --resume DIR, to the same bits. --repeat RUN
trains as an earlier run did, as its run.json says, and compares the result.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
import shutil
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from .. import __version__
from .._support.checks import Array, check_integer, check_number, sentence
from .._support.files import as_path, writable_folder, write_text
from .._support.locks import alone_in
from ..data.named import DIVISORS
from ..model import Sequential
from ..persistence import save
from ..training.callbacks import History
from ..training.checkpoint import Checkpoint
from ..training.trainer import Trainer
from . import pictures, runs
from .facts import MODEL_FILE, Facts, written
from .recipe import IMAGE_DROPOUT, LEAST_EPOCHS, LEAST_STEPS, MOST_EPOCHS, Recipe, default_epochs, default_rate
from .report import PAGE
from .sources import Problem, add_header_option, named_problem, resolve, table_problem

EXAMPLE = "chainrule train flowers.csv --target species --epochs 50 --out flowers-model"
HISTORY_FILE = "history.json"
MAX_NAMES = 3  # of text columns in the report
VALIDATION, TEST = 0.1, 0.2  # fractions of the rows
ANOTHER = "choose another with --out DIR"
SIGNALLED = 128  # the exit code of a signal is this and its number
LINES = 10  # of progress; the progress bar shows the rest
_SUFFIX = re.compile(r"\.(csv|tsv|parquet)(\.gz)?$", re.IGNORECASE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule train``."""
    recipe = Recipe()
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="a table, or one of digits, mnist, fashion-mnist")
    table = parser.add_argument_group("options for tables")
    table.add_argument("--target", metavar="COLUMN", help="the column to predict (default: the last)")
    table.add_argument("--task", metavar="TASK", help="classification or regression (default: inferred)")
    table.add_argument("--columns", metavar="A,B", type=names, help="columns to use (default: all)")
    table.add_argument("--text", metavar="A,B", type=names, help="numeric columns to treat as text, such as postcodes")
    add_header_option(table)
    table.add_argument(
        "--test-fraction", metavar="X", type=float, help=f"fraction of rows held out for the test (default: {TEST})"
    )
    network = parser.add_argument_group("network and training options")
    sizes = ",".join(map(str, recipe.hidden))
    network.add_argument(
        "--hidden", metavar="N,N", type=widths, help=f"widths of the hidden layers, or none (default: {sizes})"
    )
    network.add_argument(
        "--activation", metavar="NAME", help=f"activation of the hidden layers (default: {recipe.activation})"
    )
    network.add_argument(
        "--dropout", metavar="X", type=float, help=f"dropout rate (default: {IMAGE_DROPOUT} for images, otherwise 0)"
    )
    network.add_argument(
        "--optimizer", metavar="NAME", help=f"optimizer, such as adam or sgd (default: {recipe.optimizer})"
    )
    network.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        help="peak learning rate, after warm-up and before cosine decay (default: depends on the optimizer)",
    )
    network.add_argument("--batch-size", metavar="N", type=int, help=f"rows per step (default: {recipe.batch_size})")
    network.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        help=f"passes over the training rows (default: {LEAST_EPOCHS} to {MOST_EPOCHS}, for about {LEAST_STEPS} steps)",
    )
    network.add_argument(
        "--validation",
        metavar="X",
        type=float,
        help=f"fraction of rows held out for validation (default: {VALIDATION})",
    )
    network.add_argument(
        "--seed",
        metavar="N",
        type=int,
        help="random seed; the same seed gives the same result (default: 0)",
    )
    parser.add_argument("--out", metavar="DIR", help="output folder (default: SOURCE-model, without the suffix)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", metavar="DIR", help="resume the interrupted run whose output folder this is")
    again.add_argument("--repeat", metavar="RUN", help="repeat the run of this folder (default of --out: RUN-repeat)")
    parser.add_argument("--quiet", action="store_true", help="hide the progress bar")


def names(value: str) -> list[str]:
    """``A,B`` as a list of names."""
    return [name.strip() for name in value.split(",") if name.strip()]


def widths(value: str) -> tuple[int, ...]:
    """``256,128`` as integers; ``none`` as no layers."""
    try:
        return () if value == "none" else tuple(int(width) for width in value.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expects widths such as 256,128, or none, got {value!r}") from None


def run(args: argparse.Namespace) -> int:
    """Prepare, train, write the files, and report in five lines."""
    earlier = runs.earlier_run(args)
    if earlier is not None:
        if args.resume is not None and earlier.ended:
            with alone_in("train", earlier.folder, ANOTHER):
                earlier.remove_checkpoints()
            _say("result", f"the run in {earlier.folder} is complete: nothing to resume")
            return 0
        runs.fill(args, earlier)
    problem, recipe, out = _prepare(args)
    with alone_in("train", out, ANOTHER):
        return _train(args, problem, recipe, out, earlier)


def _train(args: argparse.Namespace, problem: Problem, recipe: Recipe, out: Path, earlier: runs.Run | None) -> int:
    record, differing = runs.begin(args, problem, recipe, out, earlier)
    if differing:
        print(f"note: {', '.join(differing)}: results will agree closely, but not to the bit", file=sys.stderr)
    try:
        status = _fit_and_write(args, problem, recipe, record)
    except KeyboardInterrupt:  # after the last step: within training it ends with a result
        _say_how_to_resume(out)
        raise
    if status == 0 and args.repeat is not None and earlier is not None:
        return _compare(record.digest, earlier.digest, differing)
    return status


def _fit_and_write(args: argparse.Namespace, problem: Problem, recipe: Recipe, record: runs.Run) -> int:
    """The exit code: 0, or of a training that a signal has ended that which shells give for the signal."""
    facts, out, checkpoint = problem.facts, record.folder, record.checkpoint()
    model = recipe.make_model(facts.inputs, facts.outputs, args.seed)
    _say("data", _data_line(problem, target_chosen=args.target is not None))
    _say("model", _model_line(model, problem, recipe))
    start = time.perf_counter()
    history = _fit(model, recipe, problem, record, checkpoint, quiet=args.quiet)
    seconds = time.perf_counter() - start
    outputs = model.predict(problem.test[0])
    scores = facts.scores(outputs, problem.test[1])
    training = {"seed": args.seed} | asdict(recipe) | {"epochs": len(history)}
    model.metadata = facts.to_metadata() | {"scores": scores, "training": training, "chainrule": __version__}
    if facts.image_shape is not None:
        model.metadata["pixels_divided_by"] = DIVISORS[facts.source]
    files = _write(out, model, problem, history, outputs)
    record.finish(model, epochs=len(history), interrupted=history.interrupted, scores=scores)
    stopped = f", interrupted after {len(history)} of {recipe.epochs} epochs" if history.interrupted else ""
    _say("result", f"test {written(scores, len(outputs))}, trained in {seconds:.1f} s{stopped}")
    _say("files", f"{', '.join(files)} in {out}")
    _say("next", _next_command(args, out))
    if not history.interrupted:
        return 0
    _say_how_to_resume(out)
    return SIGNALLED + (checkpoint.asked or signal.SIGINT)


def _say_how_to_resume(out: Path) -> None:
    _say("resume", shlex.join([*_program(), "train", "--resume", str(out)]))


def _compare(mine: str, theirs: str, differing: list[str]) -> int:
    """Say whether the parameters are those of the earlier run: 1 if they should be, and are not."""
    if mine == theirs:
        _say("repeat", f"bit-identical to the earlier run, SHA-256 of the parameters {mine}")
        return 0
    _say("repeat", f"not bit-identical, SHA-256 of the parameters {mine}, of the earlier run {theirs}")
    return 0 if differing else 1


def _prepare(args: argparse.Namespace) -> tuple[Problem, Recipe, Path]:
    """The data, the recipe with the defaults that depend on them, and the output folder."""
    recipe = _recipe(args)
    problem = _problem(args)
    if args.epochs is None:
        recipe = replace(recipe, epochs=default_epochs(len(problem.train[0]), recipe.batch_size))
    if args.dropout is None and problem.facts.image_shape is not None:
        recipe = replace(recipe, dropout=IMAGE_DROPOUT)
    return problem, recipe, _writable_folder(args)


def _next_command(args: argparse.Namespace, out: Path) -> str:
    """A command that predicts the rows of the same source, ready to be typed."""
    header = {None: [], True: ["--header"], False: ["--no-header"]}[args.header]
    return shlex.join([*_program(), "predict", str(out / MODEL_FILE), args.source, *header])


def _program() -> list[str]:
    """The words that run this command: ``chainrule`` if it is on the path, otherwise as called or through Python."""
    if shutil.which("chainrule"):
        return ["chainrule"]
    return [sys.argv[0]] if Path(sys.argv[0]).stem == "chainrule" else [sys.executable, "-m", "chainrule"]


def _recipe(args: argparse.Namespace) -> Recipe:
    """The default recipe with the options given."""
    who = "train"
    args.validation = VALIDATION if args.validation is None else args.validation
    args.seed = 0 if args.seed is None else args.seed
    check_number(who, "--validation", args.validation, minimum=0, below=1)
    if args.test_fraction is not None:
        check_number(who, "--test-fraction", args.test_fraction, above=0, below=1)
    if args.learning_rate is not None:
        check_number(who, "--learning-rate", args.learning_rate, minimum=0)
    if args.dropout is not None:
        check_number(who, "--dropout", args.dropout, minimum=0, below=1)
    check_integer(who, "--seed", args.seed, minimum=0)
    for option in ("epochs", "batch_size"):
        if getattr(args, option) is not None:
            check_integer(who, "--" + option.replace("_", "-"), getattr(args, option))
    for width in args.hidden or ():
        check_integer(who, "--hidden", width)
    given = {name: getattr(args, name) for name in asdict(Recipe()) if getattr(args, name) is not None}
    recipe = Recipe(**given)
    recipe = replace(recipe, learning_rate=given.get("learning_rate", default_rate(recipe.optimizer)))
    recipe.make_model(1, 1, args.seed)  # report invalid options before any data are read
    recipe.make_optimizer()
    return recipe


def _problem(args: argparse.Namespace) -> Problem:
    found = resolve("train", args.source)
    if isinstance(found, Path):
        args.test_fraction = TEST if args.test_fraction is None else args.test_fraction
        return table_problem(
            found,
            target=args.target,
            task=args.task,
            columns=args.columns,
            text=args.text or (),
            header=args.header,
            test=args.test_fraction,
            validation=args.validation,
            seed=args.seed,
        )
    for option in runs.FOR_TABLES:
        if getattr(args, option) is not None:
            got = f"--{option.replace('_', '-')} with {found}"
            raise ValueError(sentence("train", "options for tables with a table only", got, "omit it"))
    return named_problem(found, validation=args.validation, seed=args.seed)


def _writable_folder(args: argparse.Namespace) -> Path:
    """The output folder, created before the training, so that a bad one fails early."""
    out = as_path("train", args.out or f"{_SUFFIX.sub('', Path(args.source).name)}-model")
    return writable_folder("train", out, ANOTHER)


def _fit(
    model: Sequential, recipe: Recipe, problem: Problem, record: runs.Run, checkpoint: Checkpoint, *, quiet: bool
) -> History:
    loss, metric = ("cross_entropy", "accuracy") if problem.facts.class_names else ("squared_error", "r2_score")
    fewest = min(len(part[1]) for part in (problem.train, problem.validation) if part is not None)
    metrics = [] if metric == "r2_score" and fewest < 2 else [metric]  # one row has no variance
    trainer = Trainer(model, loss, recipe.make_optimizer(), recipe.batch_size, metrics=metrics, callbacks=[checkpoint])
    record.restore(trainer)
    return trainer.fit(
        *problem.train,
        validation=problem.validation,
        epochs=recipe.epochs,
        verbose=0 if quiet else 1,
        every=max(recipe.epochs // LINES, 1),
    )


def _write(out: Path, model: Sequential, problem: Problem, history: History, outputs: Array) -> list[str]:
    """Write the files and return their names; without Matplotlib there are no figures.

    The figures and the report of an earlier run are removed: they would not belong to this model.
    """
    for name in (*pictures.FILES, PAGE):
        (out / name).unlink(missing_ok=True)
    save(model, out / MODEL_FILE)
    write_text("train", out / HISTORY_FILE, history.to_json() + "\n")
    files = [MODEL_FILE, HISTORY_FILE, runs.RECORD]
    try:
        return files + pictures.write(out, problem.facts, history, outputs, problem.test[1])
    except ImportError as error:
        print(f"note: no figures written: {error}", file=sys.stderr)
        return files


def _say(name: str, line: str) -> None:
    print(f"{name:<9}{line}", flush=True)


def _data_line(problem: Problem, *, target_chosen: bool) -> str:
    facts = problem.facts
    parts = {"training": problem.train, "validation": problem.validation, "test": problem.test}
    counts = {name: len(part[0]) for name, part in parts.items() if part is not None}
    what = f"{len(facts.class_names)} classes" if facts.class_names else "numeric target"
    name = f" in {facts.target!r}" if facts.class_names else f" {facts.target!r}"
    target = "" if facts.encoder is None else name + ("" if target_chosen else " (the last column)")
    divided = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    inputs = f"{facts.inputs} input{'s' * (facts.inputs != 1)}{_kinds(facts)}"
    return f"{facts.source}: {inputs}, {what}{target}; {sum(counts.values()):,} rows: {divided}"


def _kinds(facts: Facts) -> str:
    """`` (11 numeric; text: colour 2)`` if there are columns of text, which count an input for each value."""
    text = {} if facts.encoder is None else facts.encoder.categories
    if not text:
        return ""
    some = [f"{name} {len(values)}" for name, values in itertools.islice(text.items(), MAX_NAMES)]
    more = f" and {len(text) - MAX_NAMES} more" if len(text) > MAX_NAMES else ""
    numeric = facts.inputs - sum(map(len, text.values()))
    return f" ({f'{numeric} numeric; ' if numeric else ''}text: {', '.join(some)}{more})"


def _model_line(model: Sequential, problem: Problem, recipe: Recipe) -> str:
    sizes = " → ".join(map(str, [problem.facts.inputs, *recipe.hidden, problem.facts.outputs]))
    dropout = f", dropout {recipe.dropout:g}" if recipe.dropout else ""
    between = f", {recipe.activation}{dropout}" if recipe.hidden else ""
    return f"{sizes}{between}: {model.parameters.vector.size:,} parameters"
