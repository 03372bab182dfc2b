"""Every op, layer and loss is proved, and none is missing from the table."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.proof.table import FRONTS, LAYERS, LOSSES, OPS, TOLERANCE, proofs, rows

ABSTRACT = {"Activation", "Layer", "Loss"}


def public_subclasses(base):
    found = {name for name in cr.__all__ if inspect.isclass(thing := getattr(cr, name)) and issubclass(thing, base)}
    return found - ABSTRACT


def without_remark(names):
    """``CrossEntropy (soft labels)`` proves CrossEntropy."""
    return {name.split(" (")[0] for name in names}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("proof", list(proofs()), ids=lambda proof: f"{proof.kind}: {proof.name}")
def test_the_gradient_is_proved(proof, seed):
    assert proof.error(np.random.default_rng(seed)) < TOLERANCE


def test_the_tolerance_is_the_one_promised():
    assert TOLERANCE <= 1e-6


def test_every_op_is_in_the_table():
    assert without_remark(OPS) == {name for name in ops.__all__ if not name.endswith("_backward")}


def test_every_op_has_a_backward_beside_it():
    """Additive noise needs none: dx = dy."""
    forwards = {name for name in ops.__all__ if not name.endswith("_backward")}
    assert {name for name in forwards if f"{name}_backward" not in ops.__all__} == {"gaussian_noise"}


def test_every_layer_is_in_the_table():
    assert without_remark(LAYERS | FRONTS) == public_subclasses(cr.Layer)


def test_every_loss_is_in_the_table():
    assert without_remark(LOSSES) == public_subclasses(cr.Loss)


def test_a_name_without_a_special_row_has_an_ordinary_one():
    special = {"linear": "of linear", "gelu (tanh)": "of gelu"}
    assert rows(["linear", "gelu", "new"], "ordinary {}".format, special) == special | {"new": "ordinary new"}


MAKERS = LAYERS | {name: make for name, (make, *_) in FRONTS.items()}


@pytest.mark.parametrize(("name", "make_layer"), MAKERS.items(), ids=MAKERS.keys())
def test_a_row_shows_the_layer_that_it_names(name, make_layer):
    assert type(make_layer()).__name__ == name.split(" (")[0]
