"""An exported network in a browser: the page of the examples, with onnxruntime-web in headless Chromium."""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

PAGE = Path(__file__).resolve().parents[1] / "examples" / "onnx_in_browser.html"
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "sieben", "acht & ½", "<nine>"]
TOLERANCE = {"float32": 1e-5, "float16": 5e-3, "int8": 5e-2}  # of a probability
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
#: Opens the page, gives it rows by its address, then draws a line from top to bottom, and writes down what it shows.
VISITOR = """<!doctype html><iframe width="700" height="600"></iframe><pre></pre><script type="module">
const frame = document.querySelector("iframe"), found = [], wait = () => new Promise(done => setTimeout(done, 300))
frame.src = "onnx_in_browser.html"
while (!frame.contentDocument.querySelector("progress")?.hasAttribute("value")) await wait()
const page = frame.contentDocument, all = name => [...page.querySelectorAll(name)]
const look = () => found.push({
  hash: frame.contentWindow.location.hash,
  names: all("label").map(label => label.firstChild.data),
  values: all("progress").map(bar => bar.value),
  best: page.querySelector(".best").firstChild.data
})
for (const row of ROWS) {
  frame.contentWindow.location.hash = row
  await wait()
  look()
}
page.querySelector("button").click()
const canvas = page.querySelector("canvas"), box = canvas.getBoundingClientRect()
const point = (type, y, buttons) => canvas.dispatchEvent(new frame.contentWindow.PointerEvent(type,
  { clientX: box.x + box.width / 2, clientY: box.y + y * box.height, buttons }))
for (let y = 0; y < 1; y += 0.05) point("pointermove", y, 1)
point("pointermove", 0.5, 0)
point("pointerup", 1, 0)
await wait()
look()
document.querySelector("pre").textContent = JSON.stringify(found)
</script>"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page and onnxruntime-web from the registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "onnxruntime-web"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot install onnxruntime-web: {done.stderr.strip().splitlines()[-1]}")
    shutil.copy(PAGE, folder)
    return folder


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    """The folder, served to this machine alone."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=place))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def visit(address: str, profile: Path) -> str:
    """The page as it is when all has been computed."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    command = [browser, *QUIET, f"--user-data-dir={profile}", "--virtual-time-budget=30000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("precision", TOLERANCE)
def test_the_browser_reads_digits_as_the_model_does(
    precision: str, place: Path, address: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    model = cr.MLP([64, 32, 16, 10], activation="gelu", dropout=0.2, softmax=True, rng=0)
    model.parameters.vector[:] *= 2  # so that some classes are likely
    model.metadata = {"class_names": NAMES}
    export(model, place / "digits.onnx", precision)
    rows = rng.integers(0, 17, (5, 64))
    visitor = VISITOR.replace("ROWS", json.dumps([",".join(map(str, row)) for row in rows.tolist()]))
    (place / "visitor.html").write_text(visitor, encoding="utf-8")
    told = re.search(r"<pre>(.*)</pre>", visit(f"{address}/visitor.html", tmp_path / "profile"))
    assert told, "the page never showed what the network answers"
    found = json.loads(html.unescape(told[1]))
    inks = np.array([look["hash"][1:].split(",") for look in found], int)
    np.testing.assert_array_equal(inks[:-1], rows)
    drawn = inks[-1].reshape(8, 8)
    assert (drawn[:, 3:5] >= 10).all()
    assert (drawn[:, [0, 1, 6, 7]] == 0).all()  # a line in the middle, on cleared paper
    expected = model.predict((inks / 16).astype(np.float32))
    values = np.array([look["values"] for look in found])
    np.testing.assert_allclose(
        values, expected, rtol=0, atol={"float32": 1e-5, "float16": 5e-3, "int8": 5e-2}[precision]
    )
    assert all(look["names"] == [f"{name} " for name in NAMES] for look in found)
    assert [look["best"].strip() for look in found] == [NAMES[best] for best in values.argmax(axis=1)]
    assert len({look["best"] for look in found}) > 1


def export(model: cr.Sequential, path: Path, precision: str) -> None:
    """For a runtime that is older than the newest ONNX."""
    done = cr.export(model, path, precision=precision, outputs="probabilities")
    assert done.bytes < 50_000


def test_the_page_is_short_and_in_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"({PAGE.name})" in (PAGE.parent / "README.md").read_text(encoding="utf-8")
    assert "http" not in text.replace("http://localhost", "").replace("http.server", "")  # it asks nobody else
