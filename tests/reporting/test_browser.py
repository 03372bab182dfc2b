"""The page in a real browser: nothing in it runs, nothing is fetched, and something is to be seen."""

from __future__ import annotations

import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import chainrule as cr

pytestmark = pytest.mark.slow
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture
def browser(tmp_path: Path):
    """Runs Chromium with some flags on an address, and returns what it printed."""
    names = ("chromium", "google-chrome", "chromium-browser")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(names)} is installed")

    def run(address: str, *flags: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [found, *FLAGS, profile, *flags, address]
        result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        return result.stdout

    return run


@pytest.fixture
def served():
    """A server of one page that keeps a list of what was asked for, and its address."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        page = b""

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(self.page)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, asked, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def hostile(address: str) -> list[str]:
    run = "document.title='pwned'"
    return [
        f"<script>{run}</script>",
        f'"><img src="{address}x.png" onerror="{run}">',
        f"</style><link href='{address}y'>",
    ]


def write_report(path: Path, names: list[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    trainer = cr.Trainer(cr.MLP([3, 3], rng=0), "cross_entropy")
    trainer.fit(x, y, epochs=2, verbose=0)
    about = {name: {name: name} for name in names}
    found = cr.report(
        trainer, x, y, class_names=names, feature_names=names, title="A title", note=names[0], about=about
    )
    found.save(path)


def test_nothing_runs_and_nothing_is_fetched(browser, served, tmp_path) -> None:
    handler, asked, address = served
    write_report(tmp_path / "report.html", hostile(address))
    handler.page = (tmp_path / "report.html").read_bytes()
    dom = browser(address, "--dump-dom")
    assert "<title>A title</title>" in dom
    headings = re.findall(r"<h2>(.*?)</h2>", dom)
    assert headings[:2] == ["Scores", "Learning curves"]
    assert len(headings) == 7
    assert "<script" not in dom
    assert dom.count("<img") == 4
    assert asked == ["/"]


def test_the_policy_holds_where_escaping_would_not(browser, served, tmp_path) -> None:
    """The same page with real scripts and images planted in it: the browser itself refuses them."""
    handler, asked, address = served
    write_report(tmp_path / "report.html", ["a", "b", "c"])
    planted = f"{hostile(address)[0]}<img src='{address}x.png' onerror=\"document.title='pwned'\"></main>"
    handler.page = (tmp_path / "report.html").read_text(encoding="utf-8").replace("</main>", planted).encode()
    assert "<title>A title</title>" in browser(address, "--dump-dom")
    assert asked == ["/"]


@pytest.mark.parametrize("width", [1200, 400])
def test_there_is_something_to_be_seen(browser, tmp_path, width) -> None:
    image = pytest.importorskip("matplotlib.image")
    write_report(tmp_path / "report.html", ["first", "second", "third"])
    picture = tmp_path / "seen.png"
    browser(f"file://{tmp_path / 'report.html'}", f"--window-size={width},1500", f"--screenshot={picture}")
    seen = image.imread(picture)[..., :3]
    assert seen.shape[:2] == (1500, width)
    dark = (seen.mean(axis=2) < 0.4).mean()
    assert 0.005 < dark < 0.3  # letters and lines
    assert (np.ptp(seen, axis=2) > 0.3).mean() > 0.002  # the colours of the curves
    edges = seen[:, [0, -1]].reshape(-1, 3)
    assert np.ptp(edges, axis=0).max() < 0.1  # nothing runs over the side
