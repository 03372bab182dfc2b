"""Compare ways to improve the same network on the same data, on MNIST.

    python recipes_that_learn_more.py [--data mnist] [--epochs 30] [--seeds 0 1 2]

Each is one option of the model or the Trainer; docs/training.md names their sources. A seed and recipe takes a minute
or two; `--data digits --epochs 5` runs all of them in seconds.
"""

import argparse
import time
from itertools import pairwise

import numpy as np

import chainrule as cr


def network(widths, *between, first=()):
    """Return blocks of Linear, the layers ``between`` (functions of the width) and ReLU, and a last Linear."""
    layers = list(first)
    for narrow, wide in pairwise(widths[:-1]):
        layers += [cr.Linear(narrow, wide), *(make(wide) for make in between), cr.ReLU()]
    return [*layers, cr.Linear(*widths[-2:])]


def recipes(data):
    """Return the layers and the Trainer's settings of each recipe by name."""
    widths, noise = [data.x.shape[1], 512, 256, len(data.class_names)], [cr.GaussianNoise(0.3)]
    dropped = network(widths, lambda _: cr.Dropout(0.5), first=[cr.Dropout(0.2)])
    yield "plain", network(widths), {}
    yield "dropout and max-norm", dropped, {"callbacks": [cr.callbacks.MaxNorm(2.0)]}
    yield "batch norm and noise", network(widths, cr.BatchNorm, lambda _: cr.GaussianNoise(0.3), first=noise), {}
    yield "weight averaging", network(widths), {"callbacks": [cr.callbacks.WeightAverage(0.999)]}
    yield "mix-up", network(widths), {"augment": [cr.data.MixUp(0.2, classes=widths[-1])]}
    yield "distortions", network(widths, cr.BatchNorm), {"augment": [cr.data.RandomDistortion(data.image_shape)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()

    data, accuracy = cr.data.load_named(args.data), cr.metrics.accuracy
    for all_seeds in zip(*(recipes(data) for _ in args.seeds), strict=True):
        start, outputs = time.perf_counter(), []
        for seed, (_, layers, settings) in zip(args.seeds, all_seeds, strict=True):
            model = cr.Sequential(layers, rng=seed)
            trainer = cr.Trainer(model, "cross_entropy", cr.Adam(cr.schedules.WarmupCosine(0.002)), 128, **settings)
            trainer.fit(data.x, data.y, epochs=args.epochs, verbose=0)
            outputs.append(cr.ops.softmax(model.predict(data.x_test)))
        alone, together = np.mean([accuracy(data.y_test, p) for p in outputs]), np.mean(outputs, axis=0)
        scores = f"{alone:.2%}   ensemble {accuracy(data.y_test, together):.2%}"
        print(f"{all_seeds[0][0]:<22}{scores}   {(time.perf_counter() - start) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
