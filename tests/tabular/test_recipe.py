"""The network for tables: what it is made of, and that it is trained as the paper's NTK parametrisation would be."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.schedules import CosLog4, FlatCos
from chainrule.tabular import recipe
from chainrule.tabular.encoding import TableEncoder

ROWS = 64
RNG = np.random.default_rng(0)
TABLE = {
    "size": RNG.normal(size=ROWS),
    "age": RNG.normal(size=ROWS),
    "kind": RNG.choice(["oak", "fir", "elm"], ROWS).astype(object),
    "town": np.array([f"t{at % 12}" for at in range(ROWS)], object),
}


def encoder() -> TableEncoder:
    return TableEncoder(min_count=1).fit(TABLE)


def test_each_kind_of_feature_has_its_part() -> None:
    model = recipe.network(encoder(), 3, recipe.CLASSES, RNG)
    columns = model.layers[0]
    assert [(width, [type(layer).__name__ for layer in layers]) for width, layers in columns.parts] == [
        (2, ["PBLD"]),
        (3, []),
        (1, ["Embedding"]),
    ]
    assert model.layers[1].features == 4 * 2 + 3 + 8
    assert model.predict(encoder().matrix(TABLE)).shape == (ROWS, 3)


def test_with_training_rows_numbers_have_bins() -> None:
    x = encoder().matrix(TABLE)
    model = recipe.network(encoder(), 3, recipe.CLASSES, RNG, x)
    (count, (layer,)), *others = model.layers[0].parts
    assert (count, layer.edges) == (2, cr.PiecewiseLinear.from_quantiles(x[:, :2], bins=32).edges)
    assert [width for width, _ in others] == [3, 1]
    assert model.layers[1].features == 4 * 2 + 3 + 8
    assert model.predict(x).shape == (ROWS, 3)


def test_first_weights_give_every_unit_a_spread_of_about_one() -> None:
    model = recipe.network(encoder(), 1, recipe.NUMBERS, np.random.default_rng(0))
    x = encoder().matrix(TABLE)
    recipe.begin(model, x, np.random.default_rng(0))
    h = x
    for layer in model.layers[:3]:
        h = layer.forward(h, cr.layers.Workspace(False, model.rng))
    np.testing.assert_allclose(h.std(axis=0), 1, rtol=1e-4)


def adam_on_ntk(W: np.ndarray, gradients: list[np.ndarray], total: int) -> np.ndarray:
    """The paper's own loop, but for ε: W̃ = √d W is decayed and moved, where dL/dW̃ = dL/dW / √d; ε is that of W."""
    root = np.sqrt(len(W))
    wide, m, v = W * root, np.zeros_like(W), np.zeros_like(W)
    for t, gradient in enumerate(gradients):
        rate, decay = CosLog4(0.04)(t, total), FlatCos(0.02)(t, total)
        g = gradient / root
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
        wide = wide * (1 - rate * decay)
        wide = wide - rate * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-8 / root)
    return wide / root


def test_factors_give_the_steps_of_the_ntk_parametrisation() -> None:
    built, steps = recipe.network(encoder(), 1, recipe.CLASSES, np.random.default_rng(0)), 30
    model = cr.Sequential(cr.model.layers_from_config(built.config()), dtype="float64", rng=0)
    optimizer = recipe.optimizer(model, recipe.CLASSES)
    optimizer.setup(model.parameters, total_steps=steps)
    W, b = (model.parameters[name] for name in ("5.W", "5.b"))
    first, bias, drawn = W.copy(), b.copy(), []
    for _ in range(steps):
        model.gradients.vector[:] = RNG.normal(size=model.parameters.vector.size)
        drawn.append(model.gradients["5.W"].copy())
        optimizer.step(model.parameters.vector, model.gradients.vector)
    np.testing.assert_allclose(W, adam_on_ntk(first, drawn, steps), rtol=1e-9, atol=1e-12)
    assert 0 < np.abs(b - bias).max() < 0.1 * steps * 0.04


def test_every_kind_of_parameter_has_its_factors() -> None:
    model = recipe.network(encoder(), 1, recipe.CLASSES, RNG)
    optimizer = recipe.optimizer(model, recipe.CLASSES)
    groups = {name: tuple(factors.values()) for name, factors in optimizer.groups.items()}
    assert groups["1.gain"] == (6.0, 6.0)
    assert groups["2.b"] == (0.1, 0.0)
    assert groups["3.amount"] == (0.1, 0.1)
    assert {groups[name] for name in groups if name.startswith("0.") and not name.endswith("E")} == {(0.1, 0.1)}
    assert {groups[name] for name in groups if name.endswith("E")} == {(1.0, 1.0)}
