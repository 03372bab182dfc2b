"""What every compiled function promises: the plain one's numbers to rounding, and its answer to all other arrays."""

from __future__ import annotations

import inspect
import warnings
from itertools import product

import numpy as np
import pytest

import hostile
from chainrule import ops
from losses.table import LOSS_CASES
from ops.table import CASES, SPECIAL, Draw, run
from parity import EACH_DTYPE, assert_within, needs_kernels, precise

pytestmark = needs_kernels
COMPILED = {name: case for name, case in CASES.items() if case.compiled}
ALL = COMPILED | {name: case for name, case in LOSS_CASES.items() if case.compiled}


def each(cases):
    return pytest.mark.parametrize("name", cases)


def assert_same(found, expected, message=""):
    """To the bit: the sign of zero too."""
    for one, other in zip(found, expected, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other, message)
        np.testing.assert_array_equal(np.signbit(one), np.signbit(other), message)


@EACH_DTYPE
@each(ALL)
def test_results_are_those_of_the_plain_equations_to_rounding(name, dtype, rng):
    case = ALL[name]
    batches = [case.make(Draw(rng, dtype, size), *shape) for size in case.sizes for shape in case.shapes]
    for arrays in [*batches, *([case.others(Draw(rng, dtype))] if case.others else [])]:
        found = run(case.compiled, arrays)
        if case.errors is None:
            assert_same(found, run(case.plain, arrays))
            continue
        with np.errstate(over="ignore"):
            exact = [*map(precise, arrays)]
            expected = run(case.plain, exact)
            errors = case.errors(expected, *exact)
        for one, other, error in zip(found, expected, errors, strict=True):
            assert np.shape(one) == np.shape(other)
            assert isinstance(one, float) or one.dtype == dtype
            assert_within(one, other, error, f"{[array.shape for array in arrays]}")


@EACH_DTYPE
@each([name for name, case in COMPILED.items() if case.special])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, about NaN and infinities
def test_special_values_come_out_as_from_the_plain_equations(name, dtype, rng):
    case = COMPILED[name]
    for number in SPECIAL:
        for arrays in case.special(Draw(rng, dtype), number):
            rtol, atol = case.close
            if case.of_largest:
                atol *= np.max(np.abs(arrays[0]), initial=1, where=np.isfinite(arrays[0]))
            expected = run(case.plain, arrays if case.own_precision else [*map(precise, arrays)])
            for one, other in zip(run(case.compiled, arrays), expected, strict=True):
                np.testing.assert_allclose(one, other.astype(dtype), rtol, atol)
                if case.own_precision:
                    known = ~np.isnan(other)
                    np.testing.assert_array_equal(np.signbit(one)[known], np.signbit(other)[known])


@EACH_DTYPE
@each([name for name, case in COMPILED.items() if case.by_element])
def test_a_batch_in_parts_gives_the_same_bits(name, dtype, rng):
    case = COMPILED[name]
    arrays = case.make(Draw(rng, dtype, 3), 1003)
    whole = run(case.compiled, arrays)[0]
    for cut in (1, 5, 17, 500):
        parts = [run(case.compiled, [array[part] for array in arrays])[0] for part in (np.s_[:cut], np.s_[cut:])]
        assert_same([np.concatenate(parts)], [whole])


def overlapping(rng, source, need, shift):
    """A copy of the source and room for ``need`` numbers that begins so many numbers after it, in one memory."""
    memory = rng.standard_normal(max(source.size, need) + shift + 1).astype(source.dtype)
    copy = memory[: source.size].reshape(source.shape)
    copy[...] = source
    return memory, copy, memory[shift : shift + need]


@EACH_DTYPE
@each(ALL)
def test_an_output_that_overlaps_an_input_is_as_good_as_the_plain_one(name, dtype, rng):
    """Each output begins within each input; no number before or after the output changes."""
    case = ALL[name]
    arrays = case.make(Draw(rng, dtype), 6, 5)
    apart = run(case.plain, arrays)
    for position, index, shift in product(range(len(arrays)), range(len(apart[: case.outs])), (1, 2, 3)):
        if arrays[position].dtype != dtype:
            continue  # labels, or weights: never in the memory of an output
        found = []
        for function in (case.compiled, case.plain):
            memory, copy, room = overlapping(rng, arrays[position], apart[index].size, shift)
            before = memory.copy()
            rooms = [np.empty_like(result) for result in apart[: case.outs]]
            rooms[index] = room.reshape(apart[index].shape)
            given = [*arrays[:position], copy, *arrays[position + 1 :]]
            found.append(run(function, given, case.all_outs(rooms))[index].copy())
            np.testing.assert_array_equal(memory[:shift], before[:shift])
            np.testing.assert_array_equal(memory[shift + room.size :], before[shift + room.size :])
        same = [np.allclose(found[0], expected, rtol=2e-5, atol=2e-6) for expected in (apart[index], found[1])]
        assert any(same), (position, index, shift)
        if case.by_element:
            np.testing.assert_array_equal(found[0], apart[index])


LEFT = {
    kind: hostile.SAME[kind] for kind in ("reversed", "every second", "columns first", "misaligned", "byte-swapped")
}
LEFT |= {
    "half precision": lambda guarded, array: array.astype(np.float16),
    "long double": lambda guarded, array: array.astype(np.longdouble),
}


@each(COMPILED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # half precision overflows
def test_arrays_of_other_kinds_are_left_to_the_plain_op(name, rng):
    case = COMPILED[name]
    arrays = case.make(Draw(rng, "float64"), 6, 8)
    for kind, change in LEFT.items():
        changed = [change(hostile.Guarded(), array) for array in arrays]
        for given in (changed, *one_changed(arrays, changed)):
            if not all(array.flags.carray and array.dtype == np.float64 for array in given):
                found, expected = run(case.compiled, given), run(case.plain, given)
                assert_same(found, expected, kind)
                assert [*map(type, found)] == [*map(type, expected)]


def one_changed(arrays, changed):
    """The arrays with one of them exchanged, for each."""
    return [(*arrays[:i], changed[i], *arrays[i + 1 :]) for i in range(len(arrays))]


def outcome(function, arrays, out=None):
    """The results, or the kind of error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return run(function, arrays, out)
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            return type(error)


WRONG = {kind: hostile.OTHER[kind] for kind in ("one row less", "one row more", "an axis more", "flat")}
WRONG |= {
    "None": lambda guarded, array: None,
    "one column more": lambda guarded, array: array[..., [*range(-1, array.shape[-1])]],
    "one column": lambda guarded, array: array[..., :1].copy(),
    "no column": lambda guarded, array: array[..., :0].copy(),
}


@each(ALL)
def test_what_the_plain_one_refuses_is_refused_with_the_same_error(name, rng):
    case = ALL[name]
    arrays = case.make(Draw(rng, "float64"), 6, 5)
    outs = [np.empty_like(result) for result in run(case.plain, arrays)[: case.outs]]
    for kind, change in WRONG.items():
        calls = [(given, None) for given in one_changed(arrays, [change(hostile.Guarded(), a) for a in arrays])]
        if kind != "None":
            wrong_outs = one_changed(outs, [change(hostile.Guarded(), out) for out in outs])
            calls += [(arrays, case.all_outs(rooms)) for rooms in wrong_outs]
        for given, out in calls:
            found, expected = outcome(case.compiled, given, out), outcome(case.plain, given, out)
            if isinstance(expected, tuple) and isinstance(found, tuple):
                for one, other in zip(found, expected, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, err_msg=kind)
            else:
                assert found is expected, kind


@each(ALL)
def test_an_output_that_is_read_only_is_refused_as_by_the_plain_one(name, rng):
    case = ALL[name]
    arrays = case.make(Draw(rng, "float64"), 6, 5)
    results = run(case.plain, arrays)[: case.outs]
    for index in range(len(results)):
        rooms = [np.empty_like(result) for result in results]
        rooms[index].flags.writeable = False
        out = case.all_outs(rooms)
        assert outcome(case.compiled, arrays, out) is outcome(case.plain, arrays, out) is ValueError


@pytest.mark.parametrize("name", [name for name in ops.__all__ if hasattr(getattr(ops, name), "__wrapped__")])
def test_signatures_are_the_plain_ones(name):
    def told(function):
        return [
            (p.name, p.default, p.kind) for p in inspect.signature(function, follow_wrapped=False).parameters.values()
        ]

    compiled, plain = getattr(ops, name), getattr(ops, name).__wrapped__
    numbers = [p.name for p in inspect.signature(plain).parameters.values() if isinstance(p.default, float)]
    if numbers and told(compiled) != told(plain):  # one function for all ops that have a number, whatever its name
        arrays = [np.linspace(-1, 1, 6).reshape(2, 3)] * (len(told(plain)) - 2)
        np.testing.assert_array_equal(compiled(*arrays, **{numbers[0]: 0.5}), compiled(*arrays, 0.5))
        with pytest.raises(TypeError):
            compiled(*arrays, nothing=0.5)
    else:
        assert told(compiled) == told(plain)
    with pytest.raises(TypeError):
        compiled()
