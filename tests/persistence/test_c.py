"""The C that is written compiles without a warning, stays inside its memory, and answers what the model answers."""

from __future__ import annotations

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
from persistence.c_programs import answers, difference, export

ACTIVATIONS = ["ELU", "GELU", "HardSigmoid", "Identity", "LeakyReLU", "Mish", "ReLU", "SELU", "SiLU"]
ACTIVATIONS += ["Sigmoid", "Softmax", "Softplus", "Tanh"]


KEEPING = [name for name in LAYERS if name != "Embedding"]  # which takes no numbers: see test_input_layers.py


def layers_named(rng: np.random.Generator, names: list[str], width: int, depth: int = 2) -> list[cr.Layer]:
    """Layers that keep the width."""
    inner = [name for name in rng.permutation(KEEPING).tolist() if depth > 1 or name not in ("Members", "Residual")][:3]
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
        "PiecewiseLinear": lambda: cr.Columns(
            [(width, [cr.PiecewiseLinear([[-1, 0, 0.5]] * (width - 1) + [[0, 2]], 2), cr.Linear(2 * width, width)])]
        ),
        "ParametricActivation": lambda: cr.ParametricActivation(width, "mish"),
        "TabM": lambda: cr.TabM(width, [cr.Linear(width, 3, "relu")], width, 2),
        "Members": lambda: cr.Members(
            [layers_named(rng, inner, width, depth - 1) for _ in range(2)], str(rng.choice(["softmax", "sigmoid"]))
        ),
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
    x = np.stack([sizes, -sizes, -sizes - 300])
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


# --- scaling in front and behind


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
