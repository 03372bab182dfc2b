"""The core: pure functions on arrays, each forward beside its backward under one equation.

A backward's signature says what it needs: ``relu_backward(dy, y)`` the output, ``gelu_backward(dy, x)`` the input.
A compiled twin stands in for an op where the package was built with a C compiler (see ``fused/``); the plain op is its
reference, and is there by its own module: ``ops.activations.relu``. ``out=`` names the array to write into; unless the
docstring says otherwise it may be the first argument itself.
"""

from . import activations
from .activations import *  # noqa: F403
from .affine import affine, affine_backward, scale, scale_backward
from .fused import twin as _twin
from .noise import dropout, dropout_backward, gaussian_noise
from .normalization import standardize, standardize_backward
from .softmax import (
    log_softmax,
    log_softmax_backward,
    logsumexp,
    logsumexp_backward,
    softmax,
    softmax_backward,
)

__all__ = [
    "affine",
    "affine_backward",
    "dropout",
    "dropout_backward",
    "gaussian_noise",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "scale",
    "scale_backward",
    "softmax",
    "softmax_backward",
    "standardize",
    "standardize_backward",
]
__all__ += activations.__all__

for _name in __all__:  # the compiled twin of each, where there is one and kernels are in use
    globals()[_name] = _twin(globals()[_name])
