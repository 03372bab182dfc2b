"""Text from outside is made printable in one place, and every error, repr and plot goes through it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule._support.checks import sentence
from chainrule._support.text import printable
from chainrule.tabular.reading import Table

HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b31m": r"\x9b31m",
    "a\rb": "a b",
    "a\nb\tc\vd\fe": "a b c d e",
    "\x08\x7f\0": r"\x08\x7f\x00",
    "\u202eabc\u202c\u2066": r"\u202eabc\u202c\u2066",
    "a\u200bb\u200d\ufeff\u00ad": r"a\u200bb\u200d\ufeff\xad",
    "\u2028\u2029\x85\x1c": r"\u2028\u2029\x85\x1c",
    "\ud800\udfff": r"\ud800\udfff",
    "\ue000\U000e0041\U0010ffff": r"\ue000\U000e0041\U0010ffff",
    "naïve → 日本 😀 e\u0301": "naïve → 日本 😀 e\u0301",
    "1\xa0000\u202f000\u3000": "1\xa0000\u202f000\u3000",  # blanks of other widths
    r"\x1b": r"\x1b",
    "": "",
}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_a_screen_would_obey_is_written_out(text: str) -> None:
    assert printable(text) == HOSTILE[text]


@given(st.text(st.characters()), st.none() | st.integers(1, 20))
def test_any_text_becomes_one_bounded_line_of_visible_characters(text: str, most: int | None) -> None:
    shown = printable(text, most)
    assert all(character.isprintable() or unicodedata.category(character) == "Zs" for character in shown)
    assert printable(shown, most) == shown
    assert most is None or len(shown) <= most
    shown.encode()


@given(*[st.text(st.characters())] * 4)
def test_a_sentence_is_one_line(who: str, expected: str, got: str, remedy: str) -> None:
    said = sentence(who, expected, got, remedy)
    assert len(said.splitlines()) == 1
    assert said == printable(said)


NAME = "\x1b[2J\u202e$x$\n"


def test_names_in_a_repr_are_harmless() -> None:
    narwhals, arrow = pytest.importorskip("narwhals"), pytest.importorskip("pyarrow")
    table = Table(narwhals.from_native(arrow.table({NAME: [1.0]}), eager_only=True), (NAME,), NAME)
    assert repr(table).isprintable()


def test_names_of_classes_in_a_report_are_harmless(tmp_path: Path) -> None:
    model = cr.MLP([2, 3, 2], rng=0)
    x, y = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]
    names = {
        "class_names": [NAME, "b" * 10**4],
        "feature_names": [NAME, "b"],
        "title": NAME,
        "note": NAME,
        "target": NAME,
    }
    found = cr.report(model, x, y, about={NAME: NAME, "inner": {NAME: [NAME]}}, rows={NAME: [NAME] * 3}, **names)
    assert all(map(str.isprintable, str(found).splitlines()))
    assert max(map(len, str(found).splitlines())) < 200
    found.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(map(str.isprintable, page.splitlines()))


def test_names_on_a_plot_are_harmless() -> None:
    plots = pytest.importorskip("chainrule.plots")
    pytest.importorskip("matplotlib")
    figure = plots.confusion([0, 1], [0, 1], class_names=[NAME, "x" * 1000])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[0] == r"\x1b[2J\u202e\$x\$ "
    assert len(labels[1]) == 40
