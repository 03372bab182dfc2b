"""Neural networks on NumPy: every derivative in plain sight, proved, and fast on your own CPU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import initializers, metrics, ops
from ._support.errors import DivergenceError
from ._support.forks import unforked
from .data.batches import batches, split
from .layers import (
    ELU,
    GELU,
    SELU,
    Activation,
    BatchNorm,
    Dropout,
    Flatten,
    GaussianNoise,
    HardSigmoid,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    GaussianNLL,
    HalfSquaredError,
    Huber,
    LogCosh,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
)
from .model import MLP, Sequential
from .optimizers import SGD, Adagrad, Adam, AdamW, Lion, Muon, NAdam, Optimizer, RMSprop
from .parameters import Parameters
from .proof.gradcheck import check_vjp, gradcheck
from .schedules import (
    Constant,
    CosLog4,
    Exponential,
    FlatCos,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
    WarmupCosine,
)
from .training.callbacks import (
    Callback,
    EarlyStopping,
    History,
    MaxNorm,
    Progress,
    TerminateOnDivergence,
    TimeLimit,
    WeightAverage,
)
from .training.trainer import Trainer

if TYPE_CHECKING:
    from . import plots
    from .data.augmentation import MixUp, RandomDistortion
    from .data.idx import read_idx
    from .data.named import load_named
    from .data.tables import read_table
    from .diagnostics.health import diagnose
    from .diagnostics.learning_rate import learning_rate_range_test
    from .estimators import MLPClassifier, MLPRegressor, from_sklearn, to_sklearn
    from .persistence import load, save
    from .persistence.export import Exported, export
    from .persistence.keras import load_keras_weights
    from .persistence.pytorch import load_state_dict, state_dict
    from .reporting import Report, report
    from .runtime.config import show_config
    from .training.callbacks.logs import CSVLog, MLflow, TensorBoard
    from .training.checkpoint import Checkpoint

__version__ = "0.1.0"

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "SELU",
    "SGD",
    "AbsoluteError",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "BatchNorm",
    "BinaryCrossEntropy",
    "CSVLog",
    "Callback",
    "Checkpoint",
    "Constant",
    "CosLog4",
    "CrossEntropy",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
    "Exponential",
    "Exported",
    "FlatCos",
    "Flatten",
    "GaussianNLL",
    "GaussianNoise",
    "HalfSquaredError",
    "HardSigmoid",
    "History",
    "Huber",
    "Identity",
    "InverseScaling",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Lion",
    "LogCosh",
    "Loss",
    "MLPClassifier",
    "MLPRegressor",
    "MLflow",
    "MaxNorm",
    "Mish",
    "MixUp",
    "Muon",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "PReLU",
    "Parameters",
    "Poisson",
    "Progress",
    "Quantile",
    "RMSprop",
    "RandomDistortion",
    "ReLU",
    "ReduceOnPlateau",
    "Report",
    "Residual",
    "Scale",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SquaredError",
    "StepDecay",
    "Tanh",
    "TensorBoard",
    "TerminateOnDivergence",
    "TimeLimit",
    "Trainer",
    "WarmupCosine",
    "WeightAverage",
    "batches",
    "check_vjp",
    "diagnose",
    "export",
    "from_sklearn",
    "gradcheck",
    "initializers",
    "learning_rate_range_test",
    "load",
    "load_keras_weights",
    "load_named",
    "load_state_dict",
    "metrics",
    "ops",
    "plots",
    "read_idx",
    "read_table",
    "report",
    "save",
    "show_config",
    "split",
    "state_dict",
    "to_sklearn",
]

# The tools load on first touch, each from its module, so that `import chainrule` stays as light as NumPy.
_LAZY = {
    "CSVLog": "training.callbacks.logs",
    "Checkpoint": "training.checkpoint",
    "Exported": "persistence.export",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "MLflow": "training.callbacks.logs",
    "MixUp": "data.augmentation",
    "RandomDistortion": "data.augmentation",
    "Report": "reporting",
    "TensorBoard": "training.callbacks.logs",
    "diagnose": "diagnostics.health",
    "export": "persistence.export",
    "from_sklearn": "estimators",
    "learning_rate_range_test": "diagnostics.learning_rate",
    "load": "persistence",
    "load_keras_weights": "persistence.keras",
    "load_named": "data.named",
    "load_state_dict": "persistence.pytorch",
    "plots": "plots",
    "read_idx": "data.idx",
    "read_table": "data.tables",
    "report": "reporting",
    "save": "persistence",
    "show_config": "runtime.config",
    "state_dict": "persistence.pytorch",
    "to_sklearn": "estimators",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        with unforked:
            module = importlib.import_module(f".{_LAZY[name]}", __name__)
        return module if name == _LAZY[name] else getattr(module, name)
    from ._support.checks import nearest

    raise AttributeError(f"module 'chainrule' has no attribute {name!r}{nearest(name, __all__)}")


def __dir__() -> list[str]:
    return __all__
