"""Nothing of a fit outlives it but the model and the record: no reference cycle keeps rows, networks or optimizers."""

from __future__ import annotations

import gc
import io
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from custom import Plain

RNG = np.random.default_rng(0)
SIZE = 300  # rows, of 20 columns: what is kept of them is seen by its size
LARGE = 4000  # bytes


def data() -> tuple[np.ndarray, np.ndarray]:
    """New arrays, of dtypes that nobody needs to convert."""
    return RNG.normal(size=(SIZE, 20)).astype("f4"), RNG.integers(0, 3, SIZE)


class Fail(cr.Callback):
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_pause(self, trainer: Any) -> None:
        if trainer.epoch == 2:
            raise self.error


class FailAtTheEnd(cr.Callback):
    """Raises when training has ended, whether or not it failed before."""

    def __init__(self, error: type[BaseException] = RuntimeError) -> None:
        self.error = error

    def on_train_end(self, trainer: Any) -> None:
        raise self.error


def trainer(*callbacks: cr.Callback, layers: list[cr.Layer] | None = None, **settings: Any) -> cr.Trainer:
    made = [cr.Linear(20, 64, "relu"), cr.BatchNorm(64), cr.Dropout(0.1), cr.Linear(64, 3), *(layers or [])]
    return cr.Trainer(cr.Sequential(made, rng=0), "cross_entropy", callbacks=callbacks, **settings)


def fit(one: cr.Trainer, **arguments: Any) -> None:
    x, y = data()
    try:
        one.fit(x, y, **{"epochs": 3, "verbose": 0} | arguments)
    except (RuntimeError, KeyboardInterrupt, cr.DivergenceError):
        pass


def fit_with_everything() -> None:
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [
            cr.callbacks.WeightAverage(),
            cr.callbacks.EarlyStopping("loss"),
            cr.callbacks.MaxNorm(3.0),
            cr.callbacks.TerminateOnDivergence(),
        ]
        callbacks += [
            cr.callbacks.TimeLimit(100.0),
            cr.callbacks.Progress(file=io.StringIO()),
            cr.callbacks.CSVLog(folder + "/log.csv"),
        ]
        fit(trainer(*callbacks, cr.callbacks.Checkpoint(folder), metrics=["accuracy"]), validation=0.2)
        again = [cr.callbacks.WeightAverage(), cr.callbacks.EarlyStopping("loss"), cr.callbacks.TerminateOnDivergence()]
        fit(
            trainer(*again, cr.callbacks.Checkpoint(folder), metrics=["accuracy"]).resume(folder),
            validation=0.2,
            epochs=5,
        )


def predict() -> None:
    x, y = data()
    one = trainer()
    one.model.predict(x)
    one.evaluate(x, y)


def diagnose() -> None:
    cr.diagnose(trainer().model, *data())


def range_test() -> None:
    cr.learning_rate_range_test(trainer(), *data())


def gradcheck() -> None:
    x, y = data()
    cr.gradcheck(
        cr.MLP([20, 8, 3], activation="tanh", rng=0, dtype="float64"), x[:50].astype(float), y[:50], "cross_entropy"
    )


def by_hand() -> None:
    x, y = data()
    model, loss, optimizer = trainer().model, cr.CrossEntropy(), cr.Adam()
    for xb, yb in cr.batches(x, y, size=32, rng=0):
        model.backward(loss(model.forward(xb, training=True), yb)[1])
        optimizer.step(model.parameters.vector, model.gradients.vector)


def classifier(**settings: Any) -> Any:
    return cr.MLPClassifier((64,), max_iter=3, random_state=0, **settings)


def report() -> None:
    pytest.importorskip("sklearn")
    x, y = data()
    str(cr.report(classifier().fit(x, y), x, y))


def partial_fit() -> None:
    model = classifier()
    for _ in range(2):
        x, y = data()
        model.partial_fit(x, y, classes=[0, 1, 2])


def save_and_load() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cr.save(trainer().model, folder + "/model.safetensors")
        cr.load(folder + "/model.safetensors")


ENTRIES: dict[str, Callable[[], Any]] = {
    "fit": lambda: fit(trainer()),
    "fit, operation by operation": lambda: fit(trainer(layers=[Plain()])),
    "fit, the full batch": lambda: fit(trainer(layers=[Plain()], batch_size=None)),
    "fit with everything": fit_with_everything,
    "fit with augmentation": lambda: fit(trainer(augment=[cr.data.MixUp(0.2, classes=3)])),
    "fit that fails": lambda: fit(trainer(Fail(RuntimeError))),
    "fit whose end fails": lambda: fit(trainer(FailAtTheEnd())),
    "fit whose end fails twice": lambda: fit(trainer(FailAtTheEnd(), cr.callbacks.WeightAverage(), FailAtTheEnd())),
    "fit that fails, and its end": lambda: fit(trainer(FailAtTheEnd(), Fail(RuntimeError), FailAtTheEnd())),
    "fit that is interrupted at its end": lambda: fit(trainer(FailAtTheEnd(KeyboardInterrupt))),
    "fit that is interrupted": lambda: fit(trainer(Fail(KeyboardInterrupt))),
    "fit that diverges": lambda: fit(trainer(optimizer=cr.SGD(1e30))),
    "predict and evaluate": predict,
    "diagnose": diagnose,
    "learning_rate_range_test": range_test,
    "gradcheck": gradcheck,
    "a loop by hand": by_hand,
    "save and load": save_and_load,
    "MLPClassifier.fit": lambda: classifier().fit(*data()).predict(data()[0]),
    "MLPClassifier, average": lambda: classifier(average=0.9, early_stopping=True, scale=True).fit(*data()),
    "MLPClassifier, callbacks": lambda: classifier(callbacks=[cr.callbacks.EarlyStopping("loss")]).fit(*data()),
    "MLPClassifier, lbfgs": lambda: classifier(solver="lbfgs").fit(*data()),
    "MLPClassifier.partial_fit": partial_fit,
    "MLPRegressor.fit": lambda: cr.MLPRegressor(hidden_layer_sizes=(64,), max_iter=3).fit(data()[0], data()[0][:, 0]),
    "report": report,
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.freeze()  # what is there already, which is much, is not looked through again
    gc.disable()
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize("name", ENTRIES)
def test_nothing_waits_for_the_collector(name: str, no_collector: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ENTRIES[name]()  # what is loaded and cached once
        gc.collect()
        ENTRIES[name]()
    gc.set_debug(gc.DEBUG_SAVEALL)  # what only the collector finds
    gc.collect()
    found = [*gc.garbage, *(inner for one in gc.garbage for inner in gc.get_referents(one))]
    arrays = [one.shape for one in found if isinstance(one, np.ndarray) and one.nbytes >= LARGE]
    parts = [type(one) for one in found if isinstance(one, (cr.Sequential, cr.Trainer, cr.Optimizer, cr.Callback))]
    assert (arrays, parts) == ([], [])


@pytest.mark.parametrize("layers", [[], [Plain()]], ids=["compiled", "op by op"])
@pytest.mark.parametrize("batch_size", [32, None])
def test_a_trainer_that_stays_keeps_no_rows(layers: list[cr.Layer], batch_size: int | None, no_collector: None) -> None:
    one = trainer(layers=layers, batch_size=batch_size)
    x, y = data()
    rows = weakref.ref(x), weakref.ref(y)
    history = one.fit(x, y, validation=0.1, epochs=2, verbose=0)
    optimizer = weakref.ref(one.optimizer)
    del x, y
    assert [row() for row in rows] == [None, None]
    del one
    assert optimizer() is None
    assert len(history) == 2
