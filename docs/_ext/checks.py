"""What must hold of the finished site: links lead somewhere, nothing comes from elsewhere, MathJax takes each formula.

Sphinx checks the links that it makes; this file checks those that readers get, wherever they come from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MATHJAX = Path(__file__).resolve().parents[2] / ".venv" / "docs" / "package" / "es5" / "node-main.js"


class Page(HTMLParser):
    """The anchors of a page, its links, what it loads, and its formulas."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.formulas: list[str] = []
        self.in_formula = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the attributes say."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a":
            self.links.add(given.get("href", ""))
        elif tag == "link":
            self.loads.add(given.get("href", ""))
        else:
            self.loads.add(given.get("src", ""))
        if "math" in given.get("class", "").split() and tag in ("span", "div"):
            self.in_formula = tag
            self.formulas.append("")

    def handle_endtag(self, tag: str) -> None:
        """Notice the end of a formula."""
        if tag == self.in_formula:
            self.in_formula = ""

    def handle_data(self, data: str) -> None:
        """Collect the formula."""
        if self.in_formula:
            self.formulas[-1] += data


def foreign(pages: dict[Path, Page]) -> Iterator[str]:
    """What a page would load from elsewhere."""
    for file, page in pages.items():
        for address in sorted(page.loads):
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                yield f"{file} loads {address}"


def broken(pages: dict[Path, Page]) -> Iterator[str]:
    """Links inside the site that lead nowhere."""
    for file, page in pages.items():
        for link in sorted(page.links | page.loads):
            address = urlsplit(link)
            if address.scheme or link.startswith("//") or not link:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            if not target.exists():
                yield f"{file} links to {link}, and there is no such file"
            elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].anchors:
                yield f"{file} links to {link}, and there is no such anchor"


def refused(pages: dict[Path, Page]) -> Iterator[str]:
    """Formulas that MathJax does not typeset."""
    found = {formula: file for file, page in pages.items() for formula in page.formulas}
    asked = [(tex.strip()[2:-2], tex.strip().startswith(r"\[")) for tex in found]
    node = shutil.which("node")
    if node is None or not MATHJAX.is_file():
        yield "the formulas were not checked: that needs node, and MathJax from `make docs`"
        return
    script = [node, str(Path(__file__).with_name("formulas.mjs")), str(MATHJAX)]
    answer = subprocess.run(script, input=json.dumps(asked), capture_output=True, text=True, check=True).stdout
    yield from (f"MathJax: {why}: {tex}" for tex, why in json.loads(answer))


def check(app: Sphinx, exception: Exception | None) -> None:
    """Warn of each fault; where some pages were left out on purpose, links to them are none."""
    if exception is not None or app.builder.name != "html":
        return
    from sphinx.util import logging

    log = logging.getLogger(__name__)
    files = [file for file in Path(app.outdir).rglob("*.html") if "_static" not in file.parts]
    pages = {file.resolve(): Page(file.read_text(encoding="utf-8")) for file in files}
    kinds = [foreign, refused] if app.config.suppress_warnings else [foreign, refused, broken]
    for kind in kinds:
        for fault in kind(pages):
            log.warning("%s", fault)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check when the site is finished."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
