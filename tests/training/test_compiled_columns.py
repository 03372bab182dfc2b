"""The input layers of networks on tables in a plan: the same training as operation by operation, to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.fused import KERNELS, compiled
from chainrule.training import run as run_module
from chainrule.training.compiled import Compiled, compiled_engine
from chainrule.training.stages import stages_of
from changes import Change

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS = 210
RNG = np.random.default_rng(0)
#: Five numbers, a column of four codes, one of 700 of which most have no row.
X = np.hstack([RNG.normal(size=(ROWS, 5)), RNG.integers(0, 4, (ROWS, 1)), RNG.integers(0, 700, (ROWS, 1))])
Y = RNG.integers(0, 3, ROWS)

Front = Callable[[], list[cr.Layer]]
CODES: list[Any] = [(1, [cr.Embedding(4, 3)]), (1, [cr.Embedding(700, 2)])]


def table(*parts: Any, width: int) -> Front:
    return lambda: [
        cr.Columns(
            [(columns, [cr.layers.layer_from_config(layer.config()) for layer in own]) for columns, own in parts]
        ),
        cr.Linear(width, 9, "tanh"),
        cr.Linear(9, 3),
    ]


NETS: dict[str, Front] = {
    "numbers and codes": table((3, [cr.PBLD(3)]), (2, [cr.PiecewiseLinear([[0, 1, 2], [-1, 1]], 1)]), *CODES, width=19),
    "two of each": table((1, []), (2, [cr.PBLD(2, 5)]), (2, [cr.PBLD(2, 33, 2, 1.0)]), *CODES, width=18),
    "many outputs": table((5, [cr.PBLD(5, 40, 30)]), (2, []), width=152),
    "more outputs than a panel is wide": table((5, [cr.PBLD(5, 40, 300)]), (2, []), width=1502),
    "bins": table((3, [cr.PiecewiseLinear([[-1, 0, 0.5, 2], [0, 1], [-0.1, 0.3]], 5)]), (2, []), *CODES, width=22),
    "many bins": table((1, []), (4, [cr.PiecewiseLinear.from_quantiles(X[:, 1:5], 17, 200)]), *CODES, width=74),
    "one bin": table((5, [cr.PiecewiseLinear([[-1, 1]] * 5, 1)]), (2, []), width=7),
    "one wave": table((5, [cr.PBLD(5, 1, 2)]), (2, []), width=12),
    "codes alone": table((5, []), *CODES, width=10),
    "dropout on all of it": lambda: [
        *table((3, [cr.PBLD(3)]), (2, []), *CODES, width=19)()[:1],
        cr.Dropout(0.3),
        cr.ParametricActivation(19, "selu"),
        cr.Linear(19, 3),
    ],
}


def trained(layers: list[cr.Layer], optimizer: cr.Optimizer, dtype: str = "float64", **settings: Any) -> np.ndarray:
    model = cr.Sequential(layers, rng=1, dtype=dtype)
    trainer = cr.Trainer(model, "cross_entropy", optimizer, rng=2, **({"batch_size": 32} | settings))
    columns = {cr.Embedding: slice(5, 6), cr.PBLD: slice(5), cr.PiecewiseLinear: slice(5)}
    x = X[:, columns.get(type(layers[0]), slice(None))]
    history = trainer.fit(x, Y, epochs=3, verbose=0)
    return np.concatenate([model.parameters.vector, history["loss"]])


def assert_same(monkeypatch: pytest.MonkeyPatch, train: Callable[[], np.ndarray], tolerance: float = 1e-11) -> None:
    plans: list[Any] = []
    monkeypatch.setattr(
        run_module, "compiled_engine", lambda *parts: plans.append(compiled_engine(*parts)) or plans[-1]
    )
    found = train()
    assert all(isinstance(plan, Compiled) for plan in plans)
    monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)
    np.testing.assert_allclose(found, train(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", NETS)
def test_a_plan_trains_them_as_operation_by_operation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(monkeypatch, lambda: trained(NETS[name](), cr.SGD(0.05, momentum=0.9)))


@pytest.mark.parametrize(
    "front",
    [lambda: cr.Embedding(4, 8), lambda: cr.PBLD(5, outputs=2), lambda: cr.PiecewiseLinear([[-1, 0, 1]] * 5, 2)],
    ids=["an embedding", "a PBLD", "bins"],
)
def test_a_plan_takes_one_that_stands_by_itself(front: Callable[[], cr.Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    width = front().output_shape(None)[0]  # type: ignore[index]
    assert_same(monkeypatch, lambda: trained([front(), cr.Linear(width, 3)], cr.Adam(0.01)))


OPTIMIZERS: dict[str, Callable[[], cr.Optimizer]] = {
    "Adam with groups": lambda: cr.AdamW(
        0.02,
        weight_decay=0.05,
        groups={
            "0.0.*": {"learning_rate_factor": 0.1, "weight_decay_factor": 0.01},
            "0.2.E": {"learning_rate_factor": 3.0},
            "*.b": {"weight_decay_factor": 0.0},
        },
    ),
    "a clipped norm": lambda: cr.Adam(0.01, clip_norm=0.05),
    "clipped values": lambda: cr.SGD(0.1, clip_value=0.002),
    "a schedule": lambda: cr.Adam(cr.schedules.OneCycle(0.02)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizer_takes_their_parameters_as_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(monkeypatch, lambda: trained(NETS["numbers and codes"](), OPTIMIZERS[name]()), 1e-10)


def test_a_batch_longer_than_a_panel_is_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no step is taken before all gradients are there."""
    x, y = np.tile(X, (6, 1)), np.tile(Y, 6)

    def train() -> np.ndarray:
        model = cr.Sequential(NETS["two of each"](), rng=1, dtype="float64")
        cr.Trainer(model, "cross_entropy", batch_size=1100).fit(x, y, epochs=3, verbose=0)
        return model.parameters.vector.copy()

    assert_same(monkeypatch, train)


def test_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(monkeypatch, lambda: trained(NETS["two of each"](), cr.SGD(0.05), "float32"), 2e-6)


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("name", NETS)
def test_every_number_of_threads_gives_the_same_bits(
    name: str, clip: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        found.append(trained(NETS[name](), cr.Adam(0.02, clip_norm=clip), "float32", batch_size=48))
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


PARAMETERS = {"w1": (0, 0), "b1": (0, 0), "W2": (0, 0), "b2": (0, 0), "E": (2, 0)}
PARAMETERS |= {"steps": (1, 0), "slope": (1, 0), "bias": (1, 0)}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_callback_that_changes_their_numbers_is_obeyed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(trainer: Any) -> None:
        part, index = PARAMETERS[name]
        layer = trainer.model.layers[0].parts[part][1][index]
        setattr(layer, name, np.full(getattr(layer, name).shape, 0.3))

    def train() -> np.ndarray:
        return trained(NETS["numbers and codes"](), cr.SGD(0.05), callbacks=[Change(change, 9)])

    changed = train()
    assert not np.allclose(changed, trained(NETS["numbers and codes"](), cr.SGD(0.05)), atol=1e-4)
    assert_same(monkeypatch, train)


def test_columns_that_are_not_in_front_are_trained_operation_by_operation() -> None:
    behind = cr.Sequential([cr.Linear(7, 4), cr.Columns([(4, [cr.PBLD(4)])]), cr.Linear(16, 3)], rng=0)
    within = cr.Sequential([cr.Columns([(7, [cr.Linear(7, 3)])])], rng=0)
    wide = cr.Sequential([cr.PBLD(1, frequencies=compiled.MOST["pbld"] + 1), cr.Linear(4, 1)], rng=0)
    steep = cr.Sequential([cr.PiecewiseLinear([range(4098)], 1), cr.Linear(1, 1)], rng=0)
    passed_on = cr.Sequential([cr.Columns([(3, []), (4, [])])], rng=0)
    assert [stages_of(model, X) for model in (behind, within, passed_on)] == [None] * 3
    assert stages_of(wide, X[:, :1]) is stages_of(steep, X[:, :1]) is None
    for model in (behind, within):
        cr.Trainer(model, "cross_entropy", batch_size=64).fit(X, Y, epochs=1, verbose=0)
        np.testing.assert_allclose(model.predict(X), model.forward(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(passed_on.predict(X), X.astype(np.float32))


def test_rows_whose_codes_change_under_way_spoil_the_loss_and_no_memory() -> None:
    """x is not copied; what is no code any more gives NaN, by which the training ends."""
    x = np.ascontiguousarray(X, np.float32)

    def change(trainer: Any) -> None:
        x[:, 6] = 1e9

    model = cr.Sequential(NETS["numbers and codes"](), rng=0)
    trainer = cr.Trainer(model, "cross_entropy", batch_size=32, callbacks=[Change(change, 9)])
    with pytest.raises(cr.DivergenceError):
        trainer.fit(x, Y, epochs=3, verbose=0)


# ---- the waves themselves: x = 0 leaves u = b1, and W2 = 1 shows each cosine by itself

NEAR_ZEROS = np.arange(-120, 121) * np.pi / 2
WAVES = np.concatenate([np.linspace(-400, 400, 701), NEAR_ZEROS, [0.0, -0.0, 1e-30, 1e-3, 8e3, -1e5]])
FAR = np.array([3e6, -2e7, 1e9, -1e15, 1e30, 3e38])


def waves_of(u: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """cos u and sin u by the kernels: what they predict, and the gradient of b1 in one step."""
    layer = cr.PBLD(1, len(u), len(u) + 1)
    model = cr.Sequential([layer], rng=0, dtype=dtype)
    layer.b1[:], layer.W2[:], layer.b2[:] = u, np.eye(len(u)), 0.0
    x = np.zeros((1, 1))
    z = model.predict(x)
    trainer = cr.Trainer(model, "squared_error", cr.SGD(0.0))
    trainer.fit(x, z - 0.5, epochs=1, verbose=0)  # dz = 2 (z - y) = 1
    assert stages_of(model, x) is not None
    return z[0, :-1], -layer.db1[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_waves_of_the_kernels_are_exact_to_rounding(dtype: str) -> None:
    u = WAVES.astype(dtype)
    cosine, sine = waves_of(u, dtype)
    half_a_digit = np.finfo(dtype).eps * (1 + np.abs(u) / 8)  # the second: of a rounded n π
    wide = u.astype(np.longdouble)
    assert (np.abs(cosine - np.cos(wide)) <= half_a_digit).all()
    assert (np.abs(sine - np.sin(wide)) <= 4 * half_a_digit).all()  # and the rounding of dz


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_waves_that_no_digit_tells_stay_between_their_bounds(dtype: str) -> None:
    cosine, sine = waves_of(FAR.astype(dtype), dtype)
    assert (np.abs(cosine) <= 1.0001).all()
    assert (np.abs(sine) <= 1.001).all()
