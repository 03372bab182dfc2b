"""Our recipe for tables trains as the paper's: step by step as pytabkit's RealMLP in plain PyTorch, from its author.

Both get the same table, initial weights and batch, all rows; dropout is off. What is drawn, the initial weights and the
batches, is compared by reading alone. Adam divides by √v + ε, and ε is held against the gradient of W̃ there and of
W = W̃ / √d here, which is √d times as large: with an ε that is next to nothing the steps must be equal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import Callback
from chainrule.losses import CrossEntropy, HalfSquaredError
from chainrule.tabular import TableEncoder, recipe

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
reference = pytest.importorskip("pytabkit.models.realmlp.train", reason="pytabkit is not installed")

ROWS, STEPS, CLASSES = 300, 8, 3
EPSILON = 1e-16
NUMBERS, SMALL, LARGE = ["height", "age"], ["town", "kind"], ["street"]
CODES = {"town": 4, "kind": 2, "street": 12}  # how many values; up to eight become features


class Kept(Callback):
    """The parameters after each step; an epoch is a step."""

    def __init__(self) -> None:
        self.parameters: list[dict[str, np.ndarray]] = []

    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        model = trainer.model.parameters
        self.parameters.append({name: model[name].copy() for name in model.shapes})


@pytest.fixture(scope="module")
def codes() -> dict[str, np.ndarray]:
    """The columns of categories as numbers from 0."""
    rng = np.random.default_rng(1)
    return {name: np.r_[np.arange(count), rng.integers(0, count, ROWS - count)] for name, count in CODES.items()}


@pytest.fixture(scope="module")
def table(codes: dict[str, np.ndarray]) -> dict[str, Any]:
    """Numbers and words, and among the numbers a column with a long tail."""
    rng = np.random.default_rng(2)
    words = {name: [f"{name} {code:02d}" for code in values] for name, values in codes.items()}
    height, age = rng.normal(2, 3, ROWS), rng.exponential(40, ROWS) ** 2
    return {"height": height, "town": words["town"], "age": age, "street": words["street"], "kind": words["kind"]}


def ours(table: dict[str, Any], y: np.ndarray, *, classifies: bool) -> tuple[Any, list[dict[str, np.ndarray]], Any]:
    """The encoder, the network, and the parameters before the first step and after each one."""
    encoder = TableEncoder(dtype="float64").fit(table)
    given = replace(recipe.CLASSES if classifies else recipe.NUMBERS, dropout=0.0)
    outputs = CLASSES if classifies else 1
    model = recipe.network(encoder, outputs, given, np.random.default_rng(3)).astype(np.float64)
    x = encoder.matrix(table)
    recipe.begin(model, x, np.random.default_rng(4))
    kept, loss = Kept(), CrossEntropy(label_smoothing=recipe.SMOOTHING) if classifies else HalfSquaredError()
    first = {name: model.parameters[name].copy() for name in model.parameters.shapes}
    before = model.predict(x)
    optimizer = recipe.optimizer(model, given)
    optimizer.epsilon = EPSILON
    trainer = cr.Trainer(model, loss, optimizer, ROWS, callbacks=[kept], drop_last=True)
    trainer.fit(x, y, epochs=STEPS, verbose=0)
    return encoder, [first, *kept.parameters], before


def as_theirs(encoder: TableEncoder, ours: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our parameters by their names, in their order of inputs; W is multiplied by the root of its inputs."""
    waves: dict[str, list[np.ndarray]] = {name: [] for name in ("w1", "b1", "W2", "b2")}
    inputs: list[tuple[str, int]] = []  # of ours
    for part, (role, name) in enumerate(zip(encoder.feature_roles, encoder.feature_names, strict=True)):
        if role == "number":
            for each, arrays in waves.items():
                arrays.append(ours[f"0.{NUMBERS.index(name)}.{each}"])  # each is a part of its own
            inputs += [("wave", 3 * NUMBERS.index(name) + place) for place in range(3)] + [("number", part)]
        else:
            inputs.append((SMALL[0] if name.startswith(SMALL[0]) else SMALL[1], part))
    inputs += [(LARGE[0], place) for place in range(recipe.EMBEDDING)]
    kinds = ["wave", "number", *SMALL, *LARGE]
    order = sorted(range(len(inputs)), key=lambda at: (kinds.index(inputs[at][0]), inputs[at][1]))
    embedding = next(value for name, value in ours.items() if name.endswith(".E"))
    w1, b1, W2, b2 = (np.concatenate(arrays) for arrays in waves.values())
    found = {"plr_weight_1": w1[:, None], "plr_bias_1": b1[:, None], "plr_weight_2": W2, "plr_bias_2": b2[:, None]}
    found |= {"cat_emb": embedding, "mlp.0.scale": ours["1.gain"][order]}
    for layer, (linear, activation) in enumerate(((2, 3), (5, 6), (8, 9), (11, None))):
        W = ours[f"{linear}.W"] * np.sqrt(len(ours[f"{linear}.W"]))
        found |= {f"mlp.{1 + 4 * layer}.weight": W[order] if linear == 2 else W}
        found |= {f"mlp.{2 + 4 * layer}.bias": ours[f"{linear}.b"]}
        if activation is not None:
            found |= {f"mlp.{3 + 4 * layer}.weight": ours[f"{activation}.amount"]}
    return found


def theirs(
    table: dict[str, Any], codes: dict[str, np.ndarray], y: np.ndarray, *, classifies: bool
) -> tuple[Any, Any, Any]:
    """Their network for this table, its inputs and targets; missing is their category 0."""
    make = reference.RealMLPConfig.td_class if classifies else reference.RealMLPConfig.td_reg
    config = make(p_drop=0.0, n_epochs=STEPS)
    sizes = [CODES[name] + 1 for name in SMALL + LARGE]
    model = reference.RealMLP(len(NUMBERS), sizes, CLASSES if classifies else 1, 1, config, classifies).double()
    x = np.column_stack([table[name] for name in NUMBERS])
    hot = np.column_stack([1 + codes[name] for name in SMALL + LARGE])
    given = torch.as_tensor(x)[None], torch.as_tensor(hot)[None]
    with torch.no_grad():
        features = model.input_features(given[0][0], given[1][0])
        median, scale = _statistics(features.numpy())
        model.x_median.copy_(torch.as_tensor(median))
        model.x_scale.copy_(torch.as_tensor(scale))
    return model, given, torch.as_tensor(y).reshape(1, ROWS, 1)


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As ``compute_input_stats``, which rounds to float32."""
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high == low, np.ptp(x, axis=0) / 2, high - low)
    return median, 1 / spread


def train(model: Any, given: Any, y: Any, *, classifies: bool) -> list[dict[str, np.ndarray]]:
    """The parameters after each step; these lines are those of its ``fit``."""
    config, groups = model.config, {}
    for p in model.parameters():
        groups.setdefault((p.lr_factor, p.wd_factor), []).append(p)
    parts = [{"params": ps, "lr_factor": rate, "wd_factor": decay} for (rate, decay), ps in groups.items()]
    optimizer = torch.optim.AdamW(parts, betas=(config.mom, config.sq_mom), eps=EPSILON)
    kept = []
    for step in range(STEPS):
        t = step / STEPS
        for group in optimizer.param_groups:
            group["lr"] = config.lr * reference.SCHEDULES[config.lr_sched](t) * group["lr_factor"]
            group["weight_decay"] = config.wd * reference.SCHEDULES[config.wd_sched](t) * group["wd_factor"]
        z = model(*given)
        loss = reference.cross_entropy(z, y, config.ls_eps if config.use_ls else 0.0) if classifies else None
        loss = reference.mse(z, y) if loss is None else loss
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        kept.append({name: p.detach().numpy().copy() for name, p in model.named_parameters()})
    return kept


@pytest.mark.parametrize("classifies", [True, False], ids=["classes", "numbers"])
def test_a_training_step_is_the_papers(table: dict[str, Any], codes: dict[str, np.ndarray], classifies: bool) -> None:
    rng = np.random.default_rng(5)
    y = codes["street"] % CLASSES if classifies else rng.normal(size=(ROWS, 1))
    encoder, parameters, before = ours(table, y, classifies=classifies)
    model, given, target = theirs(table, codes, y, classifies=classifies)
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in as_theirs(encoder, parameters[0]).items():
            named[name].copy_(torch.as_tensor(value).reshape(named[name].shape))
        np.testing.assert_allclose(model(*given)[0].numpy(), before, rtol=1e-10, atol=1e-10)
    found = train(model, given, target, classifies=classifies)
    for name, first in as_theirs(encoder, parameters[0]).items():
        np.testing.assert_array_equal(as_theirs(encoder, parameters[1])[name], first)  # the first rate is 0
    for step in range(1, STEPS):
        for name, value in as_theirs(encoder, parameters[step + 1]).items():
            there = found[step][name].reshape(value.shape)
            np.testing.assert_allclose(value, there, rtol=1e-7, atol=1e-7, err_msg=f"{name} after step {step + 1}")
    moved = as_theirs(encoder, parameters[-1])
    assert all(np.abs(moved[name] - first).max() > 1e-3 for name, first in as_theirs(encoder, parameters[0]).items())
