"""Classify the 70,000 handwritten digits of MNIST with a model built layer by layer.

    python mnist_classifier.py [--epochs 10] [--out FOLDER]

MNIST is read from the folder $CHAINRULE_DATA/mnist, or downloaded once (11 MB) and cached.
"""

import argparse
from pathlib import Path

import chainrule as cr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plots")
    args = parser.parse_args()

    mnist = cr.data.load_named("mnist")
    x, x_test = mnist.x.reshape(-1, 28, 28), mnist.x_test.reshape(-1, 28, 28)
    print(mnist.description)

    he = cr.initializers.HeNormalWithBias()  # N(0, 2 / (inputs + 1))
    layers = [
        cr.Flatten(),
        cr.Linear(784, 512, initializer=he),
        cr.ReLU(),
        cr.Dropout(0.2),
        cr.Linear(512, 256, initializer=he),
        cr.ReLU(),
        cr.Dropout(0.2),
        cr.Linear(256, 10, initializer=he),
    ]
    model = cr.Sequential(layers, rng=0)  # its outputs are logits; the loss includes the softmax
    print(model.summary(), "\n", flush=True)

    rate = cr.schedules.WarmupCosine(0.5)  # η falls from 0.5 to 0 along half a cosine
    optimizer = cr.SGD(rate, momentum=0.9, dampening=0.9)  # v ← 0.9 v + 0.1 g, W ← W − η v
    trainer = cr.Trainer(model, "cross_entropy", optimizer, batch_size=64, metrics=["accuracy"])
    history = trainer.fit(x, mnist.y, validation=0.1, epochs=args.epochs)

    scores = trainer.evaluate(x_test, mnist.y_test)
    print(f"On 10,000 digits that it has never seen: accuracy {scores['accuracy']:.2%}, loss {scores['loss']:.4f}.")
    cr.plots.curves(history).savefig(args.out / "mnist_curves.png", dpi=120)
    labels = model.predict(x_test).argmax(axis=1)
    cr.plots.confusion(mnist.y_test, labels, mnist.class_names).savefig(args.out / "mnist_confusion.png", dpi=120)
    print(f"Curves and which digits it mixes up: {args.out / 'mnist_curves.png'}, {args.out / 'mnist_confusion.png'}")


if __name__ == "__main__":
    main()
