"""The docstring sections that estimators share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

Class = TypeVar("Class", bound=type)

PARAMETERS = """
hidden_layer_sizes : int or sequence of int
    Number of units of each hidden layer.
activation : str, Activation or list
    Activation, or one for each hidden layer: scikit-learn's "identity", "logistic", "tanh" and "relu", and all of
    chainrule's, such as "gelu" or ``LeakyReLU(0.1)``.
solver : {"adam", "sgd", "lbfgs"}
    "lbfgs" minimises the exact loss of all rows, for small data.
alpha : float, >= 0
    Strength α of the L2 penalty.
batch_size : int or "auto"
    Rows of a batch; "auto" is min(200, N).
learning_rate : {"constant", "invscaling", "adaptive"}
    Schedule for ``solver="sgd"``.
learning_rate_init : float, > 0
    Learning rate η, or its peak with ``schedule``.
power_t : float, >= 0
    Exponent of "invscaling".
max_iter : int, >= 1
    Maximum number of epochs; of iterations for "lbfgs".
shuffle : bool
    Whether to shuffle the rows in each epoch.
random_state : int, RandomState or None
    Source of initial weights, validation rows, order and dropout. With the same seed, the first three are those of
    scikit-learn.
tol : float, >= 0
    Smallest improvement that counts, of the loss or, with ``early_stopping``, of the validation score.
verbose : bool
    Whether to print a line per epoch.
warm_start : bool
    Whether ``fit`` continues from the last weights and the optimizer's state.
momentum : float in [0, 1]
    Momentum for ``solver="sgd"``.
nesterovs_momentum : bool
    Whether to use Nesterov's momentum for ``solver="sgd"``.
early_stopping : bool
    Whether to stop by the score of validation rows, and restore the best weights; also in ``partial_fit``.
validation_fraction : float in [0, 1)
    Share of the rows to hold out for it, unless X_val is given.
beta_1 : float in [0, 1)
    Decay of the mean for ``solver="adam"``.
beta_2 : float in [0, 1)
    Decay of the mean square for ``solver="adam"``.
epsilon : float, > 0
    Small number that keeps the divisor from 0, for ``solver="adam"``.
n_iter_no_change : int, >= 1
    Training ends after more than so many epochs without an improvement by ``tol``.
max_fun : int, >= 1
    Maximum number of evaluations of the loss for ``solver="lbfgs"``.
dropout : float in [0, 1)
    Dropout rate of hidden units.
input_dropout : float in [0, 1)
    Dropout rate of inputs.
normalization : {"batch", "layer"} or None
    Normalization before each activation.
optimizer : str, Optimizer or None
    Replaces the solver: a name such as "adamw" or "muon", or an object with its own learning rate and weight decay.
schedule : str, schedule or None
    "cosine", "one_cycle", "flat_cosine", "cos_log4" or "reduce_on_plateau" over max_iter epochs, or calls of
    ``partial_fit``; or any schedule object.
weight_decay : float, >= 0
    Decoupled weight decay (AdamW), in addition to alpha.
max_norm : float, > 0, or None
    Largest norm of the weights into one unit.
average : float in (0, 1) or None
    Decay of a running mean of the weights to predict with, for example 0.999.
scale : bool
    Whether to standardise the columns of X, and the targets of a regression unless the loss is Poisson;
    ``partial_fit`` uses the statistics of the first part of the rows.
scoring : str, scorer or None
    Score for early stopping. The default is R² for a regressor, accuracy for a classifier, and minus the loss for a
    classifier with class_weight. It gets the sample weights if it accepts them.
callbacks : list of Callback or None
    Callbacks of chainrule; scikit-learn's own (since 1.9) go to ``set_callbacks``.
products : {"bfloat16"} or None
    Round the operands of matrix products in training to bfloat16, for wide layers and float32 X: see ``Trainer``.
"""

ATTRIBUTES = """
model_ : Sequential
    The network; its outputs are logits, or predictions before the exponential or the scale of y.
coefs_, intercepts_ : lists of arrays
    Weights and biases, views into ``model_``.
loss_curve_, loss_, best_loss_ : list of float, float, float
    Loss of each epoch, of the last, and the minimum.
validation_scores_, best_validation_score_ : list of float, float
    Scores with ``early_stopping``.
validation_loss_curve_ : list of float
    Loss of the validation rows, if there are any.
n_iter_, t_ : int
    Epochs of the last fit, and rows seen in total.
n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_ : optional
    As in scikit-learn.
"""

RAISES = """
ValueError, TypeError
    If parameters or data do not fit, in scikit-learn's words where it has them.
DivergenceError
    A ValueError: if training diverges, with a remedy.
"""


OF_MLP = {"Parameters": PARAMETERS, "Attributes": ATTRIBUTES, "Raises": RAISES}
ORDER = ("Parameters", "Attributes", "Raises", "Notes", "Examples", "References")


def documented(shared: Mapping[str, str]) -> Callable[[Class], Class]:
    """Return a decorator that adds these sections to the docstring, with parameters in the constructor's order."""

    def add(cls: Class) -> Class:
        text = inspect.cleandoc(cls.__doc__ or "")
        if text:
            head, *parts = re.split(r"^(\w+)\n-+\n", text, flags=re.MULTILINE)
            sections = dict(zip(parts[::2], parts[1::2], strict=True))
            entries = _entries(shared["Parameters"]) | _entries(sections["Parameters"])
            for title, section in shared.items():
                sections[title] = sections.get(title, "").strip() + "\n" + section.strip()
            sections["Parameters"] = "\n".join(entries[name] for name in inspect.signature(cls).parameters)
            titles = [title for title in ORDER if title in sections]
            body = (f"{title}\n{'-' * len(title)}\n{sections[title].strip()}" for title in titles)
            cls.__doc__ = f"{head.strip()}\n\n" + "\n\n".join(body)
        return cls

    return add


def _entries(section: str) -> dict[str, str]:
    entries = re.split(r"\n(?=\S)", section.strip())
    return {entry.partition(" : ")[0]: entry for entry in entries}
