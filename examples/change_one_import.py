"""Find a rare digit with a scikit-learn pipeline and one changed import: class weights, your own validation rows.

    python change_one_import.py [--epochs 200] [--out FOLDER]

About one scan in fifty is an eight. A classifier that never says eight has an accuracy of 98 %, but a balanced accuracy
of 50 %.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn import config_context
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr


def make_pipeline(class_weight, epochs):
    """Standardise, then classify; the pipeline also standardises the validation rows."""
    # was: sklearn.neural_network.MLPClassifier
    network = cr.MLPClassifier((32,), class_weight=class_weight, early_stopping=True, scoring="neg_log_loss")
    network.set_params(learning_rate_init=0.003, max_iter=epochs, random_state=0)
    network.set_fit_request(X_val=True, y_val=True)
    return Pipeline([("scale", StandardScaler()), ("network", network)], transform_input=["X_val"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plot")
    args = parser.parse_args()

    X, digit = load_digits(return_X_y=True)
    eights = np.flatnonzero(digit == 8)
    rows = np.setdiff1d(np.arange(len(digit)), eights[:-35])  # all others, and the last 35 eights
    X, y = X[rows], digit[rows] == 8
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

    for class_weight in (None, "balanced"):
        with config_context(enable_metadata_routing=True):  # fit passes X_val and y_val to the step that requests them
            pipeline = make_pipeline(class_weight, args.epochs).fit(X, y, X_val=X_val, y_val=y_val)
        network, score = pipeline["network"], balanced_accuracy_score(y_test, pipeline.predict(X_test))
        print(f"{class_weight=} ends after {network.n_iter_:2} epochs: balanced accuracy {score:.1%}")

    curves = {"loss": network.loss_curve_, "validation_loss": network.validation_loss_curve_}
    cr.plots.curves(curves).savefig(args.out / "rare_digit_curves.png", dpi=120)
    print(f"The loss over the epochs: {args.out / 'rare_digit_curves.png'}")


if __name__ == "__main__":
    main()
