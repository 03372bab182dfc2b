"""Predict a number from a real table: the progression of diabetes in a year, from ten measurements of 442 patients.

    python predict_diabetes.py [--epochs 200] [--out FOLDER]

It uses plain gradient descent on all rows at once, which needs standardised inputs.
"""

import argparse
from pathlib import Path

from sklearn.datasets import load_diabetes

import chainrule as cr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plots")
    args = parser.parse_args()

    table = load_diabetes(scaled=False)  # Efron et al., "Least angle regression" (2004)
    x, y, x_test, y_test = cr.data.split(table.data, table.target[:, None], 0.2, rng=0)
    mean, deviation = x.mean(axis=0), x.std(axis=0)  # of the training rows only: the test rows stay unseen
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    center, scale = y.mean(), y.std()

    model = cr.MLP([10, 16, 1], activation=cr.LeakyReLU(0.01), rng=0)
    trainer = cr.Trainer(model, "squared_error", cr.SGD(0.05), batch_size=None, metrics=["r2_score"])
    test = (x_test, (y_test - center) / scale)
    history = trainer.fit(x, (y - center) / scale, validation=test, epochs=args.epochs, every=20)

    predicted = model.predict(x_test) * scale + center  # back to the units of the table
    r2 = cr.metrics.r2_score(y_test, predicted)
    error = cr.metrics.mean_absolute_error(y_test, predicted)
    print(f"On {len(x_test)} patients that it has never seen: R² {r2:.3f}, off by {error:.0f} on average")
    print(f"(scores go from {y.min():.0f} to {y.max():.0f}; always saying {center:.0f} has R² 0).")
    cr.plots.predictions(y_test, predicted, target="score").savefig(args.out / "diabetes_predictions.png", dpi=120)
    cr.plots.curves(history).savefig(args.out / "diabetes_curves.png", dpi=120)
    print(f"Pictures: {args.out / 'diabetes_predictions.png'}, {args.out / 'diabetes_curves.png'}")


if __name__ == "__main__":
    main()
