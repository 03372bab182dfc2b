"""Whatever a page asks for, the answer is one sentence, and the runs are as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chainrule.playground.session import MOST_CHARACTERS, Session, handle_json

SMALL = {"points": 80, "hidden": [4, 3]}
HOSTILE: list[Any] = [
    None, 3, "describe", [], {}, {"do": "fly"}, {"do": "__init__"}, {"do": ["build"]}, {"do": "handle"},
    {"do": "advance"}, {"do": "advance", "run": "c"}, {"do": "advance", "self": 1}, {"do": "build", "run": "../a"},
    {"do": "build", "settings": []}, {"do": "build", "settings": {"fun": 1}}, {"do": "edge"}, {"do": "table"},
    {"do": "table", "text": 3}, {"do": "table", "text": "\ud800"}, {"do": "table", "text": "\0\1\2"},
    {"do": "build", "settings": {"data": "table"}},
]  # fmt: skip
SETTINGS: list[dict[str, Any]] = [
    {"data": "mnist"}, {"data": ["xor"]}, {"points": 10**9}, {"points": 2.5}, {"points": True}, {"noise": -1},
    {"noise": 1e99}, {"test_share": 0}, {"test_share": 1}, {"data_seed": -1}, {"features": []}, {"features": "x1"},
    {"features": ["x1", "x1"]}, {"features": [["x1"]]}, {"hidden": [33]}, {"hidden": [1] * 7}, {"hidden": [0]},
    {"hidden": "8"}, {"hidden": [2.5]}, {"hidden": {"a": 1}}, {"activation": "sine"}, {"activation": None},
    {"activation": 3}, {"initializer": "random"}, {"initializer": 1}, {"seed": "x"}, {"loss": "squared_error"},
    {"loss": "cross_entropy", "data": "plane"}, {"optimizer": "newton"}, {"optimizer": None}, {"learning_rate": -1},
    {"learning_rate": None}, {"learning_rate": "0.1"}, {"batch_size": 0}, {"batch_size": "all"}, {"dropout": 1},
    {"l1": -1}, {"l2": "x"}, {"betas": [2, 3]}, {"betas": 0.9}, {"momentum": 2, "optimizer": "sgd"}, {"schedule": "x"},
    {"schedule": "OneCycle", "epochs": 0}, {"schedule": "OneCycle", "warmup": 7}, {"clip_norm": -1},
    {"nesterov": True, "optimizer": "sgd"}, {"learning_rate": float("nan")}, {"noise": float("inf")},
    {"hidden": [8] * 1000}, {"data": "x" * 10_000}, {"loss": ["cross_entropy"]}, {"loss": {}},
]  # fmt: skip
ADVANCES: list[dict[str, Any]] = [
    {"steps": -1}, {"steps": 10**9}, {"steps": 1.5}, {"epochs": 10**9}, {"milliseconds": 10**9}, {"milliseconds": "1"},
    {"milliseconds": float("nan")}, {"side": 10**6}, {"side": 8, "unit_side": -1}, {"side": None},
]  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"do": "edge", "layer": 3}, {"do": "edge", "i": 9}, {"do": "edge", "j": -1}, {"do": "edge", "layer": "0"},
    {"do": "trace", "sample": 99}, {"do": "trace", "sample": None}, {"do": "predict"}, {"do": "predict", "x": []},
    {"do": "predict", "x": [[1.0]]}, {"do": "predict", "x": [["a", "b"]]}, {"do": "predict", "x": [[1.0, 1e999]]},
    {"do": "predict", "x": {"a": 1}}, {"do": "predict", "x": [[0.0, 0.0]] * 3000},
    {"do": "predict", "x": [[1], [1, 2]]},
]  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [
        *HOSTILE,
        *({"do": "build", "settings": settings} for settings in SETTINGS),
        *({"do": "advance", "run": "b", **advance} for advance in ADVANCES),
        *({"run": "b", **other} for other in OTHERS),
    ],
    ids=lambda request: str(request)[:60],
)
def test_bad_requests_are_refused_in_one_sentence(request_: Any) -> None:
    session = Session()
    session.handle({"do": "build", "run": "b", "settings": SMALL})
    before = session.handle({"do": "advance", "run": "b"})
    answer = json.loads(handle_json(json.dumps(request_), session))
    assert list(answer) == ["error"], answer
    assert " expects " in answer["error"]
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 1500
    assert "a" not in session.runs
    assert session.handle({"do": "advance", "run": "b"}) == before


def test_a_request_that_is_too_long_is_not_read() -> None:
    assert "1,000,000" in json.loads(handle_json('"' + "x" * MOST_CHARACTERS + '"', Session()))["error"]
