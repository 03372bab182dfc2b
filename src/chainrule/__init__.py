"""Neural networks on NumPy: every derivative in plain sight, proved, and fast on your own CPU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import initializers, layers, losses, metrics, ops, optimizers, schedules
from ._support.errors import DivergenceError
from ._support.forks import unforked
from .data.batches import batches
from .layers import *  # noqa: F403
from .losses import *  # noqa: F403
from .model import MLP, Sequential
from .optimizers import *  # noqa: F403
from .parameters import Parameters
from .proof.gradcheck import check_vjp, gradcheck
from .training.callbacks import Callback
from .training.trainer import Trainer

if TYPE_CHECKING:
    from . import callbacks, convert, data, distributed, exercises, plots
    from .diagnostics.health import diagnose
    from .diagnostics.learning_rate import learning_rate_range_test
    from .estimators import MLPClassifier, MLPRegressor
    from .explanation import explain
    from .model.data_driven import initialize_from_data
    from .persistence import load, save
    from .persistence.export import export
    from .reporting import report
    from .runtime.config import show_config
    from .tabular.estimators import TabularClassifier, TabularRegressor

__version__ = "0.1.0"

# The tools load on first touch, each from its module, so that `import chainrule` stays as light as NumPy.
_LAZY = {
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "TabularClassifier": "tabular.estimators",
    "TabularRegressor": "tabular.estimators",
    "callbacks": "callbacks",
    "convert": "convert",
    "data": "data",
    "diagnose": "diagnostics.health",
    "distributed": "distributed",
    "exercises": "exercises",
    "explain": "explanation",
    "export": "persistence.export",
    "initialize_from_data": "model.data_driven",
    "learning_rate_range_test": "diagnostics.learning_rate",
    "load": "persistence",
    "plots": "plots",
    "report": "reporting",
    "save": "persistence",
    "show_config": "runtime.config",
}

__all__ = [
    "MLP",
    "Callback",
    "DivergenceError",
    "Parameters",
    "Sequential",
    "Trainer",
    "batches",
    "check_vjp",
    "gradcheck",
]
__all__ += ["initializers", "metrics", "ops", "schedules", *_LAZY]
for _part, _base in ((layers, layers.Layer), (losses, losses.Loss), (optimizers, optimizers.Optimizer)):
    _things = {_name: getattr(_part, _name) for _name in _part.__all__}
    __all__ += [_name for _name, _thing in _things.items() if isinstance(_thing, type) and issubclass(_thing, _base)]
__all__.sort(key=lambda name: (not name.isupper(), name))


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        with unforked:
            module = importlib.import_module(f".{_LAZY[name]}", __name__)
        return module if name == _LAZY[name] else getattr(module, name)
    from ._support.checks import nearest

    raise AttributeError(f"module 'chainrule' has no attribute {name!r}{nearest(name, __all__)}")


def __dir__() -> list[str]:
    return __all__
