"""The cost model behind docs/scale.md: its limits, its arithmetic, and that the page says what it computes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import scale
from benchmarks.scale import Cluster, Network

NETWORK = Network("made up", per_step=1e-3, per_row=1e-5, gradient=4_000_000, row=200)
IDEAL = Cluster(near=(0.0, math.inf), far=(0.0, math.inf), read=math.inf, disk=math.inf, jitter=0.0, cores=4)


def test_one_rank_neither_waits_nor_exchanges() -> None:
    slow = replace(IDEAL, near=(1.0, 1.0), far=(1.0, 1.0), jitter=0.5)
    one = scale.step(NETWORK, slow, 1000, 1)
    assert (one.waiting, one.exchange) == (pytest.approx(0, abs=1e-15), 0)
    assert one.seconds == pytest.approx(1e-3 + 1000 * 1e-5)


def test_without_exchange_and_fixed_costs_n_ranks_are_n_times_as_fast() -> None:
    free = replace(NETWORK, per_step=0.0)
    assert [scale.speedup(free, IDEAL, 1024, n) for n in (1, 8, 1024)] == pytest.approx([1, 8, 1024])
    assert scale.speedup(NETWORK, IDEAL, 1024, 1024) < 12  # 1 ms stays


def test_the_sum_takes_messages_and_moves_the_gradient_nearly_twice() -> None:
    joined = replace(IDEAL, near=(1e-6, 1e9), far=(1e-4, 1e8))
    inside = scale.step(NETWORK, joined, 1000, 4).exchange
    assert inside == pytest.approx(2 * 3 * 1e-6 + 1.5 * 4e6 / 1e9)
    outside = scale.step(NETWORK, joined, 1000, 32).exchange  # 8 machines of 4
    assert outside == pytest.approx(inside + 2 * 7 * 1e-4 + 1.75 * 4e6 / 1e8)


def test_decoding_adds_to_the_work_and_the_disk_counts_only_where_it_is_slower() -> None:
    work = scale.step(NETWORK, IDEAL, 1000, 1).work
    assert scale.step(NETWORK, replace(IDEAL, read=1e6), 1000, 1).work == pytest.approx(work + 0.2)
    assert scale.step(NETWORK, replace(IDEAL, disk=1.01 * 200_000 / work), 1000, 1).work == work
    assert scale.step(NETWORK, replace(IDEAL, disk=1e6), 1000, 4).work == pytest.approx(0.2)  # all four share it


@pytest.mark.parametrize("ranks", [1, 2, 16, 256])
def test_the_slowest_of_many_waits_as_long_as_in_a_simulation(ranks: int) -> None:
    simulated = np.random.default_rng(0).standard_normal((20_000, ranks)).max(axis=1).mean()
    assert scale.slowest(ranks) == pytest.approx(simulated, rel=0.03, abs=0.02)


def test_checkpoints_are_as_often_as_loses_least() -> None:
    every, least = scale.lost_to_failures(10, 1e-3, save=5.0, restart=60.0)
    between = 3600 / 0.01
    for other in (0.7 * every, 1.4 * every):
        assert least < 5.0 / other + (other / 2 + 60.0) / between


def test_a_line_goes_through_its_points_and_never_starts_below_zero() -> None:
    assert scale.line({"1": 5.0, "2": 7.0, "10": 23.0}) == pytest.approx((3, 2))
    assert scale.line({"1": 1.0, "2": 4.0}) == pytest.approx((0, 1.2))


def test_efficiency_falls_with_ranks_and_a_larger_batch_takes_more() -> None:
    joined = replace(IDEAL, near=(1e-6, 1e9), far=(1e-4, 1e9))
    shares = [scale.speedup(NETWORK, joined, 16_384, n) / n for n in scale.RANKS]
    assert shares == sorted(shares, reverse=True)
    most = [scale.most_ranks(NETWORK, joined, batch) for batch in scale.BATCHES]
    assert most == sorted(most)
    assert most[0] < most[-1]


def test_the_page_has_the_numbers_of_its_constants() -> None:
    """``python -m benchmarks.scale --write`` renews it."""
    text = scale.PAGE.read_text(encoding="utf-8")
    facts = json.loads(scale.CONSTANTS.read_text(encoding="utf-8"))
    made = scale.blocks(facts, scale.parse([]))
    assert {name for _, name, _ in scale.MARKED.findall(text)} == set(made)
    assert scale.renew(text, made) == text


def test_other_constants_and_prices_give_other_numbers() -> None:
    facts = json.loads(scale.CONSTANTS.read_text(encoding="utf-8"))
    usual, dear = (scale.blocks(facts, scale.parse(words)) for words in ([], ["--core-hour", "1"]))
    assert usual["rent"] != dear["rent"]
    assert usual["ranks"] == dear["ranks"]
    facts["allreduce"] = {size: 10 * time for size, time in facts["allreduce"].items()}
    assert scale.blocks(facts, scale.parse([]))["ranks"] != usual["ranks"]
