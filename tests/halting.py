"""A process whose training halts after given steps until it may continue, so that a test can end it in the middle.

No clock takes part: the test waits for the line that the process prints where it halts, and the process waits for a
line from the test. However fast the machine is, the training is at that step when it is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import TracebackType
from typing import Any

import chainrule as cr

HALTED = "halted after step "


class Halt(cr.Callback):
    """Stops where the training pauses, after each of these steps, until standard input has a line or is closed."""

    def __init__(self, steps: list[int]) -> None:
        self.steps = steps

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        """There is a pause after every step, because this hook must be called after every step."""

    def on_pause(self, trainer: Any) -> None:
        if trainer.step in self.steps:
            self.steps.remove(trainer.step)
            print(f"{HALTED}{trainer.step}", flush=True)
            sys.stdin.readline()


def halt_at(steps: list[int]) -> None:
    """From now on every training in this process halts after these steps, after all other callbacks had their turn."""
    fit = cr.Trainer.fit

    def halting(self: cr.Trainer, *arguments: Any, **options: Any) -> cr.callbacks.History:
        self.callbacks.append(Halt(steps))
        return fit(self, *arguments, **options)

    cr.Trainer.fit = halting  # type: ignore[method-assign]


class Process(subprocess.Popen[str]):
    """A Python script in a process of its own, whose training halts after some steps; it does not outlive ``with``."""

    def __init__(self, script: str, *words: object, halts: list[int]) -> None:
        code = f"import halting\nhalting.halt_at({halts})\n{textwrap.dedent(script)}"
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        super().__init__(
            [sys.executable, "-W", "error", "-c", code, *map(str, words)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_halted(self, step: int) -> None:
        """Read its lines up to the one that says that it halted after this step."""
        said = []
        for line in self.stdout:
            said.append(line)
            if line == f"{HALTED}{step}\n":
                assert self.poll() is None
                return
        raise AssertionError(f"ended with {self.wait()} before step {step}:\n{''.join(said)}")

    def let_continue(self) -> None:
        """Until the next step at which it halts, or the end."""
        self.stdin.write("\n")
        self.stdin.flush()

    def kill_in_the_middle(self) -> None:
        """Kill it; it must not have ended by itself."""
        assert self.poll() is None
        self.kill()
        assert self.wait() != 0

    def end(self, code: int = 0) -> list[str]:
        """The lines that it still says until it ends, with this exit code."""
        self.stdin.close()
        said = self.stdout.read()  # not communicate(): that would lose what readline() has read ahead
        assert self.wait() == code, said
        return said.splitlines()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        super().__exit__(kind, error, trace)
