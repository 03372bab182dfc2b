"""PyTorch through ``torch.compile``: a whole step as one graph, from gather to update; it needs a C++ compiler.

Compiling the network alone was no faster than eager mode in the rows that we tried, and the whole step was where the
network is small.
"""

from __future__ import annotations

from typing import Any

from chainrule._support.checks import Array

from ..grid import MOMENTUM, Problem
from .contract import Predictor
from .pytorch import PyTorch, make_model

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class PyTorchCompiled(PyTorch):
    """The same network; gradients and update are tensors of the graph, the update is written out."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        torch = self.torch
        self.parameters = list(self.model.parameters())
        self.moments = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]
        self.t = torch.zeros(())  # float32 in every row: from a float64 one PyTorch 2.13 compiles NaN
        torch.compiler.reset()  # graphs of earlier rows count against the limit of recompilations
        config = torch._dynamo.config
        traced = hasattr(config, "trace_autograd_ops")
        if traced:
            config.trace_autograd_ops = True  # without it the graph is cut in two at the backward pass
        self.compiled = torch.compile(self._step, dynamic=False, fullgraph=traced)
        self.in_order = [torch.arange(part.start, part.stop) for part in problem.batches]

    def _step(self, x: Any, y: Any, rows: Any) -> None:
        torch = self.torch
        if rows is not None:
            x, y = x.index_select(0, rows), y.index_select(0, rows)
        gradients = torch.autograd.grad(self.compute(self.model(x), y), self.parameters)
        with torch.no_grad():
            self._update(gradients)

    def _update(self, gradients: Any) -> None:
        rate = self.row.learning_rate
        if self.row.optimizer == "momentum":
            for w, g, v in zip(self.parameters, gradients, self.moments[0], strict=True):
                v.mul_(MOMENTUM).add_(g)
                w.sub_(rate * v)
            return
        self.t.add_(1)
        c1, c2 = 1 - BETA1**self.t, 1 - BETA2**self.t
        for w, g, m, v in zip(self.parameters, gradients, *self.moments, strict=True):
            m.mul_(BETA1).add_(g, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            w.sub_(rate * (m / c1) / ((v / c2).sqrt() + EPSILON))

    def train(self, passes: int) -> None:
        """The row numbers of a batch are all that changes from call to call."""
        for _ in range(passes):
            order = [None] * self.row.steps
            if not self.row.full_batch:
                order = self.torch.randperm(len(self.x)).split(self.row.batch)
            for rows in order:
                self.compiled(self.x, self.y, rows)

    def train_in_order(self) -> None:
        """The same graph."""
        for rows in self.in_order:
            self.compiled(self.x, self.y, None if self.row.full_batch else rows)


contestant = PyTorchCompiled


def predictor(problem: Problem, x: Array) -> Predictor:
    """The compiled network in inference mode, from tensor to tensor."""
    import torch

    torch.compiler.reset()
    model: Any = torch.compile(make_model(problem).eval(), dynamic=False)
    given = torch.from_numpy(x)

    def call() -> Any:
        with torch.inference_mode():
            return model(given)

    return Predictor(call)
