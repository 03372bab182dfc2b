"""Adding an activation takes four files: in a copy of the tree it is then trained, proved, compiled and exported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from chainrule.ops import fused
from tree import ROOT, copied

MOST_FILES = 5

pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").is_file(), reason="no source tree")

#: file → (the line in front of which it is put, what is put there)
SOFTSIGN = {
    "ops/activations/piecewise.py": (
        "def relu(x: Array",
        '''\
__all__ += ["softsign", "softsign_backward"]


def softsign(x: Array, out: Array | None = None) -> Array:
    """y = x / (1 + |x|), dx = dy · (1 − |y|)²"""
    return np.divide(x, 1 + np.abs(x), out=out)


def softsign_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    return np.multiply(dy, np.square(1 - np.abs(y)), out=out)


''',
    ),
    "ops/fused/kernels/activations.def": (
        "#undef ACTIVATION",
        "ACTIVATION(softsign, x / (1 + NAME(magnitude)(x)), "
        "(1 - NAME(magnitude)(kept)) * (1 - NAME(magnitude)(kept)))\n",
    ),
    "layers/activations.py": (
        "ACTIVATIONS: Registry",
        '__all__ += ["Softsign"]\n\n\nclass Softsign(Elementwise, op="softsign"):\n    """y = x / (1 + |x|)"""\n\n\n',
    ),
    "persistence/programs.py": (
        '    "relu": Elementwise(',
        '    "softsign": Elementwise(\n'
        '        lambda g, x: g.Div(x, g.Add(g.Abs(x), 1.0)), "v / (1.0f + fabsf(v))", "nn.Softsign()"\n    ),\n',
    ),
}

STORY = """
import sys, tempfile, pathlib
import numpy as np, chainrule as cr
from chainrule.ops.fused import KERNELS, compiled
from chainrule.proof.table import proofs
from chainrule.training.stages import stages_of

x = np.random.default_rng(0).normal(size=(60, 4))
model = cr.Sequential([cr.Linear(4, 8, "softsign"), cr.Linear(8, 8), cr.Softsign(), cr.Linear(8, 2)], rng=0)
proved = {proof.name: proof.error(np.random.default_rng(0)) for proof in proofs()}
assert proved["softsign"] < 1e-6 and proved["Softsign"] < 1e-6
history = cr.Trainer(model, "squared_error", cr.Adam(0.02), rng=0).fit(x, np.sin(x[:, :2]), epochs=30, verbose=0)
assert history["loss"][-1] < history["loss"][0] / 2
np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-5, atol=1e-6)
assert KERNELS == "numpy" or ("softsign" in compiled.ACTIVATIONS and stages_of(model, x))
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    cr.save(model, folder / "model")
    np.testing.assert_array_equal(cr.load(folder / "model").predict(x), model.predict(x))
    for name in sys.argv[1:]:
        done = cr.export(model, folder / f"model.{name}", "pytorch" if name == "torch" else None)
        assert done.checked is None or done.checked < 1e-5
        assert name != "torch" or "nn.Softsign()" in done.notes[0]
print("told", *sys.argv[1:])
"""


@pytest.mark.parametrize("kernels", ["numpy", pytest.param("fused", marks=pytest.mark.slow)])
def test_an_activation_is_added_in_a_few_files(kernels: str, tmp_path: Path) -> None:
    assert len(SOFTSIGN) <= MOST_FILES
    source = copied(tmp_path / "source")
    for name, (line, added) in SOFTSIGN.items():
        path = source / "src/chainrule" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(line) == 1, name
        path.write_text(text.replace(line, added + line), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(source / "src"), "CHAINRULE_KERNELS": kernels}
    if kernels == "fused":
        if fused.ABSENT or find_spec("Cython") is None:
            pytest.skip("no compiled kernels here: perhaps no compiler either")
        build = [sys.executable, "setup.py", "build_ext", "--inplace"]
        subprocess.run(build, cwd=source, env=environment, check=True, capture_output=True)
    formats = ["h", "torch", *(["onnx"] if find_spec("onnx") else [])]
    story = [sys.executable, "-W", "error", "-c", STORY, *formats]
    told = subprocess.run(story, env=environment, capture_output=True, text=True, check=False)
    assert told.stdout == f"told {' '.join(formats)}\n", told.stderr
