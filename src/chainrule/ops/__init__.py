"""The core: pure functions on arrays, each forward beside its backward under one equation.

dy is the gradient ∂L/∂y of the loss with respect to an op's output, dx that of its input. A backward's signature says
what it needs: ``relu_backward(dy, y)`` the output, ``gelu_backward(dy, x)`` the input. ``out=`` names the array to
write to; it may be the first argument unless the docstring says otherwise.

If the package was built with a C compiler, compiled twins replace the ops here (see ``fused/``). The plain op, their
reference, stays in its own module: ``from chainrule.ops.softmax import softmax``.
"""

from . import activations, noise
from .activations.gated import *  # noqa: F403
from .activations.piecewise import *  # noqa: F403
from .activations.smooth import *  # noqa: F403
from .affine import affine, affine_backward, scale, scale_backward
from .embedding import embedding, embedding_backward
from .fused import twin as _twin
from .noise import dropout, dropout_backward, gaussian_noise
from .normalization import standardize, standardize_backward
from .parametric import parametric, parametric_backward
from .periodic import pbld, pbld_backward
from .piecewise import piecewise_linear, piecewise_linear_backward
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
    "embedding",
    "embedding_backward",
    "gaussian_noise",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "parametric",
    "parametric_backward",
    "pbld",
    "pbld_backward",
    "piecewise_linear",
    "piecewise_linear_backward",
    "scale",
    "scale_backward",
    "softmax",
    "softmax_backward",
    "standardize",
    "standardize_backward",
]
__all__ += activations.__all__

for _helper in (noise.draw_key, noise.dropout_by_key):  # the compiled dropout calls them
    _twin(_helper)
globals().update({name: _twin(globals()[name]) for name in __all__})
