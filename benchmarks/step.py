"""Milliseconds of a training step, ours and those of whichever peers are installed, on the same data and settings.

Each peer trains an epoch right after ours, again and again; what is printed is the median of the paired ratios, with
the lowest and the highest. The floor is the matrix products of the step alone.

`make bench` runs it with OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset: where a machine sets them, NumPy may run far
below the processor's ability, and PyTorch does not.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

import chainrule as cr

ROWS = [
    ([784, 32, 10], 32),
    ([784, 128, 10], 32),
    ([784, 512, 256, 10], 32),
    ([784, 512, 256, 10], 128),
]
STEPS, ROUNDS = 100, 7


def ours(sizes: list[int], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    trainer = cr.Trainer(cr.MLP(sizes, rng=0), "cross_entropy", cr.Adam(1e-3), batch_size=batch)
    return lambda: trainer.fit(x, y, epochs=1, verbose=0)


def floor(sizes: list[int], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """The three products of each layer (two for the first, which needs no dx) into arrays made beforehand."""
    rng = np.random.default_rng(0)
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        a, W, dy = (rng.random(shape, np.float32) for shape in ((batch, inputs), (inputs, outputs), (batch, outputs)))
        layers.append((a, W, dy, np.empty_like(dy), np.empty_like(W), np.empty_like(a) if index else None))

    def epoch() -> None:
        for _ in range(STEPS):
            for a, W, dy, z, dW, dx in layers:
                np.matmul(a, W, out=z)
                np.matmul(a.T, dy, out=dW)
                if dx is not None:
                    np.matmul(dy, W.T, out=dx)

    return epoch


def scikit_learn(sizes: list[int], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(sizes[1:-1], batch_size=batch, alpha=0.0)
    classes = np.arange(sizes[-1])
    return lambda: model.partial_fit(x, y, classes=classes)


def pytorch(sizes: list[int], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    import torch

    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)

    def epoch() -> None:
        for rows in torch.randperm(len(inputs)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()

    return epoch


def available() -> dict[str, Callable[..., Callable[[], object]]]:
    peers: dict[str, Callable[..., Callable[[], object]]] = {"the products alone": floor}
    for name, module, peer in (("scikit-learn", "sklearn", scikit_learn), ("PyTorch", "torch", pytorch)):
        try:
            __import__(module)
            peers[name] = peer
        except ModuleNotFoundError:
            print(f"{name} is not installed and is left out")
    return peers


def seconds(epoch: Callable[[], object]) -> float:
    start = time.perf_counter()
    epoch()
    return time.perf_counter() - start


def main() -> None:
    restricted = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ]
    print(f"restricted by {', '.join(restricted)}" if restricted else "OpenBLAS as it comes")
    peers = available()
    print(f"chainrule {cr.__version__}, NumPy {np.__version__}, {os.cpu_count()} processors; ratio > 1: ours is faster")
    for sizes, batch in ROWS:
        rng = np.random.default_rng(0)
        x = rng.random((STEPS * batch, sizes[0]), np.float32)
        y = rng.integers(0, sizes[-1], len(x))
        mine = ours(sizes, batch, x, y)
        others = {name: peer(sizes, batch, x, y) for name, peer in peers.items()}
        times: list[float] = []
        ratios: dict[str, list[float]] = {name: [] for name in others}
        for epoch in (mine, *others.values()):
            epoch()  # warm up
        for _ in range(ROUNDS):
            for name, other in others.items():
                times.append(seconds(mine))
                ratios[name].append(seconds(other) / times[-1])
        print(f"{'-'.join(map(str, sizes))} ×{batch}: {1000 * statistics.median(times) / STEPS:.3f} ms a step")
        for name, values in ratios.items():
            print(f"    {name:<20}{statistics.median(values):6.2f}×  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
