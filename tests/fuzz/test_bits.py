"""Random trainings end with the same bits whichever numbers of threads take their steps, in calls of any length.

``pytest tests/fuzz/test_bits.py -m "slow or not slow" --seed N`` runs a thousand of your own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chainrule import DivergenceError
from chainrule.ops.fused import KERNELS
from chainrule.training.tempo import Tempo
from fuzz.test_trainings import BLOCK, draw
from fuzz.trainings import Case, by_library

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
Choose = Callable[[Tempo, int], tuple[int, int]]
MOST = 4


def one_thread(tempo: Tempo, steps: int) -> tuple[int, int]:
    return 1, steps


def any_threads(rng: np.random.Generator) -> Choose:
    """Calls of at most as many steps as asked for, on one to four threads, each drawn by chance."""
    return lambda tempo, steps: (int(rng.integers(1, MOST + 1)), int(rng.integers(1, steps + 1)))


def trained(case: Case, choose: Choose, patch: pytest.MonkeyPatch) -> dict[object, bytes]:
    """The losses, parameters and running statistics of the case, or how it diverges."""
    patch.setenv("CHAINRULE_NUM_THREADS", str(MOST))
    patch.setattr(Tempo, "choose", choose)
    try:
        with np.errstate(all="ignore"):
            return {place: values.tobytes() for place, values in by_library(case, op_by_op=False).items()}
    except DivergenceError as error:
        return {"diverges": str(error).encode()}


def check(case: Case, rng: np.random.Generator, patch: pytest.MonkeyPatch) -> None:
    expected, seen = (trained(case, choose, patch) for choose in (one_thread, any_threads(rng)))
    wrong = [place for place in expected if seen.get(place) != expected[place]]
    assert not wrong, f"{wrong[:8]}: case = {case!r}"


@pytest.mark.parametrize("index", range(BLOCK))
def test_threads_change_no_bit_of_a_random_training(
    fuzz_seed: int, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng([fuzz_seed, index, MOST])
    check(draw(rng), rng, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(1, 40))
def test_threads_change_no_bit_of_a_thousand_random_trainings(
    fuzz_seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(BLOCK * block, BLOCK * (block + 1)):
        rng = np.random.default_rng([fuzz_seed, index, MOST])
        check(draw(rng), rng, monkeypatch)


def test_trainings_on_several_threads_are_among_them(fuzz_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the comparison would say nothing."""
    used: set[int] = set()
    for index in range(BLOCK):
        rng = np.random.default_rng([fuzz_seed, index, MOST])
        case, choose = draw(rng), any_threads(rng)

        def noted(tempo: Tempo, steps: int, choose: Choose = choose) -> tuple[int, int]:
            threads, most = choose(tempo, steps)
            used.add(threads)
            return threads, most

        trained(case, noted, monkeypatch)
    assert used == set(range(1, MOST + 1))
