"""Activation functions, each forward beside its backward under one equation; each file names its own in ``__all__``."""

from . import gated, piecewise, smooth
from .gated import *  # noqa: F403
from .piecewise import *  # noqa: F403
from .smooth import *  # noqa: F403

__all__: list[str] = []
__all__ += gated.__all__
__all__ += piecewise.__all__
__all__ += smooth.__all__
