"""PyTorch, network and loss through ``torch.compile``; it needs a C++ compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pytorch import PyTorch


class PyTorchCompiled(PyTorch):
    """The same loop; forward and backward are compiled, the fused optimizer is one call already."""

    def make_loss(self) -> Callable[[Any, Any], Any]:
        """The loss as one compiled graph."""
        self.torch.compiler.reset()  # graphs of earlier rows count against the limit of recompilations
        compiled: Callable[[Any, Any], Any] = self.torch.compile(super().make_loss(), dynamic=False, fullgraph=True)
        return compiled


contestant = PyTorchCompiled
