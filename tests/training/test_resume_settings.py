"""What callbacks changed before a training was interrupted counts after it resumes, and what the user asks for counts.

A training that resumes ends with the same bits as one that never stopped. What a checkpoint cannot hold, such as
another loss, is refused in a sentence, and the training ends with the same bits once the user follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import checkpoint
from chainrule.training import run as run_module
from chainrule.training.callbacks import StopTraining
from changes import (
    ATTRIBUTES,
    CASES,
    CHANGES,
    FIRST_VALUES,
    LAYER_VALUES,
    OPTIMIZER_VALUES,
    Change,
    layer_of,
    optimizer_of,
)

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(120, 6)), RNG.integers(0, 3, 120)
EPOCHS = 6  # of 8 steps
#: The step after which something is changed, where an epoch ends or within it, and that of the interruption.
MOMENTS = [(8, 16), (11, 12)]
MOMENTS += [pytest.param(*pair, marks=pytest.mark.slow) for pair in ((8, 11), (8, 17), (11, 11), (11, 16), (11, 17))]

Make = Callable[[], tuple[list[cr.Layer], cr.Optimizer]]


class Interrupt(cr.Callback):
    """Writes a checkpoint after this step, and ends training."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pause(self, trainer: Any) -> None:
        if trainer.step == self.step:
            next(one for one in trainer.callbacks if isinstance(one, cr.callbacks.Checkpoint)).write(trainer)
            raise StopTraining


def default() -> tuple[list[cr.Layer], cr.Optimizer]:
    layers = [cr.Linear(6, 8), cr.BatchNorm(8), cr.LeakyReLU(), cr.Dropout(0.1), cr.Linear(8, 3)]
    return layers, cr.Adam(0.01)


def trainer(folder: Path, make: Make, *callbacks: cr.Callback, **settings: Any) -> cr.Trainer:
    layers, optimizer = make()
    settings = {"loss": "cross_entropy", "batch_size": 16} | settings
    callbacks = (cr.callbacks.Checkpoint(folder, every=None), *callbacks)
    model = cr.Sequential(layers, rng=0, dtype="float64")
    return cr.Trainer(model, optimizer=optimizer, callbacks=callbacks, **settings)


def fit(one: cr.Trainer, epochs: int = EPOCHS) -> cr.Trainer:
    one.fit(X, LABELS, epochs=epochs, verbose=0)
    return one


def bits(one: cr.Trainer) -> dict[str, Any]:
    arrays = {"parameters": one.model.parameters.vector} | one.model.buffers | dict(one.optimizer.state)
    found = {name: array.tobytes() for name, array in arrays.items()}
    record = {name: one.history[name] for name in one.history.columns if name != "seconds"}
    return found | record | {"order": one.rng.integers(2**62), "dropout": one.model.rng.integers(2**62)}


def check(folder: Path, change: Callable[[Any], None], make: Make, changed: int, end: int) -> str:
    """Assert that a resumed training leaves the same bits; the refusal, if it first had to be followed."""

    def new(name: str, *more: cr.Callback) -> cr.Trainer:
        return trainer(folder / name, make, Change(change, changed), *more)

    whole = bits(fit(new("whole")))
    fit(new("broken", Interrupt(end)))
    again, refusal = new("broken"), ""
    try:
        again.resume(folder / "broken")
    except ValueError as error:
        refusal = str(error)
        change(again)
        again.resume(folder / "broken")
    assert bits(fit(again)) == whole
    return refusal


@pytest.fixture(params=["compiled", "op by op"], autouse=True)
def pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every step."""
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)
    if request.param != "compiled":
        monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)


CHANGEABLE = [case for case in CASES if case != ("Linear", "bias")]


@pytest.mark.parametrize(("name", "attribute"), CHANGEABLE, ids=[f"{name}.{one}" for name, one in CHANGEABLE])
def test_an_attribute_of_a_layer_is_restored(name: str, attribute: str, tmp_path: Path) -> None:
    make = lambda: ([cr.Linear(6, 8, "tanh"), layer_of(name), cr.Linear(8, 3)], cr.SGD(0.1))  # noqa: E731
    own = {"PReLU": np.linspace(0.1, 0.5, 8), "Members": "sigmoid"}
    value = own.get(name, LAYER_VALUES.get(attribute))
    change = lambda trainer: setattr(trainer.model.layers[1], attribute, copy(value))  # noqa: E731
    assert check(tmp_path, change, make, 9, 12) == ""


@pytest.mark.parametrize(("name", "attribute"), [case for case in ATTRIBUTES if case[1] not in FIRST_VALUES])
def test_an_attribute_of_an_optimizer_is_restored(name: str, attribute: str, tmp_path: Path) -> None:
    if attribute == "nesterov":
        change = lambda trainer: setattr(trainer.optimizer, attribute, not trainer.optimizer.nesterov)  # noqa: E731
    else:
        change = lambda trainer: setattr(trainer.optimizer, attribute, OPTIMIZER_VALUES[attribute])  # noqa: E731
    make = lambda: ([cr.Linear(6, 8, "tanh"), cr.Dropout(0.1), cr.Linear(8, 3)], optimizer_of(name))  # noqa: E731
    assert check(tmp_path, change, make, 9, 12) == ""


#: What no file holds, and the words by which it is refused.
REFUSED = {
    "another loss": r"whose loss is CrossEntropy\(\), got CrossEntropy\(label_smoothing=0.5\)",
    "a loss without a kernel": r"whose loss is CrossEntropy\(\), got own_loss",
    "another optimizer": "whose optimizer is Adam, got SGD",
    "one without a kernel": "whose optimizer is Adam, got Muon",
    "a schedule": r"whose optimizer.learning_rate is 0.01, got StepDecay\(rate=0.5",
    "another layer": r"whose model.layers\[2\] is LeakyReLU, got Tanh",
    "a layer without a kernel": r"whose model.layers\[2\] is LeakyReLU, got Double",
    "a layer more": r"whose model.layers is \[Linear, .*\], got \[Linear, BatchNorm, LeakyReLU, Sigmoid",
    "a dropout more": r"whose model.layers is \[.*\], got \[.*Dropout, Dropout, Linear\]",
    "no dropout": r"whose model.layers is \[.*\], got \[Linear, BatchNorm, LeakyReLU, Linear\]",
    "augmentation": r"whose augment is \[\], got \[jitter\]",
    "an order": "whose sample is 'all', got arange",
}
FAILS = {"a layer that learns", "a layer of another width"}  # at the next step


@pytest.mark.parametrize(("changed", "end"), MOMENTS)
@pytest.mark.parametrize("name", [name for name in CHANGES if name not in FAILS])
def test_a_part_is_restored_or_refused(name: str, changed: int, end: int, tmp_path: Path) -> None:
    refusal = check(tmp_path, CHANGES[name], default, changed, end)
    assert re.search(REFUSED.get(name, "^$"), refusal)


# ---- what the user asks for


def change_all(one: Any) -> None:
    one.optimizer.learning_rate, one.optimizer.clip_norm, one.batch_size = 0.02, 1.0, 40
    one.model.layers[3].rate = 0.3


def settings(one: cr.Trainer) -> tuple[Any, ...]:
    return one.optimizer.learning_rate, one.optimizer.clip_norm, one.batch_size, one.model.layers[3].rate


CHANGED, GIVEN = (0.02, 1.0, 40, 0.3), (0.01, None, 16, 0.1)


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The folder of a training that changed four settings."""
    assert settings(fit(trainer(tmp_path, default, Change(change_all, 9), Interrupt(12)))) == CHANGED
    return tmp_path


ASKED: dict[str, tuple[Callable[[cr.Trainer], None], tuple[Any, ...]]] = {
    "nothing": (lambda one: None, CHANGED),
    "a lower learning rate": (lambda one: setattr(one.optimizer, "learning_rate", 0.005), (0.005, *CHANGED[1:])),
    "the learning rate of the checkpoint": (lambda one: setattr(one.optimizer, "learning_rate", 0.02), CHANGED),
    "clipping": (lambda one: setattr(one.optimizer, "clip_norm", 0.5), (0.02, 0.5, *CHANGED[2:])),
    "larger batches": (lambda one: setattr(one, "batch_size", 60), (0.02, 1.0, 60, 0.3)),
    "a stronger dropout": (lambda one: setattr(one.model.layers[3], "rate", 0.5), (*CHANGED[:3], 0.5)),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_the_user_asks_for_otherwise_counts(name: str, interrupted: Path) -> None:
    ask, expected = ASKED[name]
    again = trainer(interrupted, default)
    ask(again)
    assert settings(again.resume(interrupted)) == expected
    assert settings(fit(again)) == expected
    assert again.step > 12


def test_what_was_asked_for_once_is_asked_for_again_by_the_same_script(interrupted: Path) -> None:
    def script(*callbacks: cr.Callback) -> cr.Trainer:
        one = trainer(interrupted, default, *callbacks)
        one.optimizer.learning_rate = 0.005
        return one.resume(interrupted)

    lower = Change(lambda one: setattr(one.optimizer, "learning_rate", 0.001), 15)
    fit(script(lower, Interrupt(18)))
    assert settings(script()) == (0.001, *CHANGED[1:])


def test_what_is_set_after_resume_counts(interrupted: Path) -> None:
    again = trainer(interrupted, default).resume(interrupted)
    again.optimizer.learning_rate, again.batch_size = 0.3, 20
    assert settings(fit(again)) == (0.3, 1.0, 20, 0.3)


def test_one_trainer_may_be_interrupted_and_resumed(tmp_path: Path) -> None:
    """What its own fit has changed it does not ask for."""
    one = trainer(tmp_path, default, Change(change_all, 14), Interrupt(12), Interrupt(18))
    fit(one)
    assert (one.step, settings(one)) == (12, GIVEN)
    fit(one.resume(tmp_path))
    assert (one.step, settings(one)) == (18, CHANGED)
    first = tmp_path / "step-00000012.safetensors"
    assert settings(one.resume(first)) == GIVEN
    assert settings(one.resume(tmp_path)) == CHANGED
    assert settings(one.resume(first)) == GIVEN


@pytest.mark.parametrize(("epochs", "expected"), [(EPOCHS, 9), (12, 12)])
def test_more_epochs_count_whoever_asks_for_them(epochs: int, expected: int, tmp_path: Path) -> None:
    fit(trainer(tmp_path, default, Change(lambda one: setattr(one, "epochs", 9), 9), Interrupt(12)))
    assert len(fit(trainer(tmp_path, default).resume(tmp_path), epochs).history) == expected


def test_a_schedule_that_watches_the_loss_may_be_asked_for_otherwise(tmp_path: Path) -> None:
    def plateau(**settings: Any) -> Make:
        return lambda: (default()[0], cr.SGD(cr.schedules.ReduceOnPlateau(0.1, threshold=0.9, **settings)))

    fit(trainer(tmp_path, plateau(factor=0.5, patience=0), Interrupt(32)))
    same = trainer(tmp_path, plateau(factor=0.5, patience=0)).resume(tmp_path).optimizer.learning_rate
    assert same.current < 0.1
    other = trainer(tmp_path, plateau(factor=0.2, patience=5)).resume(tmp_path).optimizer.learning_rate
    assert (other.factor, other.patience, other.current, other.best) == (0.2, 5, same.current, same.best)


# ---- parts of the user's own


class Annealed(cr.Layer):
    """A layer that counts its batches, and an attribute of which is a list."""

    def __init__(self, strength: float = 1.0) -> None:
        self.strength, self.batches, self.seen = strength, 0, [0]

    def forward(self, x: np.ndarray, work: Any) -> np.ndarray:
        if work.training:
            self.batches += 1
            self.seen = [self.batches]
        work["factor"] = np.array(1 + self.strength / (1 + self.batches))
        return x * work["factor"]

    def backward(self, dy: np.ndarray, work: Any, input_gradient: bool = True) -> np.ndarray:
        return dy * work["factor"]


class Curriculum:
    """A loss whose weight is an attribute, and which counts its calls."""

    def __init__(self) -> None:
        self.weight, self.calls, self.owner = 1.0, 0, self

    def __call__(self, z: np.ndarray, y: np.ndarray, weight: Any = None) -> tuple[float, np.ndarray]:
        self.calls += 1
        value, dz = cr.CrossEntropy()(z, y, weight)
        share = self.weight / (1 + 0.01 * self.calls)
        return share * value, share * dz


class Signs(cr.Optimizer):
    """An optimizer with a number of its own."""

    power = 1.0

    def direction(self, g: Any, state: Any, scratch: Any, coefficients: Any) -> Any:
        return np.multiply(np.sign(g), np.abs(g) ** self.power, out=scratch[0])


OWN_CHANGES: dict[str, Callable[[Any], None]] = {
    "a layer": lambda one: setattr(one.model.layers[1], "strength", 5.0),
    "a loss": lambda one: setattr(one.loss, "weight", 0.1),
    "an optimizer": lambda one: setattr(one.optimizer, "power", 0.5),
    "a counter": lambda one: None,
}


@pytest.mark.parametrize("name", OWN_CHANGES)
def test_attributes_of_parts_of_the_users_own_are_restored(name: str, tmp_path: Path) -> None:
    def new(folder: str, *callbacks: cr.Callback) -> cr.Trainer:
        optimizer = Signs(0.01)
        optimizer.power = 1.0
        make = lambda: ([cr.Linear(6, 8), Annealed(), cr.Linear(8, 3)], optimizer)  # noqa: E731
        return trainer(tmp_path / folder, make, Change(OWN_CHANGES[name], 9), *callbacks, loss=Curriculum())

    whole = fit(new("whole"))
    fit(new("broken", Interrupt(12)))
    again = fit(new("broken").resume(tmp_path / "broken"))
    assert bits(again) == bits(whole)
    assert (again.loss.calls, again.model.layers[1].seen) == (48, [48])


# ---- files


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    (path,) = folder.glob("step-*")
    arrays, facts = checkpoint.read_checkpoint("resume", path)
    change(facts)
    checkpoint.write_checkpoint(path, arrays, facts)
    return path


def test_a_checkpoint_that_tells_no_settings_changes_none(interrupted: Path) -> None:
    def old(facts: dict[str, Any]) -> None:
        for name in ("settings", "first", "own_generator", "cut", "length"):
            del facts[name]
        facts["model"]["layers"][3]["rate"] = 0.1

    rewritten(interrupted, old)
    assert settings(trainer(interrupted, default).resume(interrupted)) == GIVEN


def test_an_old_checkpoint_of_a_changed_layer_is_refused(interrupted: Path) -> None:
    rewritten(interrupted, lambda facts: facts.update(settings={}, first=None))
    with pytest.raises(ValueError, match=r"to be of this trainer, whose model.layers\[3\].rate is 0.1, got 0.3; build"):
        trainer(interrupted, default).resume(interrupted)


FORGED = {"optimizer.learning_rate": -1, "batch_size": "x", "model.layers.3.rate": [], "optimizer.groups": {"*": 1}}


@pytest.mark.parametrize("path", FORGED)
def test_a_forged_setting_is_refused_and_the_trainer_stays_as_it_was(path: str, interrupted: Path) -> None:
    rewritten(interrupted, lambda facts: facts["settings"].update({path: FORGED[path]}))
    one, untouched = trainer(interrupted, default), trainer(interrupted, default)
    with pytest.raises(ValueError, match=r"^resume expects .*\.$"):
        one.resume(interrupted)
    assert settings(one) == GIVEN
    assert bits(fit(one)) == bits(fit(untouched))
