"""Random trainings, by both engines of the library, end where an independent float64 implementation ends.

``pytest tests/fuzz -m "slow or not slow" --seed N`` runs a thousand of your own; a failure prints its case as code.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import layers, losses, optimizers, schedules
from chainrule.ops.fused import KERNELS
from fuzz import drawing
from fuzz.drawing import Of, draw_layers, draw_loss, draw_optimizer, one_of
from fuzz.trainings import Case, Seen, bounds, by_library, differences
from public import public_things

BLOCK = 25


def draw(rng: np.random.Generator) -> Case:
    """Any training; only BatchNorm needs two rows in each batch."""
    loss, target, targets, outputs, last = draw_loss(rng)
    inputs = one_of(rng, [(1,), (3,), (7,), (2, 3)])
    large = rng.random() < 0.1  # so that kernels have tiles that are full, and two threads
    network = draw_layers(rng, inputs, 40 if large else 12, outputs, last)
    rows = int(rng.integers(60, 151) if large else rng.integers(4, 41))
    batch_size = one_of(rng, [None, int(rng.integers(1, rows + 3)), int(rng.integers(2, 9))])
    drop_last = bool(rng.random() < 0.3)
    if "BatchNorm" in repr(network) and batch_size is not None:
        batch_size = max(batch_size, 2)
        drop_last = drop_last or rows % min(batch_size, rows) == 1
    return Case(
        seed=int(rng.integers(10**9)),
        layers=network,
        loss=loss,
        optimizer=draw_optimizer(rng),
        rows=rows,
        inputs=inputs,
        target=target,
        targets=targets,
        batch_size=batch_size,
        drop_last=drop_last,
        average_penalty=bool(rng.random() < 0.4),
        weights=one_of(rng, ["none", "some", "with zeros"]),
        validation=bool(rng.random() < 0.3),
        fits=one_of(rng, [(1,), (3,), (2, 1), (1, 3), (6,)]),
        dtype=one_of(rng, ["float32", "float64"]),
        watched=bool(rng.random() < 0.4),
    )


def comparable(seed: int, index: int) -> tuple[Case, Seen, Seen]:
    """The first of the cases of this number for which rounding decides nothing but the last digits."""
    for attempt in count():
        case = draw(np.random.default_rng([seed, index, attempt]))
        found = bounds(case)
        if found is not None:
            return case, *found
    raise AssertionError


def check(case: Case, right: Seen, apart: Seen) -> None:
    """Fail with the case as code unless both engines end where they may."""
    again = f"from fuzz.test_trainings import *  # with tests/ on the path\ncase = {case!r}\ncheck(case, *bounds(case))"
    for op_by_op in (False, True):
        try:
            wrong = list(differences(case, right, apart, op_by_op=op_by_op))
        except Exception as error:
            raise AssertionError(f"{error!r}\n{again}") from error
        assert not wrong, "\n".join([*wrong[:12], again])


@pytest.mark.parametrize("index", range(BLOCK))
def test_a_random_training_ends_where_the_oracle_ends(fuzz_seed: int, index: int) -> None:
    check(*comparable(fuzz_seed, index))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(1, 40))
def test_a_thousand_random_trainings_end_where_the_oracle_ends(fuzz_seed: int, block: int) -> None:
    for index in range(BLOCK * block, BLOCK * (block + 1)):
        check(*comparable(fuzz_seed, index))


# --- whether that would see a fault ---


@pytest.mark.parametrize(("dtype", "change"), [("float64", 1e-8), ("float32", 1e-2)])
def test_a_learning_rate_that_is_slightly_wrong_is_seen(fuzz_seed: int, dtype: str, change: float) -> None:
    seen: list[bool] = []
    for index in count():
        case = draw(np.random.default_rng([fuzz_seed, index]))
        rate = case.optimizer.options["learning_rate"]
        found = None if isinstance(rate, Of) or case.dtype != dtype else bounds(case)
        if found is not None:
            options = case.optimizer.options | {"learning_rate": rate * (1 + change)}
            other = replace(case, optimizer=Of(case.optimizer.name, **options))
            seen.append(any("learning_rate" not in line for line in differences(other, *found, op_by_op=False)))
        if len(seen) == 10:
            break
    assert sum(seen) >= 8


@pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
def test_both_engines_take_part(fuzz_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first compiled call takes all ten steps, and then there is a pause; else there is one after every step."""
    network = [Of("Linear", in_features=3, out_features=4, activation=Of("ReLU")), Of("Dropout", rate=0.5)]
    network += [Of("BatchNorm", features=4), Of("Linear", in_features=4, out_features=2)]
    case = replace(
        draw(np.random.default_rng(fuzz_seed)),
        layers=network,
        loss=Of("SquaredError"),
        optimizer=Of("Adam", learning_rate=0.01),
        rows=40,
        inputs=(3,),
        target="numbers",
        targets=2,
        batch_size=4,
        drop_last=False,
        fits=(1,),
        watched=False,
    )
    pauses: list[int] = []
    monkeypatch.setattr(cr.callbacks.History, "on_pause", lambda self, trainer: pauses.append(trainer.step))
    by_library(case, op_by_op=True)
    assert pauses == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    pauses.clear()
    by_library(case, op_by_op=False)
    assert pauses == [10]


def test_everything_public_that_a_training_may_have_is_drawn() -> None:
    left_out = {"Embedding"}  # takes codes: layers/test_tables.py has it trained beside a dense layer on ones
    left_out |= {"Members", "TabM"}  # have no stage in a plan: layers/test_members.py
    drawn = {*drawing.OPTIMIZERS, *drawing.SCHEDULES, *drawing.LOSSES, *drawing.ACTIVATIONS, *drawing.BETWEEN}
    drawn = drawn - {"activation"} | {"Linear", "Flatten", "PBLD", "PiecewiseLinear"}
    parts = {name for module in (layers, losses, optimizers, schedules) for name in module.__all__}
    assert parts & public_things().keys() - {"Activation", "Layer", "Loss", "Optimizer"} == drawn | left_out


def test_the_oracle_imports_nothing_of_the_library() -> None:
    for path in (Path(__file__).parent / "oracle").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
        assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "numpy"}, path.name
