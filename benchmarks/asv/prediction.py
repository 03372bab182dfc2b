"""``predict`` for one row, a batch and many rows."""

from dataclasses import replace

import numpy as np

from benchmarks.grid import make_problem
from benchmarks.peers import ours
from benchmarks.predict import NETWORK


class Predict:
    params = (1, 128, 10_000)
    param_names = ("rows",)

    def setup(self, rows: int) -> None:
        x = np.random.default_rng(1).random((rows, NETWORK.sizes[0]), np.float32)
        self.predictor = ours.predictor(make_problem(replace(NETWORK, batch=32, steps=1)), x)
        self.predictor.call()

    def time_predict(self, rows: int) -> None:
        self.predictor.call()

    def peakmem_predict(self, rows: int) -> None:
        self.predictor.call()
