"""The page of a report holds what it should, loads nothing, and stays whole whatever the names."""

from __future__ import annotations

import base64
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.reporting import Report
from chainrule.reporting import page as pages

oracle = pytest.importorskip("sklearn.metrics")


HOSTILE = [
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=1">',
    "</style><h1>big</h1>",
    r"$\frac$ and $x_{$",
    "-->\u202e\x00\ud800",
    "word " * 200,
]


class Outline(HTMLParser):
    """The tags, attributes and visible text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def saved(found: Report, folder: Path) -> str:
    found.save(folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_holds_all_and_loads_nothing(rows, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    x, y = rows
    trainer = cr.Trainer(cr.MLP([4, 8, 3], rng=0), "cross_entropy", metrics=["accuracy"])
    trainer.fit(x, y, epochs=3, verbose=0)
    found = cr.report(
        trainer, x, y, title="Three kinds", note="Look twice.", about={"seed": 0, "Machine": {"cores": 2}}
    )
    text = saved(found, tmp_path)
    outline = Outline(text)
    for heading in (
        "Scores",
        "Learning curves",
        "Calibration",
        "Classes",
        "Worst examples",
        "Importance",
        "How it was",
    ):
        assert heading in outline.text
    for word in ("Three kinds", "Look twice.", "seed", "cores", "80 rows", f"{100 * found.scores['accuracy']:.2f} %"):
        assert word in outline.text
    assert not {"script", "iframe", "object", "embed", "form"} & set(outline.tags)
    addresses = [value for name, value in outline.attributes if name in ("src", "href")]
    assert len(addresses) == 5
    assert all(address.startswith("data:") for address in addresses)
    assert "default-src 'none'" in dict(outline.attributes)["content"] or "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert len(text) < 2e6
    pictures = re.findall(r"data:image/png;base64,([^\"]*)", text)
    assert all(base64.b64decode(picture, validate=True).startswith(b"\x89PNG") for picture in pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_page_of_a_regression(rows, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    x, _ = rows
    y = x @ np.ones(4)
    found = cr.report(cr.MLP([4, 1], rng=0), x, y, feature_names=["w", "kind", "kind", "q"], target="height")
    text = Outline(saved(found, tmp_path)).text
    for word in ("Predictions", "largest errors", "kind 1", "rise of RMSE", "Mean absolute error"):
        assert word in text
    assert "Calibration" not in text
    assert "Learning curves" not in text


def test_worst_rows_come_first_with_their_own_columns(tmp_path) -> None:
    class Zero:
        def predict(self, x):
            return np.zeros(len(x))

    y = np.array([1.0, -7.0, 3.0])
    text = saved(cr.report(Zero(), np.ones((3, 1)), y, rows={"name": ["ann", "bob", "cid"]}), tmp_path)
    places = [text.index(name) for name in (">bob<", ">cid<", ">ann<")]
    assert places == sorted(places)


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_images_are_shown_as_images(tmp_path, rng, task) -> None:
    pytest.importorskip("matplotlib")
    x = rng.uniform(size=(30, 3, 2))
    model = cr.Sequential([cr.Flatten(), cr.Linear(6, 2 if task == "classes" else 1)], rng=0)
    y = rng.integers(2, size=30) if task == "classes" else rng.normal(size=30)
    outline = Outline(saved(cr.report(model, x, y, image_shape=(3, 2)), tmp_path))
    assert outline.tags.count("li") == 24
    assert outline.text.count("said ") == 24
    assert "Importance" not in outline.text


def test_several_numbers_have_scores_and_no_picture(tmp_path, rng) -> None:
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    found = cr.report(cr.MLP([3, 2], rng=0), x, y)
    assert found.scores["r2_score"] == pytest.approx(oracle.r2_score(y, found.answers.z))
    assert "Predictions" not in Outline(saved(found, tmp_path)).text


@pytest.mark.parametrize("right", [True, False])
def test_many_classes_have_their_most_frequent_mistakes(tmp_path, right) -> None:
    class Next:
        classes_ = np.arange(40)

        def predict_proba(self, x):
            return np.eye(40)[x[:, 0].astype(int)]

    y = np.arange(40)
    x = (y if right else (y + 1) % 40)[:, None].astype(float)
    text = Outline(saved(cr.report(Next(), x, y), tmp_path)).text
    assert ("Not one mistake." in text) == right
    assert ("The most frequent mistakes:" in text) != right


def test_hostile_names_are_text(tmp_path, rng) -> None:
    pytest.importorskip("matplotlib")
    count = len(HOSTILE)
    x, y = rng.normal(size=(60, count)), np.arange(60) % count
    history = [{"loss": 1.0, HOSTILE[0]: 0.5, HOSTILE[3]: 0.1}]
    found = cr.report(
        cr.MLP([count, count], rng=0),
        x,
        y,
        class_names=HOSTILE,
        feature_names=HOSTILE,
        rows={name: [name] * 60 for name in HOSTILE},
        history=history,
        title=HOSTILE[0],
        target=HOSTILE[3],
        note=HOSTILE[1],
        about={name: {name: name, "deep": {name: {name: [name]}}} for name in HOSTILE} | {HOSTILE[2] + " ": HOSTILE[0]},
    )
    text = saved(found, tmp_path)
    outline = Outline(text)
    harmless = {
        *(
            "html",
            "head",
            "meta",
            "link",
            "title",
            "style",
            "body",
            "header",
            "h1",
            "p",
            "main",
            "div",
            "section",
            "h2",
        ),
        *("h3", "table", "thead", "tbody", "tr", "th", "td", "small", "figure", "img"),
    }
    assert set(outline.tags) == harmless
    assert outline.tags.count("h1") == outline.tags.count("style") == 1
    assert {name for name, _ in outline.attributes if name.startswith("on")} == set()
    assert HOSTILE[0] in outline.text
    assert len(text) < 2e6


@pytest.mark.parametrize("history", [[{"loss": "high"}], [{"accuracy": 1.0}], [3], {"loss": [1.0], "x": [1.0, 2.0]}])
def test_an_invalid_history_is_a_sentence(rows, tmp_path, history) -> None:
    pytest.importorskip("matplotlib")
    x, y = rows
    assert "curves expects" in Outline(saved(cr.report(cr.MLP([4, 3], rng=0), x, y, history=history), tmp_path)).text


def test_without_matplotlib_and_scikit_learn_sentences_stand_in_their_place(rows, tmp_path, monkeypatch) -> None:
    x, y = rows
    trainer = cr.Trainer(cr.MLP([4, 3], rng=0), "cross_entropy")
    trainer.fit(x, y, epochs=1, verbose=0)
    for module in ("matplotlib.figure", "matplotlib.image", "sklearn.inspection"):
        monkeypatch.setitem(sys.modules, module, None)
    text = saved(cr.report(trainer, x, y), tmp_path)
    assert "<img" not in text
    assert "pip install &#x27;chainrule[plots]&#x27;" in text
    assert "pip install &#x27;chainrule[sklearn]&#x27;" in text
    assert "<img" not in saved(cr.report(trainer, x, y, image_shape=(2, 2)), tmp_path)


def test_the_page_is_bounded_whatever_the_facts(rows, tmp_path, monkeypatch) -> None:
    x, y = rows
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    about = {f"part {k}": {f"fact {j}": "x" * 10_000 for j in range(500)} for k in range(200)}
    found = cr.report(cr.MLP([4, 3], rng=0), x, y, about=about)
    monkeypatch.setattr(pages, "permutation", lambda *_: (["a"], np.zeros((1, 5))))
    assert len(saved(found, tmp_path)) < 2e6


def test_a_missing_folder_leaves_no_file(rows, tmp_path, monkeypatch) -> None:
    x, y = rows
    monkeypatch.setattr(pages, "page", lambda *_: "page")
    with pytest.raises(OSError, match=r"report expects to write .*nowhere"):
        cr.report(cr.MLP([4, 3], rng=0), x, y).save(tmp_path / "nowhere" / "report.html")
    assert list(tmp_path.iterdir()) == []
