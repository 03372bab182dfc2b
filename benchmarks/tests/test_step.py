"""The training step: the peers train what we train, and who does not is left out with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import step
from benchmarks.grid import NotOffered, Problem, Row, make_problem
from benchmarks.peers import FLOOR, PEERS, Peer, admit
from benchmarks.peers.ours import Ours
from benchmarks.timing import Pace

TINY = Row((6, 8, 3), 16, steps=20)
QUICK = Pace(rounds=2, seconds=1e-3)
VARIANTS = [
    TINY,
    replace(TINY, optimizer="momentum"),
    replace(TINY, dropout=0.2),
    replace(TINY, batch_norm=True),
    replace(TINY, activation="gelu"),
    replace(TINY, dtype="float64"),
    Row((6, 8, 1), 16, steps=20, loss="squared_error"),
    Row((6, 8, 3), 30, steps=20, full_batch=True),
]
LACKS = {"dropout", "batch-norm", "gelu"}


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
@pytest.mark.parametrize("key", [key for key, peer in PEERS.items() if peer.trains and key != "pytorch_compile"])
def test_each_peer_trains_what_we_train(key: str, row: Row) -> None:
    if not PEERS[key].installed:
        pytest.skip(f"{PEERS[key].name} is not installed")
    ready, left_out = admit([PEERS[key]], step.Reference(make_problem(row)).admit)
    if key == "scikit_learn" and LACKS & set(row.name.split("+")):
        assert left_out[key].startswith("has no ")
    else:
        assert left_out == {}
        assert list(ready) == [key]


@pytest.mark.slow
@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
def test_the_compiled_peer_does_so_too(row: Row) -> None:
    pytest.importorskip("torch")
    assert admit([PEERS["pytorch_compile"]], step.Reference(make_problem(row)).admit)[1] == {}


def test_a_row_has_the_figures_of_each_round() -> None:
    pytest.importorskip("sklearn")
    found = step.measure(TINY, [FLOOR, PEERS["scikit_learn"]], QUICK)
    assert found["row"] == TINY.name
    assert found["seconds"] > 0
    assert list(found["peers"]) == ["floor", "scikit_learn"]
    for peer in found["peers"].values():
        assert len(peer["rounds"]["ours"]) == len(peer["rounds"]["theirs"]) == 2
        assert 0 < peer["min"] <= peer["ratio"] <= peer["max"]


class Faster(Ours):
    """A peer that takes steps twice as large."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.trainer.optimizer.learning_rate *= 2


class Broken(Ours):
    """A peer that fails when it trains."""

    def train_in_order(self) -> None:
        raise RuntimeError("no compiler\nand more")


class Fake(Peer):
    """A peer whose file is a class of this one."""

    def contestant(self, problem: Problem) -> Ours:
        return {"ours": Ours, "faster": Faster, "broken": Broken}[self.key](problem)


@pytest.mark.parametrize("row", [TINY, replace(TINY, dropout=0.2)], ids=lambda row: row.name)
def test_who_trains_something_else_is_left_out(row: Row) -> None:
    peers = [Fake(key, key, ("numpy",)) for key in ("faster", "ours", "broken")]
    found = step.measure(row, peers, QUICK)
    assert list(found["peers"]) == ["ours"]
    assert found["left_out"]["faster"].startswith("not comparable: after ")
    assert found["left_out"]["broken"] == "RuntimeError: no compiler"


@pytest.mark.parametrize(
    ("theirs", "when"),
    [
        (step.Losses(2.1, 1.0, 0.5), "at the start"),
        (step.Losses(2.0, 1.002, 0.5), "after the same batches"),
        (step.Losses(2.0, 1.0, 0.7), "after shuffled batches"),
        (step.Losses(2.0, np.nan, 0.5), "after the same batches"),
    ],
)
def test_each_loss_must_agree(theirs: step.Losses, when: str) -> None:
    ours = step.Losses(2.0, 1.0, 0.5)
    step.check_agreement(ours, step.Losses(2.0, 1.0005, 0.55))
    with pytest.raises(NotOffered, match=when):
        step.check_agreement(ours, theirs)
