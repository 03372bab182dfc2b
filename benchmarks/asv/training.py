"""A training step of each row of the benchmark: seconds, and the memory that training takes."""

from benchmarks.grid import ROWS, make_problem
from benchmarks.peers.ours import Ours


class Step:
    """One pass of ``Trainer.fit``: ``ROWS[row].steps`` steps."""

    params = tuple(ROWS)
    param_names = ("row",)

    def setup(self, row: str) -> None:
        self.ours = Ours(make_problem(ROWS[row]))
        self.ours.train(1)

    def time_pass(self, row: str) -> None:
        self.ours.train(1)

    def peakmem_pass(self, row: str) -> None:
        self.ours.train(1)
