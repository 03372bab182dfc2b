"""In a compiled training callbacks see every step, Ctrl-C ends it between two, and only kernels are compiled."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.program import Call
from chainrule.training import run as run_module
from chainrule.training.compiled import compiled_engine
from chainrule.training.stages import stages_of
from changes import Change
from training.engines import CLASSES, COMPILED, INPUTS, LABELS, NETS, NUMBERS, ROWS, X, small_net, trained

pytestmark = COMPILED


class Watcher(cr.Callback):
    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []
        self.epochs: list[int] = []

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.steps.append((loss, float(np.abs(trainer.model.parameters.vector).sum())))

    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        self.epochs.append(trainer.epoch)


class Recorder(Watcher):
    live = False


def test_a_live_callback_sees_the_model_after_every_step():
    watcher = Watcher()
    trained(small_net(), cr.Adam(1e-2), batch_size=32, callbacks=[watcher])
    sums = [total for _, total in watcher.steps]
    assert len(sums) == 21
    assert len(set(sums)) == 21
    assert watcher.epochs == [1, 2, 3]


def test_a_callback_that_only_records_is_notified_of_every_step_later():
    live, late = Watcher(), Recorder()
    trained(small_net(), cr.Adam(1e-2), batch_size=32, callbacks=[live])
    trained(small_net(), cr.Adam(1e-2), batch_size=32, callbacks=[late])
    assert [loss for loss, _ in late.steps] == [loss for loss, _ in live.steps]
    assert late.epochs == live.epochs


def test_divergence_is_reported_with_its_epoch_and_stops_at_once():
    model = cr.MLP([INPUTS, CLASSES], rng=0)
    trainer = cr.Trainer(model, "squared_error", cr.SGD(1e4), batch_size=None)
    with pytest.raises(cr.DivergenceError, match=r"in epoch \d+, step 1, at learning rate 10000") as caught:
        trainer.fit(X, NUMBERS, epochs=1000, verbose=0)
    assert 2 < caught.value.epoch < 100  # one step an epoch
    assert caught.value.step == 1
    assert trainer.optimizer.state["step"] < caught.value.epoch - 1  # from before the last


def test_a_gradient_that_is_not_finite_cannot_be_clipped():
    """The gradient of the absolute error is as large as x: its square overflows, the loss does not."""
    model = cr.MLP([INPUTS, CLASSES], rng=0, dtype="float64")
    trainer = cr.Trainer(model, "absolute_error", cr.SGD(0.1, clip_norm=1.0))
    before = model.parameters.vector.copy()
    with pytest.raises(cr.DivergenceError, match="got a gradient whose norm is not finite in epoch 1, step 1"):
        trainer.fit(X * 1e160, NUMBERS, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_batch_norm_refuses_a_batch_of_one_row():
    with pytest.raises(ValueError, match="at least two rows"):
        trained(NETS["batch normalisation"](), cr.SGD(0.1), batch_size=ROWS - 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_between_two_steps_and_every_step_is_counted(threads, monkeypatch):
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
    model = cr.MLP([INPUTS, 20, CLASSES], rng=0)
    trainer = cr.Trainer(model, "cross_entropy", batch_size=None)
    trainer.fit(X, LABELS, epochs=1, verbose=0)  # so that nothing is left that is slow at first
    underway = Event()

    class Tells(cr.Callback):
        live = False  # so that a call of the plan takes many steps

        def on_pause(self, trainer: Any) -> None:
            underway.set()

    def press_ctrl_c() -> None:
        underway.wait()
        os.kill(os.getpid(), signal.SIGINT)

    presses = Thread(target=press_ctrl_c, daemon=True)
    presses.start()
    trainer.callbacks.append(Tells())
    history = trainer.fit(X, LABELS, epochs=10**9, verbose=0)  # more than it will ever take
    presses.join()
    assert history.interrupted
    steps = int(trainer.optimizer.state["step"])
    assert 0 < steps < 10**9
    twin = cr.MLP([INPUTS, 20, CLASSES], rng=0)
    cr.Trainer(twin, "cross_entropy", batch_size=None).fit(X, LABELS, epochs=steps, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, twin.parameters.vector)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- what has a kernel


class OwnLayer(cr.Linear):
    """Something else than Linear, for all one knows."""

    def forward(self, x: Any, work: Any) -> Any:
        return super().forward(x, work)


class OwnActivation(cr.ReLU):
    def apply(self, x: Any, out: Any) -> Any:
        return super().apply(x, out)


class Shift(cr.Layer):
    """Adds numbers that are not parameters."""

    def __init__(self) -> None:
        self.program_numbers = {"gain": np.ones(CLASSES), "bias": np.arange(CLASSES, dtype=float)}

    def forward(self, x: Any, work: Any) -> Any:
        return x + self.program_numbers["bias"]

    def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
        return dy

    def program(self, training: bool = False) -> Any:
        return (Call("scale", self.program_numbers),)


class Renamed(cr.Linear):
    """Nothing else than Linear: no equation is changed."""


class OwnLoss(cr.SquaredError):
    def terms(self, z: Any, y: Any) -> Any:
        return super().terms(z, y)


class OwnOptimizer(cr.SGD):
    def direction(self, *arguments: Any) -> Any:
        return super().direction(*arguments)


@pytest.mark.parametrize(
    "parts",
    [
        dict(layers=[OwnLayer(INPUTS, CLASSES)]),
        dict(layers=[cr.Linear(INPUTS, CLASSES, OwnActivation())]),
        dict(layers=[cr.Residual([OwnLayer(INPUTS, INPUTS)]), cr.Linear(INPUTS, CLASSES)]),
        dict(layers=[cr.Linear(INPUTS, CLASSES), cr.Residual([Shift()])]),
        dict(layers=[cr.Dropout(0.5)], y=X),
        dict(loss=OwnLoss()),
        dict(loss=lambda z, y, weight: cr.SquaredError()(z, y, weight)),
        dict(optimizer=OwnOptimizer(0.01)),
        dict(optimizer=cr.Muon(0.01)),
        dict(optimizer=cr.LAMB(0.01)),
    ],
)
def test_what_has_no_kernel_is_trained_operation_by_operation(parts, monkeypatch):
    plans: list[Any] = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *all: plans.append(compiled_engine(*all)))
    settings = dict(layers=small_net(), loss="squared_error", optimizer=cr.SGD(0.01), y=NUMBERS) | parts
    _, history, _ = trained(settings.pop("layers"), settings.pop("optimizer"), **settings)
    assert plans == [None]
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("layer", [cr.BatchNorm(INPUTS), cr.Residual([cr.BatchNorm(INPUTS)])], ids=repr)
def test_a_batch_of_one_row_without_variance_is_refused_wherever_the_layer_is(layer):
    with pytest.raises(ValueError, match=r"BatchNorm.*at least two"):
        trained([layer, cr.Linear(INPUTS, CLASSES)], cr.SGD(0.01), batch_size=ROWS - 1)


def test_a_subclass_that_changes_no_equation_has_its_parents_kernel():
    model = cr.Sequential([Renamed(INPUTS, CLASSES)], rng=0)
    assert stages_of(model, X) is not None


def test_metrics_are_those_of_all_steps_if_the_engine_changes_within_an_epoch():
    def as_it_is(x, y, rng):
        return x, y

    def change(trainer):
        trainer.augment = [] if trainer.augment else [as_it_is]

    histories = []
    for first, steps in (([], []), ([], [2, 5]), ([as_it_is], [1]), ([as_it_is], [2, 5])):
        settings = dict(augment=first, callbacks=[Change(change, step) for step in steps])
        _, history, _ = trained(small_net(), cr.SGD(0.1), batch_size=32, metrics=["accuracy"], **settings)
        histories.append(history["accuracy"])
    assert histories == histories[:1] * 4


class OwnMixUp(cr.data.MixUp):
    def __call__(self, x: Any, y: Any, rng: Any) -> Any:
        return super().__call__(x, y, rng)


UNMIXED: dict[str, dict[str, Any]] = {
    "a subclass": dict(augment=[OwnMixUp(classes=CLASSES)]),
    "two": dict(augment=[cr.data.MixUp(classes=CLASSES), lambda x, y, rng: (x, y)]),
    "weights of classes": dict(loss=cr.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 0.0, 3.0])),
}


@pytest.mark.parametrize("name", UNMIXED)
def test_mixtures_that_a_plan_cannot_make_are_made_by_operations(name, monkeypatch):
    plans: list[Any] = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *all: plans.append(compiled_engine(*all)))
    settings = dict(augment=[cr.data.MixUp(classes=CLASSES)]) | UNMIXED[name]
    _, history, _ = trained(small_net(), cr.SGD(0.01), **settings)
    assert plans == [None]
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("mixing", "says"),
    [
        (cr.data.MixUp(), "MixUp expects targets that are numbers"),
        (cr.data.MixUp(classes=CLASSES + 1), "CrossEntropy expects y of shape"),
        (cr.data.MixUp(classes=2), r"MixUp expects labels \(N,\) from 0 to 1"),
    ],
    ids=repr,
)
def test_mixtures_that_make_no_sense_are_refused_as_by_operations(mixing, says):
    with pytest.raises((ValueError, TypeError), match=says):
        trained(small_net(), cr.SGD(0.01), augment=[mixing])


def test_codes_are_not_mixed():
    layers = [cr.Embedding(7, 4), cr.Linear(4, CLASSES)]
    model = cr.Sequential(layers, rng=0)
    x = np.arange(ROWS)[:, None] % 7
    trainer = cr.Trainer(model, "cross_entropy", augment=[cr.data.MixUp(0.4, classes=CLASSES)])
    with pytest.raises(ValueError, match="codes that are whole numbers"):
        trainer.fit(x, LABELS, epochs=1, verbose=0)


def test_a_sparse_x_has_no_plan(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    plans = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: plans.append(compiled_engine(*parts)))
    model = cr.Sequential(small_net(), rng=1)
    cr.Trainer(model, "cross_entropy").fit(sparse.csr_array(X), LABELS, epochs=1, verbose=0)
    assert plans == [None]
