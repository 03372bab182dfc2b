"""Learn to read handwritten digits twice, with Trainer and with your own loop: the weights are equal bit for bit.

    python trainer_and_your_own_loop.py [--epochs 20] [--out FOLDER]

One seed determines the initial weights, the order of the batches and the dropout masks in both.
"""

import argparse
from pathlib import Path

import numpy as np

import chainrule as cr


def make_model():
    """Build 64 pixels → 64 → 32 → 10 probabilities, with dropout and a penalty of 1e-4 · ΣW² on each layer."""
    return cr.MLP([64, 64, 32, 10], activation="relu", softmax=True, dropout=0.1, l2=1e-4, rng=0)


def train_by_hand(x, y, epochs, size):
    """Train with the core of Trainer: forward, loss, backward, step."""
    model, loss, optimizer = make_model(), cr.CrossEntropy(from_logits=False), cr.Adam(0.003)
    for _ in range(epochs):
        for xb, yb in cr.batches(x, y, size=size, rng=model.rng):
            p = model.forward(xb, training=True)
            _, dp = loss(p, yb)
            model.backward(dp)
            optimizer.step(model.parameters.vector, model.gradients.vector)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plot")
    args = parser.parse_args()

    digits = cr.data.load_named("digits")  # 1,797 scans of 8 x 8 pixels, a fifth of them held out for the test
    model = make_model()
    print(model.summary(), "\n")

    loss = cr.CrossEntropy(from_logits=False)  # the model ends in a softmax: its outputs are probabilities
    trainer = cr.Trainer(model, loss, cr.Adam(0.003), batch_size=32, metrics=["accuracy"])
    history = trainer.fit(digits.x, digits.y, validation=(digits.x_test, digits.y_test), epochs=args.epochs, every=5)

    same = train_by_hand(digits.x, digits.y, args.epochs, size=32)
    equal = np.array_equal(model.parameters.vector, same.parameters.vector)
    print(f"Trainer and the loop by hand: {'the same weights, bit by bit' if equal else 'different weights'}.")

    p = model.predict(digits.x_test)
    accuracy = np.mean(p.argmax(axis=1) == digits.y_test)
    print(f"Test accuracy {accuracy:.1%}. The first test digit looks like a {p[0].argmax()}, {p[0].max():.1%} sure.")
    cr.plots.curves(history).savefig(args.out / "digits_curves.png", dpi=120)
    print(f"Loss and accuracy over the epochs: {args.out / 'digits_curves.png'}")


if __name__ == "__main__":
    main()
