"""The program that the page gives to copy runs, and trains the very same network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.layers.activations import ACTIVATIONS
from chainrule.losses import LOSSES
from chainrule.optimizers import OPTIMIZERS
from chainrule.playground.choices import SCHEDULES, controls, losses_for
from chainrule.playground.data import KINDS
from chainrule.playground.session import Session

SMALL = {"points": 60, "hidden": [4, 3], "learning_rate": 0.01}
TABLE = "age,height,kind\n" + "".join(f"{i % 9 + i / 60},{(i * 7) % 11}.5,{'ab'[i % 2]}\n" for i in range(60))


def trained_twice(settings: dict[str, Any], steps: int = 7) -> tuple[Any, Any]:
    """Parameters after two epochs and some steps on the page, and at the end of the program."""
    session = Session()
    session.handle({"do": "table", "text": TABLE})
    built = session.handle({"do": "build", "settings": SMALL | settings})
    assert "error" not in built, built
    session.handle({"do": "advance", "epochs": 2, "steps": steps % built["steps_per_epoch"]})
    names: dict[str, Any] = {}
    code = session.handle({"do": "code"})["code"].replace('open("table.csv").read()', repr(TABLE))
    exec(compile(code, "program", "exec"), names)
    return session.runs["a"].model.parameters.vector, names["model"].parameters.vector


CHOICES = (
    [{"optimizer": name} for name in OPTIMIZERS]
    + [{"schedule": name, "epochs": 5} for name in SCHEDULES]
    + [{"activation": name} for name in ACTIVATIONS]
    + [{"data": name} for name in (*KINDS, "digits")]
    + [{"loss": name} for name in losses_for(2)]
    + [{"loss": name, "data": "ripples"} for name in losses_for(0)]
    + [
        {"data": "table", "columns": ["age", "height"], "target": "kind"},
        {"data": "table", "columns": ["age", "height"], "target": "age"},
        {"features": ["x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)"]},
        {"hidden": []},
        {"dropout": 0.5},
        {"l1": 0.01, "l2": 0.1},
        {"initializer": "orthogonal", "seed": 3, "data_seed": 2, "noise": 0.0, "test_share": 0.2},
        {"batch_size": 1},
        {"batch_size": 2000},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "clip_norm": 0.1, "weight_decay": 0.1},
        {"optimizer": "adam", "betas": [0.8, 0.9], "epsilon": 1e-3, "clip_value": 0.01},
        {"schedule": "StepDecay", "factor": 0.5, "every": 3},
    ]
)


@pytest.mark.parametrize("settings", CHOICES, ids=str)
def test_the_program_ends_with_the_same_weights(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    page, program = trained_twice(settings)
    np.testing.assert_allclose(page, program, rtol=1e-9, atol=1e-12)


def test_every_control_of_the_page_changes_the_program() -> None:
    """So no control is without effect, and none is missing in the program."""
    session = Session()
    session.handle({"do": "table", "text": TABLE})
    silent = []
    for control in controls():
        value = OTHER.get(control["name"], VALUES.get(control["kind"]))
        around = {name: values[0] for name, values in control.get("only", {}).items()}
        programs = []
        for settings in ({}, {control["name"]: value}):
            built = session.handle({"do": "build", "settings": SMALL | around | NEEDED.get(control["name"], {}) | settings})
            assert "error" not in built, (control["name"], built)
            programs.append(session.handle({"do": "code"})["code"])
        if programs[0] == programs[1]:
            silent.append(control["name"])
    assert silent == []


VALUES = {"number": 0.5, "boolean": True, "pair": [0.5, 0.6], "features": ["x2"], "layers": [2]}
