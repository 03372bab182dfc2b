"""TableEncoder against scikit-learn's encoders, and refusing what it cannot encode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.tables import Table, read_table
from chainrule.tabular import TableEncoder

from .conftest import trees

# --- inputs -------------------------------------------------------------------------------------------------------


def test_inputs_are_standardized_and_one_hot_coded() -> None:
    encoder = TableEncoder(dtype="float64").fit(trees(), "cut")
    assert encoder.columns == ["height", "constant", "kind", "price"]
    assert encoder.text_columns == ["kind", "cut"]
    assert encoder.feature_names == ["height", "constant", "kind=elm", "kind=fir", "kind=oak", "price"]
    x = encoder.transform(trees())
    np.testing.assert_allclose(x[:, 0], np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-15)
    np.testing.assert_array_equal(x[:, 1], 0)
    np.testing.assert_array_equal(x[:, 2:5], [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype: str) -> None:
    encoder = TableEncoder(dtype=dtype).fit(trees(), "price")
    assert encoder.transform(trees()).dtype == encoder.encode_target(trees()).dtype == dtype


def test_rows_that_it_did_not_learn_from_change_nothing() -> None:
    train, test = trees().take([0, 1, 3]), trees().take([2])
    encoder = TableEncoder().fit(train, "cut")
    x = encoder.transform(test)
    np.testing.assert_allclose(x[0, 0], (6 - 14 / 3) / np.std([2, 4, 8]), rtol=1e-6)


def test_an_unknown_category_is_zero_in_all_its_inputs() -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    new = Table({"kind": ["birch", "oak"], "height": [1, 1], "constant": [1, 1], "price": [1, 1], "more": ["?", "!"]})
    np.testing.assert_array_equal(encoder.transform(new)[:, 2:5], [[0, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("word", ["NA", "?", "n/a", "null", "#N/A"])
def test_a_word_for_a_missing_value_is_no_new_category(word: str) -> None:
    kinds = {"kind": ["oak", "fir", "oak", "fir"], "y": ["a", "b", "a", "b"]}
    encoder = TableEncoder().fit(Table(kinds), "y")
    for use in (encoder.transform, encoder.unseen):
        with pytest.raises(
            ValueError, match=r"text in column 'kind', got the missing value '.*' on row 2 of the table"
        ):
            use(Table({"kind": ["oak", word]}))
    known = TableEncoder().fit(Table(kinds | {"kind": ["oak", word, "oak", word]}), "y")
    np.testing.assert_array_equal(known.transform(Table({"kind": [word, "oak"]})).sum(axis=1), [1, 1])


@pytest.mark.parametrize("cell", ["1_000", "nan", "1,5", "None", "1 234", "\u0661", ""])
def test_text_that_python_alone_reads_as_a_number_is_refused(cell: str) -> None:
    encoder = TableEncoder().fit(Table({"n": [1, 2, 3, 4], "y": ["a", "b", "a", "b"]}), "y")
    with pytest.raises(
        ValueError, match=r"numbers in column 'n', got .* on row 1|missing values in 1 of 1 rows \(row 1\)"
    ):
        encoder.transform(Table({"n": np.array([cell], dtype=object)}))


def test_numbers_are_no_classes_if_they_are_many() -> None:
    table = Table({"n": np.arange(60), "y": np.arange(60) / 7})
    with pytest.raises(
        ValueError, match=r"in column 'y' of .* 60 different values .*predict it as a number \(task='reg"
    ):
        TableEncoder("classification").fit(table, "y")


def test_numbers_where_text_was_are_taken_as_their_text() -> None:
    encoder = TableEncoder().fit(Table({"code": ["7", "8.5", "x", "x"], "y": ["a", "b", "a", "b"]}), "y")
    x = encoder.transform(Table({"code": [7, 8.5, 9]}))
    np.testing.assert_array_equal(x, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_text_where_numbers_were_is_refused_with_its_line(tmp_path: Path) -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    path = tmp_path / "new.csv"
    path.write_text("height,constant,kind,price\n3,1,oak,5\ntall,1,oak,5\n")
    with pytest.raises(ValueError, match=r"numbers in column 'height', got 'tall' on line 3 of .*new\.csv"):
        encoder.transform(read_table(path))
    path.write_text("height,constant,kind,price\n3,1,oak,5\n4,1,oak,5\n")
    as_text = read_table(path, text=["height"])
    np.testing.assert_array_equal(encoder.transform(as_text), encoder.transform(read_table(path)))


@pytest.mark.parametrize(
    "column, values", [("height", [1e300]), ("height", np.array(["inf"], dtype=object)), ("constant", [-1e39])]
)
def test_a_number_beyond_the_dtype_is_refused(column: str, values: Any) -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    new = {**{name: trees()[name][:1] for name in encoder.columns}, column: values}
    with pytest.raises(ValueError, match=f"numbers in column '{column}' like those in training.* on row 1 of the tabl"):
        encoder.transform(Table(new))


@pytest.mark.parametrize(
    "names, message",
    [
        (
            ["hight", "constant", "kind", "price"],
            "column 'height' in the table.*without it; did you mean 'hight' instead of 'heig",
        ),
        (
            ["zzz"],
            "column 'height', 'constant', 'kind', 'price' in the table, got 1 columns without them; its columns: z",
        ),
    ],
)
def test_missing_columns_are_named(names: list[str], message: str) -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    with pytest.raises(ValueError, match=message):
        encoder.transform(Table({name: ["x"] for name in names}))


def test_many_missing_columns_are_counted() -> None:
    wide = Table({**{f"number {i}": [1, 2] for i in range(14)}, "y": ["a", "b"]})
    with pytest.raises(ValueError, match="'number 9' and 4 more in"):
        TableEncoder().fit(wide, "y").transform(Table({"zzz": [1]}))


finite = st.floats(-1e9, 1e9)


@given(st.lists(finite, min_size=2, max_size=30), st.lists(finite, min_size=1, max_size=5))
def test_numbers_agree_with_standard_scaler(train: list[float], new: list[float]) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    scaler = preprocessing.StandardScaler().fit(np.array(train)[:, None])
    encoder = TableEncoder(dtype="float64").fit(Table({"a": train, "y": ["p", "q"] + ["p"] * (len(train) - 2)}), "y")
    spread = np.ptp(train) / max(1.0, np.max(np.abs(train)))
    if 0 < spread < 1e-6:
        return  # where rounding decides the standard deviation, either may be right
    ours, theirs = encoder.transform(Table({"a": new}))[:, 0], scaler.transform(np.array(new)[:, None])[:, 0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6 * max(1.0, np.max(np.abs(theirs))))


words = st.sampled_from(["ash", "Ash", "birch", "é", "elm", "1", "01"])


@given(st.lists(words, min_size=2, max_size=20), st.lists(words | st.just("new"), min_size=1, max_size=8))
def test_text_agrees_with_one_hot_encoder(train: list[str], new: list[str]) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    one_hot = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False, feature_name_combiner="concat")
    one_hot.fit(np.array(train, dtype=object)[:, None])
    encoder = TableEncoder().fit(Table({"a": train, "y": ["p", "q"] + ["p"] * (len(train) - 2)}), "y")
    assert encoder.feature_names == [f"a={value}" for value in one_hot.categories_[0]]
    expected = one_hot.transform(np.array(new, dtype=object)[:, None])
    np.testing.assert_array_equal(encoder.transform(Table({"a": new})), expected)


# --- the target ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target, task, classes",
    [
        (["b", "a", "b"], "classification", ("a", "b")),
        ([True, False, True], "classification", ("False", "True")),
        ([1, 0, 1], "classification", (0, 1)),
        ([0.5, 1.5, 0.5], "classification", (0.5, 1.5)),
        ([3, 1, 5, 1, 3, 5], "classification", (1, 3, 5)),
        ([3, 1, 5], "regression", ()),
        ([0.5, 1, 2, 0.5, 1, 2], "regression", ()),
        (list(range(20)) * 2, "classification", tuple(range(20))),
        (list(range(21)) * 2, "regression", ()),
        ([-1e300, 1e300] * 2, "classification", (-1e300, 1e300)),
    ],
)
def test_the_task_follows_from_the_target(target: list[Any], task: str, classes: tuple[Any, ...]) -> None:
    encoder = TableEncoder().fit(Table({"x": np.arange(len(target)), "y": target}), "y")
    assert (encoder.task, encoder.classes, encoder.target) == (task, classes, "y")
    assert [type(label) for label in encoder.classes] == [type(label) for label in classes]


def test_the_task_may_be_given() -> None:
    table = Table({"x": [1, 2, 3, 4], "y": [1, 1, 2, 2.5]})
    assert TableEncoder("regression").fit(table, "y").classes == ()
    assert TableEncoder("classification").fit(table, "y").classes == (1.0, 2.0, 2.5)
    with pytest.raises(ValueError, match="did you mean 'regression'"):
        TableEncoder("regresion")


@pytest.mark.parametrize("target", [["b", "a", "c", "b"], [7, 3, 3, 7], [0.5, 2, 2, 0.5]])
def test_labels_come_back(target: list[Any]) -> None:
    table = Table({"x": [1, 2, 3, 4], "y": target})
    encoder = TableEncoder().fit(table, "y")
    labels = encoder.encode_target(table)
    assert labels.dtype == np.int64
    assert encoder.decode(np.eye(len(encoder.classes))[labels]).tolist() == target


def test_numbers_come_back_in_their_own_units() -> None:
    table = trees()
    encoder = TableEncoder(dtype="float64").fit(table, "price")
    y = encoder.encode_target(table)
    assert y.shape == (4, 1)
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-15)
    np.testing.assert_allclose(encoder.decode(y), table["price"], rtol=1e-14)


@pytest.mark.parametrize(
    "target, task, message",
    [
        (["a", "a", "a"], None, "at least two classes in the target 'y' of the table, got 'a' in every row"),
        ([1, 1, 1], None, "at least two classes in the target 'y' of the table, got 1.0 in every row"),
        ([1, 1, 1], "regression", "at least two different values in the target 'y' of the table, got 1 in every row"),
        (["a", "b", "c"], "regression", "numbers in column 'y', got 'a' on row 1"),
    ],
)
def test_targets_without_anything_to_learn(target: list[Any], task: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableEncoder(task).fit(Table({"x": [1, 2, 3], "y": target}), "y")


def test_a_class_that_training_never_saw_cannot_be_evaluated() -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    with pytest.raises(
        ValueError, match="only classes of the training data in column 'cut', got 'maybe' on row 2 of the"
    ):
        encoder.encode_target(Table({"cut": ["no", "maybe"]}))
    encoder = TableEncoder().fit(Table({"x": [1, 2], "y": [0, 1]}), "y")
    with pytest.raises(ValueError, match=r"in column 'y', got 7\.0 on row 1 of the"):
        encoder.encode_target(Table({"y": [7, 1]}))


def test_prediction_needs_no_target_but_evaluation_does() -> None:
    encoder = TableEncoder().fit(trees(), "cut")
    new = Table({name: trees()[name] for name in encoder.columns})
    assert encoder.transform(new).shape == (4, 6)
    with pytest.raises(ValueError, match="column 'cut' in the table"):
        encoder.encode_target(new)


@pytest.mark.parametrize(
    "outputs, message",
    [
        (np.zeros((3, 3)), r"outputs of shape \(N, 2\), got \(3, 3\)"),
        (np.zeros(3), r"outputs of shape \(N, 2\), got \(3,\)"),
        (np.array([[0, np.nan]]), "finite numbers in outputs"),
    ],
)
def test_decode_refuses(outputs: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(trees(), "cut").decode(outputs)


# --- what cannot be learned ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, distinct, refused",
    [(20, 20, False), (21, 21, True), (100, 50, False), (100, 51, True), (3000, 1000, False), (3000, 1001, True)],
)
@pytest.mark.parametrize("target", ["label", "id"])
def test_text_with_too_many_categories(rows: int, distinct: int, refused: bool, target: str) -> None:
    table = Table(
        {
            "n": np.arange(rows),
            "id": [f"id {i % distinct}" for i in range(rows)],
            "label": ["ab"[i % 2] for i in range(rows)],
        }
    )
    if refused:
        with pytest.raises(ValueError, match=rf"column 'id' .*got {distinct} different values in {rows} rows.*drop"):
            TableEncoder().fit(table, target)
    else:
        TableEncoder().fit(table, target)


def test_fit_refuses() -> None:
    with pytest.raises(ValueError, match=r"column 'prize' in the table, .*did you mean 'price' instead of 'prize'"):
        TableEncoder().fit(trees(), "prize")
    with pytest.raises(ValueError, match="at least one column besides the target 'y'"):
        TableEncoder().fit(Table({"y": [1, 2]}), "y")
    with pytest.raises(ValueError, match="numbers small enough to be squared, got 1e\\+300 in column 'x'"):
        TableEncoder().fit(Table({"x": [1e300, 1], "y": ["a", "b"]}), "y")


def test_a_constant_whose_mean_rounds_is_zero_all_the_same() -> None:
    table = Table({"x": [0.1] * 3, "y": ["a", "b", "a"]})
    assert table["x"].mean() != 0.1
    np.testing.assert_array_equal(TableEncoder().fit(table, "y").transform(table), 0)


def test_a_column_with_hardly_any_spread_gives_no_nan() -> None:
    table = Table({"x": [0, 5e-324], "y": ["a", "b"]})
    x = TableEncoder(dtype="float64").fit(table, "y").transform(table)
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= 1


@pytest.mark.parametrize(
    "use",
    [
        lambda encoder: encoder.columns,
        lambda encoder: encoder.text_columns,
        lambda encoder: encoder.feature_names,
        lambda encoder: encoder.transform(trees()),
        lambda encoder: encoder.encode_target(trees()),
        lambda encoder: encoder.decode([[1.0]]),
        lambda encoder: encoder.to_dict(),
    ],
)
def test_an_encoder_that_learned_nothing_says_so(use: Callable[[TableEncoder], object]) -> None:
    with pytest.raises(ValueError, match=r"to be fitted, got no table yet; call fit"):
        use(TableEncoder())


# --- real tables --------------------------------------------------------------------------------------------------


def test_diamonds_agree_with_scikit_learn(data_dir: Path) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    table = read_table(data_dir / "diamonds" / "diamonds.csv")
    train = table.take(np.arange(0, table.row_count, 2))
    encoder = TableEncoder(dtype="float64").fit(train, "price")
    assert encoder.task == "regression"
    x, start = encoder.transform(table), 0
    for name in encoder.columns:
        text = table[name].dtype == object
        theirs = preprocessing.OneHotEncoder(sparse_output=False) if text else preprocessing.StandardScaler()
        expected = theirs.fit(train[name][:, None]).transform(table[name][:, None])
        np.testing.assert_allclose(x[:, start : start + expected.shape[1]], expected, rtol=1e-9, atol=1e-9)
        start += expected.shape[1]
    assert start == x.shape[1] == len(encoder.feature_names)


@pytest.mark.parametrize(
    "file, target, task, count",
    [
        ("abalone/abalone.csv", "c8", "regression", 0),  # the rings: whole numbers of 28 different values
        ("wine-quality/winequality-red.csv", "c11", "classification", 6),
        ("magic/magic.tsv.gz", "target", "classification", 2),
    ],
)
def test_the_task_of_real_tables(data_dir: Path, file: str, target: str, task: str, count: int) -> None:
    table = read_table(data_dir / file, header=None if "magic" in file else False)
    encoder = TableEncoder().fit(table, target)
    assert (encoder.task, len(encoder.classes)) == (task, count)
    if task == "classification":
        np.testing.assert_array_equal(encoder.encode_target(table), np.unique(table[target], return_inverse=True)[1])


def test_unseen_values_are_counted() -> None:
    table = Table({"n": [1, 2, 3, 4], "f": ["True", "False"] * 2, "g": ["a", "b"] * 2, "y": ["u", "v"] * 2})
    encoder = TableEncoder().fit(table, "y")
    assert encoder.categories == {"f": ("False", "True"), "g": ("a", "b")}
    assert encoder.unseen(table) == {}
    new = Table({"n": [1, 2, 3], "f": [1, 0, 1], "g": ["a", "a", "c"]})
    assert encoder.unseen(new) == {"f": (3, ["0", "1"]), "g": (1, ["c"])}
