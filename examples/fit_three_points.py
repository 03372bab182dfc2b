"""Watch gradient descent fit three points, (2, 3), (-1, 1) and (3, 5), with one bent line or with a few.

    python fit_three_points.py [--seed 2] [--epochs 100] [--out FOLDER]

The initial weights are small, so the network starts flat at 0 (loss 5.8). The rest depends on the seed. A single leaky
ReLU often bends the wrong way: it fits one point, passes midway between the others, and moves along a valley of loss
0.33 for thousands of epochs. With some seeds it stays on the plateau of 1.33, where every prediction is the mean of y.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import chainrule as cr

x = np.array([[2.0], [-1.0], [3.0]])
y = np.array([[3.0], [1.0], [5.0]])


def train(sizes, seed, epochs):
    """Train on all three points in every step: plain gradient descent."""
    normal = cr.initializers.Normal(0.1)
    model = cr.MLP(sizes, activation=cr.LeakyReLU(0.01), initializer=normal, rng=seed, dtype="float64")
    trainer = cr.Trainer(
        model, "half_squared_error", cr.SGD(0.1), batch_size=None, callbacks=[cr.callbacks.Progress(every=5)]
    )
    return model, trainer.fit(x, y, epochs=epochs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plot")
    args = parser.parse_args()

    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.add_subplot(xlabel="x", ylabel="y")
    line = np.linspace(-2, 4, 200)[:, None]
    for sizes in ([1, 1, 1], [1, 4, 3, 1]):
        model, history = train(sizes, args.seed, args.epochs)
        answers = ", ".join(f"{a:.2f}" for a in model.predict(x)[:, 0])
        print(f"{sizes}: loss {history['loss'][0]:.2f} -> {history['loss'][-1]:.3f}, answers {answers} for 3, 1, 5\n")
        ax.plot(line, model.predict(line), label=f"{sizes}, loss {history['loss'][-1]:.3f}")
    ax.plot(x, y, "ko", label="the three points")
    ax.legend(frameon=False)
    figure.savefig(args.out / "three_points.png", dpi=120)
    print(f"The two bent lines: {args.out / 'three_points.png'}")


if __name__ == "__main__":
    main()
