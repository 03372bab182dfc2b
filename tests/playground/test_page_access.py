"""The page for everybody: by keyboard alone, on a phone, in the dark, by link; and for nobody else."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
from playground.browser import Visitor

pytestmark = pytest.mark.slow
FOCUSED = "document.activeElement.dataset.key ?? document.activeElement.id"
STATES = {
    "start": "",
    "lens": "document.querySelectorAll('.edge')[3].focus()",
    "walk": "document.getElementById('walk').click()",
    "compare": "document.getElementById('compare').click()",
    "code": "document.getElementById('code').click()",
    "settings": "for (const group of document.querySelectorAll('details')) group.open = true",
}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Another server on this machine, for a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("settings", ["", "data=digits", "data=ripples", "data=blobs"])
def test_axe_finds_no_fault(settings: str, scheme: str, visitor: Visitor) -> None:
    for name, code in STATES.items():
        visitor.open(settings, prefers_color_scheme=scheme)
        visitor.do(code)
        found = visitor("""
            await page.evaluate(axe)
            const { violations } = await page.evaluate(() => window.axe.run())
            return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
              .map(({ id, nodes }) => `${id}: ${nodes.map(node => `${node.html} ${node.failureSummary}`).slice(0, 3).join(" | ")}`)
        """)
        assert found == [], name
        assert visitor("return faults") == []


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_nothing_overflows(width: int, visitor: Visitor) -> None:
    for settings in ("", "data=digits&hidden=8,8,8", "hidden=8,8,8,8,8,8&features=x1,x2,x1^2,x2^2,x1*x2,sin(x1),sin(x2)"):
        for name, code in STATES.items():
            visitor.open(settings, width=width)
            visitor.do(code)
            assert visitor.read("document.documentElement.scrollWidth <= innerWidth"), (settings, name)


def test_tab_reaches_every_control_once(visitor: Visitor) -> None:
    visitor.open("hidden=2")
    visitor("for (const key of ['Tab']) await page.keyboard.press(key)")
    seen = []
    while visitor.read("document.activeElement !== document.body") and len(seen) < 200:
        seen.append(visitor.read(FOCUSED))
        outline = "getComputedStyle(document.activeElement)"
        assert visitor.read(f"document.activeElement.matches(':focus-visible') && ({outline}.outlineStyle !== 'none' || document.activeElement.matches('.edge, input[type=radio]'))"), seen[-1]
        visitor.press("Tab")
    wanted = visitor.read("""[...document.querySelectorAll("button, select, input, summary, [tabindex='0']")]
      .filter(each => each.checkVisibility() && !each.disabled && each.tabIndex >= 0 && (each.type !== "radio" || each.checked))
      .map(each => each.dataset.key ?? each.id)""")
    assert set(wanted) <= set(seen), set(wanted) - set(seen)
    assert len(seen) == len(set(seen)) or seen.count("") > 0


def test_keyboard_alone_suffices(visitor: Visitor) -> None:
    def focus(element: str) -> None:
        visitor("await page.focus(element)", element=element)

    visitor.open("hidden=2,2")
    focus("#play")
    visitor("await page.keyboard.press('Enter')")
    visitor.until("frames_seen > 2")
    visitor.press("Enter")
    assert visitor.read("document.getElementById('status').textContent").startswith("Paused")
    focus("input[name=data]:checked")
    visitor.press("ArrowRight")
    assert visitor.read(FOCUSED) == "data-moons"
    assert "data=moons" in visitor.read("location.hash")
    focus("[data-key='units-1+']")
    visitor.press("Enter")
    assert visitor.read(FOCUSED) == "units-1+"
    assert "hidden=3,2" in visitor.read("location.hash")
    focus("[data-key='unit-0-2']")
    visitor.press(" ")
    assert "x1%5E2" in visitor.read("location.hash")
    focus(".edge[tabindex='0']")
    visitor.press("ArrowDown", "ArrowDown")
    assert visitor.read("document.getElementById('lens-title').textContent") == "W1[2, 0], a weight"
    visitor.press("ArrowRight", "End")
    assert visitor.read("document.getElementById('lens-title').textContent") == "W3[1, 1], a weight"
    focus("#walk")
    visitor.press("Enter")
    focus("[data-key='walk-next']")
    visitor.press("Enter", "Enter")
    assert visitor.read(FOCUSED) == "walk-next"
    assert visitor.read("document.querySelector('#lens .count').textContent").startswith("3 of ")
    focus("#code")
    visitor.press("Enter")
    assert visitor.read("document.getElementById('dialog').open")
    visitor.press("Escape")
    assert visitor.read(FOCUSED) == "code"


def test_a_link_gives_the_same_training_and_holds_no_token(visitor: Visitor) -> None:
    figures = "document.getElementById('figures').textContent"
    visitor.open("data=circles&hidden=4,3&noise=0.3&features=x1,x2,sin(x1)&optimizer=adamw&betas=0.8,0.9")
    visitor.do("document.getElementById('compare').click()")
    visitor("await page.select('#set-learning_rate', '0.1'); await idle()")
    visitor.do("document.getElementById('step').click()")
    told = visitor.read(figures)
    visitor.do("document.getElementById('share').click()")
    link = visitor.read("document.getElementById('dialog-code').textContent")
    assert visitor.server.token not in link
    visitor.open(link.partition("#")[2])
    assert visitor.read("document.querySelector('.changed').textContent") == "Learning rate: A 0.02, B 0.1"
    visitor.do("document.querySelectorAll('input[name=run]')[1].click()")
    visitor.do("document.getElementById('step').click()")
    assert visitor.read(figures) == told


def test_a_damaged_link_opens_the_playground_and_says_what_is_wrong(visitor: Visitor) -> None:
    visitor.open("data=nothing&hidden=8,x&learning_rate=7&noise=9&__proto__=1")
    assert visitor.read("document.getElementById('error').hidden || document.getElementById('error').textContent.length > 10")
    assert visitor("return faults") == []


def test_a_foreign_page_cannot_drive_the_playground(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>foreign</title>", encoding="utf-8")
    before = len(visitor.server.sessions)
    with serving(tmp_path) as foreign:
        answers = visitor(
            """
            await page.goto(foreign)
            return page.evaluate(async (address, token) => {
              const tries = [
                { method: "POST", headers: { "Content-Type": "application/json", "X-Token": token, "X-Session": "a".repeat(20) } },
                { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" } },
              ]
              return Promise.all(tries.map(each => fetch(`${address}api`, { ...each, body: '{"do": "build"}' })
                .then(answer => answer.type === "opaque" ? "opaque" : answer.status, () => "refused")))
            }, address, token)
            """,
            foreign=foreign,
            address=visitor.server.link.partition("#")[0],
            token=visitor.server.token,
        )
        assert answers[0] == "refused"
        assert answers[1] in ("opaque", "refused")
        framed = visitor("""
            await page.evaluate(address => new Promise(done => {
              const frame = document.createElement("iframe")
              frame.onload = frame.onerror = done
              frame.src = address
              document.body.append(frame)
            }), address)
            return page.frames().map(frame => frame.url())
        """, address=visitor.server.link)
        assert not any(visitor.server.token in address for address in framed)
    assert len(visitor.server.sessions) == before
    visitor.open()  # its own page may


def test_without_a_server_python_starts_in_the_browser(visitor: Visitor, tmp_path: Path) -> None:
    pyodide = visitor.folder / "node_modules" / "pyodide"
    if not pyodide.is_dir():
        pytest.skip("the npm package pyodide is not installed")
    for file in (resources.files("chainrule.playground") / "page").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shutil.copytree(pyodide, tmp_path / "pyodide")
    with serving(tmp_path) as address:
        visitor("await page.goto(address)", address=address)
        visitor.until("!document.getElementById('error').hidden")
        told = visitor.read("document.getElementById('error').textContent")
    assert told.startswith("Python in the browser: ")
    assert "numpy" in told.lower()  # its wheel is not part of the package: all before it works
