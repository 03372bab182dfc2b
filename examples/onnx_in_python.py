"""Train on scanned digits, export the network to ONNX, and predict with only ONNX Runtime.

    python onnx_in_python.py [--epochs 20] [--out FOLDER]

Running the file does not need chainrule: `pip install onnxruntime` there, `pip install 'chainrule[onnx,sklearn]'` here.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import chainrule as cr


def train(x, y, epochs):
    """Train a network for the logits of the ten digits; the class names are in its metadata."""
    model = cr.MLP([64, 128, 10], activation="gelu", dropout=0.2, rng=0)
    cr.Trainer(model, "cross_entropy", cr.AdamW(0.003), batch_size=64, rng=0).fit(x, y, epochs=epochs, verbose=0)
    model.metadata = {"class_names": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]}
    return model


def predict(file, x):
    """Return the name and probability of the most probable class of each row, with ONNX Runtime."""
    session = onnxruntime.InferenceSession(file)
    names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    (probabilities,) = session.run(["probabilities"], {"x": x})
    return [names[best] for best in probabilities.argmax(axis=1)], probabilities.max(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the file")
    args = parser.parse_args()

    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split((x / 16).astype(np.float32), y, test_size=0.2, stratify=y, random_state=0)
    model = train(x, y, args.epochs)
    print(cr.export(model, args.out / "digits.onnx", outputs="probabilities"))  # browsers can run it too

    names, sure = predict(args.out / "digits.onnx", x_test)
    right = np.mean([name == model.metadata["class_names"][digit] for name, digit in zip(names, y_test, strict=True)])
    print(f"ONNX Runtime reads {right:.1%} of the test digits right; the first is a {names[0]} ({sure[0]:.0%} sure)")


if __name__ == "__main__":
    main()
