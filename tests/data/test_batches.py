"""Every row once, in an order that a seed decides, and splits that keep their shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.data.batches import Batches, steps_per_epoch

sizes = st.integers(1, 60)


def numbered(rows):
    """x, y and weights that all tell the number of their row."""
    number = np.arange(rows)
    return np.stack([number, -number], axis=1), 10 * number, number / 2


def rows_of(epoch):
    return np.concatenate([xb[:, 0] for xb, *_ in epoch])


@given(rows=sizes, size=st.one_of(st.none(), sizes), shuffle=st.booleans(), seed=st.integers(0, 5))
def test_every_row_comes_once(rows, size, shuffle, seed):
    x, y, _ = numbered(rows)
    epoch = list(cr.batches(x, y, size=size, shuffle=shuffle, rng=seed))
    assert sorted(rows_of(epoch)) == list(range(rows))
    assert {len(yb) for _, yb in epoch[:-1]} <= {size}
    assert len(epoch) == steps_per_epoch(rows, size, drop_last=False, sample="all")


@given(rows=sizes, size=sizes, seed=st.integers(0, 5))
def test_a_short_last_batch_may_be_left_out(rows, size, seed):
    x, y, _ = numbered(rows)
    epoch = list(cr.batches(x, y, size=size, drop_last=True, rng=seed))
    assert {len(yb) for _, yb in epoch} == {min(size, rows)}
    assert len(set(rows_of(epoch))) == len(epoch) * min(size, rows)
    assert len(epoch) == steps_per_epoch(rows, size, drop_last=True, sample="all")


@given(rows=sizes, size=sizes, seed=st.integers(0, 5))
def test_one_sampled_batch_has_different_rows(rows, size, seed):
    x, y, _ = numbered(rows)
    epoch = list(cr.batches(x, y, size=size, sample="one", rng=seed))
    assert len(epoch) == 1 == steps_per_epoch(rows, size, drop_last=False, sample="one")
    assert len(set(rows_of(epoch))) == min(size, rows)


@given(rows=sizes, size=sizes, sample=st.sampled_from(["all", "one"]))
def test_a_row_keeps_its_target_and_its_weight(rows, size, sample):
    for xb, yb, wb in cr.batches(*numbered(rows), size=size, sample=sample, rng=0):
        np.testing.assert_array_equal(yb, 10 * xb[:, 0])
        np.testing.assert_array_equal(wb, xb[:, 0] / 2)


@pytest.mark.parametrize("sample", ["all", "one"])
def test_a_seed_gives_the_same_order_and_a_generator_a_new_one_each_epoch(sample):
    x, y, _ = numbered(50)
    rng = np.random.default_rng(3)
    first, again, next_epoch = (
        rows_of(cr.batches(x, y, size=20, rng=source, sample=sample)).tolist() for source in (3, rng, rng)
    )
    assert first == again
    assert first != next_epoch


def test_sampled_batches_reach_every_row_sooner_or_later():
    x, y, _ = numbered(12)
    rng = np.random.default_rng(0)
    seen = {row for _ in range(40) for row in rows_of(cr.batches(x, y, size=3, sample="one", rng=rng))}
    assert seen == set(range(12))


@pytest.mark.parametrize("arguments", [dict(size=4, shuffle=False), dict(size=None), dict(size=100)])
def test_without_shuffling_rows_keep_their_order(arguments):
    x, y, _ = numbered(10)
    assert rows_of(cr.batches(x, y, **arguments)).tolist() == list(range(10))


def test_the_full_batch_draws_no_numbers():
    rng = np.random.default_rng(0)
    list(cr.batches(*numbered(10), size=None, rng=rng))
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(y=np.zeros(9)), ValueError, "batches expects x, y and weights of equal length, got 10 and 9"),
        (dict(sample_weight=np.zeros(3)), ValueError, "got 10 and 10 and 3"),
        (dict(x=np.zeros((0, 2)), y=np.zeros(0)), ValueError, "batches expects at least one row, got none"),
        (dict(x=1.0, y=2.0), ValueError, "batches expects at least one row"),
        (dict(size=0), ValueError, "batches expects size >= 1"),
        (dict(size=2.5), TypeError, "batches expects size to be an integer"),
        (dict(sample="two"), ValueError, r"the name of a way to sample, got 'two'; known are all, one"),
        (dict(sample=2), TypeError, "batches expects sample to be a name or a function of the number of rows, got 2"),
        (dict(sample=np.arange(10)), TypeError, r"pass sample=lambda rows: order"),
        (dict(rng=-1), TypeError, "batches expects rng"),
    ],
)
def test_what_makes_no_batches_is_refused_at_once(arguments, error, says):
    """Before the first batch is asked for."""
    with pytest.raises(error, match=says):
        cr.batches(**(dict(x=np.zeros((10, 2)), y=np.zeros(10), size=4) | arguments))


# ---- an order of one's own


@given(rows=sizes, size=st.one_of(st.none(), sizes), drop_last=st.booleans(), seed=st.integers(0, 5))
def test_rows_come_in_the_order_that_a_function_gives(rows, size, drop_last, seed):
    order = np.random.default_rng(seed).integers(0, rows, rows)
    epoch = list(cr.batches(*numbered(rows), size=size, drop_last=drop_last, sample=lambda count: order[:count]))
    whole = rows // min(size or rows, rows) * min(size or rows, rows) if drop_last else rows
    assert rows_of(epoch).tolist() == order[:whole].tolist()
    assert len(epoch) == steps_per_epoch(rows, size, drop_last, lambda count: order)


def test_a_function_is_asked_once_an_epoch_and_draws_from_no_other_generator():
    asked = []

    def backwards(rows):
        asked.append(rows)
        return list(range(rows))[::-1]

    ours = of_the_trainer(numbered(5), 2, sample=backwards)
    before = ours.rng.bit_generator.state
    assert [xb[:, 0].tolist() for xb, _, _ in ours] == [[4, 3], [2, 1], [0]]
    assert asked == [5]
    list(ours)
    assert asked == [5, 5]
    assert ours.rng.bit_generator.state == before


def test_the_array_of_an_order_may_be_reused():
    rng, order = np.random.default_rng(0), np.arange(20)

    def shuffled(rows):
        rng.shuffle(order)
        return order

    ours = of_the_trainer(numbered(20), 5, sample=shuffled)
    first = ours.order()
    kept = first.copy()
    assert ours.order().tolist() != kept.tolist()
    assert first.tolist() == kept.tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_an_order_may_hold_integers_of_any_type(dtype):
    epoch = cr.batches(*numbered(10), size=4, sample=lambda rows: np.arange(rows, dtype=dtype))
    assert rows_of(epoch).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("order", "error", "says"),
    [
        (np.arange(10.0), TypeError, "sample expects to return integers from 0 to 9, got dtype float64"),
        (np.ones(10, bool), TypeError, "got dtype bool"),
        (["a"] * 10, TypeError, "sample expects the order to be an array of numbers, got dtype <U1"),
        (np.arange(9), ValueError, r"sample expects an order of shape \(10,\), got \(9,\)"),
        (np.arange(10)[:, None], ValueError, r"got \(10, 1\)"),
        (None, ValueError, r"got \(\)"),
        (np.arange(10) - 1, ValueError, "sample expects to return integers from 0 to 9, got numbers from -1 to 8"),
        (np.arange(10) + 1, ValueError, "got numbers from 1 to 10"),
    ],
)
@pytest.mark.parametrize("size", [4, None])
def test_an_invalid_order_is_refused(order, error, says, size):
    with pytest.raises(error, match=says):
        list(cr.batches(*numbered(10), size=size, sample=lambda rows: order))
    with pytest.raises(error, match=says):
        list(of_the_trainer(numbered(10), size, sample=lambda rows: order))


# ---- sparse rows

SPARSE = ["csr_matrix", "csr_array", "csc_matrix", "coo_array", "lil_array", "dok_matrix", "bsr_array", "dia_array"]


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize(
    "arguments", [dict(size=3, rng=0), dict(size=None), dict(size=4, sample="one", rng=0)], ids=str
)
def test_batches_of_sparse_rows_are_sparse(kind, arguments):
    sparse = pytest.importorskip("scipy.sparse")
    x, y, w = numbered(10)
    x[4] = 0
    of_dense = cr.batches(x, y, w, **arguments)
    of_sparse = cr.batches(getattr(sparse, kind)(x), y, w, **arguments)
    for (xb, yb, wb), (sb, same_y, same_w) in zip(of_dense, of_sparse, strict=True):
        assert sb.format == "csr"
        np.testing.assert_array_equal(sb.toarray(), xb)
        np.testing.assert_array_equal(same_y, yb)
        np.testing.assert_array_equal(same_w, wb)


@pytest.mark.parametrize(("size", "sample"), [(3, "all"), (None, "all"), (4, "one"), (20, "all")])
def test_the_trainers_batches_of_sparse_rows_are_those_of_the_dense(size, sample):
    sparse = pytest.importorskip("scipy.sparse")
    x, y, w = numbered(10)
    dense = of_the_trainer((x, y, w), size, sample=sample)
    ours = of_the_trainer((sparse.csr_array(x), y, w), size, sample=sample)
    assert (len(ours), ours.rows, ours.size) == (len(dense), dense.rows, dense.size)
    for _ in range(2):
        for (xb, yb, wb), (sb, same_y, same_w) in zip(dense, ours, strict=True):
            np.testing.assert_array_equal(sb.toarray(), xb)
            np.testing.assert_array_equal(same_y, yb)
            np.testing.assert_array_equal(same_w, wb)


def test_sparse_rows_are_split():
    sparse = pytest.importorskip("scipy.sparse")
    x, y, _ = numbered(10)
    dense, of_sparse = (cr.data.split(data, y, 0.3, rng=0) for data in (x, sparse.coo_array(x)))
    for part, same in zip(dense, of_sparse, strict=True):
        np.testing.assert_array_equal(part, same.toarray() if hasattr(same, "toarray") else same)


def test_sparse_rows_that_do_not_fit_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="x, y and weights of equal length, got 10 and 9"):
        cr.batches(sparse.csr_array((10, 2)), np.zeros(9), size=4)
    with pytest.raises(ValueError, match="batches expects at least one row"):
        cr.batches(sparse.csr_array((0, 2)), np.zeros(0), size=4)
    with pytest.raises(TypeError, match="batches expects x to be sparse and of numbers, got dtype complex128"):
        cr.batches(sparse.csr_array((3, 2), dtype=complex), np.zeros(3), size=4)


# ---- the trainer's batches, in memory used again and again


def of_the_trainer(arrays, size, seed=0, drop_last=False, sample="all"):
    rng = np.random.default_rng(seed)
    return Batches(*arrays, size=size, rng=rng, drop_last=drop_last, sample=sample)


@given(
    rows=sizes,
    size=st.one_of(st.none(), sizes),
    drop_last=st.booleans(),
    sample=st.sampled_from(["all", "one"]),
    weighted=st.booleans(),
    seed=st.integers(0, 5),
)
def test_they_equal_the_public_batches_epoch_after_epoch(rows, size, drop_last, sample, weighted, seed):
    x, y, w = numbered(rows)
    arrays = x, y, w if weighted else None
    ours = of_the_trainer(arrays, size, seed, drop_last, sample)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        expected = list(cr.batches(*arrays, size=size, rng=rng, drop_last=drop_last, sample=sample))
        found = [tuple(array.copy() for array in batch) for batch in ours]
        assert len(ours) == len(expected) == len(found)
        for batch, same in zip(found, expected, strict=True):
            assert len(batch) == len(same)
            for array, wanted in zip(batch, same, strict=True):
                np.testing.assert_array_equal(array, wanted)


def test_each_batch_reuses_the_memory_of_the_one_before():
    ours = of_the_trainer(numbered(10), 4)
    places = {tuple(array.ctypes.data for array in batch) for _ in range(3) for batch in ours}
    assert len(places) == 1


@pytest.mark.parametrize(("drop_last", "sample", "rows"), [(False, "all", 10), (True, "all", 8), (False, "one", 4)])
def test_an_order_holds_the_rows_of_the_epoch(drop_last, sample, rows):
    ours = of_the_trainer(numbered(10), 4, drop_last=drop_last, sample=sample)
    assert len(ours.order()) == len(set(ours.order())) == ours.rows == rows


@pytest.mark.parametrize("size", [None, 10, 20])
def test_a_full_batch_is_the_data_themselves(size):
    x, y, w = numbered(10)
    ((xb, yb, wb),) = of_the_trainer((x, y, w), size)
    assert all(np.shares_memory(part, whole) for part, whole in ((xb, x), (yb, y), (wb, w)))


STORED = {
    "images": lambda x: np.repeat(x, 6, axis=1).reshape(len(x), 2, 2, 3),
    "by columns": np.asfortranarray,
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "one column of several": lambda x: x[:, 0],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "of another byte order": lambda x: x.astype(x.dtype.newbyteorder()),
}


@pytest.mark.parametrize("size", [4, None])
@pytest.mark.parametrize("stored", STORED)
def test_rows_may_be_stored_in_any_way(stored, size):
    x, y, _ = numbered(11)
    x = STORED[stored](x)
    for xb, yb in of_the_trainer((x, y, None), size):
        np.testing.assert_array_equal(xb, x[yb // 10])
        assert xb.dtype == x.dtype
        assert xb.flags.c_contiguous


# ---- split


@given(rows=st.integers(2, 60), fraction=st.floats(0.01, 0.99), stratify=st.booleans(), seed=st.integers(0, 5))
def test_a_split_puts_every_row_on_one_side(rows, fraction, stratify, seed):
    x, y, _ = numbered(rows)
    kept, y_kept, aside, y_aside = cr.data.split(x, y % 7, fraction, rng=seed, stratify=stratify)
    assert sorted([*kept[:, 0], *aside[:, 0]]) == list(range(rows))
    np.testing.assert_array_equal(y_kept, 10 * kept[:, 0] % 7)
    np.testing.assert_array_equal(y_aside, 10 * aside[:, 0] % 7)
    assert len(aside) == min(max(round(fraction * rows), 1), rows - 1)


@given(
    labels=st.lists(st.sampled_from("aaaaaaaabbbc"), min_size=2, max_size=80),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_a_stratified_split_keeps_each_share_to_within_one_row(labels, fraction, seed):
    y = np.array(labels)
    aside = cr.data.split(y, y, fraction, rng=seed, stratify=True)[3]
    shares = {label: np.sum(y == label) * len(aside) / len(y) for label in set(labels)}
    assert all(abs(np.sum(aside == label) - share) <= 1 for label, share in shares.items())


def test_a_class_of_one_row_stays_where_it_can():
    y = np.array([0] * 20 + [1] * 20 + [2])
    assert 2 in cr.data.split(y, y, 0.8, rng=0, stratify=True)[1]


def test_shares_hold_beside_many_classes_of_one_row():
    y = np.concatenate([np.zeros(100, int), 1 + np.arange(50)])
    aside = cr.data.split(y, y, 0.2, rng=0, stratify=True)[3]
    assert 19 <= np.sum(aside == 0) <= 21


@pytest.mark.parametrize("stratify", [False, True])
def test_a_seed_gives_the_same_split(stratify):
    y = np.arange(40) % 3
    first, again, other = (
        cr.data.split(np.arange(40), y, 0.25, rng=seed, stratify=stratify)[2].tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_every_row_is_set_aside_sooner_or_later():
    x = np.arange(10)
    rng = np.random.default_rng(0)
    assert {row for _ in range(60) for row in cr.data.split(x, x % 2, 0.2, rng=rng, stratify=True)[2]} == set(range(10))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(fraction=0), "split expects fraction > 0 and < 1, got 0"),
        (dict(fraction=1), "split expects fraction > 0 and < 1, got 1"),
        (dict(x=[1], y=[1]), "split expects at least two rows, got 1"),
        (dict(x=[], y=[]), "split expects at least one row, got none"),
        (dict(x=[1, 2], y=[1]), "split expects x, y and weights of equal length, got 2 and 1"),
        (
            dict(y=[[1], [2], [3]], stratify=True),
            r"labels of shape \(N,\) to stratify, got \(3, 1\); pass stratify=False",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        cr.data.split(**(dict(x=[1, 2, 3], y=[1, 2, 3]) | arguments))
