"""A playground, and a headless Chromium that visits it and does what a test says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainrule.playground.server import Server

NEEDS = ("puppeteer-core", "@sparticuz/chromium", "axe-core", "pyodide")
#: Before the page's own scripts: counts frames, and remembers the latest requests with their answers.
RECORDER = """
window.frames_seen = 0
window.asked = []
document.addEventListener("frame", () => { window.frames_seen += 1 })
const own = window.fetch
window.fetch = async (...details) => {
  const answer = await own(...details)
  if (details[1]?.body) {
    const request = JSON.parse(details[1].body)
    if (request.do !== "advance") window.asked.push({ request, answer: await answer.clone().json() })
    window.asked.splice(0, window.asked.length - 20)
  }
  return answer
}
"""


def packages(folder: Path) -> Path:
    """What the visitor needs: in the folder that CHAINRULE_NODE names, or in this one, from the registry."""
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

    def __init__(self, process: subprocess.Popen[str], server: Server, folder: Path) -> None:
        self.process, self.server, self.folder = process, server, folder

    def __call__(self, code: str, /, **values: Any) -> Any:
        """Run code in Node, with these values in scope."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"code": code, "values": values}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser is gone"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, settings: str = "", width: int = 1400, height: int = 900, **media: str) -> None:
        """Open the page with settings in its address, and wait until the first network is there."""
        link = f"{self.server.link}&{settings}"
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self(
            """
            faults.length = 0
            await page.goto("about:blank")
            await page.setViewport({ width, height })
            await page.emulateMediaFeatures(features)
            await page.goto(link)
            await page.waitForSelector("#play:enabled")
            """,
            link=link,
            width=width,
            height=height,
            features=features,
        )

    def read(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self("return page.evaluate(expression)", expression=expression)

    def do(self, code: str) -> None:
        """Do something in the page, and wait until the library has answered all that was asked."""
        self("await page.evaluate(code); await idle()", code=code)

    def until(self, expression: str) -> None:
        """Wait until an expression in the page is true."""
        self("await page.waitForFunction(expression, { timeout: 120000 })", expression=expression)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, and wait until the library has answered."""
        self("for (const key of keys) await page.keyboard.press(key); await idle()", keys=keys)

    def answers(self, what: str) -> list[dict[str, Any]]:
        """Requests of a kind since the page was opened, with their answers."""
        return [each for each in self.read("asked") if each["request"]["do"] == what]


def visiting(folder: Path) -> Iterator[Visitor]:
    """A visitor and the playground that he visits, for as long as a fixture lives."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    needed = packages(folder)
    own = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    command = [node, str(Path(__file__).with_name("visitor.mjs")), str(needed), own]
    with (
        Server() as server,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        visitor = Visitor(process, server, needed)
        try:
            visitor("await page.evaluateOnNewDocument(code)", code=RECORDER)
            yield visitor
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
            server.shutdown()
            thread.join()
