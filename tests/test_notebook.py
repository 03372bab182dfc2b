"""What a notebook shows of our objects: HTML and pictures, for which IPython asks by name."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr


class Fragment(HTMLParser):
    """A piece of HTML: its tags in order and its text; it must close what it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def trainer() -> cr.Trainer:
    x = np.linspace(-1, 1, 60)[:, None]
    trainer = cr.Trainer(cr.MLP([1, 4, 2], rng=0), "cross_entropy", cr.Adam(0.1), metrics=["accuracy"])
    trainer.fit(x, (x[:, 0] > 0).astype(int), validation=0.2, epochs=5, verbose=0)
    return trainer


X, Y = np.linspace(-1, 1, 8)[:, None], np.repeat([0, 1], 4)
SHOWN: dict[str, tuple[Callable[[cr.Trainer, Path], Any], list[str]]] = {
    "model": (lambda trainer, _: trainer.model, ["Linear(1 → 4, relu)", "(N, 4)", "18"]),
    "history": (lambda trainer, _: trainer.history, ["loss", "accuracy", "training", "validation", "epoch 5"]),
    "diagnosis": (lambda trainer, _: cr.diagnose(trainer.model, X, Y), ["saturated", "Linear(1 → 4, relu)"]),
    "gradcheck": (lambda trainer, _: cr.gradcheck(trainer.model, X, Y, loss="cross_entropy"), ["0.W", "passed"]),
    "exported": (lambda trainer, folder: cr.export(trainer.model, folder / "a.h"), ["a.h: c", "largest difference"]),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_shows_what_print_shows(name: str, trainer: cr.Trainer, tmp_path: Path) -> None:
    make, words = SHOWN[name]
    shown = Fragment(make(trainer, tmp_path)._repr_html_())
    assert {"table", "svg"} & set(shown.tags)
    assert [word for word in words if word not in shown.text] == []


def test_a_report_is_shown_as_its_page_which_runs_nothing(trainer: cr.Trainer, tmp_path: Path) -> None:
    found = cr.report(trainer, X, Y, title="<b>Mine</b>")
    found.save(tmp_path / "page.html")
    shown = Fragment(found._repr_html_())
    assert shown.tags == ["iframe"]
    assert shown.attributes["srcdoc"] == (tmp_path / "page.html").read_text(encoding="utf-8")
    assert shown.attributes["sandbox"] == ""


def test_text_from_outside_stays_text() -> None:
    class Strange(cr.Layer):
        def __init__(self, words: str = "<script>\x1b[2J") -> None:
            self.words = words

        def forward(self, x: Any, work: Any) -> Any:
            return x

        def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
            return dy

        def __repr__(self) -> str:
            return self.words

    model = cr.Sequential([cr.Linear(1, 2), Strange()], rng=0)
    history = cr.callbacks.History([{"loss": 1.0, "<script>": 2.0}])
    for shown in (model._repr_html_(), history._repr_html_()):
        assert "script" not in Fragment(shown).tags
        assert "<script>" in Fragment(shown).text
        assert "\x1b" not in shown


def test_curves_are_drawn_in_their_order_and_without_what_is_not_finite() -> None:
    losses = [1.0, 0.25, float("nan"), 0.0625, float("inf"), 0.015625]
    html = cr.callbacks.History([{"loss": loss} for loss in losses])._repr_html_()
    picture = ElementTree.fromstring(html[html.index("<svg") :])
    (line,) = picture.iter("{http://www.w3.org/2000/svg}polyline")
    places = np.array([point.split(",") for point in line.attrib["points"].split()], float)
    assert len(places) == 4
    assert (np.diff(places, axis=0) > 0).all()  # to the right, and down as the loss falls
    np.testing.assert_allclose(np.diff(places[:, 1]), np.diff(places[:, 1])[0], atol=0.11)  # quarters on a log scale


def test_a_single_epoch_is_a_dot() -> None:
    html = cr.callbacks.History([{"loss": 0.5}])._repr_html_()
    (line,) = ElementTree.fromstring(html[html.index("<svg") :]).iter("{http://www.w3.org/2000/svg}polyline")
    place, again = line.attrib["points"].split()  # SVG draws nothing for one point
    assert place == again
    assert line.attrib["stroke-linecap"] == "round"


def test_a_long_history_is_a_short_picture() -> None:
    history = cr.callbacks.History([{"loss": float(k)} for k in range(100_000)])
    assert len(history._repr_html_()) < 20_000
    assert "epoch 100000" in history._repr_html_()


@pytest.mark.parametrize("rows", [[], [{"learning_rate": 0.1}], [{"loss": float("nan")}], [{"loss": 0.0}]])
def test_a_history_of_nothing_to_draw_is_shown(rows: list[dict[str, float]]) -> None:
    assert "History" in Fragment(cr.callbacks.History(rows)._repr_html_()).text


def test_a_plot_is_a_picture_without_pyplot() -> None:
    image = pytest.importorskip("matplotlib.image")
    figure = cr.plots.curves({"loss": [3.0, 2.0, 1.0]})
    for shown in (figure, pickle.loads(pickle.dumps(figure))):
        assert image.imread(io.BytesIO(shown._repr_png_())).shape[2] == 4


def test_a_history_is_a_frame_as_it_is() -> None:
    pandas = pytest.importorskip("pandas")
    history = cr.callbacks.History([{"loss": 2.0}, {"loss": 1.0, "validation_loss": 3.0}])
    frame = pandas.DataFrame(history)
    assert list(frame) == history.columns
    assert frame["loss"].tolist() == [2.0, 1.0]
    assert dict(history) == {"loss": [2.0, 1.0], "validation_loss": [3.0]}
