"""Metrics in a training: ours know whether the outputs are logits or probabilities."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics


@pytest.mark.parametrize("softmax", [False, True])
def test_a_named_metric_takes_what_the_loss_takes(softmax: bool, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    model = cr.MLP([3, 4, 3], softmax=softmax, rng=0, dtype="float64")
    names = ["f1_score", "roc_auc_score", "log_loss", "expected_calibration_error"]
    trainer = cr.Trainer(model, cr.CrossEntropy(from_logits=not softmax), metrics=names)
    scores = trainer.evaluate(x, y)
    assert list(scores) == ["loss", *names]
    assert scores["log_loss"] == pytest.approx(scores["loss"], rel=1e-9)
    logits = np.log(model.predict(x)) if softmax else model.predict(x)
    assert [scores[name] for name in names] == pytest.approx([getattr(metrics, name)(y, logits) for name in names])
    assert set(names) < set(trainer.fit(x, y, epochs=1, verbose=0).columns)


OUTPUTS: dict[str, tuple[str, int, object]] = {
    "a sigmoid and its own loss": ("sigmoid", 1, cr.BinaryCrossEntropy(from_logits=False)),
    "a sigmoid and squares": ("sigmoid", 1, "squared_error"),
    "a sigmoid and a function": ("sigmoid", 1, lambda z, y, w: cr.SquaredError()(z, y, w)),
    "a softmax and squares": ("softmax", 3, "squared_error"),
}


@pytest.mark.parametrize("by_name", [True, False], ids=["by name", "as a function"])
@pytest.mark.parametrize("case", OUTPUTS)
def test_metrics_are_told_of_probabilities(case: str, by_name: bool, rng: np.random.Generator) -> None:
    activation, outputs, loss = OUTPUTS[case]
    x = rng.normal(size=(60, 3))
    y = rng.integers(2, size=(60, 1)) if outputs == 1 else np.eye(3)[rng.integers(3, size=60)]
    names = ["accuracy", "balanced_accuracy", "f1_score", "roc_auc_score", "log_loss", "expected_calibration_error"]
    model = cr.MLP([3, 4, outputs], output_activation=activation, rng=0, dtype="float64")
    chosen = names if by_name else [getattr(metrics, name) for name in names]
    trainer = cr.Trainer(model, loss, metrics=chosen, batch_size=None)
    p = model.predict(x)
    logits = np.log(p) - (np.log1p(-p) if outputs == 1 else 0)
    expected = [getattr(metrics, name)(y, logits) for name in names]
    scores, history = trainer.evaluate(x, y), trainer.fit(x, y, epochs=1, verbose=0)
    assert [scores[name] for name in names] == pytest.approx(expected)
    assert [history[name][0] for name in names] == pytest.approx(expected)
    assert 0 < scores["accuracy"] < 1


def test_metrics_follow_a_loss_that_is_assigned_later(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 3)), rng.integers(2, size=(60, 1))
    trainer = cr.Trainer(cr.MLP([3, 1], rng=0), "binary_cross_entropy", metrics=["accuracy", "log_loss"])
    expected = trainer.evaluate(x, y)
    trainer.model.layers.append(cr.Sigmoid())
    trainer.loss = cr.BinaryCrossEntropy(from_logits=False)
    assert trainer.evaluate(x, y) == pytest.approx(expected)


def test_what_a_user_binds_to_a_metric_stays(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 3)), rng.integers(2, size=(60, 1))
    strict = partial(metrics.accuracy, threshold=0.9)
    model = cr.MLP([3, 1], output_activation="sigmoid", rng=0)
    trainer = cr.Trainer(model, cr.BinaryCrossEntropy(from_logits=False), metrics=[strict])
    assert trainer.evaluate(x, y)["partial"] == strict(y, model.predict(x))
