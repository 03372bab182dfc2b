"""What the page shows are the library's own numbers, and they belong to one moment."""

from __future__ import annotations

import base64
import gc
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.playground.data import KINDS, points
from chainrule.playground.run import grid
from chainrule.playground.session import Session, handle_json

SMALL = {"points": 80, "hidden": [4, 3]}
HARD = {"dropout": 0.4, "l1": 0.003, "l2": 0.01, "activation": "silu"}


def built(settings: dict[str, Any], **more: Any) -> Session:
    session = Session()
    answer = session.handle({"do": "build", "settings": SMALL | settings | more})
    assert "error" not in answer, answer
    return session


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["float32"]), "<f4").reshape(packed["shape"])


def vector(frame: dict[str, Any], *names: str) -> np.ndarray:
    return np.concatenate([np.ravel(layer[name]) for layer in frame["layers"] for name in names])


def test_a_run_is_a_training_by_the_trainer() -> None:
    session = built({"data": "moons", "optimizer": "sgd", "momentum": 0.9, "batch_size": 8, "l2": 0.01})
    frame = session.handle({"do": "advance", "epochs": 5})
    x, y, x_test, y_test = points("moons", 80, noise=0.1, test_share=0.5, seed=0)
    model = cr.MLP([2, 4, 3, 2], "tanh", l2=0.01, rng=0, dtype="float64")
    trainer = cr.Trainer(model, "cross_entropy", cr.SGD(0.02, momentum=0.9), batch_size=8, metrics=["accuracy"])
    trainer.fit(x, y, epochs=5, verbose=0)
    np.testing.assert_allclose(vector(frame, "W", "b"), model.parameters.vector, rtol=1e-12)
    for part, data in (("train", (x, y)), ("test", (x_test, y_test))):
        assert frame[part] == pytest.approx(trainer.evaluate(*data), rel=1e-12)
    assert (frame["epoch"], frame["step"], frame["step_of_epoch"]) == (5, trainer.step, 0)


@pytest.mark.parametrize(
    "settings", [{}, HARD, {"loss": "binary_cross_entropy"}, {"data": "ripples", "batch_size": None}]
)
def test_the_gradient_shown_is_the_one_that_the_next_step_uses(settings: dict[str, Any]) -> None:
    session = built(settings, optimizer="sgd", learning_rate=0.1)
    for _ in range(7):  # beyond the end of an epoch
        frame = session.handle({"do": "advance"})
        after = session.handle({"do": "advance", "steps": 1})
        expected = vector(frame, "W", "b") - 0.1 * vector(frame, "dW", "db")
        np.testing.assert_allclose(vector(after, "W", "b"), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("settings", [{}, HARD, {"data": "saddle", "loss": "huber"}, {"data": "blobs"}])
def test_each_gradient_equals_its_sum_and_its_finite_difference(settings: dict[str, Any]) -> None:
    session = built(settings)
    frame = session.handle({"do": "advance", "epochs": 2, "steps": 1})
    for index, layer in enumerate(frame["layers"]):
        places = [(i, j) for i, row in enumerate(layer["W"]) for j in range(len(row))]
        for i, j in [*places, *((None, j) for j in range(len(layer["b"])))]:
            found = session.handle({"do": "edge", "layer": index, "i": i, "j": j})
            kind, at = ("b", layer["b"][j]) if i is None else ("W", layer["W"][i][j])
            gradient = layer["db"][j] if i is None else layer["dW"][i][j]
            assert found["name"].startswith(f"{kind}{index + 1}[")
            assert (found["value"], found["gradient"]) == (at, pytest.approx(gradient, rel=1e-12, abs=1e-15))
            x = np.ones(len(found["dz"])) if i is None else np.array(found["x"])
            assert x @ found["dz"] + found["penalty"] == pytest.approx(gradient, rel=1e-9, abs=1e-12)
            assert found["finite_difference"]["value"] == pytest.approx(gradient, rel=1e-6, abs=1e-8)
    assert session.handle({"do": "advance"})["layers"] == frame["layers"]


@pytest.mark.parametrize("settings", [{}, HARD, {"data": "plane"}, {"data": "digits"}])
def test_the_trace_is_the_step_that_comes_next(settings: dict[str, Any]) -> None:
    session = built(settings)
    frame = session.handle({"do": "advance", "steps": 3})
    found = session.handle({"do": "trace", "sample": 2})
    operations = found["operations"]
    assert found["rows"] == frame["batch"]["rows"]
    phases = [operation["phase"] for operation in operations]
    assert [phase for i, phase in enumerate(phases) if phase not in phases[:i]] == [
        "forward",
        "loss",
        "backward",
        "update",
    ]
    updates = [o["values"] for o in operations if o["phase"] == "update"]
    before = np.concatenate([np.ravel(values[0]["data"]) for values in updates])
    change = np.concatenate([np.ravel(values[1]["data"]) for values in updates])
    if settings.get("data") != "digits":  # whose 64 rows of W are more than are sent
        after = vector(session.handle({"do": "advance", "steps": 1}), "W", "b")
        np.testing.assert_allclose(before + change, after, rtol=1e-12)
    assert all(o["equations"] and o["numbers"] and o["values"] and o["layer"] in (1, 2, 3) for o in operations)
    assert all(len(o["numbers"]) <= 13 for o in operations)
    assert {o["part"] for o in operations} == {"edges", "units", "output"}


def test_looking_changes_nothing() -> None:
    first, second = built(HARD), built(HARD)
    for _ in range(5):
        for request in ("edge", "trace", "advance", "code"):
            second.handle({"do": request})
        second.handle({"do": "predict", "x": [[0.0, 1.0]]})
        second.handle({"do": "advance", "side": 10, "unit_side": 5})
        frames = [session.handle({"do": "advance", "steps": 3}) for session in (first, second)]
        assert frames[0] == frames[1]


@pytest.mark.parametrize("data", [*KINDS])
def test_surfaces_are_predictions_on_a_grid(data: str) -> None:
    session = built({"data": data, "features": ["x1", "x1*x2", "sin(x2)"]})
    frame = session.handle({"do": "advance", "epochs": 1, "side": 9, "unit_side": 5})
    model = session.runs["a"].model
    x1, x2 = grid(9).T
    assert (x1[0], x2[0]) == (-3, 3)
    assert (x1[-1], x2[-1]) == (3, -3)
    z = model.predict(np.column_stack([x1, x1 * x2, np.sin(x2)]))
    classes = KINDS[data].classes
    p = cr.ops.softmax(z) if classes else z
    p = p[:, 1:] if classes == 2 else p
    np.testing.assert_allclose(unpacked(frame["surface"]), p.T.reshape(-1, 9, 9), rtol=1e-6, atol=1e-7)
    assert [unit["shape"] for unit in frame["units"]] == [[4, 5, 5], [3, 5, 5]]
    x1, x2 = grid(5).T
    first = np.tanh(np.column_stack([x1, x1 * x2, np.sin(x2)]) @ model.layers[0].W + model.layers[0].b)
    np.testing.assert_allclose(unpacked(frame["units"][0]), first.T.reshape(4, 5, 5), rtol=1e-5, atol=1e-7)
    answer = session.handle({"do": "predict", "x": [[-3.0, 3.0]]})["answers"][0]
    np.testing.assert_allclose(answer, unpacked(frame["surface"])[:, 0, 0], rtol=1e-6)


def test_two_runs_live_beside_each_other() -> None:
    session = Session()
    for run, rate in (("a", 0.02), ("b", 0.02)):
        session.handle({"do": "build", "run": run, "settings": SMALL | {"learning_rate": rate}})
    a = session.handle({"do": "advance", "run": "a", "epochs": 3})
    b = session.handle({"do": "advance", "run": "b", "epochs": 3})
    assert a | {"run": "b"} == b
    session.handle({"do": "advance", "run": "b", "epochs": 3})
    assert session.handle({"do": "advance", "run": "a"}) == a


def test_the_default_network_learns_the_spirals() -> None:
    session = Session()
    answer = session.handle({"do": "build"})
    for _ in range(15):
        answer = session.handle({"do": "advance", "epochs": 20})
    assert answer["test"]["accuracy"] > 0.95


def test_digits_are_drawn_and_recognised() -> None:
    session = built({"data": "digits", "points": 600, "hidden": [16]})
    answer = session.handle({"do": "build", "settings": SMALL | {"data": "digits", "points": 600, "hidden": [16]}})
    assert (answer["plane"], answer["image"], len(answer["classes"])) == (False, [8, 8], 10)
    frame = session.handle({"do": "advance", "epochs": 20, "side": 10})
    assert "surface" not in frame
    assert frame["test"]["accuracy"] > 0.8
    pictures, labels = unpacked(answer["points"]["test"]["x"]), unpacked(answer["points"]["test"]["y"])
    found = session.handle({"do": "predict", "x": pictures.tolist()})
    assert np.mean(np.argmax(found["answers"], axis=1) == labels) > 0.8


def test_milliseconds_train_for_a_while() -> None:
    session = built({})
    assert session.handle({"do": "advance", "milliseconds": 5})["step"] > 0


def test_a_training_that_diverges_says_what_to_do_and_can_be_built_again() -> None:
    session = built({"data": "plane", "activation": "relu", "optimizer": "sgd", "learning_rate": 1e9})
    answers = [session.handle({"do": "advance", "epochs": 1}) for _ in range(20)]
    assert "lower the learning rate" in answers[-1]["error"]
    assert "error" not in session.handle({"do": "build", "settings": SMALL})
    assert "error" not in session.handle({"do": "advance", "epochs": 1})


@pytest.mark.slow
def test_memory_stands_still_over_2000_frames() -> None:
    session = built(HARD)
    request = json.dumps({"do": "advance", "steps": 1, "side": 8, "unit_side": 4})

    def after(frames: int) -> int:
        for _ in range(frames):
            handle_json(request, session)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = after(500)
        assert after(2000) - before < 48_000  # less than a float, kept in a list, for each frame
    finally:
        tracemalloc.stop()
