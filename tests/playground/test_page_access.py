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
FOCUSED = "(({ dataset, id, tagName }) => dataset.key ?? (id || tagName))(document.activeElement)"
CONTROLS = """[...document.querySelectorAll("button, select, input, summary, [tabindex='0']")]
  .filter(each => each.checkVisibility() && !each.disabled && each.tabIndex >= 0)
  .filter(each => each.type !== "radio" || each.checked)
  .map(each => each.dataset.key ?? each.id)"""
#: Whether an element, or what stands for it, shows that it has the focus.
VISIBLE = """element => element.matches(".edge")
  ? getComputedStyle(element).stroke !== "rgba(0, 0, 0, 0)"
  : [element, element.nextElementSibling].some(each => each && getComputedStyle(each).outlineStyle !== "none")"""
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


@pytest.mark.parametrize(
    "settings, scheme, states",
    [
        ("", "light", list(STATES)),
        ("", "dark", list(STATES)),
        ("data=digits", "light", ["start", "walk"]),
        ("data=ripples", "dark", ["start"]),
        ("data=blobs&hidden=", "light", ["compare"]),
    ],
)
def test_axe_finds_no_fault(settings: str, scheme: str, states: list[str], visitor: Visitor) -> None:
    for name in states:
        code = STATES[name]
        visitor.open(settings, prefers_color_scheme=scheme)
        visitor.do(code)
        found = visitor("""
            await page.evaluate(axe)
            const { violations } = await page.evaluate(() => window.axe.run())
            return violations.map(({ id, nodes: [{ html, failureSummary }] }) => `${id}: ${html} ${failureSummary}`)
        """)
        assert found == [], name
        assert visitor("return faults") == []


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_nothing_overflows(width: int, visitor: Visitor) -> None:
    wide = "hidden=8,8,8,8,8,8&features=x1,x2,x1^2,x2^2,x1*x2,sin(x1),sin(x2)"
    places = [("", name) for name in STATES] + [
        (wide, "start"),
        ("data=digits&hidden=8,8,8", "walk"),
        ("data=ripples", "start"),
    ]
    for settings, name in places:
        visitor.open(settings, width=width)
        visitor.do(STATES[name])
        assert visitor.read("document.documentElement.scrollWidth <= innerWidth"), (settings, name)


def test_tab_reaches_every_control_once_and_shows_where_it_is(visitor: Visitor) -> None:
    visitor.open("hidden=2")
    seen: list[str] = []
    visitor.press("Tab")
    while (now := visitor.read(FOCUSED)) not in [*seen, "BODY"]:
        seen.append(now)
        assert visitor.read(f"({VISIBLE})(document.activeElement)"), now
        visitor.press("Tab")
    assert now in ("skip", "BODY")  # around, or to the browser's own
    wanted = visitor.read(CONTROLS)
    assert len(wanted) > 30
    assert {*wanted, "skip"} == set(seen)


def test_keyboard_alone_suffices(visitor: Visitor) -> None:
    def focus(element: str) -> None:
        visitor("await page.$eval(element, found => found.focus())", element=element)

    visitor.open("hidden=2,2")
    focus("#skip")
    visitor.press("Enter")
    assert visitor.read(FOCUSED) == "network"
    assert "hidden=2,2" in visitor.read("location.hash")
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
    assert visitor.read(
        "document.getElementById('error').hidden || document.getElementById('error').textContent.length > 10"
    )
    assert visitor("return faults") == []


def test_a_foreign_page_cannot_drive_the_playground(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>foreign</title>", encoding="utf-8")
    before = len(visitor.server.sessions)
    with serving(tmp_path) as foreign:
        answers = visitor(
            """
            await page.goto(foreign)
            return page.evaluate(async (address, token) => {
              const headers = { "Content-Type": "application/json", "X-Token": token, "X-Session": "a".repeat(20) }
              const tries = [
                { method: "POST", headers },
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
        framed = visitor(
            """
            await page.evaluate(address => new Promise(done => {
              const frame = document.createElement("iframe")
              frame.onload = frame.onerror = done
              frame.src = address
              document.body.append(frame)
            }), address)
            return page.frames().map(frame => frame.url())
        """,
            address=visitor.server.link,
        )
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
