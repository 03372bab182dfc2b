"""After its first step a training allocates nothing larger than 64 KB, whatever the network and the optimizer.

NumPy reports its memory to tracemalloc, and the interpreter calls a trace function before each bytecode, which is at
most one operation on arrays: what the peak rose by since the call before is what this operation allocated.
"""

from __future__ import annotations

import sys
import tracemalloc
from types import FrameType
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS
from chainrule.optimizers import OPTIMIZERS

LIMIT = 65_536
OBJECTS = 2048  # the Python objects around an array's numbers
BATCH, ROWS = 128, 2 * 128 + 40


class Largest(cr.Callback):
    """The most that an operation allocates from the end of the first step to the end of the last, and where."""

    def on_train_begin(self, trainer: Any) -> None:
        self.steps = self.size = self.before = 0
        self.last = self.place = (__file__, 0)
        self.outer = sys.gettrace()

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.steps += 1
        self.found = self.size, self.place
        if self.steps == 1:
            tracemalloc.start()
            sys.settrace(self.trace)  # for functions entered from now on
            loop = sys._getframe(1)
            loop.f_trace, loop.f_trace_opcodes = self.trace, True

    def on_train_end(self, trainer: Any) -> None:
        sys.settrace(self.outer)
        tracemalloc.stop()

    def trace(self, frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        now, peak = tracemalloc.get_traced_memory()
        if peak - self.before > self.size:
            self.size, self.place = peak - self.before, self.last
        self.last = frame.f_code.co_filename, frame.f_lineno
        self.before = now
        tracemalloc.reset_peak()
        return self.trace


SETTINGS = ("metrics", "sample", "drop_last", "batch_size", "average_penalty")  # those of Trainer; the others are fit's


def largest(model: cr.Sequential, *arguments: Any, **options: Any) -> Any:
    """The bytes, and the line, of the largest allocation of a training on batches of 128 × 784.

    Another thread of the test process, or a finalizer that the garbage collector calls, may allocate meanwhile and be
    counted, but not in two trainings; what a step allocates is in both.
    """
    found = largest_of_one(model, *arguments, **options)
    return found if small(found) else min(found, largest_of_one(model, *arguments, **options))


def largest_of_one(
    model: cr.Sequential, loss: Any = "cross_entropy", optimizer: Any = None, y: Any = None, **fit: Any
) -> Any:
    """The same of one training."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 784)).astype(model.dtype)
    y = rng.integers(0, 10, ROWS) if y is None else y
    largest = Largest()
    options = {name: fit.pop(name) for name in SETTINGS if name in fit}
    trainer = cr.Trainer(
        model, loss, optimizer or cr.Adam(1e-4), callbacks=[largest], **({"batch_size": BATCH} | options)
    )
    with np.errstate():  # which also gives the buffers back their size, at most 64 KB, in which NumPy converts dtypes:
        np.setbufsize(16)  # small ones, lest they count together with the result of the operation
        trainer.fit(x, y, verbose=0, **({"epochs": 1} | fit))
    assert largest.steps > 1
    return largest.found


def net(*hidden: cr.Layer, activation: Any = "relu", dtype: str = "float32", **linear: Any) -> cr.Sequential:
    """784-512-256-10, with more layers after the first hidden one."""
    layers = [
        cr.Linear(784, 512, activation, **linear),
        *hidden,
        cr.Linear(512, 256, activation, **linear),
        cr.Linear(256, 10),
    ]
    return cr.Sequential(layers, rng=0, dtype=dtype)


def small(found: Any) -> bool:
    return found[0] <= LIMIT + OBJECTS


def test_a_large_allocation_would_be_found():
    class Wasteful(cr.Layer):
        def forward(self, x, work):
            np.zeros(20_000)
            return x

        def backward(self, dy, work, input_gradient=True):
            return dy

    size, (file, _) = largest(net(Wasteful()))
    assert size == pytest.approx(160_000, abs=OBJECTS)
    assert file == __file__


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation(name, dtype):
    found = largest(net(ACTIVATIONS[name], activation=name, dtype=dtype))
    assert small(found), found


LAYERS = {
    "dropout": lambda: cr.Dropout(0.2),
    "gaussian noise": lambda: cr.GaussianNoise(0.1),
    "batch norm": lambda: cr.BatchNorm(512),
    "layer norm": lambda: cr.LayerNorm(512),
    "prelu": lambda: cr.PReLU(512),
    "parametric": lambda: cr.ParametricActivation(512, "mish"),
    "scale": lambda: cr.Scale(512),
    "members": lambda: cr.Members([[cr.Linear(512, 512)], [cr.Tanh()]]),
    "residual": lambda: cr.Residual([cr.Linear(512, 512, activation="gelu"), cr.Linear(512, 512)]),
    "flatten": lambda: cr.Flatten(),
    "columns": lambda: cr.Columns([(256, []), (256, [cr.Linear(256, 256)])]),
    "bins": lambda: cr.Columns([(128, [cr.PiecewiseLinear([range(4)] * 128, 2), cr.Linear(256, 128)]), (384, [])]),
    "waves": lambda: cr.Columns([(128, [cr.PBLD(128, 8, 2), cr.Linear(256, 128)]), (384, [])]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name):
    found = largest(net(LAYERS[name]()))
    assert small(found), found


@pytest.mark.parametrize("average", [False, True])
def test_penalties(average):
    found = largest(net(l1=1e-5, l2=1e-4), average_penalty=average)
    assert small(found), found


#: One iteration of Newton and Schulz allocates what five of them do.
FEW = {"muon": {"iterations": 1}}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer(name):
    found = largest(net(), optimizer=OPTIMIZERS[name](1e-4, **FEW.get(name, {})))
    assert small(found), found


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_with_all_its_options(name):
    groups = {"*.b": dict(weight_decay_factor=0.0), "0.*": dict(learning_rate_factor=0.5)}
    options = dict(weight_decay=0.01, clip_norm=1.0, clip_value=0.1, groups=groups)
    found = largest(net(), optimizer=OPTIMIZERS[name](1e-4, **options, **FEW.get(name, {})))
    assert small(found), found


@pytest.mark.parametrize(
    "fit",
    [
        dict(metrics=["accuracy"]),
        dict(sample_weight=np.linspace(0.5, 2, ROWS)),
        dict(drop_last=True),
        dict(sample="one", epochs=3),
        dict(batch_size=None, epochs=3),
        dict(epochs=2),
    ],
    ids=lambda fit: ", ".join(fit),
)
def test_the_trainer(fit):
    found = largest(net(), **fit)
    assert small(found), found


def test_an_activation_of_the_users_own():
    class Swish(cr.Activation):
        keeps_input = True

        def apply(self, x, out):
            return np.multiply(x, 1 / (1 + np.exp(-x)), out=out)

        def pull_back(self, dy, x, y, out):
            gate = 1 / (1 + np.exp(-x))
            return np.multiply(dy, gate + y * (1 - gate), out=out)

    found = largest(net(Swish(), activation=Swish()))
    assert small(found), found


@pytest.mark.parametrize("loss", ["squared_error", "huber", "binary_cross_entropy"])
def test_a_loss_of_few_outputs(loss):
    found = largest(net(), loss=loss, y=np.random.default_rng(1).random((ROWS, 10)))
    assert small(found), found
