"""Random models of random tables: each exported file answers as the model does on the rows it was trained on.

Columns are far from zero, tiny, huge, constant or whole numbers; targets lie anywhere between 1e-12 and 1e12; labels
are of every kind. The export sees the model alone. Whatever it writes without a refusal is run here on the true rows,
and held against ``predict`` in float64 by measures of this file's own. A refusal is one sentence.

    pytest tests/fuzz/test_exports.py -m slow --seed 7
"""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.persistence import c

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

ROWS = 120
SAMPLE, MANY = 24, 400
WORST = 0.05  # of the spread, or of a probability; export itself promises 0.01 on rows that it draws
ACTIVATIONS = ["relu", "tanh", "gelu", "gelu_tanh", "silu", "elu", "selu", "mish", "softplus", "sigmoid", "leaky_relu"]
LOSSES = ["squared_error", "huber", "absolute_error", "log_cosh", "quantile", "gaussian_nll"]
LABELS = [
    np.array([0, 1, 2]),
    np.array([-3, 0, 2**40]),
    np.array([2**62, 2**62 + 1, 2**62 + 2]),
    np.array([2**63, 2**63 + 1, 7], np.uint64),
    np.array(["ä", "", "b c"]),
    np.array(["x", "yy", "z" * 50], object),
    np.array([False, True, True]),
    np.array([0.0, 2.0, 5.0]),
    np.array([4, 4, 4]),
]


@dataclass
class Case:
    """A model, the rows it was trained on, and what it was made of."""

    model: Any
    x: np.ndarray
    about: str


def power(rng: np.random.Generator, low: float, high: float) -> float:
    return float(10 ** rng.uniform(low, high))


def column(rng: np.random.Generator) -> np.ndarray:
    """One column as tables have them."""
    kind = rng.integers(6)
    if kind == 0:
        return rng.integers(0, 3, ROWS).astype(float)
    if kind == 1:
        return np.full(ROWS, power(rng, -6, 12))
    if kind == 2:  # seconds since 1970, ids
        return 1.75e9 + rng.uniform(0, power(rng, 1, 8), ROWS)
    center = rng.normal() * power(rng, -3, 6)
    return center + power(rng, -6, 6) * rng.standard_normal(ROWS)


def table(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Columns, and a number that depends on them."""
    x = np.stack([column(rng) for _ in range(rng.integers(1, 6))], axis=1)
    deviation = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return x, np.tanh(z).sum(axis=1) + 0.1 * rng.standard_normal(ROWS)


def estimator(rng: np.random.Generator) -> Case:
    """A fitted classifier or regressor, alone or behind a scaler."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    x, score = table(rng)
    x = x.astype(rng.choice(["float32", "float64"], p=[0.3, 0.7]))
    settings: dict[str, Any] = dict(
        hidden_layer_sizes=tuple(int(n) for n in rng.integers(1, 12, rng.integers(0, 3))),
        activation=str(rng.choice(ACTIVATIONS)),
        normalization=rng.choice([None, "batch", "layer"]),
        dropout=float(rng.choice([0, 0.3])),
        max_iter=int(rng.integers(1, 15)),
        learning_rate_init=0.01,
        random_state=int(rng.integers(100)),
        scale=True,
    )
    if rng.random() < 0.5:
        labels = LABELS[rng.integers(len(LABELS))]
        model, y = cr.MLPClassifier(**settings), labels[np.digitize(score, np.quantile(score, [0.4, 0.7]))]
    else:
        y = power(rng, -12, 12) * score + rng.choice([0, 1]) * rng.normal() * power(rng, -3, 10)
        y = np.stack([y, score], axis=1) if rng.random() < 0.3 else y
        model = cr.MLPRegressor(str(rng.choice(LOSSES)), **settings)
    about = f"{settings}, y like {y[:2].tolist()}, x like {x[:2].tolist()} {x.dtype}"
    if rng.random() < 0.3:
        scaler = [StandardScaler(), MinMaxScaler(), RobustScaler()][rng.integers(3)]
        return Case(make_pipeline(scaler, model).fit(x, y), x, f"{scaler}, {about}")
    return Case(model.fit(x, y), x, about)


def network(rng: np.random.Generator) -> Case:
    """Some layers with parameters and statistics that training may lead to."""
    width = int(rng.integers(1, 9))
    x = rng.standard_normal((ROWS, width))
    layers: list[cr.Layer] = []
    dtype = str(rng.choice(["float32", "float64"]))
    if rng.random() < 0.3:
        front = cr.BatchNorm(width)
        front.running_mean[:] = rng.normal(size=width) * power(rng, -3, 9)
        front.running_variance[:] = power(rng, -4, 8)
        x = x * np.sqrt(front.running_variance) + front.running_mean
        if (np.abs(front.running_mean) > 1e3 * np.sqrt(front.running_variance)).any():
            dtype = "float64"  # in float32 the model's own answers are noise
        layers.append(front)
    for _ in range(int(rng.integers(1, 4))):
        out = int(rng.integers(1, 9))
        layers += [cr.Linear(width, out, str(rng.choice(ACTIVATIONS))), *between(rng, out)]
        width = out
    layers += [cr.Linear(width, int(rng.integers(1, 4)))]
    model = cr.Sequential(layers, rng=int(rng.integers(99)), dtype=dtype)
    model.parameters.vector[:] += 0.3 * rng.standard_normal(model.parameters.vector.shape)
    if layers and isinstance(layers[0], cr.BatchNorm):  # which building the model has reset
        layers[0].running_mean[:], layers[0].running_variance[:] = x.mean(axis=0), x.var(axis=0)
    return Case(model, x, repr(model))


def between(rng: np.random.Generator, width: int) -> list[cr.Layer]:
    """What may stand between layers of weights."""
    kind = str(rng.choice(["", "Dropout", "GaussianNoise", "BatchNorm", "LayerNorm", "Scale", "PReLU", "Residual"]))
    if kind == "Residual":
        return [cr.Residual([cr.Linear(width, width, "tanh"), cr.Dropout(0.2)])]
    if kind in ("BatchNorm", "LayerNorm", "Scale", "PReLU"):
        return [LAYERS[kind](width)]
    return [LAYERS[kind]()] if kind else []


def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network(rng) if seed % 3 == 0 else estimator(rng)


# --- the oracle -----------------------------------------------------------------------------------------------------


def expected(one: Case) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers (N, M), and labels where there are such, of the rows in float64."""
    x = one.x.astype(np.float64)
    if hasattr(one.model, "predict_proba"):
        return one.model.predict_proba(x), one.model.predict(x)
    return np.asarray(one.model.predict(x), np.float64).reshape(len(x), -1), None


def wrong(one: Case, numbers: np.ndarray, labels: np.ndarray | None = None) -> str:
    """What is wrong with these answers, or nothing."""
    y, wanted = expected(one)
    if wanted is not None and labels is not None:
        other = np.mean([a != b for a, b in zip(labels.tolist(), wanted.tolist(), strict=True)])
        if other > WORST:
            return f"{other:.0%} other labels: {labels[:3]} for {wanted[:3]}"
    numbers = np.asarray(numbers, np.float64).reshape(len(y), -1)[:, : y.shape[1]]
    varies = y.std(axis=0) > 1e-6 * np.abs(y).max(axis=0)
    unit = np.ones(y.shape[1]) if wanted is not None else np.where(varies, y.std(axis=0), np.abs(y).max(axis=0))
    apart = np.sort(np.abs(numbers - y), axis=0)[-4]  # of all rows but three, where a network may jump
    if not (apart <= WORST * unit + 1e-30).all():
        return f"apart by {apart} in units of {unit}: {numbers[:2].tolist()} for {y[:2].tolist()}"
    return ""


def refused(error: Exception) -> str:
    """What is wrong with a refusal: it is one sentence of a plain ValueError or TypeError."""
    said = str(error)
    fine = type(error) in (ValueError, TypeError) and said.endswith(".") and " expects " in said and len(said) < 700
    return "" if fine and "\n" not in said else f"{type(error).__name__}: {said}"


def onnx_fault(one: Case, folder: Path) -> str:
    import onnxruntime

    try:
        done = cr.export(one.model, folder / "model.onnx")
    except Exception as error:
        return refused(error)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(done.path, options, providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    answers = session.run(None, {"x": one.x.astype(kind)})
    return wrong(one, answers[-1], answers[0] if len(answers) > 1 else None)


def bridge_fault(one: Case) -> str:
    try:
        network = cr.convert.to_sklearn(one.model)
    except Exception as error:
        return refused(error)
    theirs = network.predict_proba if hasattr(network, "predict_proba") else network.predict
    return wrong(one, theirs(one.x.astype(np.float64)), network.predict(one.x.astype(np.float64)))


def c_faults(cases: dict[int, Case], folder: Path) -> dict[int, str]:
    """All headers that are written, in one program; what is wrong with each."""
    faults, written = {}, []
    for seed, one in cases.items():
        try:
            c.write(one.model, folder / f"n{seed}.h")
            written.append(seed)
        except Exception as error:
            faults[seed] = refused(error) if "Pipeline" not in str(error) else ""
    source = "#include <stdio.h>\n" + "".join(f'#define N{k}_SELF_TEST\n#include "n{k}.h"\n' for k in written)
    source += "".join(program(seed) for seed in written)
    calls = "".join(f"    run{seed}();\n" for seed in written)
    (folder / "main.c").write_text(f"{source}int main(void)\n{{\n{calls}    return 0;\n}}\n", encoding="utf-8")
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1"]
    made = subprocess.run(
        ["cc", *strict, "main.c", "-o", "main", "-lm"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[:3000]
    given = b"".join(cases[seed].x.astype(np.float32).tobytes() for seed in written)
    told = subprocess.run([str(folder / "main")], input=given, capture_output=True, check=True).stdout
    numbers = np.frombuffer(told, np.float32)
    for seed in written:
        outputs, tested = int(numbers[0]), float(numbers[1])
        faults[seed] = wrong(cases[seed], numbers[2 : 2 + ROWS * outputs].reshape(ROWS, outputs))
        faults[seed] = faults[seed] or (
            f"its self-test says {tested}" if not tested <= tolerance(folder / f"n{seed}.h") else ""
        )
        numbers = numbers[2 + ROWS * outputs :]
    return faults


def tolerance(header: Path) -> float:
    found = re.search(r"On a sound device it is at most ([\d.e-]+)\. ", header.read_text(encoding="utf-8"))
    assert found is not None, re.search("On a sound.*", header.read_text(encoding="utf-8"))
    return 1.1 * float(found[1])


def program(seed: int) -> str:
    """A function that writes the outputs, the self-test and the answers to ROWS rows."""
    return f"""static void run{seed}(void)
{{
    float x[N{seed}_INPUTS], y[N{seed}_OUTPUTS], about[2] = {{(float)N{seed}_OUTPUTS, n{seed}_self_test()}};
    fwrite(about, sizeof about, 1, stdout);
    for (int row = 0; row < {ROWS} && fread(x, sizeof x, 1, stdin) == 1; row++) {{
        n{seed}_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }}
}}
"""


# --- tests ----------------------------------------------------------------------------------------------------------


def seeds(count: int, start: int) -> range:
    return range(start, start + count)


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(MANY, marks=pytest.mark.slow)])
def test_onnx_files_answer_as_their_models_or_are_refused(count: int, fuzz_seed: int, tmp_path: Path) -> None:
    for module in ("onnx", "onnxruntime", "skl2onnx"):
        pytest.importorskip(module)
    for seed in seeds(count, fuzz_seed * MANY):
        one = case(seed)
        fault = onnx_fault(one, tmp_path)
        assert not fault, f"seed {seed}: {fault}\n{one.about}"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("count", [SAMPLE, pytest.param(MANY, marks=pytest.mark.slow)])
def test_c_headers_answer_as_their_models_or_are_refused(count: int, fuzz_seed: int, tmp_path: Path) -> None:
    cases = {seed: case(seed) for seed in seeds(count, fuzz_seed * MANY)}
    faults = {seed: fault for seed, fault in c_faults(cases, tmp_path).items() if fault}
    assert not faults, "\n".join(f"seed {seed}: {fault}\n{cases[seed].about}" for seed, fault in faults.items())


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(MANY, marks=pytest.mark.slow)])
def test_networks_of_scikit_learn_answer_as_ours_or_are_refused(count: int, fuzz_seed: int) -> None:
    for seed in seeds(count, fuzz_seed * MANY):
        one = case(seed)
        if isinstance(one.model, (cr.MLPClassifier, cr.MLPRegressor)):
            fault = bridge_fault(one)
            assert not fault, f"seed {seed}: {fault}\n{one.about}"
