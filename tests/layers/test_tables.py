"""The input layers of a network on a table: Columns, Embedding and PBLD."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def table(rng: np.random.Generator, rows: int = 9) -> np.ndarray:
    """Three numbers, two flags, a column of four codes."""
    return np.hstack([rng.standard_normal((rows, 5)), rng.integers(0, 4, (rows, 1))])


def network(**options: Any) -> cr.Sequential:
    parts = [(3, [cr.PBLD(3, frequencies=5)]), (2, []), (1, [cr.Embedding(4, 8)])]
    return cr.Sequential([cr.Columns(parts), cr.Linear(22, 3)], rng=0, **options)


def by_hand(layer: cr.PBLD, x: np.ndarray) -> np.ndarray:
    """The definition, number by number: the learned outputs of all columns, then the values."""
    learned = [
        sum(np.cos(2 * np.pi * x[:, j] * layer.w1[j, h] + layer.b1[j, h]) * layer.W2[j, h, k] for h in range(5))
        + layer.b2[j, k]
        for j in range(x.shape[1])
        for k in range(layer.outputs - 1)
    ]
    return np.stack([*learned, *x.T], axis=1)


def test_pbld_gives_the_learned_outputs_column_by_column_and_then_the_values(rng: np.random.Generator) -> None:
    layer, x = cr.PBLD(2, frequencies=5, outputs=3), rng.standard_normal((7, 2))
    model = cr.Sequential([layer], rng=0, dtype="float64")
    np.testing.assert_allclose(model.predict(x), by_hand(layer, x), rtol=1e-12)


def test_pbld_begins_with_the_published_values() -> None:
    layer = cr.PBLD(2000)
    cr.Sequential([layer], rng=0)
    assert layer.w1.std() == pytest.approx(0.1, rel=0.05)
    assert np.abs(layer.b1).max() == pytest.approx(np.pi, rel=1e-3)
    for drawn in (layer.W2, layer.b2):
        assert np.abs(drawn).max() == pytest.approx(0.25, rel=1e-2)
        assert drawn.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.05)


def test_pbld_learns_a_wave_that_a_line_cannot_follow(rng: np.random.Generator) -> None:
    x = rng.uniform(-1, 1, (400, 1))
    losses = []
    for front in ([cr.PBLD(1, scale=1.0), cr.Linear(4, 1)], [cr.Linear(1, 1)]):
        trainer = cr.Trainer(cr.Sequential(front, rng=0), "squared_error", cr.Adam(0.05), batch_size=100, rng=0)
        losses.append(trainer.fit(x, np.sin(9 * x), epochs=200, verbose=0)["loss"][-1])
    assert losses[0] < 0.01
    assert losses[1] > 0.3


def test_an_embedding_gives_the_row_of_each_code_and_learns_that_row_alone(rng: np.random.Generator) -> None:
    layer = cr.Embedding(100, 8)
    model = cr.Sequential([layer, cr.Linear(8, 1)], rng=0, dtype="float64")
    x = np.array([[3], [99], [3], [0]])
    np.testing.assert_array_equal(model.predict(x), model.predict(x.astype(np.float32)))
    np.testing.assert_allclose(model.predict(x), layer.E[[3, 99, 3, 0]] @ model.layers[1].W + model.layers[1].b)
    model.forward(x, training=True)
    dz = rng.standard_normal((4, 1))
    dx = model.backward(dz, input_gradient=True)
    expected = np.zeros((100, 8))
    for code, dy in zip([3, 99, 3, 0], dz @ model.layers[1].W.T, strict=True):
        expected[code] += dy
    np.testing.assert_allclose(layer.dE, expected)
    np.testing.assert_array_equal(dx, np.zeros((4, 1)))


def test_an_embedding_begins_with_normal_numbers() -> None:
    layer = cr.Embedding(1000, 20)
    cr.Sequential([layer], rng=0)
    assert layer.E.mean() == pytest.approx(0, abs=0.03)
    assert layer.E.std() == pytest.approx(1, abs=0.03)


def test_an_embedding_is_a_dense_layer_on_ones_and_zeros(rng: np.random.Generator) -> None:
    """The definition behind it: trained side by side, both move alike."""
    codes, y = rng.integers(0, 5, (60, 1)), rng.standard_normal((60, 2))
    looked_up = cr.Sequential([cr.Embedding(5, 3), cr.Linear(3, 2)], rng=0, dtype="float64")
    dense = cr.Sequential([cr.Linear(5, 3, bias=False), cr.Linear(3, 2)], rng=0, dtype="float64")
    dense.parameters.vector[:] = looked_up.parameters.vector
    for model, x in ((looked_up, codes), (dense, np.eye(5)[codes[:, 0]])):
        cr.Trainer(model, "squared_error", cr.Adam(0.05), batch_size=16, rng=1).fit(x, y, epochs=5, verbose=0)
    np.testing.assert_allclose(looked_up.parameters.vector, dense.parameters.vector, rtol=1e-9, atol=1e-12)


def test_columns_stand_side_by_side_in_their_order(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 5))
    model = cr.Sequential([cr.Columns([(2, []), (1, [cr.Scale(1), cr.ReLU()]), (2, cr.Tanh())])], dtype="float64")
    expected = np.hstack([x[:, :2], np.maximum(x[:, 2:3], 0), np.tanh(x[:, 3:])])
    np.testing.assert_allclose(model.predict(x), expected)
    assert list(model.parameters) == ["0.0.gain"]


def test_a_table_has_its_gradients_proved_with_codes_in_it(rng: np.random.Generator) -> None:
    check = cr.gradcheck(network(), table(rng), rng.integers(0, 3, 9), "cross_entropy")
    assert check.passed
    assert {"x", "0.0.w1", "0.0.b1", "0.0.W2", "0.0.b2", "0.1.E", "1.W", "1.b"} == {row[0] for row in check.rows}


def test_columns_inside_columns_have_their_codes_found(rng: np.random.Generator) -> None:
    inner = cr.Columns([(1, []), (1, [cr.Embedding(2, 3)])])
    model = cr.Sequential([cr.Columns([(2, []), (2, [inner])]), cr.Linear(6, 1)], rng=0)
    x = np.ones((3, 4))
    assert model.predict(x).shape == (3, 1)
    x[1, 3] = 2
    with pytest.raises(ValueError, match="got 2 at row 1, column 3"):
        model.predict(x)


# ---- what is refused

WRONG = {"beyond": 4.0, "negative": -1.0, "between": 1.5, "huge": 1e30}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_number_that_is_no_code_is_named_wherever_it_is_met(value: float, rng: np.random.Generator) -> None:
    model, x, y = network(), table(rng, 300), rng.integers(0, 3, 300)
    x[211, 5] = value
    says = rf"codes that are whole numbers from 0 to 3, got {value:g} at row 211, column 5 \(1 in total\); give missing"
    says = says.replace("+", r"\+")
    trainer = cr.Trainer(model, "cross_entropy", "adam")
    for act in (
        lambda: model.predict(x),
        lambda: model.predict(x, batch_size=100),
        lambda: model.forward(x),
        lambda: model.forward(x, training=True),
        lambda: trainer.fit(x, y, epochs=1, verbose=0),
        lambda: trainer.fit(x[:200], y[:200], validation=(x, y), epochs=1, verbose=0),
        lambda: trainer.evaluate(x, y),
    ):
        with pytest.raises(ValueError, match=says):
            act()


def test_a_column_of_a_frame_is_named(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table(rng), columns=["a", "b", "c", "d", "e", "town"])
    frame.loc[4, "town"] = 4
    with pytest.raises(ValueError, match=r"predict expects codes .* got 4 at row 4, column 'town'"):
        network().predict(frame)


def test_nan_among_the_codes_is_refused(rng: np.random.Generator) -> None:
    x = table(rng)
    x[2, 5] = np.nan
    with pytest.raises(ValueError, match="finite numbers in x, got nan at row 2, column 5"):
        network().predict(x)
    with pytest.raises(ValueError, match="codes that are whole numbers from 0 to 3, got nan at row 2, column 5"):
        network().forward(x)
    with pytest.raises(ValueError, match=r"embedding expects codes .* got nan at row 2, column 0"):
        cr.ops.embedding(x[:, 5:], np.ones((4, 1)))


def test_an_embedding_behind_another_layer_refuses_what_is_no_code() -> None:
    model = cr.Sequential([cr.Linear(1, 1), cr.Embedding(3, 2)], rng=0)
    with pytest.raises(ValueError, match="embedding expects codes that are whole numbers from 0 to 2"):
        model.predict([[0.3]])


@pytest.mark.parametrize(
    ("parts", "error", "says"),
    [
        ([], TypeError, r"a list of parts, got \[\]; write Columns\(\[\(3, \[PBLD\(3\)\]\), \(5, \[\]\)\]\)"),
        ([3], TypeError, r"each part as \(number of columns, list of layers\), got 3 at position 0; an empty list"),
        ([(0, [])], ValueError, "the columns of part 0 >= 1, got 0"),
        ([(1, []), (2, ["relu"])], TypeError, "a list of layers, got 'relu' at position 0"),
    ],
)
def test_what_is_no_part_is_refused(parts: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        cr.Columns(parts)


def test_widths_that_do_not_fit_are_refused_when_put_together() -> None:
    with pytest.raises(ValueError, match=r"PBLD\(2\) expects 2 inputs, got 3"):
        cr.Sequential([cr.Columns([(3, [cr.PBLD(2)])])])
    with pytest.raises(ValueError, match=r"Embedding\(4, 2\) expects 1 inputs, got 2"):
        cr.Sequential([cr.Columns([(2, [cr.Embedding(4, 2)])])])
    with pytest.raises(ValueError, match=r"Linear\(4 → 1\) expects 4 inputs, got 3"):
        cr.Sequential([cr.Columns([(2, []), (1, [])]), cr.Linear(4, 1)])
    with pytest.raises(ValueError, match=r"expects input of shape \(N, 3\), got \(4, 2\)"):
        cr.Sequential([cr.Columns([(2, []), (1, [])])]).predict(np.ones((4, 2)))


def test_a_part_that_gives_no_rows_of_numbers_is_refused() -> None:
    class Pictures(cr.Layer):
        def forward(self, x: Any, work: Any) -> Any:
            return x.reshape(len(x), 1, 2)

        def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
            return dy.reshape(len(dy), 2)

        def output_shape(self, input_shape: Any) -> Any:
            return None

    model = cr.Sequential([cr.Columns([(1, []), (2, [Pictures()])])])
    with pytest.raises(ValueError, match=r"rows of numbers from part 1, got shape \(4, 1, 2\)"):
        model.predict(np.ones((4, 3)))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_waves_of_a_matrix_are_those_of_its_numbers(rng: np.random.Generator) -> None:
    """With np.matrix, ``*`` would be the matrix product, in which NumPy crashes if the other side holds objects."""
    x, w1, b1, W2, b2 = (rng.normal(size=shape) for shape in [(5, 3), (3, 4), (3, 4), (3, 4, 2), (3, 2)])
    expected = cr.ops.pbld(x, w1, b1, W2, b2)
    np.testing.assert_allclose(cr.ops.pbld(np.asmatrix(x), np.asmatrix(w1), b1, W2, b2), expected, rtol=1e-12)
