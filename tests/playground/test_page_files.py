"""The files of the page: small, complete in themselves, and free of what its security policy blocks."""

from __future__ import annotations

import re
from importlib import resources

PAGE = resources.files("chainrule.playground") / "page"
FILES = {file.name: file.read_text(encoding="utf-8") for file in PAGE.iterdir()}


def test_the_page_is_small_and_its_files_are_short() -> None:
    assert sum(map(len, FILES.values())) < 90_000
    assert max(text.count("\n") for text in FILES.values()) < 400


def test_no_file_names_another_place_of_the_internet() -> None:
    links = {link for text in FILES.values() for link in re.findall(r"\w+://[^\s\"'`)]*", text)}
    assert links == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_html_holds_no_script_and_no_style_of_its_own() -> None:
    text = FILES["index.html"]
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)


def test_every_module_and_every_element_asked_for_exists() -> None:
    scripts = {name: text for name, text in FILES.items() if name.endswith(".js")}
    modules = {name for text in scripts.values() for name in re.findall(r'from "\./([\w.]+)"', text)}
    assert modules == set(scripts) - {"main.js", "worker.js"}
    ids = {name for text in scripts.values() for name in re.findall(r'find\("([\w-]+)"\)', text)}
    assert ids <= set(re.findall(r'id="([\w-]+)"', FILES["index.html"]))
