"""The best accuracy of a multilayer perceptron on MNIST, without distortions and with.

    python mnist_record.py [--distort] [--epochs 100] [--seeds 0 1 2]

Without: noise in every layer after batch normalisation (Rasmus et al., Ladder Networks, 2015, baseline of table 1).
With --distort: each image is rotated, stretched, sheared and bent differently each time (Simard 2003, Cireşan 2010).
Each seed takes a quarter of an hour; the networks of all seeds form an ensemble.
"""

import argparse
from itertools import pairwise

import numpy as np

import chainrule as cr


def noisy_network(seed):
    """A network with normal noise on the image and on each standardised layer."""
    layers = [cr.GaussianNoise(0.3)]
    for inputs, outputs in pairwise([784, 1000, 500, 250, 250, 250]):
        layers += [cr.Linear(inputs, outputs, bias=False), cr.BatchNorm(outputs), cr.GaussianNoise(0.3), cr.ReLU()]
    return cr.Sequential([*layers, cr.Linear(250, 10)], rng=seed)


def wide_network(seed):
    """A network of 1200-600 ReLUs with batch normalisation; the distortions are its noise."""
    hidden = [[cr.Linear(i, o, bias=False), cr.BatchNorm(o), cr.ReLU()] for i, o in ((784, 1200), (1200, 600))]
    return cr.Sequential([*hidden[0], *hidden[1], cr.Linear(600, 10)], rng=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--distort", action="store_true")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()

    mnist, accuracy, outputs = cr.data.load_named("mnist"), cr.metrics.accuracy, []
    for seed in args.seeds:
        if args.distort:
            optimizer = cr.AdamW(cr.schedules.WarmupCosine(0.002, warmup=0.05), weight_decay=0.01)
            settings = dict(optimizer=optimizer, batch_size=256, augment=[cr.data.RandomDistortion((28, 28))])
        else:  # η is constant, and falls to 0 in the last third
            settings = dict(optimizer=cr.Adam(lambda t, total: 0.002 * min(1, 3 - 3 * t / total)), batch_size=100)
        model = (wide_network if args.distort else noisy_network)(seed)
        history = cr.Trainer(model, "cross_entropy", **settings).fit(mnist.x, mnist.y, epochs=args.epochs, every=10)
        outputs.append(model.predict(mnist.x_test))
        score, minutes = accuracy(mnist.y_test, outputs[-1]), sum(history["seconds"]) / 60
        print(f"seed {seed}: test accuracy {score:.2%} in {minutes:.1f} min", flush=True)
    alone = np.mean([accuracy(mnist.y_test, z) for z in outputs])
    together = accuracy(mnist.y_test, np.mean([cr.ops.softmax(z) for z in outputs], axis=0))
    print(f"mean {alone:.2%}; an ensemble of {len(outputs)}, by the mean of their probabilities: {together:.2%}")


if __name__ == "__main__":
    main()
