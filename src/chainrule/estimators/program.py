"""A fitted estimator as a program, from X to its prediction: scaling · network · decoding.

A classifier returns the probability of each class, or of each label. A regressor returns numbers in the units of y, the
quantiles of each target in a row, or means followed by standard deviations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers.program import Call, Program, stated
from ..losses import GaussianNLL


def program_of_estimator(who: str, estimator: Any) -> Program:
    """Return the program of a prediction; raise a ValueError that names ``who`` if a layer has no program."""
    network = (call for program in stated(who, estimator.model_.layers) for call in program)
    return (*scaling(estimator), *network, *decoding(estimator))


def scaling(estimator: Any) -> Program:
    """Return the program that scales X for the network."""
    scaler = estimator.scaler_
    if scaler is None:
        return ()
    factor = 1 / scaler.scale_
    if scaler.with_mean:
        return (Call("standardize", {"mean": scaler.mean_, "factor": factor}),)
    return (Call("scale", {"gain": factor}),)


def decoding(estimator: Any) -> Program:
    """Return the program from the network's outputs to the estimator's predictions; a classifier's is one call."""
    activation = estimator.out_activation_
    if activation == "logistic":
        return (Call("sigmoid" if estimator._multilabel else "two_classes"),)
    if activation != "identity":
        return (Call(activation),)
    scaler, has_spread = estimator.target_scaler_, isinstance(estimator._loss, GaussianNLL)
    calls, spread = [], np.ones(estimator.n_outputs_)
    if scaler is not None:
        spread = scaler.scale_
        gain, bias = (np.repeat(one, estimator._levels) for one in (spread, scaler.mean_))
        if has_spread:  # keep log-variances
            gain, bias = np.append(gain, np.ones(len(spread))), np.append(bias, np.zeros(len(spread)))
        calls.append(Call("scale", {"gain": gain, "bias": bias}))
    if has_spread:
        calls.append(Call("deviations", {"spread": spread}, {"floor": float(estimator._loss.floor)}))
    return tuple(calls)
