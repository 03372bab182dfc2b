"""Interrupts a piece of work at every one of its moments in turn, as a signal may: for tests of what is left then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chainrule as cr

PACKAGE = Path(cr.__file__).parent


class LateError(Exception):
    """Of a timeout."""


def raise_here() -> None:
    """Where a trace function calls it: any line, even one at which Python itself never raises."""
    raise KeyboardInterrupt


def in_chainrule(*folders: str) -> Callable[[Any], bool]:
    """Whether code is of these folders of the package."""
    return lambda code: any(Path(code.co_filename).is_relative_to(PACKAGE / folder) for folder in folders)


def at_every(
    event: str, codes: Callable[[Any], bool], interrupt: Callable[[], None], act: Callable[[], Any], step: int = 1
) -> Iterator[int]:
    """Interrupt ``act`` at its first event in these codes, at its next, and so on, as long as there is one.

    Parameters
    ----------
    event : "call", "line" or "opcode"
    codes : which code objects count
    interrupt : what is called at the moment, and may raise KeyboardInterrupt or LateError
    step : from event to event

    Yields
    ------
    place : int, the number of the event, after each interruption
    """
    known: dict[Any, bool] = {}
    place = 1
    while True:
        left = place

        def trace(frame: Any, what: str, argument: Any) -> Any:
            nonlocal left
            if frame.f_code not in known:
                known[frame.f_code] = codes(frame.f_code)
            if not known[frame.f_code]:
                return None
            frame.f_trace_opcodes = event == "opcode"
            if what == event:
                left -= 1
                if left == 0:
                    interrupt()
            return trace

        outer = sys.gettrace()  # that of the coverage
        sys.settrace(trace)
        try:
            act()
        except (KeyboardInterrupt, LateError):
            pass
        finally:
            sys.settrace(outer)
        if left > 0:
            return
        yield place
        place += step
