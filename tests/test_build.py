"""The build: with a compiler and without, every installation works and says what it is."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import pytest

from chainrule import ops
from chainrule.ops import activations, fused
from tree import MADE, ROOT, copied

LINE = "chainrule: {}; installing without compiled kernels, NumPy alone will compute"
BACKEND = "import sys; from setuptools import build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
REPORT = """
import sys; sys.path.insert(0, sys.argv[1])
import chainrule as cr, functools, numpy as np
config = cr.show_config(mode="dicts")
model = cr.MLP([4, 8, 2], rng=0)
cr.Trainer(model, "cross_entropy").fit(np.eye(4), [0, 1, 0, 1], epochs=2, verbose=0)
print(cr.__file__.startswith(sys.argv[1]), config["kernels"])
"""

pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").is_file() or find_spec("setuptools") is None, reason="no source tree, or no setuptools"
)
needs_compiler = pytest.mark.skipif(
    bool(fused.ABSENT) or find_spec("Cython") is None, reason="no compiled kernels here: perhaps no compiler either"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what a build needs, with nothing built in it."""
    return copied(tmp_path / "source")


def run(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    hidden = ("CHAINRULE_", "PYTHONDONTWRITEBYTECODE", "COVERAGE_", "COV_")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables | environment,
        check=False,
    )


def build(what: str, source: Path, **environment: str) -> tuple[Path, str]:
    """The file that the build backend makes, as pip and build call it, and what it says."""
    result = run("-c", BACKEND, f"build_{what}", source / "dist", cwd=source, **environment)
    assert result.returncode == 0, result.stdout
    (path,) = (source / "dist").glob("*.tar.gz" if what == "sdist" else "*.whl")
    return path, result.stdout


def names_in(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def report(wheel: Path, **environment: str) -> str:
    """What the wheel says of itself, where it is unpacked."""
    folder = wheel.parent / "installed"
    zipfile.ZipFile(wheel).extractall(folder)
    return run("-c", REPORT, folder, **environment).stdout.strip()


@pytest.mark.parametrize("environment", [{"CC": "/no/such/compiler"}, {"PATH": "/nowhere", "CC": "gcc"}], ids=str)
def test_without_a_compiler_one_line_says_so(source: Path, environment: dict[str, str]) -> None:
    wheel, said = build("wheel", source, **environment)
    assert [line for line in said.splitlines() if "chainrule:" in line] == [LINE.format("no C compiler found")]
    assert "warning" not in said.lower()
    assert not [name for name in names_in(wheel) if "_kernels." in name]


def test_without_a_compiler_numpy_computes(source: Path) -> None:
    wheel, said = build("wheel", source, CC="/bin/false")
    assert LINE.format("no C compiler found") in said
    notice, *_, found = report(wheel).splitlines()
    assert "UserWarning: chainrule trains with NumPy alone" in notice
    assert found == "True {'in_use': 'numpy', 'why': 'not compiled when chainrule was installed'}"
    assert report(wheel, CHAINRULE_KERNELS="fused").splitlines()[-1] == (
        "ImportError: CHAINRULE_KERNELS=fused expects compiled kernels, got none (not compiled when chainrule was "
        "installed); install a C compiler and reinstall chainrule, or unset the variable."
    )


def test_kernels_that_do_not_compile_are_left_out(source: Path) -> None:
    if find_spec("Cython") is None:
        pytest.skip("no Cython to write the C of the kernels with")
    compiler = source / "compiler"  # compiles the trial alone
    compiler.write_text('#!/bin/sh\ncase "$*" in *trial.c*) ;; *) exit 1 ;; esac\n')
    compiler.chmod(0o755)
    wheel, said = build("wheel", source, CC=str(compiler))
    reason = "the kernels do not compile (the compiler says above why)"
    assert [line for line in said.splitlines() if "chainrule:" in line] == [LINE.format(reason)]
    assert not [name for name in names_in(wheel) if "_kernels." in name]


def test_kernels_may_be_left_out_on_purpose(source: Path) -> None:
    wheel, said = build("wheel", source, CHAINRULE_BUILD_KERNELS="0")
    assert "chainrule:" not in said
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_sdist_holds_the_sources_of_the_kernels(source: Path) -> None:
    """Wherever it is made, and nothing that was generated."""
    wanted = {str(path.relative_to(source)) for path in source.rglob("src/**/*") if path.is_file()}
    (source / "src/chainrule/ops/fused/_kernels.c").touch()
    path, _ = build("sdist", source, CHAINRULE_BUILD_KERNELS="0")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    found = {name for name in names if name.startswith("src/chainrule/") and Path(name).suffix}
    assert {name for name in wanted if not name.endswith("py.typed")} - found == set()
    assert "src/chainrule/ops/fused/_kernels.c" not in found
    assert "src/chainrule/py.typed" in names


@pytest.mark.slow
@needs_compiler
def test_with_a_compiler_the_wheel_holds_the_kernels_and_not_their_sources(source: Path) -> None:
    wheel, said = build("wheel", source)
    assert "chainrule:" not in said
    assert "warning" not in said.lower()
    names = names_in(wheel)
    assert len([name for name in names if "_kernels." in name]) == 1
    assert [name for name in names if name.endswith((".c", ".h", ".def", ".pyx", ".pxi"))] == []
    assert wheel.stat().st_size <= 1_000_000
    assert report(wheel, CHAINRULE_KERNELS="fused").startswith("True {'in_use': 'fused'")
    assert not list(source.glob("src/**/_kernels.*c*"))  # the generated C is in build/


#: What one adds in ops/ for an activation, a loss and an optimizer: the file, the line that follows, the text.
ADDITIONS = (
    ("activations/smooth.py", '    "softplus",', '    "softsign",\n    "softsign_backward",\n'),
    (
        "activations/smooth.py",
        "def softplus(",
        "def softsign(x, out=None):\n    return np.divide(x, 1 + np.abs(x), out=out)\n\n\n"
        "def softsign_backward(dy, y, out=None):\n    return np.multiply(dy, (1 - np.abs(y)) ** 2, out=out)\n\n\n",
    ),
    (
        "fused/kernels/activations.def",
        "ACTIVATION(tanh,",
        "ACTIVATION(softsign, x / (1 + NAME(magnitude)(x)),\n"
        "           (1 - NAME(magnitude)(kept)) * (1 - NAME(magnitude)(kept)))\n",
    ),
    (
        "fused/kernels/losses.def",
        "LOSS_OF_OUTPUTS(huber,",
        "LOSS_OF_OUTPUTS(power, 1, 1, NAME(power)(r, a, factor, l + i, dz + i))\n",
    ),
    (
        "fused/kernels/losses.h",
        "INLINE void NAME(huber)",
        "INLINE void NAME(power)(REAL r, REAL gain, REAL factor, REAL *l, REAL *dz) {\n"
        "    *l = gain * r * r * r * r;\n    *dz = 4 * gain * r * r * r * factor;\n}\n\n",
    ),
    ("fused/kernels/optimizers.def", "OPTIMIZER(adam,", "OPTIMIZER(follow, 1, 1, weight)\n"),
    (
        "fused/kernels/optimizers.h",
        "RULE(adam)",
        "RULE(follow) {\n    const REAL weight = (REAL)step->rule.follow.weight;\n    REAL *mean = state1;\n"
        "    OVER_ROWS(mean[i] += weight * (g - mean[i]); w[i] = keep * w[i] - rate * mean[i];)\n}\n\n",
    ),
)
ADDED = """
import sys; sys.path.insert(0, sys.argv[1])
import chainrule as cr, functools, numpy as np
from chainrule import ops
from chainrule.layers.activations import Elementwise
from chainrule.losses import Loss
from chainrule.ops.fused import compiled

x, dy = np.random.default_rng(0).normal(size=(2, 50, 4))
y = ops.softsign(x)
assert type(ops.softsign).__name__ == "cython_function_or_method"
np.testing.assert_allclose(y, x / (1 + abs(x)), rtol=1e-14)
np.testing.assert_allclose(ops.softsign_backward(dy, y=y), dy / (1 + abs(x)) ** 2, rtol=1e-13)

value, dz = compiled.compiled_loss("power", (0.5,), x, dy, None, None)
np.testing.assert_allclose(value, 0.5 * ((x - dy) ** 4).sum() / 50, rtol=1e-13)
np.testing.assert_allclose(dz, 2 * (x - dy) ** 3 / 50, rtol=1e-12)

class Softsign(Elementwise, op="softsign"):
    pass

class Follow(cr.Optimizer):
    kernel = "follow"
    def slots(self):
        return {"mean": 0.0}
    def coefficients(self, *step):
        return (0.25,)
    def direction(self, *arrays):
        raise AssertionError("the kernel computes it")

def trained(loss, optimizer):
    model = cr.Sequential([cr.Linear(4, 9, Softsign()), cr.Linear(9, 4)], rng=0, dtype="float64")
    cr.Trainer(model, loss, optimizer, batch_size=20).fit(x, dy, epochs=3, verbose=0)
    return model.parameters.vector

def uncalled(op):
    @functools.wraps(op)
    def refuse(*arrays, **options):
        raise AssertionError("a compiled training calls no op")
    return refuse

one_by_one = lambda z, y, weight: cr.SquaredError()(z, y, weight)  # no kernel is known for a function
expected = trained(one_by_one, cr.SGD(0.1, momentum=0.75, dampening=0.75))
ops.softsign, ops.softsign_backward = uncalled(ops.softsign), uncalled(ops.softsign_backward)
np.testing.assert_allclose(trained("squared_error", Follow(0.1)), expected, rtol=1e-10)
print("added")
"""


@pytest.mark.slow
@needs_compiler
def test_what_is_added_to_the_lists_of_kernels_is_compiled(source: Path) -> None:
    for name, line, added in ADDITIONS:
        path = source / "src/chainrule/ops" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(line) == 1
        path.write_text(text.replace(line, added + line), encoding="utf-8")
    wheel, said = build("wheel", source)
    assert "warning" not in said.lower()
    folder = source / "installed"
    zipfile.ZipFile(wheel).extractall(folder)
    assert run("-c", ADDED, folder, CHAINRULE_KERNELS="fused").stdout == "added\n"


def chosen(**environment: str) -> str:
    script = "import chainrule; from chainrule.ops import fused, relu; print(fused.KERNELS, type(relu).__name__)"
    return run("-c", script, **environment).stdout.strip().splitlines()[-1]


def test_numpy_can_be_chosen() -> None:
    assert chosen(CHAINRULE_KERNELS="numpy") == "numpy function"
    assert chosen(CHAINRULE_KERNELS=" NumPy ") == "numpy function"


@needs_compiler
def test_compiled_kernels_can_be_insisted_on_and_are_the_default() -> None:
    assert chosen(CHAINRULE_KERNELS="fused") == "fused cython_function_or_method"
    assert chosen(CHAINRULE_KERNELS="") == chosen() == "fused cython_function_or_method"


def test_another_choice_is_refused() -> None:
    assert chosen(CHAINRULE_KERNELS="nonsense") == (
        "ValueError: CHAINRULE_KERNELS expects numpy or fused, got 'nonsense'; set one of them, or neither."
    )


def test_a_compiled_twin_is_documented_as_its_plain_op() -> None:
    assert ops.relu.__doc__ == activations.relu.__doc__
    assert inspect.signature(ops.relu) == inspect.signature(activations.relu)


def test_kernels_that_do_not_load_are_reported(tmp_path: Path) -> None:
    """As after an update of Python or NumPy that no longer fits them."""
    package = tmp_path / "chainrule"
    shutil.copytree(Path(fused.__file__).parents[2], package, ignore=MADE)
    (package / "ops/fused" / f"_kernels{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    said = run("-c", REPORT, tmp_path).stdout
    assert "{'in_use': 'numpy', 'why': 'they do not load: " in said


@pytest.mark.slow
@needs_compiler
def test_a_processor_without_avx2_computes_with_numpy(source: Path) -> None:
    """The kernels are compiled as ever, but the processor is made to know none of the instructions."""
    dispatch = source / "src/chainrule/ops/fused/kernels/dispatch.c"
    dispatch.write_text(dispatch.read_text(encoding="utf-8").replace("return __builtin_cpu_supports(", "return 0 && ("))
    wheel, _ = build("wheel", source)
    notice, *_, found = report(wheel).splitlines()
    assert notice.endswith("(this processor lacks AVX2). Set CHAINRULE_KERNELS=numpy to silence this warning.")
    assert found == "True {'in_use': 'numpy', 'why': 'this processor lacks AVX2'}"
    assert report(wheel, CHAINRULE_KERNELS="fused").splitlines()[-1] == (
        "ImportError: CHAINRULE_KERNELS=fused expects compiled kernels, got none (this processor lacks AVX2); unset "
        "the variable."
    )
