"""Test accuracy on MNIST from batch 128 to 16,384 at equal epochs: what a large batch costs, and which rule mends it.

    python -m benchmarks.large_batches --out benchmarks/results/large-batches.json     half an hour on two quiet cores
    python -m benchmarks.large_batches --rates 0.25,0.5,1,2,4 --rows 10000 --epochs 6 --seeds 1     look for rates

Every fit takes the same epochs, so a batch of 16,384 takes 128 times fewer steps than one of 128. All rates climb in a
straight line (warm-up) and fall along a cosine. With the batch they grow linearly for SGD (Goyal et al. 2017), with the
square root for LAMB (You et al. 2020) and Adam; and for LARS, whose step is as long whatever the gradient's length.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import LAMB, LARS, MLP, SGD, Adam, DivergenceError, Optimizer, Trainer
from chainrule.data.named import NamedData, load_named
from chainrule.schedules import Schedule, WarmupCosine

from . import machine
from .mnist import share_right

NETWORK = (784, 512, 256, 10)
SIZES = (128, 512, 2048, 8192, 16_384)
EPOCHS, SEEDS, WARMUP = 20, 3, 0.2
BASE = 128  # the batch of the base rates
ALL = 60_000  # training images

SLOW_BIASES = {"*.b": {"learning_rate_factor": 0.01}}  # they have no ratio, and the rates of LARS are large


@dataclass(frozen=True)
class Rule:
    """An optimizer, its rate at the base batch, and the power of the batch with which the rate grows."""

    words: str
    make: Callable[[Schedule], Optimizer]
    rate: float
    power: float

    def rate_at(self, size: int) -> float:
        """The highest rate for batches of this size."""
        return float(self.rate * (size / BASE) ** self.power)


RULES = {
    "sgd": Rule("SGD, momentum 0.9", lambda rate: SGD(rate, momentum=0.9), 0.025, 1.0),
    "lars": Rule("LARS", lambda rate: LARS(rate, weight_decay=1e-4, groups=SLOW_BIASES), 3.0, 0.5),
    "lamb": Rule("LAMB", lambda rate: LAMB(rate), 0.005, 0.5),
    "adam": Rule("Adam", lambda rate: Adam(rate), 0.001, 0.5),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each rule and size as it is known, then the table."""
    args = parse(argv)
    data, found = load_named("mnist"), []
    for one in measure(data, args):
        found.append(one)
        shown = " ".join("diverged" if score is None else f"{100 * score:.2f}" for score in one["accuracy"])
        said = f"{one['rule']:5} × {one['size']:6,} rate {one['rate']:.4g}: {shown} ({one['seconds']:.0f} s)"
        print(said, flush=True)
    print("\n" + table(found))
    if args.out is not None:
        facts = {"network": NETWORK, "epochs": args.epochs, "rows": args.rows, "fits": found}
        facts |= {"machine": machine.describe(), "date": f"{datetime.date.today()}"}
        args.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, lists as lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=lambda names: names.split(","), default=[*RULES])
    parser.add_argument("--sizes", type=lambda sizes: [int(size) for size in sizes.split(",")], default=SIZES)
    parser.add_argument("--rates", type=lambda rates: [float(rate) for rate in rates.split(",")], default=[1.0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--rows", type=int, default=ALL, help="of the training images; batches shrink with them")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(argv)


def measure(data: NamedData, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each rule at each size, at its own rate times each of those given."""
    for name in args.rules:
        for size in args.sizes:
            for factor in args.rates:
                rate, start = factor * RULES[name].rate_at(size), time.perf_counter()
                scores = list(accuracies(data, RULES[name], rate, size, args))
                seconds = time.perf_counter() - start
                yield {"rule": name, "size": size, "rate": rate, "accuracy": scores, "seconds": seconds}


def accuracies(data: NamedData, rule: Rule, rate: float, size: int, args: argparse.Namespace) -> Iterable[float | None]:
    """The test accuracy of each seed; None where the training diverged. A part of the rows has as many steps."""
    batch = max(1, size * args.rows // len(data.x))
    for seed in range(args.seeds):
        model = MLP(NETWORK, rng=seed)
        optimizer = rule.make(WarmupCosine(rate, warmup=WARMUP))
        trainer = Trainer(model, "cross_entropy", optimizer, batch_size=batch, rng=seed)
        try:
            trainer.fit(data.x[: args.rows], data.y[: args.rows], epochs=args.epochs, verbose=0)
            yield share_right(model.predict(data.x_test), data.y_test)
        except DivergenceError:
            yield None


def table(found: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row for each size, a column for each rule, the mean over the seeds in per cent."""
    rules = list(dict.fromkeys(one["rule"] for one in found))
    lines = ["| batch | " + " | ".join(RULES[name].words for name in rules) + " |", "|---" * (len(rules) + 1) + "|"]
    for size in dict.fromkeys(one["size"] for one in found):
        cells = [cell([one for one in found if (one["rule"], one["size"]) == (name, size)]) for name in rules]
        lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_title(facts: dict[str, Any]) -> str:
    """The table, and what was trained."""
    seeds = max(len(one["accuracy"]) for one in facts["fits"])
    part = "" if facts["rows"] == ALL else f" (of {ALL:,}: all batches are as many times smaller)"
    count = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    trained = f"{facts['rows']:,} images{part}, {facts['epochs']} epochs, {count}"
    return f"{'-'.join(map(str, facts['network']))}, {trained}:\n\n{table(facts['fits'])}\n"


def cell(tried: Sequence[dict[str, Any]]) -> str:
    """The best mean among the rates that were tried."""
    means = [statistics.fmean(one["accuracy"]) for one in tried if None not in one["accuracy"]]
    return f"{100 * max(means):.2f} %" if means else "diverges"


if __name__ == "__main__":
    main()
