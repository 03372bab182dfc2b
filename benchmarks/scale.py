"""How long a fit takes on many machines: a cost model of synchronous data-parallel training, and the page on it.

    T(n) = max(c₀ + (c₁ + s/r) b, k s b / d) (1 + σ zₙ) + x(k, α, β) + x(m, α′, β′)    b = B/n rows, n = k m cores
    x(n, α, β) = 2 (n − 1) α + 2 (1 − 1/n) P/β                                         a sum of P bytes over n ranks

A core computes and decodes its rows; the disk of a machine may take longer. zₙ is the mean of the largest of n normal
deviates: all wait for the slowest. Then the gradient is summed over the k cores of a machine, and over the m machines.
c₀, c₁, r, α and β were measured: ``benchmarks/results/scale.json`` holds them. The others are arguments.

    python -m benchmarks.scale                                        print the tables
    python -m benchmarks.scale --bandwidth 12.5e9 --core-hour 0.03    of another network, at another price
    python -m benchmarks.scale --measure                              measure c₀ and c₁ here, and keep them
    python -m benchmarks.scale --write                                renew docs/scale.md and its figure
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONSTANTS = ROOT / "benchmarks" / "results" / "scale.json"
LARGE_BATCHES = ROOT / "benchmarks" / "results" / "large-batches.json"
PAGE = ROOT / "docs" / "scale.md"
FIGURE = ROOT / "docs" / "_static" / "scale.svg"
MARKED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
BATCHES = (1024, 16_384, 131_072)
TABLE, PIXELS = "50-256-256-1", "784-1024-1024-10"
LOCAL_BATCHES = (16, 64, 256, 1024, 4096)  # rows of a step, whose times give c₀ and c₁


@dataclass(frozen=True)
class Network:
    """What a step costs on one core."""

    name: str
    per_step: float  # seconds: c₀, which holds the update of the weights
    per_row: float  # seconds: c₁
    gradient: int  # bytes: P
    row: int  # bytes: s


@dataclass(frozen=True)
class Cluster:
    """What joins the cores, in seconds and bytes a second."""

    near: tuple[float, float]  # α and β within a machine
    far: tuple[float, float]  # α' and β' between machines
    read: float  # r: of rows that a core decodes
    disk: float  # d: of rows that a machine reads
    jitter: float  # σ: the standard deviation of a step's time, as a share of it
    cores: int  # of a machine


@dataclass(frozen=True)
class Step:
    """Where the seconds of a step go."""

    work: float
    waiting: float
    exchange: float

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.work + self.waiting + self.exchange


def step(network: Network, cluster: Cluster, batch: int, ranks: int) -> Step:
    """One step of this many cores on a batch that they share."""
    rows = math.ceil(batch / ranks)
    inside = min(ranks, cluster.cores)
    size = rows * network.row
    work = max(network.per_step + network.per_row * rows + size / cluster.read, inside * size / cluster.disk)
    exchange = all_reduce(inside, network.gradient, *cluster.near)
    exchange += all_reduce(math.ceil(ranks / inside), network.gradient, *cluster.far)
    return Step(work, work * cluster.jitter * slowest(ranks), exchange)


def all_reduce(ranks: int, size: int, latency: float, bandwidth: float) -> float:
    """Seconds of a sum: each rank sends its part to each other, sums one part, and sends that to each other."""
    return 2 * latency * (ranks - 1) + 2 * (1 - 1 / ranks) * size / bandwidth


def slowest(ranks: int) -> float:
    """The mean of the largest of n normal deviates (Blom 1958)."""
    return NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25))


def speedup(network: Network, cluster: Cluster, batch: int, ranks: int) -> float:
    """How many times faster than one rank with the same batch."""
    return step(network, cluster, batch, 1).seconds / step(network, cluster, batch, ranks).seconds


def most_ranks(network: Network, cluster: Cluster, batch: int, efficiency: float = 0.5) -> int:
    """The largest power of two of ranks that are busy for this share of the time."""
    return max(n for n in RANKS if speedup(network, cluster, batch, n) >= efficiency * n)


def hours(network: Network, cluster: Cluster, batch: int, ranks: int, size: float) -> float:
    """Of one epoch over so many bytes."""
    return size / network.row / batch * step(network, cluster, batch, ranks).seconds / 3600


def lost_to_failures(machines: int, per_hour: float, save: float, restart: float) -> tuple[float, float]:
    """Seconds between checkpoints (Young 1974), and the share of time that failures and checkpoints take."""
    between = 3600 / (machines * per_hour)
    every = math.sqrt(2 * save * between)
    return every, save / every + (every / 2 + restart) / between


# --- constants ----------------------------------------------------------------------------------------------------


def line(points: Mapping[str, float]) -> tuple[float, float]:
    """a and b such that a + b x is close to each y, by least squares of the relative error; a is not negative."""
    pairs = [(1 / y, float(x) / y) for x, y in points.items()]
    aa, ab, bb = (sum(p[i] * p[j] for p in pairs) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = (sum(p[i] for p in pairs) for i in (0, 1))
    first = max(0.0, (a * bb - b * ab) / (aa * bb - ab * ab))
    return first, (b - first * ab) / bb


def network(facts: Mapping[str, Any], name: str) -> Network:
    """A network by its sizes, float32."""
    sizes = [int(size) for size in name.split("-")]
    count = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    return Network(name, *line(facts["step"][name]), 4 * count, 4 * sizes[0])


def cluster(facts: Mapping[str, Any], args: argparse.Namespace) -> Cluster:
    """Measured within a machine, assumed between machines."""
    twice, per_byte = line(facts["allreduce"])  # of two ranks: 2 α + P / β
    far = (args.latency, args.bandwidth)
    return Cluster((twice / 2, 1 / per_byte), far, facts["read"], args.disk, args.jitter, args.cores)


def measure(facts: dict[str, Any]) -> None:
    """The seconds of a training step on one thread, for batches of several sizes: the least of some passes."""
    import numpy as np

    import chainrule as cr
    from chainrule.runtime.threads import own_threads

    rng = np.random.default_rng(0)
    for name, found in facts["step"].items():
        sizes = [int(size) for size in name.split("-")]
        for batch in LOCAL_BATCHES:
            steps = max(2, 8192 // batch)
            x = rng.standard_normal((steps * batch, sizes[0]), dtype=np.float32)
            y = rng.integers(0, sizes[-1], len(x)) if sizes[-1] > 1 else x[:, :1]
            loss = "cross_entropy" if sizes[-1] > 1 else "squared_error"
            trainer, times = cr.Trainer(cr.MLP(sizes, rng=0), loss, cr.Adam(1e-4), batch_size=batch), []
            for _ in range(5):
                start = time.process_time()  # of the processor: others may use it too
                with own_threads(1):
                    trainer.fit(x, y, epochs=1, verbose=0)
                times.append((time.process_time() - start) / steps)
            found[str(batch)] = float(f"{min(times):.3g}")


# --- what the page says -------------------------------------------------------------------------------------------


def blocks(facts: Mapping[str, Any], args: argparse.Namespace) -> dict[str, str]:
    """Each table of the page by its name."""
    joined, table, pixels = cluster(facts, args), network(facts, TABLE), network(facts, PIXELS)
    made = {
        "constants": constants([table, pixels], joined, facts, args),
        "check": check(facts, joined),
        "ranks": ranks_table(table, joined),
        "stops": stops_table([table, pixels], joined),
        "rent": rent_table(table, joined, args),
        "failures": failures_table(args),
    }
    if LARGE_BATCHES.exists():
        from . import large_batches

        made["batches"] = large_batches.with_title(json.loads(LARGE_BATCHES.read_text(encoding="utf-8")))
    return made


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def constants(networks: Sequence[Network], joined: Cluster, facts: Mapping[str, Any], args: argparse.Namespace) -> str:
    """What goes in."""
    rows = []
    for one in networks:
        cost = f"{seconds(one.per_step)} + {seconds(one.per_row)} a row"
        rows.append([f"{one.name}, Adam: $c_0 + c_1 b$ on one core", cost, "measured"])
    rows += [
        [
            "a sum within a machine: $\\alpha, \\beta$",
            f"{seconds(joined.near[0])}, {rate(joined.near[1])}",
            "measured, 2 ranks",
        ],
        ["a sum between machines: $\\alpha', \\beta'$", f"{seconds(joined.far[0])}, {rate(joined.far[1])}", "assumed"],
        ["reading Parquet on one core: $r$", rate(joined.read), "measured"],
        ["reading from the disk of a machine: $d$", rate(joined.disk), "assumed"],
        ["deviation of a step's time: $\\sigma$", f"{100 * joined.jitter:.0f} %", "assumed"],
        ["a machine", f"{joined.cores} cores, {args.core_hour:g} for a core and hour", "assumed"],
        ["failures", f"one in {1 / args.failures:,.0f} hours of a machine", "assumed"],
    ]
    return markdown(["constant", "value", "source"], rows) + f"\nMeasured on {facts['machine']}, {facts['date']}.\n"


def check(facts: Mapping[str, Any], joined: Cluster) -> str:
    """Steps measured on a few ranks beside those of the model, which was fitted to one and two."""
    found = facts["ranks"]
    one, rows = network(facts, found["network"]), []
    joined = replace(joined, read=math.inf, disk=math.inf)  # the rows are in memory
    for ranks, measured in found["step"].items():
        crowd = math.ceil(int(ranks) / facts["cores"])  # ranks that share a core take turns
        made = step(one, joined, found["batch"], int(ranks))
        said = crowd * (made.work + made.waiting) + made.exchange
        rows.append([ranks, seconds(measured), seconds(said), f"{100 * (said / measured - 1):+.0f} %"])
    title = f"{one.name}, {found['batch']:,} rows a step, {facts['cores']} cores:\n\n"
    return title + markdown(["ranks", "a step, measured", "by the model", "difference"], rows)


def ranks_table(one: Network, joined: Cluster) -> str:
    """How a step shrinks as ranks are added."""
    rows = []
    for n in RANKS[::2]:
        made = step(one, joined, BATCHES[1], n)
        parts = (made.work, made.waiting, made.exchange)
        shares = [f"{100 * part / made.seconds:.0f} %" for part in parts]
        gain = speedup(one, joined, BATCHES[1], n)
        rows.append([f"{n:,}", seconds(made.seconds), f"{gain:.1f}×", f"{100 * gain / n:.0f} %", *shares])
    title = f"{one.name}, {BATCHES[1]:,} rows a step:\n\n"
    return title + markdown(["cores", "a step", "faster", "efficiency", "work", "waiting", "exchange"], rows)


def stops_table(networks: Sequence[Network], joined: Cluster) -> str:
    """Where more ranks stop paying."""
    rows = []
    for one in networks:
        for batch in BATCHES:
            most = most_ranks(one, joined, batch)
            best = max(RANKS, key=lambda n: speedup(one, joined, batch, n))
            gains = [f"{speedup(one, joined, batch, n):.0f}×" for n in (most, best)]
            rows.append([one.name, f"{batch:,}", f"{most:,}", gains[0], f"{gains[1]} on {best:,}"])
    return markdown(["network", "rows a step", "cores at half efficiency", "faster", "fastest"], rows)


def rent_table(one: Network, joined: Cluster, args: argparse.Namespace) -> str:
    """Hours and prices of terabytes."""
    rows = []
    for terabytes in (1, 10):
        for n in (8, 32, 128, 512):
            taken = args.epochs * hours(one, joined, BATCHES[1], n, terabytes * 1e12)
            machines = math.ceil(n / joined.cores)
            taken *= 1 + lost_to_failures(machines, args.failures, args.save, args.restart)[1]
            price = taken * n * args.core_hour
            rows.append([f"{terabytes} TB", f"{n}", f"{machines}", f"{taken:.1f}", f"{price:.1f}"])
    count = 1e12 / one.row / 1e9
    title = f"{one.name}, {args.epochs} epochs, {BATCHES[1]:,} rows a step; 1 TB is {count:.0f} billion rows:\n\n"
    return title + markdown(["data", "cores", "machines", "hours", "price"], rows)


def failures_table(args: argparse.Namespace) -> str:
    """How often to save, and what is lost."""
    rows = []
    for machines in (1, 4, 32, 256):
        every, share = lost_to_failures(machines, args.failures, args.save, args.restart)
        between = 1 / (machines * args.failures)
        rows.append([f"{machines}", f"{between:,.0f} hours", f"{every / 60:.0f} minutes", f"{100 * share:.1f} %"])
    return markdown(["machines", "a failure every", "a checkpoint every", "time lost"], rows)


def seconds(value: float) -> str:
    """With a unit that keeps the number short."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def rate(value: float) -> str:
    """Bytes a second."""
    return f"{value / 1e9:.3g} GB/s"


def draw(facts: Mapping[str, Any], args: argparse.Namespace, path: Path) -> None:
    """Speed-up against ranks for several batches; price against hours of a terabyte."""
    import matplotlib

    matplotlib.use("svg" if path.suffix == ".svg" else "agg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "scale",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    from matplotlib import pyplot

    one, joined = network(facts, TABLE), cluster(facts, args)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    left.plot(RANKS, RANKS, color="#999999", linewidth=0.8, linestyle="--")
    left.text(RANKS[-1] * 1.2, RANKS[-1], "ideal", color="#777777", va="center")
    for batch, color in zip(BATCHES, ("#D55E00", "#0072B2", "#009E73"), strict=True):
        gains = [speedup(one, joined, batch, n) for n in RANKS]
        left.plot(RANKS, gains, color=color, marker="o", markersize=3)
        left.text(RANKS[-1] * 1.2, gains[-1], f"{batch:,} rows", color=color, va="center")
        spans = [args.epochs * hours(one, joined, batch, n, 1e12) for n in RANKS]
        prices = [span * n * args.core_hour for span, n in zip(spans, RANKS, strict=True)]
        right.plot(spans, prices, color=color, marker="o", markersize=3)
    left.set(xscale="log", yscale="log", xlabel="cores", ylabel="times as fast as one core", xlim=(0.8, 9000))
    right.set(xscale="log", yscale="log", xlabel=f"hours for {args.epochs} epochs over 1 TB", ylabel="price")
    for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:,g}")
    left.set_xticks([1, 10, 100, 1000])
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def renew(text: str, made: Mapping[str, str]) -> str:
    """The page with its tables replaced, each between ``<!-- name -->`` and ``<!-- end -->``."""

    def fill(found: re.Match[str]) -> str:
        return f"{found[1]}\n{made[found[2]]}\n{found[3]}" if found[2] in made else found[0]

    return MARKED.sub(fill, text)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments, each an assumption of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number: dict[str, Any] = {"type": float, "metavar": "X"}
    parser.add_argument("--latency", **number, default=10e-6, help="seconds of a message between machines")
    parser.add_argument("--bandwidth", **number, default=1.25e9, help="bytes a second between machines")
    parser.add_argument("--cores", type=int, default=32, metavar="N", help="of a machine, a rank each")
    parser.add_argument("--disk", **number, default=2e9, help="bytes a second that a machine reads")
    parser.add_argument("--jitter", **number, default=0.05, help="the deviation of a step's time, as a share of it")
    parser.add_argument("--core-hour", **number, default=0.05, help="the price of a core for an hour")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--failures", **number, default=1e-3, help="of a machine in an hour")
    parser.add_argument("--save", **number, default=5.0, help="seconds that a checkpoint takes")
    parser.add_argument("--restart", **number, default=300.0, help="seconds from a failure to the next step")
    parser.add_argument("--measure", action="store_true", help="measure the steps on one core, and keep them")
    parser.add_argument("--write", action="store_true", help="renew the page and its figure")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="the figure alone, .svg or .png")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, or do what the arguments say."""
    args, facts = parse(argv), json.loads(CONSTANTS.read_text(encoding="utf-8"))
    if args.measure:
        measure(facts)
        CONSTANTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if args.draw is not None:
        draw(facts, args, args.draw)
    made = blocks(facts, args)
    if args.write:
        PAGE.write_text(renew(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
        draw(facts, args, FIGURE)
    else:
        print("\n".join(f"{name}\n\n{text}" for name, text in made.items()))


if __name__ == "__main__":
    main()
