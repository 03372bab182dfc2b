"""The C that is written compiles without a warning, stays inside its memory, and answers what the model answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import earlier
from chainrule.layers import LAYERS
from chainrule.layers.base import walk
from chainrule.persistence import c
from chainrule.tabular.earlier import EarlierEncoder

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover"]
ACTIVATIONS = ["ELU", "GELU", "HardSigmoid", "Identity", "LeakyReLU", "Mish", "ReLU", "SELU", "SiLU"]
ACTIVATIONS += ["Sigmoid", "Softmax", "Softplus", "Tanh"]

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def compiled(folder: Path, program: str, *flags: str, compiler: str = "cc", standard: list[str] = STRICT) -> Path:
    """The program, which must compile without a warning."""
    suffix = "c" if compiler == "cc" else "cpp"
    (folder / f"main.{suffix}").write_text(program, encoding="utf-8")
    command = [compiler, *standard, *flags, f"main.{suffix}", "-o", "main", "-lm"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[:3000]
    assert made.stderr == ""
    return folder / "main"


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The flags of the sanitizers; none of them where the compiler has none."""
    folder = tmp_path_factory.mktemp("sanitizers")
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    if subprocess.run(["cc", *SANITIZED, "main.c"], cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("the C compiler has no address and undefined-behaviour sanitizers")
    return SANITIZED


@dataclass
class Exported:
    """A header, rows for it, and what it should answer."""

    header: Path
    x: np.ndarray
    y: np.ndarray

    @property
    def name(self) -> str:
        return self.header.stem


def export(folder: Path, name: str, model: Any, x: Any, y: Any = None, **options: Any) -> Exported:
    header = folder / f"{name}.h"
    c.write(model, header, name=name, **options)
    x = np.asarray(x, np.float32)
    return Exported(header, x, np.asarray(model.predict(x) if y is None else y, np.float64).reshape(len(x), -1))


def answers(folder: Path, exported: list[Exported], *flags: str, **options: Any) -> Iterator[tuple[Exported, Any]]:
    """What all of them answer, in one program."""
    includes = "\n".join(f'#include "{one.header.name}"' for one in exported)
    loops = "\n".join(
        f"""    for (int row = 0; row < {len(one.x)}; row++) {{
        float x[{one.name.upper()}_INPUTS], y[{one.name.upper()}_OUTPUTS];
        if (fread(x, sizeof x, 1, stdin) != 1) return 1;
        {one.name}_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }}"""
        for one in exported
    )
    program = f"#include <stdio.h>\n{includes}\nint main(void)\n{{\n{loops}\n    return 0;\n}}\n"
    path = compiled(folder, program, *flags, **options)
    given = b"".join(one.x.tobytes() for one in exported)
    told = subprocess.run([str(path)], input=given, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr.decode()[:3000]
    numbers = np.frombuffer(told.stdout, np.float32)
    assert numbers.size == sum(one.y.size for one in exported)
    for one in exported:
        yield one, numbers[: one.y.size].reshape(one.y.shape)
        numbers = numbers[one.y.size :]


def difference(y: Any, expected: Any) -> float:
    return float(np.max(np.abs(y - expected) / np.maximum(1, np.abs(expected)), initial=0))


# --- random networks ------------------------------------------------------------------------------------------------


KEEPING = [name for name in LAYERS if name != "Embedding"]  # which takes no numbers: see test_input_layers.py


def layers_named(rng: np.random.Generator, names: list[str], width: int, depth: int = 2) -> list[cr.Layer]:
    """Layers that keep the width."""
    inner = [name for name in rng.permutation(KEEPING).tolist() if depth > 1 or name != "Residual"][:3]
    makers = {
        "Linear": lambda: cr.Linear(
            width, width, rng.choice(["relu", "gelu_tanh", "mish", None]), bias=rng.random() < 0.7
        ),
        "Dropout": lambda: cr.Dropout(0.3),
        "GaussianNoise": lambda: cr.GaussianNoise(0.3),
        "Flatten": cr.Flatten,
        "LeakyReLU": lambda: cr.LeakyReLU(float(rng.random())),
        "ELU": lambda: cr.ELU(float(rng.random() + 0.1)),
        "GELU": lambda: cr.GELU(str(rng.choice(["none", "tanh"]))),
        "Columns": lambda: cr.Columns([(1, []), (width - 1, [cr.Tanh()])][: 1 + (width > 1)]),
        "PBLD": lambda: cr.Columns([(width, [cr.PBLD(width, 3, 2), cr.Linear(2 * width, width)])]),
        "Residual": lambda: cr.Residual(layers_named(rng, inner, width, depth - 1)),
        **{
            name: (lambda kind: lambda: kind(width))(LAYERS[name])
            for name in ("BatchNorm", "LayerNorm", "PReLU", "Scale")
        },
    }
    return [makers.get(name, LAYERS[name])() for name in names]


def random_networks(count: int) -> list[cr.Sequential]:
    """Each has some layers of a random order of all, so that five together have every one."""
    rng = np.random.default_rng(0)
    names = np.concatenate([rng.permutation(KEEPING) for _ in range(count // 4 + 1)])
    size = -(-len(KEEPING) // 5)
    return [random_network(rng, names[start : start + size].tolist()) for start in range(0, count * size, size)]


def random_network(rng: np.random.Generator, names: list[str]) -> cr.Sequential:
    width, inputs, outputs = (int(size) for size in rng.integers(1, 24, 3))
    front = layers_named(rng, names[:1], inputs) if rng.random() < 0.5 else [cr.Flatten(), cr.BatchNorm(inputs)]
    inner = layers_named(rng, names, width)
    layers = [*front, cr.Linear(inputs, width), *inner, cr.Linear(width, outputs, bias=False)]
    model = cr.Sequential(layers, rng=rng, dtype=str(rng.choice(["float32", "float64"])))
    for _, layer in walk(model.layers):
        for name in layer.parameter_shapes():
            if name != "W":
                getattr(layer, name)[:] += rng.normal(size=getattr(layer, name).shape) / 4
        if isinstance(layer, cr.BatchNorm):
            layer.running_mean[:] = rng.normal(size=layer.features)
            layer.running_variance[:] = rng.uniform(0.3, 3, layer.features)
    return model


def kinds(model: cr.Sequential) -> set[str]:
    return {type(layer).__name__ for _, layer in walk(model.layers)}


@pytest.mark.parametrize("count", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_random_networks_of_every_layer_answer_as_the_model(tmp_path: Path, sanitized: list[str], count: int) -> None:
    models = random_networks(count)
    assert set().union(*map(kinds, models)) == set(KEEPING)
    rng = np.random.default_rng(0)
    exported = [
        export(tmp_path, f"net{k}", model, rng.normal(size=(7, input_width(model)))) for k, model in enumerate(models)
    ]
    assert {one.name: difference(y, one.y) for one, y in answers(tmp_path, exported, *sanitized)} == {
        one.name: pytest.approx(0, abs=1e-5) for one in exported
    }


def input_width(model: cr.Sequential) -> int:
    sizes = (getattr(layer, "in_features", None) or getattr(layer, "features", None) for _, layer in walk(model.layers))
    return next(size for size in sizes if size)


@np.errstate(over="ignore")  # in the plain NumPy of gelu_tanh, without harm
def test_activations_answer_at_any_magnitude(tmp_path: Path, sanitized: list[str]) -> None:
    sizes = np.array([0, 1e-30, 1e-5, 0.1, 1, 2.9, 3.1, 20, 88, 90, 104, 300, 1e4, 1e10, 1e30])
    x = np.stack([sizes, -sizes])
    made = [LAYERS[name]() for name in ACTIVATIONS] + [cr.GELU("tanh"), cr.PReLU(len(sizes))]
    exported = [
        export(tmp_path, f"act{k}", cr.Sequential([cr.Scale(len(sizes)), one]), x, self_test=False)
        for k, one in enumerate(made)
    ]
    for one, y in answers(tmp_path, exported, *sanitized):
        assert difference(y, one.y) < 1e-6, made[exported.index(one)]


def test_images_are_taken_flat(tmp_path: Path) -> None:
    model = cr.Sequential([cr.ReLU(), cr.Flatten(), cr.Linear(12, 3)], rng=0)
    c.write(model, tmp_path / "image.h")
    assert c.check(model, tmp_path / "image.h", np.random.default_rng(0).normal(size=(5, 3, 4))) in (
        None,
        pytest.approx(0, abs=1e-5),
    )


# --- int8 -----------------------------------------------------------------------------------------------------------


def test_int8_loses_at_most_one_digit_of_360(tmp_path: Path, sanitized: list[str]) -> None:
    digits = cr.data.load_named("digits")
    model = cr.MLP([64, 32, 10], rng=0)
    cr.Trainer(model, "cross_entropy", cr.Adam(3e-3), batch_size=32).fit(digits.x, digits.y, epochs=8, verbose=0)
    one = export(tmp_path, "digits", model, digits.x_test, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    right = [float(np.mean(z.argmax(axis=1) == digits.y_test)) for z in (one.y, y)]
    assert right[0] > 0.9
    assert right[1] >= right[0] - 0.003
    assert 1e-5 < difference(y, one.y) < 0.2


@pytest.mark.slow
def test_int8_loses_at_most_0_3_points_on_mnist(tmp_path: Path, data_dir: Path, sanitized: list[str]) -> None:
    if not (data_dir / "mnist").is_dir():
        pytest.skip("the folder named by CHAINRULE_DATA holds no mnist")
    mnist = cr.data.load_named("mnist")
    model = cr.MLP([784, 128, 10], rng=0)
    cr.Trainer(model, "cross_entropy", cr.Adam(1e-3), batch_size=128).fit(mnist.x, mnist.y, epochs=3, verbose=0)
    one = export(tmp_path, "mnist", model, mnist.x_test, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    right = [float(np.mean(z.argmax(axis=1) == mnist.y_test)) for z in (one.y, y)]
    assert right[1] >= right[0] - 0.003


def test_int8_answers_as_float32_in_networks_of_every_layer(tmp_path: Path, sanitized: list[str]) -> None:
    model = cr.Sequential(
        [
            cr.LayerNorm(6),
            cr.Linear(6, 40, "silu"),
            cr.Residual([cr.Linear(40, 40), cr.BatchNorm(40), cr.Residual([cr.Linear(40, 40, "tanh")])]),
            cr.Linear(40, 3),
        ],
        rng=0,
    )
    x = np.random.default_rng(1).normal(size=(20, 6))
    one = export(tmp_path, "net", model, x, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    assert difference(y, one.y) < 0.05


def test_int8_sums_stay_inside_32_bits_and_rows_of_zeros_are_rows(tmp_path: Path, sanitized: list[str]) -> None:
    width = 5000  # 127 · 32,767 · 5000 is ten times as much as 32 bits hold
    model = cr.Sequential([cr.Linear(width, 3)], rng=0)
    model.layers[0].W[:] = [[1.0, -1.0, 0.0]]
    model.layers[0].b[:] = 0.5
    x = np.stack([np.ones(width), -np.ones(width), np.zeros(width), np.full(width, 1e-35), np.full(width, 3e4)])
    one = export(tmp_path, "wide", model, x, precision="int8", self_test=False)
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    np.testing.assert_allclose(y, one.y, rtol=1e-5)


# --- scaling in front and behind ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_bring_their_scaling_and_their_probabilities(tmp_path: Path, sanitized: list[str]) -> None:
    pytest.importorskip("sklearn")
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) * [1, 1000, 0.01, 5] + [0, 1e5, 3, -2000]
    score = ((X - X.mean(axis=0)) / X.std(axis=0)) @ [1, -1, 2, 0.5]
    settings = dict(hidden_layer_sizes=(9,), max_iter=5, scale=True, random_state=0, batch_size=20)

    def classifier(**more: Any) -> Any:
        return cr.MLPClassifier(**settings | more)

    def regressor(**more: Any) -> Any:
        return cr.MLPRegressor(**settings | more)

    two = np.stack([score, 1e4 - 30 * score], axis=1)
    fitted = [
        classifier().fit(X, np.digitize(score, [-1, 1])),
        classifier(normalization="batch", scale=False).fit(X / 1000, np.where(score > 0, "yes", "no")),
        classifier(normalization="layer").fit(X.astype(np.float32), np.stack([score > 0, score > 1], axis=1) * 1),
        regressor(dropout=0.2).fit(X, two),
        regressor(activation="mish", scale=False).fit(X / 1000, score),
        regressor(loss="poisson").fit(X, np.exp(score / 3)),
        regressor(loss=cr.Quantile([0.1, 0.5, 0.9])).fit(X, two),
        regressor().fit(csr_matrix(X), score),  # scaled, but not centred
        regressor(loss="gaussian_nll").fit(X, two),
    ]
    x = X.astype(np.float32).astype(np.float64)  # in float32 scikit-learn's scaler would round the means
    expected = [one.predict_proba(x) if hasattr(one, "classes_") else one.predict(x) for one in fitted]
    expected[-1] = np.hstack(fitted[-1].predict(x, return_std=True))
    x_of = [x / 1000 if one.scaler_ is None else x for one in fitted]
    for k in (1, 4):
        expected[k] = fitted[k].predict_proba(x_of[k]) if k == 1 else fitted[k].predict(x_of[k])
    exported = [export(tmp_path, f"fit{k}", one, x_of[k], expected[k]) for k, one in enumerate(fitted)]
    for k, (one, y) in enumerate(answers(tmp_path, exported, *sanitized)):
        assert difference(y, one.y) < 1e-5, fitted[k]
    assert '"no",\n    "yes",' in exported[1].header.read_text(encoding="utf-8")


def trained_on(table: dict[str, Any], target: str, width: int) -> tuple[cr.Sequential, EarlierEncoder]:
    encoder = EarlierEncoder.from_dict(earlier.described(table, target))
    model = cr.MLP([width, 8, len(encoder.classes) or 1], "tanh", rng=0)
    model.metadata = {"encoder": encoder.to_dict(), "class_names": [str(one) for one in encoder.classes]}
    return model, encoder


def test_what_train_knows_of_the_columns_is_in_the_header(tmp_path: Path, sanitized: list[str]) -> None:
    rng = np.random.default_rng(0)
    year, size = 2000 + rng.integers(0, 3, 50), rng.normal(3e5, 20, 50).astype(np.float32)
    numbers = {"year": year.tolist(), "size of it": size.tolist(), "price": (1e6 + 3e4 * rng.normal(size=50)).tolist()}
    words = {"kind": ["oak", "*/ fir"] * 25, "year": year.tolist(), "cut": ["no", "yes"] * 25}
    (price, encoder), (cut, other) = trained_on(numbers, "price", 2), trained_on(words, "cut", 3)
    x = np.stack([year, size], axis=1)
    expected = encoder.decode(price.predict(encoder.transform(numbers)))
    exported = [
        export(tmp_path, "price", price, x, expected),
        export(tmp_path, "cut", cut, other.transform(words)),
    ]
    for one, y in answers(tmp_path, exported, *sanitized):
        assert difference(y, one.y) < 1e-5
    assert "x[1]  size of it\n" in exported[0].header.read_text(encoding="utf-8")
    assert "the prediction of 'price', in its own units" in exported[0].header.read_text(encoding="utf-8")
    assert "x[0]  1 where 'kind' is '* / fir', else 0\n" in exported[1].header.read_text(encoding="utf-8")
    assert "x[2]  ('year' - " in exported[1].header.read_text(encoding="utf-8")
    mean, scale = (np.array([one[key] for one in encoder.to_dict()["inputs"]]) for key in ("mean", "scale"))
    spreads = c.check(price, exported[0].header, (x - mean) / scale)  # rows that are x, which float32 holds
    assert spreads * expected.std() < 1e-5 * np.abs(expected).max()


def test_an_encoder_of_another_model_is_refused(tmp_path: Path) -> None:
    model, _ = trained_on({"a": [1, 2, 3, 4.5], "b": [1, 2, 3.5, 4]}, "b", 1)
    model.metadata["encoder"]["inputs"] *= 1
    wide = cr.MLP([2, 1])
    wide.metadata = model.metadata
    with pytest.raises(ValueError, match="metadata for the 2 inputs of the model, got an encoder that gives 1"):
        c.write(wide, tmp_path / "wide.h")


# --- the file -------------------------------------------------------------------------------------------------------

HOSTILE = [
    'quote"',
    "back\\slash",
    "trigraph ??/ ??) ???",
    "line\nbreak\r\t",
    "größe 漢字 🙂",
    "",
    "*/ /* // */",
    "\\012",
    "%s%n\x7f\u202e",
    "a" * 200,
]


@needs_cc
def test_hostile_class_names_come_back_as_they_are(tmp_path: Path) -> None:
    model = cr.MLP([2, len(HOSTILE)], rng=0)
    model.metadata = {"class_names": HOSTILE}
    c.write(model, tmp_path / "names.h", name="net")
    loop = "for (int i = 0; i < NET_OUTPUTS; i++) { fputs(net_classes[i], stdout); putchar(0); }"
    main = compiled(tmp_path, f'#include <stdio.h>\n#include "names.h"\nint main(void) {{ {loop} return 0; }}\n')
    told = subprocess.run([str(main)], capture_output=True, check=True).stdout
    assert told.decode().split("\0")[:-1] == HOSTILE
    head = (tmp_path / "names.h").read_text(encoding="utf-8").split("#ifndef")[0]
    assert head.count("*/") == head.count("/*") == 1
    assert "\u202e" not in head


def test_a_very_long_class_name_is_cut(tmp_path: Path) -> None:
    model = cr.MLP([2, 1], rng=0)
    model.metadata = {"class_names": ["é" * 10_000]}
    c.write(model, tmp_path / "long.h")
    literal = re.search(r"^    (\".*\"),$", (tmp_path / "long.h").read_text(encoding="utf-8"), re.MULTILINE)
    assert literal is not None
    assert len(literal[1]) < 4095
    assert literal[1].endswith('..."')


@pytest.mark.parametrize("name", ["", "2nd", "_x", "a-b", "a b", "naïve", "x" * 41, "a\n", "a;", 3])
def test_names_that_c_does_not_allow_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ValueError, match="export to C expects a name of at most 40 letters, digits and underscores"):
        c.write(cr.MLP([2, 1]), tmp_path / "net.h", name=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digits.h", "digits"),
        ("2nd-try v1.h", "model_2nd_try_v1"),
        ("größe.h", "gr_e"),
        ("漢.h", "model"),
        ("__x.h", "x"),
    ],
)
def test_a_file_gives_its_name_where_none_is_given(tmp_path: Path, file: str, name: str) -> None:
    try:
        os.fsencode(file)
    except UnicodeEncodeError:
        pytest.skip(f"a file cannot be called {file!a} in this locale")
    c.write(cr.MLP([2, 1]), tmp_path / file)
    assert f"static inline void {name}_predict(const float *x, float *y)" in (tmp_path / file).read_text(
        encoding="utf-8"
    )


def self_tested(folder: Path, name: str, *flags: str) -> float:
    program = f'#include <stdio.h>\n#define {name.upper()}_SELF_TEST\n#include "{name}.h"\n'
    program += f'int main(void) {{ printf("%.9g", (double){name}_self_test()); return 0; }}\n'
    main = compiled(folder, program, *flags)
    return float(subprocess.run([str(main)], capture_output=True, check=True).stdout)


@needs_cc
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 1e-3)])
def test_the_self_test_passes_and_sees_a_changed_weight(tmp_path: Path, precision: str, tolerance: float) -> None:
    c.write(cr.MLP([5, 8, 3], rng=0), tmp_path / "net.h", precision)
    assert self_tested(tmp_path, "net", "-O2") < tolerance
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    changed = re.sub(r"(net_W3\[24\] = \{\n *)-?\d+", r"\g<1>99", text)
    assert changed != text
    (tmp_path / "net.h").write_text(changed, encoding="utf-8")
    assert self_tested(tmp_path, "net") > 0.01


@needs_cc
def test_the_self_test_sees_what_is_no_number(tmp_path: Path) -> None:
    c.write(cr.MLP([5, 3], rng=0), tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    (tmp_path / "net.h").write_text(text.replace("y[o] = ", "y[o] = o == 0 ? NAN : "), encoding="utf-8")
    assert np.isnan(self_tested(tmp_path, "net"))


@pytest.mark.parametrize("level", ["-Os", "-O2", "-O3"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_optimizers_find_nothing_to_warn_of(tmp_path: Path, level: str, precision: str) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    model = cr.Sequential(
        [cr.Linear(64, 16, "relu"), cr.Residual([cr.LayerNorm(16), cr.Linear(16, 16)]), cr.Softmax()], rng=0
    )
    one = export(tmp_path, "net", model, np.random.default_rng(0).normal(size=(3, 64)), precision=precision)
    ((_, y),) = answers(tmp_path, [one], level, "-DNET_BUFFER=static")
    assert difference(y, one.y) < (1e-5 if precision == "float32" else 0.05)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_it_is_cpp_too(tmp_path: Path) -> None:
    model, x = cr.MLP([4, 8, 3], "mish", rng=0), np.random.default_rng(0).normal(size=(5, 4))
    exported = [export(tmp_path, f"net_{p}", model, x, precision=p) for p in ("float32", "int8")]
    standard = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    for one, y in answers(tmp_path, exported, "-DNET_INT8_SELF_TEST", compiler="g++", standard=standard):
        assert difference(y, one.y) < (1e-5 if one.name == "net_float32" else 0.05)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_equal_models_give_equal_files(tmp_path: Path, precision: str) -> None:
    model = cr.Sequential([cr.Linear(5, 30, "gelu"), cr.BatchNorm(30), cr.Linear(30, 2)], rng=0)
    model.metadata = {"class_names": ["a", "b"]}
    cr.save(model, tmp_path / "model.safetensors")
    c.write(model, tmp_path / "one.h", precision, name="net")
    c.write(cr.load(tmp_path / "model.safetensors"), tmp_path / "two.h", precision, name="net")
    assert (tmp_path / "one.h").read_bytes() == (tmp_path / "two.h").read_bytes()


def test_it_holds_what_it_uses_and_nothing_that_changes(tmp_path: Path) -> None:
    notes = c.write(cr.MLP([784, 128, 10], rng=0), tmp_path / "net.h", self_test=False)
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    assert re.findall(r"^static inline \w+ (\w+)\(", text, re.MULTILINE) == ["net_dense", "net_relu", "net_predict"]
    assert re.findall(r"#include .*", text) == ["#include <math.h>", "#include <stddef.h>"]
    assert not re.search(r"^\s*static (?!inline|const)|malloc|SELF_TEST", text, re.MULTILINE)
    assert notes == [
        "flash: 407,080 bytes of constants, and the code",
        "RAM: 512 bytes of buffers",
        "101,632 multiply-adds a row",
    ]


def test_the_notes_say_what_is_lost(tmp_path: Path) -> None:
    model = cr.Sequential([cr.BatchNorm(4), cr.Linear(4, 3), cr.BatchNorm(3)], rng=0, dtype="float64")
    notes = c.write(model, tmp_path / "net.h", "int8")
    assert notes[:3] == [  # 2·4 + 3 + 3 numbers and 12 weights; 4 numbers and 4 rounded ones; 4 + 12
        "flash: 68 bytes of constants, and the code",
        "RAM: 24 bytes of buffers",
        "16 multiply-adds a row",
    ]
    assert notes[3] == "the model computes in float64, the C code in float32"
    assert re.fullmatch(r"int8 weights change the outputs of 100 rows by up to [\d.e-]+ of their spread", notes[4])


# --- what is refused ------------------------------------------------------------------------------------------------


class Double(cr.Layer):
    def forward(self, x, work):
        return 2 * x

    def backward(self, dy, work, input_gradient=True):
        return 2 * dy


class Exponential(cr.Activation):
    def apply(self, x, out):
        return np.exp(x, out=out)

    def pull_back(self, dy, x, y, out):
        return np.multiply(dy, y, out=out)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [cr.Linear(2, 1), Double()],
            r"layers that .* program\(\) .*, got Double\(\); give it program\(\), or use",
        ),
        ([cr.Linear(2, 1, Exponential())], r"layers that .* program\(\) .*, got Exponential\(\); give it program\(\)"),
        ([cr.ReLU()], "a model whose layers say how many inputs it has, got none that does; begin with"),
        ([cr.Softmax(), cr.Flatten(), cr.Linear(4, 1)], "Flatten in front of Softmax, got it behind"),
    ],
)
def test_layers_that_it_cannot_write_are_refused(tmp_path: Path, layers: list[cr.Layer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        c.write(cr.Sequential(layers), tmp_path / "net.h")
    assert list(tmp_path.iterdir()) == []


def test_other_things_are_refused(tmp_path: Path) -> None:
    model = cr.MLP([2, 1])
    with pytest.raises(TypeError, match=r"expects a Sequential model, .* got Trainer; pass trainer\.model\."):
        c.write(cr.Trainer(model, "squared_error"), tmp_path / "net.h")
    with pytest.raises(TypeError, match="got str"):
        c.write("model", tmp_path / "net.h")
    with pytest.raises(ValueError, match="the name of a precision, got 'float16'"):
        c.write(model, tmp_path / "net.h", "float16")
    model.layers[0].W[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"finite numbers in the parameters of Linear\(2 → 1\)"):
        c.write(model, tmp_path / "net.h")


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_that_say_nothing_are_refused(tmp_path: Path) -> None:
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.raises(exceptions.NotFittedError):
        c.write(cr.MLPClassifier(), tmp_path / "net.h")
    one = cr.MLPClassifier((2,), max_iter=1).fit([[0.0], [1.0]], ["a", "a"])
    with pytest.raises(ValueError, match=r"at least two classes, got \['a'\]"):
        c.write(one, tmp_path / "net.h")


# --- check ----------------------------------------------------------------------------------------------------------


@needs_cc
def test_check_compiles_and_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = cr.MLP([3, 4, 2], rng=0), cr.MLP([3, 4, 2], rng=1)
    path, rows = tmp_path / "a model's.h", np.random.default_rng(0).normal(size=(8, 3))
    c.write(model, path)
    assert c.check(model, path, rows) < 1e-5 < c.check(other, path, rows)
    assert c.check(model, path, rows[:0]) == 0
    monkeypatch.setenv("PATH", "")
    assert c.check(model, path, rows) is None


@needs_cc
def test_check_refuses_other_files(tmp_path: Path) -> None:
    model, path, rows = cr.MLP([3, 2], rng=0), tmp_path / "net.h", np.zeros((1, 3))
    with pytest.raises(FileNotFoundError, match="check expects a C header at"):
        c.check(model, path, rows)
    path.write_text("int x;\n")
    with pytest.raises(ValueError, match="to be a header that chainrule wrote, got another file"):
        c.check(model, path, rows)
    c.write(model, path)
    path.write_text(path.read_text(encoding="utf-8") + "oops\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)net\.h to compile, got .*oops"):
        c.check(model, path, rows)
    with pytest.raises(ValueError, match=r"rows of shape \(N, 3\)"):
        c.check(model, path, np.zeros((1, 4)))
