"""Training as one compiled call: the same parameters, losses and metrics as operation by operation, to rounding."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import get_activation
from chainrule.ops.fused import KERNELS
from chainrule.training import run as run_module
from chainrule.training.compiled import Compiled, compiled_engine
from chainrule.training.stages import stages_of

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS, INPUTS, CLASSES = 210, 7, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, INPUTS))
LABELS = RNG.integers(0, CLASSES, ROWS)
NUMBERS = RNG.normal(size=(ROWS, CLASSES))
WEIGHTS = RNG.random(ROWS)

HIDDEN = ["elu", "gelu", "gelu_tanh", "hard_sigmoid", "identity", "leaky_relu", "mish", "relu", "selu", "sigmoid"]
HIDDEN += ["silu", "softplus", "tanh"]

NETS: dict[str, Callable[[], list[cr.Layer]]] = {
    "no hidden layer": lambda: [cr.Linear(INPUTS, CLASSES)],
    "wide": lambda: [cr.Linear(INPUTS, 130, "relu"), cr.Linear(130, 70, "relu"), cr.Linear(70, CLASSES)],
    "no bias": lambda: [cr.Linear(INPUTS, 16, "tanh", bias=False), cr.Linear(16, CLASSES, bias=False)],
    "parameters of activations": lambda: [
        cr.Linear(INPUTS, 9, cr.LeakyReLU(0.3)),
        cr.Linear(9, 9, cr.ELU(0.5)),
        cr.Linear(9, CLASSES),
    ],
    "penalties": lambda: [cr.Linear(INPUTS, 33, "relu", l1=1e-3, l2=1e-2), cr.Linear(33, CLASSES, l2=0.1)],
    "wide with penalties": lambda: [
        cr.Linear(INPUTS, 130, "relu", l1=1e-3),
        cr.Linear(130, 70, "relu", l1=1e-3, l2=1e-2),
        cr.Linear(70, CLASSES, l2=0.1),
    ],
    "dropout": lambda: [
        cr.Dropout(0.1),
        cr.Linear(INPUTS, 33, "relu"),
        cr.Dropout(0.5),
        cr.Linear(33, CLASSES),
        cr.Dropout(0.0),
    ],
    "parametric activations": lambda: [
        cr.ParametricActivation(INPUTS, "tanh"),
        cr.Linear(INPUTS, 33),
        cr.ParametricActivation(33, "selu"),
        cr.Linear(33, 20),
        cr.ParametricActivation(20, "mish"),
        cr.ParametricActivation(20, cr.LeakyReLU(0.3)),
        cr.Linear(20, CLASSES),
    ],
    "scales": lambda: [
        cr.Scale(INPUTS),
        cr.Linear(INPUTS, 33, "relu"),
        cr.Scale(33),
        cr.ReLU(),
        cr.Linear(33, CLASSES),
        cr.Scale(CLASSES),
    ],
    "layer normalisation": lambda: [
        cr.LayerNorm(INPUTS),
        cr.Linear(INPUTS, 33, "relu"),
        cr.LayerNorm(33),
        cr.Linear(33, CLASSES),
    ],
    "batch normalisation": lambda: [
        cr.BatchNorm(INPUTS),
        cr.Linear(INPUTS, 33, bias=False),
        cr.BatchNorm(33, momentum=0.3),
        cr.ReLU(),
        cr.Linear(33, CLASSES),
    ],
    **{
        f"{name} inside and behind": lambda name=name: [  # type: ignore[misc]
            cr.Linear(INPUTS, 12, name),
            cr.Linear(12, 12),
            get_activation("a test", name),
            cr.Linear(12, CLASSES),
        ]
        for name in HIDDEN
    },
}

OPTIMIZERS: dict[str, Callable[[], cr.Optimizer]] = {
    "SGD": lambda: cr.SGD(0.1),
    "momentum": lambda: cr.SGD(0.1, momentum=0.9, dampening=0.5),
    "Nesterov": lambda: cr.SGD(0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda: cr.RMSprop(1e-2),
    "RMSprop with momentum": lambda: cr.RMSprop(1e-2, momentum=0.5),
    "Adagrad": lambda: cr.Adagrad(1e-2),
    "Adam": lambda: cr.Adam(1e-2),
    "AdamW": lambda: cr.AdamW(1e-2, weight_decay=0.1),
    "NAdam": lambda: cr.NAdam(1e-2),
    "Lion": lambda: cr.Lion(1e-3),
    "clipped norm": lambda: cr.Adam(1e-2, clip_norm=0.1),
    "clipped values": lambda: cr.SGD(0.1, clip_value=0.01),
    "both": lambda: cr.SGD(0.1, clip_norm=0.05, clip_value=0.02),
    "groups": lambda: cr.AdamW(1e-2, groups={"*.b": {"weight_decay_factor": 0.0, "learning_rate_factor": 2.0}}),
    "schedule": lambda: cr.AdamW(cr.schedules.OneCycle(1e-2), weight_decay=cr.schedules.WarmupCosine(0.1)),
}

LOSSES: dict[str, tuple[cr.Loss, np.ndarray, np.ndarray | None]] = {
    "labels": (cr.CrossEntropy(label_smoothing=0.1), LABELS, None),
    "labels with weights": (cr.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 0.0, 3.0]), LABELS, WEIGHTS),
    "soft labels": (cr.CrossEntropy(), np.full((ROWS, CLASSES), 1 / CLASSES), WEIGHTS),
    "binary": (cr.BinaryCrossEntropy(), (NUMBERS > 0).astype(float), None),
    "squared": (cr.SquaredError(), NUMBERS, WEIGHTS),
    "half squared": (cr.HalfSquaredError(), NUMBERS, None),
    "absolute": (cr.AbsoluteError(), NUMBERS, None),
    "Huber": (cr.Huber(0.5), NUMBERS, WEIGHTS),
    "log-cosh": (cr.LogCosh(), NUMBERS, None),
    "Poisson": (cr.PoissonNLL(), np.abs(NUMBERS), None),
    "quantile": (cr.Quantile((0.1, 0.3, 0.5, 0.7, 0.9)), NUMBERS[:, :1], None),
}


def small_net() -> list[cr.Layer]:
    return [cr.Linear(INPUTS, 20, "relu"), cr.Linear(20, CLASSES)]


def trained(
    layers: list[cr.Layer],
    optimizer: cr.Optimizer,
    loss: Any = "cross_entropy",
    y: np.ndarray = LABELS,
    weight: np.ndarray | None = None,
    fit: dict[str, Any] | None = None,
    dtype: str = "float64",
    **settings: Any,
) -> tuple[cr.Sequential, cr.callbacks.History, cr.Trainer]:
    model = cr.Sequential(layers, rng=1, dtype=dtype)
    trainer = cr.Trainer(model, loss, optimizer, **settings)
    return model, trainer.fit(X, y, weight, verbose=0, **({"epochs": 3} | (fit or {}))), trainer


def assert_same_training(monkeypatch: pytest.MonkeyPatch, train: Callable[[], Any], tolerance: float = 1e-11) -> None:
    """With a plan, which must be there, and without."""
    plans: list[Compiled | None] = []

    def remember(*parts: Any) -> Compiled | None:
        plans.append(compiled_engine(*parts))
        return plans[-1]

    monkeypatch.setattr(run_module, "compiled_engine", remember)
    model, history, trainer = train()
    assert isinstance(plans[0], Compiled)
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)
    plain_model, plain_history, plain_trainer = train()
    np.testing.assert_allclose(model.parameters.vector, plain_model.parameters.vector, rtol=0, atol=tolerance)
    for name, buffer in model.buffers.items():
        np.testing.assert_allclose(buffer, plain_model.buffers[name], rtol=0, atol=tolerance, err_msg=name)
    assert history.columns == plain_history.columns
    for column in set(history.columns) - {"seconds"}:
        np.testing.assert_allclose(history[column], plain_history[column], rtol=1e-9, atol=tolerance, err_msg=column)
    assert trainer.optimizer.state["step"] == plain_trainer.optimizer.state["step"]
    assert trainer.rng.integers(2**62) == plain_trainer.rng.integers(2**62)  # the same draws were taken


@pytest.mark.parametrize("net", NETS)
def test_layers(net, monkeypatch):
    """SGD: Adam makes a direction of the rounding errors of a gradient that is 0, as a bias before BatchNorm has."""
    assert_same_training(
        monkeypatch, lambda: trained(NETS[net](), cr.SGD(0.05, momentum=0.9), batch_size=32, metrics=["accuracy"])
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer, monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(small_net(), OPTIMIZERS[optimizer](), batch_size=32), 1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss, monkeypatch):
    function, y, weight = LOSSES[loss]
    assert_same_training(
        monkeypatch, lambda: trained(small_net(), cr.Adam(1e-2), function, y, weight, batch_size=32), 1e-10
    )


def test_gaussian_nll(monkeypatch):
    layers = lambda: [cr.Linear(INPUTS, 20, "tanh"), cr.Linear(20, 2)]  # noqa: E731
    assert_same_training(
        monkeypatch, lambda: trained(layers(), cr.Adam(1e-2), cr.GaussianNLL(), NUMBERS[:, :1], batch_size=32)
    )


@pytest.mark.parametrize(
    "settings",
    [
        dict(batch_size=None, fit=dict(epochs=70)),
        dict(batch_size=64, drop_last=True, weight=WEIGHTS, metrics=["accuracy"]),
        dict(batch_size=16, sample="one", fit=dict(epochs=40)),
        dict(batch_size=16, rng=9, fit=dict(validation=0.2), metrics=["accuracy"]),
        dict(batch_size=ROWS + 5),
        dict(batch_size=1, fit=dict(epochs=1)),
    ],
    ids=lambda settings: ", ".join(settings),
)
def test_settings(settings, monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(small_net(), cr.Adam(1e-2), **settings))
    assert_same_training(monkeypatch, lambda: trained(NETS["dropout"](), cr.Adam(1e-2), **settings))


def test_a_batch_longer_than_a_panel_is_deep(monkeypatch):
    """Then a weight's gradient is summed in parts, and written before the optimizer takes its step."""
    x, y = np.tile(X, (6, 1)), np.tile(LABELS, 6)

    def train() -> Any:
        model = cr.MLP([INPUTS, 20, CLASSES], rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy", batch_size=1100)
        return model, trainer.fit(x, y, epochs=3, verbose=0), trainer

    assert_same_training(monkeypatch, train)


def test_images_are_flattened(monkeypatch):
    images = X[:, :6].reshape(ROWS, 2, 3)

    def train() -> Any:
        model = cr.Sequential([cr.Flatten(), cr.Linear(6, 9, "relu"), cr.Linear(9, CLASSES)], rng=0, dtype="float64")
        trainer = cr.Trainer(model, "cross_entropy")
        return model, trainer.fit(images, LABELS, epochs=2, verbose=0), trainer

    assert_same_training(monkeypatch, train)


def test_single_precision(monkeypatch):
    assert_same_training(monkeypatch, lambda: trained(NETS["wide"](), cr.Adam(1e-3), dtype="float32"), 1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHTS, np.where(WEIGHTS < 0.8, 0, WEIGHTS)], ids=["no", "weights", "zeros"])
@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.1}, {"clip_value": 0.01}], ids=str)
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("net", ["penalties", "wide with penalties"])
def test_penalties(net, average, clip, weight, monkeypatch):
    """Batches of 4 rows, the last of 2; of the weights that are mostly 0, those of some batches all are."""
    settings = dict(batch_size=4, weight=weight, average_penalty=average)
    assert_same_training(
        monkeypatch, lambda: trained(NETS[net](), cr.SGD(0.01, momentum=0.9, **clip), **settings), 1e-10
    )


NORMALISED = ["batch normalisation", "layer normalisation"]


@pytest.mark.parametrize(
    "net", ["wide", "dropout", "parametric activations", "scales", *NORMALISED, "penalties", "wide with penalties"]
)
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("average", [False, True])
def test_every_number_of_threads_gives_the_same_bits(net, clip, average, monkeypatch):
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    vectors = []
    for threads in (1, 2, 3):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        settings = dict(batch_size=48, weight=WEIGHTS, average_penalty=average)
        model, history, _ = trained(NETS[net](), cr.Adam(1e-2, clip_norm=clip), **settings)
        vectors.append((model.parameters.vector.tobytes(), history["loss"]))
    assert vectors[0] == vectors[1] == vectors[2]


def test_training_goes_on_where_it_stood():
    """Two fits of two epochs are one of four: the optimizer's state and the order go on."""
    whole, _, _ = trained(NETS["dropout"](), cr.Adam(1e-2), fit=dict(epochs=4))
    model, _, trainer = trained(NETS["dropout"](), cr.Adam(1e-2), fit=dict(epochs=2))
    trainer.fit(X, LABELS, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, whole.parameters.vector)


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


def test_a_callback_that_only_records_is_told_all_of_it_later():
    live, late = Watcher(), Recorder()
    trained(small_net(), cr.Adam(1e-2), batch_size=32, callbacks=[live])
    trained(small_net(), cr.Adam(1e-2), batch_size=32, callbacks=[late])
    assert [loss for loss, _ in late.steps] == [loss for loss, _ in live.steps]
    assert late.epochs == live.epochs


def test_stop_ends_the_training_after_that_epoch():
    class Stop(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            trainer.stop = trainer.epoch == 2

    _, history, _ = trained(small_net(), cr.Adam(1e-2), callbacks=[Stop()], fit=dict(epochs=50))
    assert len(history) == 2


def test_divergence_is_told_with_its_epoch_and_stops_at_once():
    model = cr.MLP([INPUTS, CLASSES], rng=0)
    trainer = cr.Trainer(model, "squared_error", cr.SGD(1e4), batch_size=None)
    with pytest.raises(cr.DivergenceError, match=r"in epoch \d+, step 1, at learning rate 10000") as caught:
        trainer.fit(X, NUMBERS, epochs=1000, verbose=0)
    assert 2 < caught.value.epoch < 100  # one step an epoch
    assert caught.value.step == 1
    assert trainer.optimizer.state["step"] < caught.value.epoch - 1  # of before the last


def test_a_gradient_that_is_not_finite_cannot_be_clipped():
    """The gradient of the absolute error is as large as x: its square overflows, the loss does not."""
    model = cr.MLP([INPUTS, CLASSES], rng=0, dtype="float64")
    trainer = cr.Trainer(model, "absolute_error", cr.SGD(0.1, clip_norm=1.0))
    before = model.parameters.vector.copy()
    with pytest.raises(cr.DivergenceError, match="got a gradient whose norm is not finite in epoch 1, step 1"):
        trainer.fit(X * 1e160, NUMBERS, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.parameters.vector, before)


class OwnLayer(cr.Linear):
    """Something else than Linear, for all one knows."""

    def forward(self, x: Any, work: Any) -> Any:
        return super().forward(x, work)


class OwnActivation(cr.ReLU):
    def apply(self, x: Any, out: Any) -> Any:
        return super().apply(x, out)


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
        dict(layers=[cr.Residual([cr.Linear(INPUTS, INPUTS)]), cr.Linear(INPUTS, CLASSES)]),
        dict(layers=[cr.Dropout(0.5)], y=X),
        dict(loss=OwnLoss()),
        dict(loss=lambda z, y, weight: cr.SquaredError()(z, y, weight)),
        dict(optimizer=OwnOptimizer(0.01)),
        dict(optimizer=cr.Muon(0.01)),
    ],
)
def test_what_has_no_kernel_is_trained_operation_by_operation(parts, monkeypatch):
    plans: list[Any] = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *all: plans.append(compiled_engine(*all)))
    settings = dict(layers=small_net(), loss="squared_error", optimizer=cr.SGD(0.01), y=NUMBERS) | parts
    _, history, _ = trained(settings.pop("layers"), settings.pop("optimizer"), **settings)
    assert plans == [None]
    assert np.isfinite(history["loss"]).all()


def test_a_subclass_that_changes_no_equation_has_its_parents_kernel():
    model = cr.Sequential([Renamed(INPUTS, CLASSES)], rng=0)
    assert stages_of(model, X) is not None


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


def test_two_trainings_at_the_same_time():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        models = list(pool.map(lambda seed: trained(NETS["wide"](), cr.Adam(1e-2))[0], range(4)))
    for model in models[1:]:
        np.testing.assert_array_equal(model.parameters.vector, models[0].parameters.vector)


@pytest.mark.parametrize("batch_size", [32, 50, None], ids=str)
@pytest.mark.parametrize("metrics", [[], ["accuracy"]], ids=["unseen", "with a metric"])
def test_an_order_of_ones_own(batch_size, metrics, monkeypatch):
    """Rows drawn again, others left out; with weights, and dropout, whose numbers come from the model's generator."""

    def train():
        draw = np.random.default_rng(3)
        return trained(
            NETS["dropout"](),
            cr.Adam(1e-2),
            weight=WEIGHTS,
            batch_size=batch_size,
            metrics=metrics,
            sample=lambda rows: draw.integers(0, rows, rows),
            fit={"epochs": 9},
        )

    assert_same_training(monkeypatch, train)


def test_a_sparse_x_has_no_plan(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    plans = []
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: plans.append(compiled_engine(*parts)))
    model = cr.Sequential(small_net(), rng=1)
    cr.Trainer(model, "cross_entropy").fit(sparse.csr_array(X), LABELS, epochs=1, verbose=0)
    assert plans == [None]
