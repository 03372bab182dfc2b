"""Write the files of a format with the code of its time, once: ``PYTHONPATH=… python make.py NAME``.

``NAME.safetensors`` is a model, ``NAME.json`` what it predicts for some rows, and ``NAME-checkpoint.safetensors`` a
training of it, where the version has checkpoints.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import chainrule as cr

ROWS = np.linspace(-2, 2, 12).reshape(3, 4)


def network() -> cr.Sequential:
    """Each layer that has arrays, and some that have settings."""
    block = cr.Residual([cr.LayerNorm(3), cr.Linear(3, 3, activation=cr.LeakyReLU(0.2), bias=False)])
    layers = [cr.Linear(4, 3, activation="gelu", l2=0.01), cr.BatchNorm(3), block, cr.PReLU(3), cr.Scale(3)]
    model = cr.Sequential([*layers, cr.Dropout(0.25), cr.Linear(3, 2), cr.Softmax()], rng=0)
    model.metadata = {"class_names": ["ja", "nein"], "score": 0.1, "nothing": None, "日本": [1, True]}
    for _ in range(3):
        model.forward(ROWS, training=True)  # moves the running statistics
    return model


def main(name: str) -> None:
    folder = Path(__file__).parent
    model = network()
    cr.save(model, folder / f"{name}.safetensors")
    expected = {"version": cr.__version__, "outputs": model.predict(ROWS).tolist()}
    (folder / f"{name}.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
    if hasattr(cr, "Checkpoint"):
        with tempfile.TemporaryDirectory() as written:
            trainer = cr.Trainer(model, cr.CrossEntropy(from_logits=False), cr.SGD(0.0), batch_size=3)
            trainer.callbacks.append(cr.callbacks.Checkpoint(written))
            trainer.fit(ROWS, np.array([0, 1, 0]), epochs=1, verbose=0)
            expected["checkpoint outputs"] = model.predict(ROWS).tolist()
            shutil.copy(next(Path(written).glob("*.safetensors")), folder / f"{name}-checkpoint.safetensors")
        (folder / f"{name}.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
