"""Train a network on a table or a named data set.

SOURCE is a .csv, .tsv (also .gz) or .parquet file, or one of digits, mnist, fashion-mnist. In a table the last column
is what is learned, unless --target names another; whether it holds classes or numbers is found out and said. Numbers
are standardised, text is one-hot coded. A part of the rows is set aside for the test, and nothing is learned from it.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from .. import __version__
from .._checks import Array, check_integer, check_number, sentence
from ..callbacks import History
from ..model import Sequential
from ..persistence import save
from ..trainer import Trainer
from . import pictures
from .facts import MODEL_FILE, written
from .recipe import IMAGE_DROPOUT, LEAST_EPOCHS, LEAST_STEPS, Recipe, default_epochs, default_rate
from .sources import Problem, named_problem, resolve, table_problem

EXAMPLE = "chainrule train flowers.csv --target species --epochs 50 --out flowers-model"
HISTORY_FILE = "history.json"
LINES = 10  # of progress; a bar shows the rest
_FOR_TABLES = ("target", "task", "columns", "text", "header", "test_fraction")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``chainrule train``."""
    recipe = Recipe()
    parser.add_argument("source", metavar="SOURCE", help="a table, or digits, mnist, fashion-mnist")
    table = parser.add_argument_group("for tables")
    table.add_argument("--target", metavar="COLUMN", help="the column to learn (default: the last)")
    table.add_argument("--task", metavar="TASK", help="classification or regression (default: found out)")
    table.add_argument("--columns", metavar="A,B", type=names, help="use these columns only (default: all)")
    table.add_argument(
        "--text", metavar="A,B", type=names, help="columns of numbers to take as text, such as postcodes"
    )
    table.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="whether the first line names the columns"
    )
    table.add_argument("--test-fraction", metavar="X", type=float, help="rows set aside for the test (default: 0.2)")
    network = parser.add_argument_group("the network and its training")
    sizes = ",".join(map(str, recipe.hidden))
    network.add_argument("--hidden", metavar="N,N", type=widths, help=f"hidden layers, or none (default: {sizes})")
    network.add_argument("--activation", metavar="NAME", help=f"behind each of them (default: {recipe.activation})")
    network.add_argument(
        "--dropout", metavar="X", type=float, help=f"fraction dropped (default: {IMAGE_DROPOUT} for images, else 0)"
    )
    network.add_argument("--optimizer", metavar="NAME", help=f"adam, sgd, ... (default: {recipe.optimizer})")
    network.add_argument("--learning-rate", metavar="X", type=float, help="the highest; it rises first, then falls")
    network.add_argument("--batch-size", metavar="N", type=int, help=f"rows a step (default: {recipe.batch_size})")
    network.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        help=f"passes over the rows (default: {LEAST_EPOCHS}, or {LEAST_STEPS} steps)",
    )
    network.add_argument(
        "--validation", metavar="X", type=float, default=0.1, help="rows to watch (default: %(default)s)"
    )
    network.add_argument(
        "--seed", metavar="N", type=int, default=0, help="same seed, same result (default: %(default)s)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the results (default: the source's name and -model)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def names(value: str) -> list[str]:
    """``A,B`` as a list."""
    return [name.strip() for name in value.split(",") if name.strip()]


def widths(value: str) -> tuple[int, ...]:
    """``256,128`` as whole numbers, ``none`` as no layer."""
    try:
        return () if value == "none" else tuple(int(width) for width in value.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expects widths such as 256,128, or none, got {value!r}") from None


def run(args: argparse.Namespace) -> int:
    """Train, write the files, and say in five lines what came out."""
    recipe = _recipe(args)
    problem = _problem(args)
    facts = problem.facts
    if args.epochs is None:
        recipe = replace(recipe, epochs=default_epochs(len(problem.train[0]), recipe.batch_size))
    if args.dropout is None and facts.image_shape is not None:
        recipe = replace(recipe, dropout=IMAGE_DROPOUT)
    out = _writable_folder(args)
    model = recipe.make_model(facts.inputs, facts.outputs, args.seed)
    _say("data", _data_line(problem, target_chosen=args.target is not None))
    _say("model", _model_line(model, problem, recipe))
    start = time.perf_counter()
    history = _fit(model, recipe, problem, quiet=args.quiet)
    seconds = time.perf_counter() - start
    outputs = model.predict(problem.test[0])
    scores = facts.scores(outputs, problem.test[1])
    training = {"seed": args.seed} | asdict(recipe) | {"epochs": len(history)}
    model.metadata = facts.to_metadata() | {"scores": scores, "training": training, "chainrule": __version__}
    files = _write(out, model, problem, history, outputs)
    stopped = f", interrupted after {len(history)} of {recipe.epochs} epochs" if history.interrupted else ""
    _say("learned", f"test {written(scores, len(outputs))} in {seconds:.1f} s{stopped}")
    _say("files", f"{', '.join(files)} in {out}")
    header = {None: [], True: ["--header"], False: ["--no-header"]}[args.header]
    _say("next", shlex.join([*_program(), "predict", str(out / MODEL_FILE), args.source, *header]))
    return 0


def _program() -> list[str]:
    """What to type for this command: where ``chainrule`` is not on the path, as it was called, or through Python."""
    if shutil.which("chainrule"):
        return ["chainrule"]
    return [sys.argv[0]] if Path(sys.argv[0]).stem == "chainrule" else [sys.executable, "-m", "chainrule"]


def _recipe(args: argparse.Namespace) -> Recipe:
    """The default recipe, with what was asked for instead."""
    who = "train"
    check_number(who, "--validation", args.validation, minimum=0, below=1)
    if args.test_fraction is not None:
        check_number(who, "--test-fraction", args.test_fraction, above=0, below=1)
    check_integer(who, "--seed", args.seed, minimum=0)
    for option in ("epochs", "batch_size"):
        if getattr(args, option) is not None:
            check_integer(who, "--" + option.replace("_", "-"), getattr(args, option))
    given = {name: getattr(args, name) for name in asdict(Recipe()) if getattr(args, name) is not None}
    recipe = Recipe(**given)
    recipe = replace(recipe, learning_rate=given.get("learning_rate", default_rate(recipe.optimizer)))
    recipe.make_model(1, 1, args.seed)  # whatever cannot be is told before anything is read
    recipe.make_optimizer()
    return recipe


def _problem(args: argparse.Namespace) -> Problem:
    found = resolve("train", args.source)
    if isinstance(found, Path):
        return table_problem(
            found,
            target=args.target,
            task=args.task,
            columns=args.columns,
            text=args.text or (),
            header=args.header,
            test=0.2 if args.test_fraction is None else args.test_fraction,
            validation=args.validation,
            seed=args.seed,
        )
    for option in _FOR_TABLES:
        if getattr(args, option) is not None:
            got = f"--{option.replace('_', '-')} with {found}"
            raise ValueError(sentence("train", "options of tables with a table", got, "leave it out"))
    return named_problem(found, validation=args.validation, seed=args.seed)


def _writable_folder(args: argparse.Namespace) -> Path:
    """The folder for the results, made now: after the training would be too late to hear that it cannot be."""
    out = Path(args.out or f"{Path(args.source).name.split('.')[0]}-model")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        remedy = "choose another with --out DIR"
        raise type(error)(sentence("train", f"to write into {out}", error.strerror or str(error), remedy)) from None
    return out


def _fit(model: Sequential, recipe: Recipe, problem: Problem, *, quiet: bool) -> History:
    loss, metric = ("cross_entropy", "accuracy") if problem.facts.class_names else ("squared_error", "r2_score")
    trainer = Trainer(model, loss, recipe.make_optimizer(), batch_size=recipe.batch_size, metrics=[metric])
    return trainer.fit(
        *problem.train,
        validation=problem.validation,
        epochs=recipe.epochs,
        verbose=0 if quiet else 1,
        every=max(recipe.epochs // LINES, 1),
    )


def _write(out: Path, model: Sequential, problem: Problem, history: History, outputs: Array) -> list[str]:
    """The files' names; without Matplotlib there are no pictures, but all else."""
    save(model, out / MODEL_FILE)
    (out / HISTORY_FILE).write_text(history.to_json() + "\n", encoding="utf-8")
    files = [MODEL_FILE, HISTORY_FILE]
    try:
        return files + pictures.write(out, problem.facts, history, outputs, problem.test[1])
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return files


def _say(name: str, line: str) -> None:
    print(f"{name:<9}{line}", flush=True)


def _data_line(problem: Problem, *, target_chosen: bool) -> str:
    facts = problem.facts
    parts = {"to learn from": problem.train, "to watch": problem.validation, "to test": problem.test}
    counts = {name: len(part[0]) for name, part in parts.items() if part is not None}
    what = f"{len(facts.class_names)} classes" if facts.class_names else "numbers"
    chosen = "" if target_chosen else " (the last column)"
    target = "" if facts.encoder is None else f" in {facts.target!r}{chosen}"
    divided = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return f"{facts.source}: {facts.inputs} inputs, {what}{target}; {sum(counts.values()):,} rows: {divided}"


def _model_line(model: Sequential, problem: Problem, recipe: Recipe) -> str:
    sizes = " → ".join(map(str, [problem.facts.inputs, *recipe.hidden, problem.facts.outputs]))
    dropout = f", dropout {recipe.dropout:g}" if recipe.dropout else ""
    between = f", {recipe.activation}{dropout}" if recipe.hidden else ""
    return f"{sizes}{between}: {model.parameters.vector.size:,} parameters"
