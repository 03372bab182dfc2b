"""A headless Chromium that does what a test says, and a playground for it to visit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NEEDS = ("puppeteer-core", "@sparticuz/chromium", "axe-core")


def packages(folder: Path) -> Path:
    """A folder with what the visitor needs: that of the environment variable, or a new one filled from the registry."""
    ready = os.environ.get("CHAINRULE_NODE")
    if ready:
        return Path(ready)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *NEEDS]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot install {', '.join(NEEDS)}: {done.stderr.strip().splitlines()[-1]}")
    return folder


class Visitor:
    """Runs JavaScript that has `page`, `browser`, `faults` and `axe` in scope, and returns what it returns."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, code: str, **values: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"code": code, "values": values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]


def visiting(folder: Path) -> Iterator[Visitor]:
    """A visitor for as long as a fixture lives."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    script = Path(__file__).with_name("visitor.mjs")
    own = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    command = [node, str(script), str(packages(folder)), own]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Visitor(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
