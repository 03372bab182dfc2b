"""What a new loss, optimizer, metric, schedule or initializer takes: a class in its family, and no other line.

Each is added to a copy of the package, which then trains with it by its name and proves it. A kernel takes two files
more, ``kernels/*.def`` and ``kernels/*.h``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import chainrule


@dataclass(frozen=True)
class Addition:
    """A name, the file of its family, its code, where else it is named, and a program that uses it."""

    name: str
    family: str
    code: str
    elsewhere: dict[str, tuple[str, str]]
    use: str


TRAIN = """
x = np.random.default_rng(0).normal(size=(64, 3))
trainer = cr.Trainer(cr.MLP([3, 1], rng=0, dtype="float64"), {loss}, {optimizer}, metrics=[{metric}])
history = trainer.fit(x, x[:, :1], epochs=9, verbose=0)
assert history["loss"][-1] < history["loss"][0]
"""
PROVED = """
from chainrule.proof.table import TOLERANCE, proofs
(proof,) = [proof for proof in proofs() if proof.name == "Quartic"]
assert proof.error(np.random.default_rng(0)) < TOLERANCE
"""
ADDITIONS = [
    Addition(
        "Quartic",
        "losses/regression.py",
        "@frozen\nclass Quartic(Loss):\n    def terms(self, z, y):\n        return (z - y) ** 4, 4 * (z - y) ** 3\n",
        {},
        TRAIN.format(loss='"quartic"', optimizer='"sgd"', metric="") + PROVED,
    ),
    Addition(
        "Signs",
        "optimizers/momentum.py",
        "class Signs(Optimizer):\n    def direction(self, g, *others):\n        return np.sign(g)\n",
        {},
        TRAIN.format(loss='"huber"', optimizer='"signs"', metric=""),
    ),
    Addition(
        "largest_error",
        "metrics/regression.py",
        "def largest_error(y_true, y_pred, sample_weight=None):\n    return float(np.abs(y_true - y_pred).max())\n",
        {"metrics/names.py": ("FILES = {\n", 'FILES = {{\n    "{name}": "regression",\n')},
        TRAIN.format(loss='"huber"', optimizer='"sgd"', metric='"largest_error"') + 'assert history["largest_error"]',
    ),
    Addition(
        "Falling",
        "schedules/decay.py",
        "@frozen\nclass Falling:\n    def __call__(self, step, total=None):\n        return 0.1 / (1 + step)\n",
        {},
        TRAIN.format(loss='"huber"', optimizer="cr.SGD(cr.schedules.Falling())", metric=""),
    ),
    Addition(
        "Sevenths",
        "initializers/plain.py",
        "@frozen\nclass Sevenths(Initializer):\n    def draw(self, shape, rng):\n        return np.ones(shape) / 7\n",
        {},
        'assert cr.Sequential([cr.Linear(2, 2, initializer="sevenths")], rng=0).predict(np.eye(2)).std() == 0',
    ),
]


@pytest.mark.parametrize("new", ADDITIONS, ids=lambda new: new.name)
def test_a_new_part_is_public_and_in_use(new: Addition, tmp_path: Path) -> None:
    copy = tmp_path / "chainrule"
    shutil.copytree(Path(chainrule.__file__).parent, copy, ignore=shutil.ignore_patterns("_kernels*", "__pycache__"))
    family = copy / new.family
    text = family.read_text(encoding="utf-8").replace("__all__ = [", f'__all__ = ["{new.name}", ', 1)
    family.write_text(f"{text}\n\n{new.code}", encoding="utf-8")
    module = new.family.removesuffix(".py").replace("/", ".")
    for file, (before, after) in new.elsewhere.items():
        text = (copy / file).read_text(encoding="utf-8")
        assert before in text
        written = text.replace(before, after.format(name=new.name, module=module), 1)
        (copy / file).write_text(written, encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport numpy as np, chainrule as cr\n{new.use}"
    command = [sys.executable, "-c", f"{program}\nassert cr.__file__.startswith({str(tmp_path)!r})"]
    subprocess.run(command, check=True, env={**os.environ, "CHAINRULE_KERNELS": "numpy"})
