"""A fitted estimator as a program, from X to its answer: scaling · network · decoding.

classifier   the probability of each class, of a label that is there, or of each label
regressor    numbers in the units of y, each target's quantiles in a row, or means and then standard deviations
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers.program import Call, Program, stated
from ..losses import GaussianNLL


def program_of_estimator(who: str, estimator: Any) -> Program:
    """All that a prediction computes; ValueError in the name of ``who`` where a layer has no program."""
    network = (call for program in stated(who, estimator.model_.layers) for call in program)
    return (*scaling(estimator), *network, *decoding(estimator))


def scaling(estimator: Any) -> Program:
    """X as the network takes it."""
    scaler = estimator.scaler_
    if scaler is None:
        return ()
    factor = 1 / scaler.scale_
    if scaler.with_mean:
        return (Call("standardize", {"mean": scaler.mean_, "factor": factor}),)
    return (Call("scale", {"gain": factor}),)


def decoding(estimator: Any) -> Program:
    """What the network gives as what the estimator answers; of a classifier always one call."""
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
        if has_spread:  # log-variances stay
            gain, bias = np.append(gain, np.ones(len(spread))), np.append(bias, np.zeros(len(spread)))
        calls.append(Call("scale", {"gain": gain, "bias": bias}))
    if has_spread:
        calls.append(Call("deviations", {"spread": spread}, {"floor": float(estimator._loss.floor)}))
    return tuple(calls)
