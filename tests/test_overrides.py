"""What users override, in a class or on an object, counts with kernels as it does without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(0).normal(size=(160, 8))
LABELS = np.arange(160) % 3
NUMBERS = np.eye(3)[LABELS]


def train(
    loss: Any,
    y: np.ndarray,
    plain: bool,
    *,
    make: type[cr.Sequential] = cr.Sequential,
    change: Callable[[cr.Trainer], None] = lambda trainer: None,
    after: int = 0,
) -> cr.Sequential:
    """The model after four epochs; a ``plain`` function as the loss has no kernel. Change something after a step."""
    model = make([cr.Linear(8, 16, activation=cr.LeakyReLU(0.1)), cr.Linear(16, 3)], rng=0, dtype="float64")

    class Change(cr.Callback):
        def on_batch_end(self, trainer: Any, value: float) -> None:
            if trainer.step == after:
                change(trainer)

    function = (lambda z, target, weight: loss(z, target, weight)) if plain else loss
    trainer = cr.Trainer(model, function, cr.SGD(0.05, momentum=0.9), rng=1, callbacks=[Change()] if after else [])
    if not after:
        change(trainer)
    trainer.fit(X, y, epochs=4, verbose=0)
    return model


def assert_same(make_loss: Callable[[], Any], y: np.ndarray, **settings: Any) -> None:
    mine, plain = (train(make_loss(), y, without, **settings) for without in (False, True))
    np.testing.assert_allclose(mine.parameters.vector, plain.parameters.vector, rtol=0, atol=1e-9)


# ---- losses


class Focal(cr.CrossEntropy):
    """Rows that are not yet learned weigh more."""

    def sample_weight(self, z: Any, y: Any, weight: Any) -> Any:
        p = np.exp(z - z.max(1, keepdims=True))
        return 1.01 - (p / p.sum(1, keepdims=True))[np.arange(len(z)), np.asarray(y, int)]


class Balanced(cr.CrossEntropy):
    """The classes of each batch weigh the same."""

    def sample_weight(self, z: Any, y: Any, weight: Any) -> Any:
        return 1 / np.bincount(np.asarray(y, int), minlength=3)[np.asarray(y, int)]


class Bootstrap(cr.SquaredError):
    """Half of the target is the present output."""

    def target(self, z: Any, y: Any) -> Any:
        return 0.5 * super().target(z, y) + 0.5 * z


class Drawn(cr.SquaredError):
    """Each batch draws its own noise."""

    def __init__(self) -> None:
        object.__setattr__(self, "rng", np.random.default_rng(0))

    def target(self, z: Any, y: Any) -> Any:
        return super().target(z, y) + self.rng.normal(size=y.shape)  # type: ignore[attr-defined]


class Nested(cr.SquaredError):
    """State that lies deep within an attribute, which a callback may change."""

    def __init__(self) -> None:
        object.__setattr__(self, "settings", {"scale": [np.ones(1)]})

    def target(self, z: Any, y: Any) -> Any:
        return super().target(z, y) * self.settings["scale"][0]  # type: ignore[attr-defined]


class Mixed(Focal, cr.CrossEntropy):
    """A mixin, with nothing of its own."""


@pytest.mark.parametrize("loss", [Focal, Balanced, Bootstrap, Drawn, Nested, Mixed])
def test_a_loss_may_look_at_the_batch_and_at_the_outputs(loss: type[cr.losses.Loss]) -> None:
    assert_same(loss, LABELS if issubclass(loss, cr.CrossEntropy) else NUMBERS)


def test_state_deep_within_a_loss_may_change() -> None:
    loss = [Nested(), Nested()]
    models = []
    for one, plain in zip(loss, (False, True), strict=True):
        scale = lambda trainer, one=one: one.settings["scale"][0].__imul__(3)  # noqa: E731
        models.append(train(one, NUMBERS, plain, change=scale, after=7))
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=0, atol=1e-9)
    assert not np.allclose(models[0].parameters.vector, train(Nested(), NUMBERS, False).parameters.vector)


def test_a_method_replaced_on_a_loss_counts() -> None:
    def make() -> Any:
        loss = cr.SquaredError()
        terms = loss.terms
        object.__setattr__(loss, "terms", lambda z, y: tuple(3 * part for part in terms(z, y)))
        return loss

    assert_same(make, NUMBERS)


# ---- models, layers and optimizers


class Scaled(cr.Sequential):
    def forward(self, x: Any, training: bool = False) -> Any:
        return super().forward(np.asarray(x) * 2, training)


class Loud(cr.Sequential):
    def backward(self, dy: Any, input_gradient: bool = False) -> Any:
        return super().backward(dy * 2, input_gradient)


class Heavy(cr.Sequential):
    def penalty(self) -> float:
        return super().penalty() + 1


@pytest.mark.parametrize("make", [Scaled, Loud, Heavy])
def test_a_model_that_overrides_a_method_is_trained_and_predicts_by_it(make: type[cr.Sequential]) -> None:
    assert_same(cr.CrossEntropy, LABELS, make=make)
    model = train(cr.CrossEntropy(), LABELS, False, make=make)
    np.testing.assert_allclose(model.predict(X), model.forward(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.predict(X, batch_size=7), model.forward(X), rtol=0, atol=1e-12)
    assert model.predict(X[:0]).shape == (0, 3)


def doubled(thing: Any, name: str, argument: int) -> None:
    """Replace a method on the object by one that doubles one of its arguments."""
    method = getattr(thing, name)

    def hook(*arguments: Any, **options: Any) -> Any:
        given = list(arguments)
        given[argument] = given[argument] * 2
        return method(*given, **options)

    object.__setattr__(thing, name, hook)


HOOKS: dict[str, Callable[[cr.Trainer], None]] = {
    "model.forward": lambda t: doubled(t.model, "forward", 0),
    "model.backward": lambda t: doubled(t.model, "backward", 0),
    "layer.forward": lambda t: doubled(t.model.layers[1], "forward", 0),
    "layer.backward": lambda t: doubled(t.model.layers[1], "backward", 0),
    "activation within a layer": lambda t: doubled(t.model.layers[0].activation, "apply_blocked", 0),
    "optimizer.step": lambda t: doubled(t.optimizer, "step", 1),
}


@pytest.mark.parametrize("after", [0, 7, 10], ids=["before", "within an epoch", "after one"])
@pytest.mark.parametrize("name", HOOKS)
def test_a_method_replaced_on_an_object_counts(name: str, after: int) -> None:
    assert_same(cr.CrossEntropy, LABELS, change=HOOKS[name], after=after)
    model = train(cr.CrossEntropy(), LABELS, False, change=HOOKS[name], after=after)
    assert not np.allclose(model.parameters.vector, train(cr.CrossEntropy(), LABELS, False).parameters.vector)
    np.testing.assert_allclose(model.predict(X), model.forward(X), rtol=0, atol=1e-12)


# ---- classes


def tripled(method: Callable[..., Any], argument: int) -> Callable[..., Any]:
    """A method that does its work for three times one of its arguments."""

    def replacement(*arguments: Any, **options: Any) -> Any:
        given = list(arguments)
        given[argument] = given[argument] * 3
        return method(*given, **options)

    return replacement


def moved(method: Callable[..., Any]) -> Callable[..., Any]:
    """A loss's terms, of other targets."""
    return lambda self, z, y: method(self, z, (y + 1) % 3)


CLASSES: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "a layer's forward": (cr.Linear, "forward", lambda method: tripled(method, 1)),
    "a layer's backward": (cr.Linear, "backward", lambda method: tripled(method, 1)),
    "the penalty of all layers": (cr.Layer, "penalty", lambda method: lambda self: 7.0),
    "an activation": (cr.LeakyReLU, "apply", lambda method: tripled(method, 1)),
    "an activation's pull-back": (cr.LeakyReLU, "pull_back", lambda method: tripled(method, 1)),
    "a model's forward": (cr.Sequential, "forward", lambda method: tripled(method, 1)),
    "a model's backward": (cr.Sequential, "backward", lambda method: tripled(method, 1)),
    "an optimizer's rule": (cr.SGD, "direction", lambda method: tripled(method, 1)),
    "an optimizer's step": (cr.SGD, "step", lambda method: tripled(method, 2)),
    "a loss": (cr.CrossEntropy, "terms", moved),
    "a loss's weights": (cr.CrossEntropy, "sample_weight", lambda method: Focal.sample_weight),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_method_replaced_on_a_class_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, method, replace = CLASSES[name]
    untouched = train(cr.CrossEntropy(), LABELS, False)
    with monkeypatch.context() as patch:
        patch.setattr(cls, method, replace(getattr(cls, method)))
        assert_same(cr.CrossEntropy, LABELS)
        model = train(cr.CrossEntropy(), LABELS, False)
        np.testing.assert_allclose(model.predict(X), model.forward(X), rtol=0, atol=1e-12)
        np.testing.assert_allclose(model.predict(X[:1]), model.forward(X[:1]), rtol=0, atol=1e-12)
        if method not in ("forward", "apply", "penalty"):
            assert not np.allclose(model.parameters.vector, untouched.parameters.vector)
    again = train(cr.CrossEntropy(), LABELS, False)
    np.testing.assert_array_equal(again.parameters.vector, untouched.parameters.vector)


def test_a_class_derived_from_a_changed_one_has_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cr.CrossEntropy, "terms", moved(cr.CrossEntropy.terms))

    class Derived(cr.CrossEntropy):
        pass

    z = np.array([[1.0, 2.0, 4.0]])
    value, expected = (make()(z, np.array([0]))[0] for make in (Derived, cr.CrossEntropy))
    assert value == expected == pytest.approx(np.log(np.exp(z).sum()) - 2)


@pytest.mark.parametrize("on", ["the class", "the object", "the object, later"])
def test_a_rule_replaced_in_a_loop_by_hand_counts(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def still(self: Any, g: Any, state: Any, scratch: Any, coefficients: Any) -> Any:
        return np.multiply(g, 0, out=scratch[0])

    optimizer, w = cr.Adam(0.1), np.ones(3)
    if on == "the class":
        monkeypatch.setattr(cr.Adam, "direction", still)
    elif on == "the object":
        optimizer.direction = still.__get__(optimizer)  # type: ignore[method-assign]
    else:
        optimizer.step(w, np.ones(3))
        optimizer.direction = still.__get__(optimizer)  # type: ignore[method-assign]
    before = w.copy()
    optimizer.step(w, np.ones(3))
    np.testing.assert_array_equal(w, before)


# ---- data


SHIFT: Callable[[Any, Any], Any] = lambda y, w: y.__setitem__(slice(None), (y + 1) % 3)  # noqa: E731
IN_PLACE: dict[str, tuple[Any, np.ndarray, Callable[[Any, Any], Any]]] = {
    "int64 labels": (cr.CrossEntropy, LABELS, SHIFT),
    "int32 labels": (cr.CrossEntropy, LABELS.astype("i4"), SHIFT),
    "float labels": (cr.CrossEntropy, LABELS * 1.0, SHIFT),
    "labels out of range": (cr.CrossEntropy, LABELS, lambda y, w: y.fill(77)),
    "soft labels": (cr.CrossEntropy, NUMBERS, lambda y, w: y.fill(0)),
    "float32 targets": (cr.SquaredError, NUMBERS.astype("f4"), lambda y, w: y.fill(5)),
    "float64 targets": (cr.SquaredError, NUMBERS, lambda y, w: y.fill(np.nan)),
    "negative weights": (cr.CrossEntropy, LABELS, lambda y, w: w.fill(-1)),
    "NaN weights": (cr.CrossEntropy, LABELS, lambda y, w: w.fill(np.nan)),
}


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "op by op"])
@pytest.mark.parametrize("name", IN_PLACE)
def test_targets_and_weights_changed_in_place_do_not_count(name: str, plain: bool) -> None:
    make, target, change = IN_PLACE[name]

    def fitted(change: Callable[[Any, Any], Any]) -> tuple[np.ndarray, dict[str, Any]]:
        y, w, yv, wv = target.copy(), np.ones(160), target[:20].copy(), np.ones(20)

        class Meddler(cr.Callback):
            def on_epoch_end(self, trainer: Any, row: Any) -> None:
                change(y, w)
                change(yv, wv)

        loss = make()
        model = cr.MLP([8, 16, 3], rng=0, dtype="float64")
        function = (lambda z, q, v: loss(z, q, v)) if plain else loss
        trainer = cr.Trainer(model, function, cr.Adam(0.01), rng=1, callbacks=[Meddler()])
        history = trainer.fit(X, y, w, validation=(X[:20], yv, wv), epochs=3, verbose=0)
        return model.parameters.vector, history["validation_loss"]

    (mine, losses), (untouched, expected) = fitted(change), fitted(lambda y, w: None)
    np.testing.assert_array_equal(mine, untouched)
    np.testing.assert_array_equal(losses, expected)


# ---- what is assigned to a trainer


ASSIGNED: dict[str, tuple[Any, Callable[[], Any]]] = {
    "loss": ("squared_error", cr.SquaredError),
    "optimizer": ("sgd", cr.SGD),
    "rng": (5, lambda: np.random.default_rng(5)),
}


@pytest.mark.parametrize("between", [False, True], ids=["in a callback", "between fits"])
@pytest.mark.parametrize("name", ASSIGNED)
def test_names_and_seeds_may_be_assigned_to_a_trainer(name: str, between: bool) -> None:
    weights = []
    short, make = ASSIGNED[name]
    for value in (short, make()):

        class Assign(cr.Callback):
            def on_epoch_end(self, trainer: Any, row: Any, value: Any = value) -> None:
                if trainer.epoch == 2 and not between:
                    setattr(trainer, name, value)

        trainer = cr.Trainer(cr.MLP([8, 16, 3], rng=0), "half_squared_error", callbacks=[Assign()], rng=1)
        trainer.fit(X, NUMBERS, epochs=3, verbose=0)
        if between:
            setattr(trainer, name, value)
            trainer.fit(X, NUMBERS, epochs=3, verbose=0)
        weights.append(trainer.model.parameters.vector)
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize(("name", "value"), [("loss", "none"), ("optimizer", 3), ("rng", "seed")])
def test_what_cannot_be_resolved_is_refused_when_it_is_assigned(name: str, value: Any) -> None:
    trainer = cr.Trainer(cr.MLP([8, 3], rng=0), "cross_entropy", rng=1)
    before = getattr(trainer, name)
    with pytest.raises((ValueError, TypeError), match="expects"):
        setattr(trainer, name, value)
    assert getattr(trainer, name) is before
    trainer.rng = None
    assert trainer.rng is trainer.model.rng


class Slotted:
    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, step: int, total: int) -> float:
        return 0.01

    def observe(self, loss: float) -> None:
        self.seen += 1


def test_a_schedule_with_slots_trains_and_a_checkpoint_says_what_it_needs(tmp_path: Any) -> None:
    schedule = Slotted()
    cr.Trainer(cr.MLP([8, 3]), "cross_entropy", cr.Adam(schedule)).fit(X, LABELS, epochs=2, verbose=0)
    assert schedule.seen == 2
    trainer = cr.Trainer(
        cr.MLP([8, 3]), "cross_entropy", cr.Adam(Slotted()), callbacks=[cr.callbacks.Checkpoint(tmp_path)]
    )
    with pytest.raises(TypeError, match=r"Slotted expects its attributes in __dict__.*remove __slots__"):
        trainer.fit(X, LABELS, epochs=1, verbose=0)
