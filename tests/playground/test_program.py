"""The program that the page gives to copy runs, and trains the very same network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.initializers import INITIALIZERS
from chainrule.layers.activations import ACTIVATIONS
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
    + [{"initializer": name} for name in INITIALIZERS]
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


#: Values that differ from the default, where the kind of the control is not enough to choose one.
OTHER = {
    "loss": "binary_cross_entropy",
    "points": 50,
    "columns": ["height", "age"],
    "target": "age",
    "iterations": 3,
    "every": 3,
    "patience": 3,
    "seed": 3,
    "data_seed": 3,
    "minimum": 1e-4,
    "epochs": 7,
}
OF_KIND = {"number": 0.5, "pair": [0.5, 0.6], "features": ["x2"], "layers": [2]}


def another_value(control: dict[str, Any], chosen: Any) -> Any:
    """A value of the control that is not its default."""
    kind, default = control["kind"], control["default"]
    if control["name"] in OTHER:
        return OTHER[control["name"]]
    if kind == "choice":
        return next(choice["value"] for choice in control["choices"] if choice["value"] != default)
    if kind == "boolean":
        return not control["defaults"][chosen]
    return control["max"] if kind == "range" else OF_KIND[kind]


@pytest.mark.parametrize("control", controls(), ids=lambda control: control["name"])
def test_every_control_has_its_effect_on_the_program(control: dict[str, Any]) -> None:
    session = Session()
    session.handle({"do": "table", "text": TABLE})
    around = SMALL | {name: values[0] for name, values in control.get("only", {}).items()}
    around |= {"schedule": "OneCycle"} if control["name"] == "epochs" else {}
    around |= {"columns": ["age", "height"], "target": "kind"} if control["kind"].startswith("column") else {}
    chosen = next((around[name] for name in control.get("only", {})), None)
    programs = []
    for settings in ({}, {control["name"]: another_value(control, chosen)}):
        built = session.handle({"do": "build", "settings": around | settings})
        assert "error" not in built, built
        assert settings.items() <= built["settings"].items()
        session.handle({"do": "advance", "epochs": 1})
        programs.append(session.handle({"do": "code"})["code"])
    assert programs[0] != programs[1]
