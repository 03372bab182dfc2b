"""Random calls of everything that computes, with arrays that fit and arrays that do not: none misuses memory.

``python calls.py COUNT SEED`` makes them, for the sanitizers. Each array takes up its own memory exactly: they
see any read or write beside it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import losses, ops
from chainrule.layers.activations import get_activation
from chainrule.training import compiled

#: What a call may say against its arguments.
REFUSALS = (ValueError, TypeError, IndexError, ArithmeticError, AttributeError)  # the last from plain ops, of None
SIZES = [0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 130]
ACTIVATIONS = ["elu", "gelu", "gelu_tanh", "hard_sigmoid", "identity", "leaky_relu", "mish", "relu", "selu", "sigmoid"]
ACTIVATIONS += ["silu", "softplus", "tanh"]
LOSSES = [name for name in losses.__all__ if isinstance(getattr(losses, name), type) and name != "Loss"]
OPTIMIZERS = ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW", "NAdam", "Lion", "Muon", "LARS", "LAMB"]


class Calls:
    """The calls of one seed, one after the other."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.hostility = 0.2

    def __call__(self) -> bool:
        """Make a call; whether it was taken, not refused."""
        self.hostility = float(self.rng.choice([0.0, 0.1, 0.5]))
        act = self.pick([self.op] * 12 + [self.loss] * 4 + [self.step] * 3 + [self.layers] * 2 + [self.training])
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                act()
            except REFUSALS:
                return False
        return True

    # Numbers and arrays.

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def size(self, least: int = 0) -> int:
        return max(least, self.pick(SIZES))

    def array(self, *shape: int, dtype: str | np.dtype = "f4") -> np.ndarray:
        """Numbers, some of them extreme, in an array of this shape; or one that is unlike what was asked for."""
        values = self.rng.normal(size=shape)
        if self.chance(0.1) and values.size:
            values.flat[int(self.rng.integers(values.size))] = self.pick([np.nan, np.inf, -np.inf, 1e-310, 1e300, 0.0])
        return self.spoil(values.astype(dtype))

    def labels(self, rows: int, classes: int) -> np.ndarray:
        y = self.rng.integers(0, max(classes, 1), rows)
        if self.chance(self.hostility / 4) and rows:
            y[0] = self.pick([-1, classes, 2**62])
        return self.spoil(y)

    def spoil(self, array: np.ndarray) -> Any:
        if not self.chance(self.hostility):
            return array
        return self.pick(SPOILT)(array, self)

    # What is called.

    def op(self) -> None:
        """Any op, with its inputs and perhaps its outputs."""
        name = self.pick([*ops.__all__, "dropout", "affine", "affine_backward", "standardize", "scale_backward"])
        n, i, o, dtype = self.size(), self.size(), self.size(), self.pick(["f4", "f4", "f8"])
        x, dy = self.array(n, i, dtype=dtype), self.array(n, i, dtype=dtype)
        inputs, shapes = self._inputs(name, x, dy, n, i, o, dtype)
        given: dict[str, Any] = {}
        if self.chance(0.5):
            arrays = [array for array in inputs if isinstance(array, np.ndarray)]
            room = lambda shape: self.pick(  # noqa: E731
                [self.array(*shape, dtype=dtype), self.array(*shape, dtype=dtype), self.pick(arrays), None]
            )
            out = [room(shape) for shape in shapes]
            given["out"] = out[0] if len(out) == 1 else tuple(out)
        getattr(ops, name)(*inputs, **given)

    def _inputs(
        self, name: str, x: Any, dy: Any, n: int, i: int, o: int, dtype: str
    ) -> tuple[list[Any], list[tuple[int, ...]]]:
        """The inputs of an op, and the shapes of its outputs."""
        array = lambda *shape: self.array(*shape, dtype=dtype)  # noqa: E731
        codes = lambda: self.spoil(self.rng.integers(0, max(o, 1), (n, 1)).astype(dtype))  # noqa: E731
        axis = self.pick([0, 1, 1, -1, 2])
        known: dict[str, tuple[list[Any], list[tuple[int, ...]]]] = {
            "affine": ([x, array(i, o), self.pick([None, array(o)])], [(n, o)]),
            "affine_backward": ([array(n, o), x, array(i, o)], [(n, i), (i, o), (o,)]),
            "dropout": ([x, self.pick([0.0, 0.3, 0.999, 2.0, np.nan]), self.rng], [(n, i)]),
            "embedding": ([codes(), array(o, i)], [(n, i)]),
            "embedding_backward": ([dy, codes(), array(o, i)], [(o, i)]),
            "gaussian_noise": ([x, 0.1, self.rng], [(n, i)]),
            "logsumexp": ([x], [(n,)]),
            "logsumexp_backward": ([array(n), x], [(n, i)]),
            "parametric": ([x, array(n, i), array(i)], [(n, i)]),
            "parametric_backward": ([dy, x, array(n, i), array(i)], [(n, i), (n, i), (i,)]),
            "pbld": ([x, array(i, o), array(i, o), array(i, o, 2), array(i, 2)], [(n, 3 * i)]),
            "pbld_backward": (
                [array(n, 3 * i), x, array(i, o), array(i, o), array(i, o, 2)],
                [(n, i), (i, o), (i, o), (i, o, 2), (i, 2)],
            ),
            "piecewise_linear": (
                [x, array(i, o, 2), array(i, 2), array(i, 2), array(i, o), array(i, o)],
                [(n, 2 * i)],
            ),
            "piecewise_linear_backward": (
                [array(n, 2 * i), x, array(i, o, 2), array(i, 2), array(i, o), array(i, o)],
                [(n, i), (i, o, 2), (i, 2), (i, 2)],
            ),
            "prelu": ([x, array(i)], [(n, i)]),
            "prelu_backward": ([dy, x, array(i)], [(n, i), (i,)]),
            "scale": ([x, array(i), self.pick([None, array(i)])], [(n, i)]),
            "scale_backward": ([dy, x, array(i)], [(n, i), (i,), (i,)]),
            "standardize": ([x, axis, 1e-5], [(n, i)]),
            "standardize_backward": ([dy, x, array(*((1, i) if axis == 0 else (n, 1))), axis], [(n, i)]),
            "identity_backward": ([dy], [(n, i)]),
        }
        return known.get(name, ([dy, x] if name.endswith("_backward") else [x], [(n, i)]))

    def loss(self) -> None:
        """Any loss, perhaps with weights and a place for the gradient."""
        name, n, k, dtype = self.pick(LOSSES), self.size(1), self.size(1), self.pick(["f4", "f8"])
        loss = getattr(losses, name)(self.pick([(0.5,), (0.1, 0.5, 0.9)]) if name == "Quantile" else ())
        loss = loss if name == "Quantile" else getattr(losses, name)()
        outputs = {"Quantile": len(getattr(loss, "levels", ())), "GaussianNLL": 2}.get(name, 1)
        y = self.array(n, k, dtype=dtype)
        if name in ("BinaryCrossEntropy", "PoissonNLL") and isinstance(y, np.ndarray) and y.dtype.kind == "f":
            y = np.abs(np.tanh(y))
        if name == "CrossEntropy":
            y = self.labels(n, k)
        z = self.array(n, k * outputs, dtype=dtype)
        weight = self.pick([None, np.abs(self.array(n, dtype="f8"))])
        loss(z, y, weight, out=self.pick([None, z, y, self.array(n, k * outputs, dtype=dtype)]))

    def optimizer(self) -> cr.Optimizer:
        settings: dict[str, Any] = {"clip_norm": self.pick([None, 1.0]), "clip_value": self.pick([None, None, 0.5])}
        name = self.pick(OPTIMIZERS)
        if name in ("SGD", "RMSprop"):
            settings["momentum"] = self.pick([0.0, 0.9])
        return getattr(cr, name)(self.pick([0.0, 1e-3, 0.1]), **settings)

    def step(self) -> None:
        """Some steps of an optimizer, whose state may change in between."""
        optimizer, n, dtype = self.optimizer(), self.size(), self.pick(["f4", "f8"])
        vector = self.array(n, dtype=dtype)
        if self.chance(0.5):
            parameters = cr.Parameters({"a": (n,), "b": (3, 2)}, np.dtype(dtype))
            optimizer.setup(parameters)
            vector = parameters.vector
        for _ in range(3):
            gradient = self.pick([self.array(*np.shape(vector), dtype=dtype), vector])
            optimizer.step(vector, gradient)
            self._spoil_state(optimizer, vector, gradient)

    def _spoil_state(self, optimizer: cr.Optimizer, *others: Any) -> None:
        for name in list(optimizer.state):
            if self.chance(self.hostility / 2):
                one = self.pick([self.spoil(optimizer.state[name]), *others, 7, None])
                optimizer.state[name] = one

    def network(self, inputs: int, outputs: int) -> cr.Sequential:
        layers: list[cr.Layer] = []
        width = inputs
        if self.chance(0.3):
            front = self.pick([cr.PBLD(1, self.size(1)), cr.Embedding(3, 4)])
            layers.append(cr.Columns([(1, [front]), (inputs - 1, [])][: 1 + (inputs > 1)]))
            width = 4 + inputs - 1
        for _ in range(int(self.rng.integers(0, 3))):
            kind, wide = (
                self.pick(["linear", "linear", "norm", "noise", "activation", "prelu", "parametric"]),
                self.size(1),
            )
            if kind == "linear":
                l1, l2 = self.pick([0.0, 0.01]), self.pick([0.0, 0.01])
                layers.append(cr.Linear(width, wide, self.pick(ACTIVATIONS), bias=self.chance(0.8), l1=l1, l2=l2))
                width = wide
            elif kind == "norm":
                layers.append(self.pick([cr.BatchNorm, cr.LayerNorm])(width))
            elif kind == "noise":
                layers.append(cr.Dropout(self.pick([0.0, 0.5])))
            elif kind == "parametric":
                layers.append(cr.ParametricActivation(width, self.pick(ACTIVATIONS) or "selu"))
            else:
                one = get_activation("a test", self.pick(ACTIVATIONS))
                layers.append(cr.PReLU(width) if kind == "prelu" or one is None else one)
        dtype = self.pick(["float32", "float64"])
        model = cr.Sequential([*layers, cr.Linear(width, outputs)], rng=int(self.rng.integers(1000)), dtype=dtype)
        self._assign(model)
        return model

    def _assign(self, model: cr.Sequential) -> None:
        """Other numbers for some arrays of the layers, in arrays of all kinds."""
        for layer in model.layers:
            for name in [*layer.parameter_shapes(), *layer.buffers()]:
                if self.chance(self.hostility / 2):
                    array = getattr(layer, name)
                    try:
                        setattr(layer, name, self.array(*array.shape, dtype=self.pick([array.dtype, "f4", "f8"])))
                    except REFUSALS:
                        continue

    def rows(self, model: cr.Sequential, n: int, i: int) -> Any:
        """x, in most cases with codes where the model looks them up."""
        values = self.array(n, i, dtype=self.pick(["f4", "f8"]))
        if isinstance(model.layers[0], cr.Columns) and np.shape(values) == (n, i) and self.chance(0.8):
            values = np.array(values)
            values[:, 0] = self.rng.integers(0, 3, n)
        return values

    def layers(self) -> None:
        """Forward, backward and prediction of a network."""
        n, i, o = self.size(), self.size(1), self.size(1)
        model = self.network(i, o)
        x = self.rows(model, n, i)
        model.predict(x)
        y = model.forward(x, training=True)
        model.backward(self.array(*y.shape, dtype=y.dtype), input_gradient=True)

    def training(self) -> None:
        """A fit, on some threads, in which arrays may change after a step."""
        n, i, k = self.size(1), self.size(1), self.size(2)
        model = self.network(i, k)
        x = self.rows(model, n, i)
        name = self.pick(["cross_entropy", "squared_error", "huber", "gaussian_nll", "poisson_nll"])
        y = self.labels(n, k) if name == "cross_entropy" else np.abs(self.array(n, k))
        weight = self.pick([None, np.abs(self.array(n, dtype="f8"))])
        os.environ["CHAINRULE_NUM_THREADS"] = str(self.rng.integers(1, 5))
        settings: dict[str, Any] = {"batch_size": self.pick([1, 8, 16, 64, None]), "callbacks": [Meddler(self)]}
        trainer = cr.Trainer(model, name, self.optimizer(), **settings)
        trainer.fit(x, y, weight, epochs=2, verbose=0)
        model.predict(x)


class Meddler(cr.Callback):
    """Changes what is being trained."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.live = calls.chance(calls.hostility)

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        calls = self.calls
        if not (self.live and calls.chance(0.3)):
            return
        calls._assign(trainer.model)
        calls._spoil_state(trainer.optimizer, trainer.model.parameters.vector)
        for layer in trainer.model.layers:
            for buffer in layer.buffers().values():
                if calls.chance(0.1):
                    buffer.setflags(write=False)


def _as_memmap(array: np.ndarray, calls: Calls) -> Any:
    array = array.view(np.memmap)
    array.setflags(write=calls.chance(0.5))
    return array


def _misaligned(array: np.ndarray, calls: Calls) -> Any:
    room = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype) if array.ndim else np.empty(1, array.dtype)
    room = room.reshape(array.shape)
    room[...] = array
    return room


def _resized(array: np.ndarray, calls: Calls) -> Any:
    shape = list(array.shape) or [1]
    axis = int(calls.rng.integers(len(shape)))
    shape[axis] = max(0, shape[axis] + calls.pick([-1, 1, 7]))
    return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)


#: What becomes of an array that somebody spoils.
SPOILT: list[Callable[[np.ndarray, Calls], Any]] = [
    lambda a, _: a[::-1] if a.ndim else a,
    lambda a, _: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    lambda a, _: np.asfortranarray(a),
    lambda a, _: a.astype(a.dtype.newbyteorder()),
    lambda a, _: np.broadcast_to(a.ravel()[:1], a.shape) if a.size else a,
    lambda a, _: a.astype("f8" if a.dtype == "f4" else "f4"),
    lambda a, _: a.astype("i4"),
    lambda a, _: a.astype(complex),
    lambda a, _: a.astype(object),
    lambda a, _: a[..., None],
    lambda a, _: a.ravel(),
    lambda a, _: a.ravel()[:1].reshape(()) if a.size else a,
    lambda a, _: a[:0] if a.ndim else a,
    lambda a, _: a.view(np.matrix) if a.ndim == 2 else a,
    lambda a, _: np.ma.masked_array(a, mask=True),
    lambda a, _: a.tolist(),
    lambda a, _: None,
    _as_memmap,
    _misaligned,
    _resized,
]


def run(count: int, seed: int) -> int:
    """Make so many calls, and say how many were taken."""
    calls, taken = Calls(seed), 0
    compiled.WORK_A_THREAD = 1  # so that small networks have several threads, too
    compiled.ROWS_A_THREAD = 1
    for _ in range(count):
        taken += calls()
    return taken


if __name__ == "__main__":
    print(f"{run(int(sys.argv[1]), int(sys.argv[2]))} of {sys.argv[1]} calls were taken")
