"""PyTorch, eager: fused optimizer, gradients set to None."""

from __future__ import annotations

from typing import Any

from chainrule._support.checks import Array

from ..grid import MOMENTUM, Problem, Row
from .contract import Predictor


class PyTorch:
    """A ``Sequential`` of ``Linear`` and the loop that its tutorials show."""

    def __init__(self, problem: Problem) -> None:
        import torch

        self.torch: Any = torch
        self.row, self.parts = problem.row, problem.batches
        self.model = make_model(problem)
        self.x, self.y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
        rate, functional = problem.row.learning_rate, torch.nn.functional
        if problem.row.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(self.model.parameters(), rate, fused=True)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), rate, momentum=MOMENTUM, fused=True)
        self.compute: Any = functional.mse_loss if problem.row.regression else functional.cross_entropy

    def step(self, xb: Any, yb: Any) -> None:
        """Forward, backward, update."""
        self.optimizer.zero_grad(set_to_none=True)
        self.compute(self.model(xb), yb).backward()
        self.optimizer.step()

    def train(self, passes: int) -> None:
        """Shuffled batches, gathered by ``index_select``; the full batch as it stands."""
        for _ in range(passes):
            if self.row.full_batch:
                for _ in range(self.row.steps):
                    self.step(self.x, self.y)
                continue
            for rows in self.torch.randperm(len(self.x)).split(self.row.batch):
                self.step(self.x.index_select(0, rows), self.y.index_select(0, rows))

    def train_in_order(self) -> None:
        """Batches as slices."""
        for part in self.parts:
            self.step(self.x[part], self.y[part])

    def outputs(self) -> Array:
        """By the network in evaluation mode."""
        self.model.eval()
        with self.torch.inference_mode():
            outputs: Array = self.model(self.x).numpy()
        self.model.train()
        return outputs


def make_model(problem: Problem) -> Any:
    """The row's network with our first parameters."""
    import torch

    row: Row = problem.row
    layers: list[Any] = []
    for index, (W, b) in enumerate(problem.weights):
        hidden = index < len(problem.weights) - 1
        linear = torch.nn.Linear(W.shape[0], W.shape[1], bias=b is not None, dtype=getattr(torch, row.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            if b is not None:
                linear.bias.copy_(torch.from_numpy(b))
        layers.append(linear)
        if hidden:
            layers += [torch.nn.BatchNorm1d(W.shape[1], dtype=linear.weight.dtype)] * row.batch_norm
            layers.append(torch.nn.GELU() if row.activation == "gelu" else torch.nn.ReLU())
            layers += [torch.nn.Dropout(row.dropout)] * bool(row.dropout)
    return torch.nn.Sequential(*layers)


contestant = PyTorch


def predictor(problem: Problem, x: Array) -> Predictor:
    """The network in inference mode, from tensor to tensor."""
    import torch

    model, given = make_model(problem).eval(), torch.from_numpy(x)

    def call() -> Any:
        with torch.inference_mode():
            return model(given)

    return Predictor(call)
