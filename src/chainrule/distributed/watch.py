"""A process beside each rank, which outlives a rank that is killed for as long as it takes to print which it was.

Launchers end all other ranks when one is killed, before any of these could tell which. MPICH's waits until nobody has
the rank's channel to it open: the process beside the rank has it, too.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

WATCH = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
if not sys.stdin.read():
    print(sys.argv[1], file=sys.stderr, flush=True)
    time.sleep(1)  # until the launcher has passed it on
"""
_beside: list[Any] = []  # one process, or none


def watch(text: str) -> None:
    """Let a process print this if the present one ends before :func:`end_watch`."""
    if _beside or os.name == "nt":
        return
    from subprocess import PIPE, Popen

    channel = os.environ.get("PMI_FD", "")
    command = [sys.executable, "-I", "-S", "-c", WATCH, text]
    with suppress(OSError, ValueError):  # it is not essential
        _beside.append(Popen(command, stdin=PIPE, pass_fds=[int(channel)] if channel.isdecimal() else []))


def end_watch() -> None:
    """End the process."""
    while _beside:
        _beside.pop().communicate(b"ended")
