"""Teach a sigmoid network XOR on the plane from a few random points per epoch.

    python one_random_batch_an_epoch.py [--epochs 500] [--out FOLDER]

Each epoch draws 40 of the 400 points and takes one step along the mean of their gradients. For about 150 epochs hardly
anything changes: with such small weights all sigmoids are nearly equal, and their gradients cancel.
"""

import argparse
from pathlib import Path

import numpy as np

import chainrule as cr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plot")
    args = parser.parse_args()

    x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(float)  # 1 if both signs are equal

    uniform = cr.initializers.Uniform(-0.5, 0.5)
    hidden = cr.Linear(2, 8, activation="sigmoid", initializer=uniform, bias_initializer=uniform)
    output = cr.Linear(8, 1, activation="sigmoid", initializer=uniform, bias_initializer=uniform)
    model = cr.Sequential([hidden, output], rng=0)

    trainer = cr.Trainer(model, "half_squared_error", cr.SGD(10.0), batch_size=40, sample="one")
    print("The error of each tenth epoch, on the points drawn in it:", flush=True)
    trainer.fit(x, y, epochs=args.epochs, every=10)

    error = trainer.evaluate(x, y)["loss"]
    right = np.mean((model.predict(x) > 0.5) == y)
    print(f"Error on all 400 points {error:.4f}; {right:.1%} of them on the right side.")
    for point in ([0.5, 0.5], [0.5, -0.5], [-0.5, 0.5], [-0.5, -0.5]):
        print(f"  {point} -> {model.predict([point])[0, 0]:.2f}")
    cr.plots.decision_regions(model, x, y).savefig(args.out / "xor_regions.png", dpi=120)
    print(f"What it answers everywhere: {args.out / 'xor_regions.png'}")


if __name__ == "__main__":
    main()
