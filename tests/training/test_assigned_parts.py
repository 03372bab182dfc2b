"""What the Trainer's constructor refuses or resolves, an assignment refuses or resolves, in the same words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

X, Y = np.random.default_rng(0).normal(size=(32, 4)), np.arange(32) % 3


def trainer(**settings: Any) -> cr.Trainer:
    return cr.Trainer(**{"model": cr.MLP([4, 8, 3], rng=0), "loss": "cross_entropy"} | settings)


def probabilities() -> cr.Sequential:
    return cr.MLP([4, 8, 3], softmax=True, rng=0)


REFUSED: dict[str, list[Any]] = {
    "model": ["mlp", probabilities()],
    "loss": ["mean_error", 3, cr.CrossEntropy, cr.CrossEntropy(from_logits=False), cr.BinaryCrossEntropy(False)],
    "optimizer": ["adamm", cr.Adam, None],
    "batch_size": [0, -1, 2.5, "32"],
    "metrics": ["accuracy", ["acuracy"], ["accuracy", "accuracy"], None],
    "callbacks": [cr.callbacks.EarlyStopping(), [cr.callbacks.EarlyStopping], None],
    "rng": ["seed", -1],
    "sample": ["two", 3],
    "augment": [cr.data.MixUp(0.2, classes=3), None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in REFUSED for value in REFUSED[name]])
def test_an_assignment_is_refused_as_by_the_constructor(name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        trainer(**{name: value})
    one = trainer()
    before = getattr(one, name)
    with pytest.raises(type(expected.value)) as got:
        setattr(one, name, value)
    assert str(got.value) == str(expected.value)
    assert getattr(one, name) is before


def test_every_argument_of_the_constructor_is_an_attribute_of_the_same_kind() -> None:
    given: dict[str, Any] = {
        "model": cr.MLP([4, 8, 3], rng=0),
        "loss": "squared_error",
        "optimizer": "sgd",
        "batch_size": np.int64(8),
        "metrics": ["accuracy", cr.metrics.f1_score],
        "callbacks": (cr.callbacks.EarlyStopping(),),
        "rng": None,
        "sample": "one",
        "drop_last": True,
        "average_penalty": True,
        "augment": (cr.data.MixUp(0.2, classes=3),),
    }
    made, one = cr.Trainer(**given), trainer(rng=5)
    for name, value in given.items():
        setattr(one, name, value)
    for name in given:
        mine, expected = getattr(one, name), getattr(made, name)
        assert type(mine) is type(expected), name
        if name not in ("loss", "optimizer", "metrics"):
            assert mine is expected or mine == expected, name
    assert list(one.metrics) == ["accuracy", "f1_score"]
    assert one.rng is one.model.rng


def test_metrics_by_name_may_be_assigned() -> None:
    one = trainer()
    one.metrics = {"mine": cr.metrics.accuracy}
    assert 0 <= one.fit(X, Y, epochs=1, verbose=0)["mine"][0] <= 1


def test_a_last_layer_that_no_longer_fits_the_loss_is_refused_by_fit() -> None:
    one = trainer(model=cr.Sequential([cr.Linear(4, 3), cr.Identity()], rng=0))
    one.model.layers[-1] = cr.Softmax()
    with pytest.raises(ValueError, match=r"^CrossEntropy\(\) expects the model's logits, got a model that ends in So"):
        one.fit(X, Y, epochs=1, verbose=0)


def test_a_loss_assigned_in_training_is_checked_where_it_is_assigned() -> None:
    class Assign(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            with pytest.raises(ValueError, match=r"pass loss=cr.CrossEntropy\(from_logits=True\)"):
                trainer.loss = cr.CrossEntropy(from_logits=False)

    one = trainer(callbacks=[Assign()])
    assert len(one.fit(X, Y, epochs=2, verbose=0)) == 2
    assert one.loss == cr.CrossEntropy()
