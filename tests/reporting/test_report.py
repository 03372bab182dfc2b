"""The table says what scikit-learn says, for every kind of model; the page holds what it should, and stays whole."""

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
from chainrule.reporting.tables import percent

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


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(80, 4))
    return x, (x[:, 0] + 0.5 * rng.normal(size=80) > 0).astype(int) + (x[:, 1] > 1)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


# --- the table ---


@pytest.mark.parametrize("probabilities", [False, True])
def test_classes_are_scored_as_in_scikit_learn(rows, probabilities) -> None:
    x, y = rows
    model = cr.MLP([4, 8, 3], softmax=probabilities, rng=0, dtype="float64")
    p = model.predict(x) if probabilities else softmax(model.predict(x))
    found = cr.report(model, x, y)
    said = p.argmax(axis=1)
    assert found.scores == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(y, said),
            "balanced_accuracy": oracle.balanced_accuracy_score(y, said),
            "f1_score": oracle.f1_score(y, said, average="macro"),
            "roc_auc_score": oracle.roc_auc_score(y, p, multi_class="ovr"),
            "log_loss": oracle.log_loss(y, p),
            "expected_calibration_error": cr.metrics.expected_calibration_error(y, p, from_logits=False),
        }
    )
    precision, recall, f1, support = oracle.precision_recall_fscore_support(y, said, zero_division=np.nan)
    for row, *expected in zip(found.classes, precision, recall, f1, support, strict=True):
        values = [np.nan if v is None else v for v in (row.precision, row.recall, row.f1, row.rows)]
        assert values == pytest.approx(expected, nan_ok=True)


def test_a_guess_by_the_shares_of_the_classes_stands_beside(rows) -> None:
    x, y = rows
    shares = np.bincount(y) / len(y)
    guess = cr.report(cr.MLP([4, 3], rng=0), x, y).baseline
    assert guess["accuracy"] == pytest.approx(shares.max())
    assert guess["log_loss"] == pytest.approx(-shares @ np.log(shares))
    assert (guess["roc_auc_score"], guess["balanced_accuracy"]) == (0.5, pytest.approx(1 / 3))


def test_numbers_are_scored_as_in_scikit_learn(rows) -> None:
    x, _ = rows
    y = x @ [1.0, 2.0, 0.0, 0.0]
    model = cr.MLP([4, 1], rng=0, dtype="float64")
    found = cr.report(model, x, y)
    z = model.predict(x)[:, 0]
    assert found.scores == pytest.approx(
        {
            "r2_score": oracle.r2_score(y, z),
            "mean_absolute_error": oracle.mean_absolute_error(y, z),
            "root_mean_squared_error": oracle.root_mean_squared_error(y, z),
        }
    )
    assert (found.classes, found.baseline["r2_score"]) == ([], pytest.approx(0))
    assert found.baseline["root_mean_squared_error"] == pytest.approx(y.std())


@pytest.mark.parametrize("sigmoid", [False, True])
@pytest.mark.parametrize("as_column", [False, True])
def test_one_output_is_two_classes_where_the_loss_says_so(rows, sigmoid, as_column) -> None:
    x, y = rows
    y = np.minimum(y, 1)
    model = cr.MLP([4, 1], output_activation="sigmoid" if sigmoid else None, rng=0, dtype="float64")
    trainer = cr.Trainer(model, cr.BinaryCrossEntropy(from_logits=not sigmoid))
    found = cr.report(trainer, x, y[:, None] if as_column else y, class_names=["no", "yes"])
    z = model.predict(x)[:, 0]
    assert found.scores["roc_auc_score"] == pytest.approx(oracle.roc_auc_score(y, z))
    assert found.scores["log_loss"] == pytest.approx(oracle.log_loss(y, z if sigmoid else 1 / (1 + np.exp(-z))))
    assert [row.name for row in found.classes] == ["no", "yes"]


def test_soft_labels_count_by_their_largest(rows) -> None:
    x, y = rows
    trainer = cr.Trainer(cr.MLP([4, 3], rng=0), "cross_entropy")
    assert cr.report(trainer, x, np.eye(3)[y]).scores == cr.report(trainer, x, y).scores


def test_a_fitted_estimator_may_have_labels_of_text(rows) -> None:
    x, y = rows
    words = np.array(["few", "many", "most"])[y]
    model = cr.MLPClassifier((8,), max_iter=3, random_state=0, early_stopping=False)
    with pytest.warns(UserWarning, match="."):
        model.fit(x, words)
    found = cr.report(model, x, words)
    assert found.scores["accuracy"] == pytest.approx(model.score(x, words))
    assert found.scores["log_loss"] == pytest.approx(oracle.log_loss(words, model.predict_proba(x)), rel=1e-5)
    assert [row.name for row in found.classes] == ["few", "many", "most"]


def test_an_estimator_of_scikit_learn_is_a_model_too(rows) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = rows
    assert cr.report(linear.LinearRegression().fit(x, y), x, y).scores["r2_score"] > 0.3


def test_text_has_a_line_for_each_score_and_each_class(rows) -> None:
    x, y = rows
    y[y == 2] = 1
    found = cr.report(cr.MLP([4, 3], rng=0), x, y)
    lines = str(found).splitlines()
    assert lines[0].split() == ["80", "rows", "model", "guess"]
    assert lines[1].split() == ["Accuracy", f"{100 * found.scores['accuracy']:.2f}", "%", *lines[1].split()[-2:]]
    assert lines[-4].split() == ["class", "rows", "recall", "precision", "F1"]
    assert lines[-1].split()[:3] == ["2", "0", "–"]
    assert repr(found) == str(found)


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.00 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %"), (None, "–")]
)
def test_no_share_below_1_is_written_as_100(share, text) -> None:
    assert percent(share) == text


def test_scores_that_the_rows_do_not_allow_are_left_out(rows) -> None:
    x, _ = rows
    assert "roc_auc_score" not in cr.report(cr.MLP([4, 3], rng=0), x, np.zeros(80, int)).scores
    one = cr.report(cr.MLP([4, 1], rng=0), x[:1], np.ones(1))
    assert list(one.scores) == ["mean_absolute_error", "root_mean_squared_error"]


@pytest.mark.parametrize(
    ("model", "y", "more", "says"),
    [
        (cr.MLP([4, 3], rng=0), np.array([0, 3]), {}, r"labels among 0, 1, 2 \(3 classes\), got 3"),
        (cr.MLP([4, 3], rng=0), np.array([0, 1, 2]), {}, "as many rows in x as in y, at least one, got 2 and 3"),
        (cr.MLP([4, 3], rng=0), np.array([0, 1]), {"class_names": "ab"}, "3 class_names, one per class, got 2"),
        (cr.MLP([4, 2], rng=0), np.array([0.5, 1.5]), {}, r"the model's outputs of shape \(2, 1\)"),
        (cr.MLP([4, 1], rng=0), np.array([0.5, np.nan]), {}, "finite numbers in y"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"feature_names": ["a"]}, "4 feature_names, one per input, got 1"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"image_shape": (2, 3)}, "image_shape .* of 4 pixels"),
        (cr.MLP([4, 1], rng=0), np.ones(2), {"rows": {"a": [1]}}, r"2 values in rows\['a'\], got 1"),
        (cr.Trainer(cr.MLP([4, 2], rng=0), "binary_cross_entropy"), np.ones((2, 2)), {}, "exclusive classes"),
    ],
)
def test_what_does_not_fit_is_refused(model, y, more, says) -> None:
    with pytest.raises(ValueError, match=f"report expects .*{says}"):
        cr.report(model, np.ones((2, 4)), y, **more)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match="report expects a Trainer, a Sequential model or a fitted estimator, got int"):
        cr.report(3, np.ones((2, 4)), np.ones(2))


# --- importances ---


def test_inputs_of_one_name_are_shuffled_together(rng) -> None:
    permutation = pytest.importorskip("chainrule.reporting.permutation").permutation
    kind = rng.integers(3, size=300)
    x = np.column_stack([rng.normal(size=300), np.eye(3)[kind], rng.normal(size=300)])
    y = 2.0 * kind + x[:, 0]

    class Exact:
        def predict(self, x):
            assert set(x[:, 1:4].sum(axis=1)) == {1.0}  # a row is of one kind, also after the shuffle
            return x[:, 1:4] @ [0.0, 2.0, 4.0] + x[:, 0]

    answers = cr.report(Exact(), x, y).answers
    columns, falls = permutation(answers, ["a", "kind", "kind", "kind", "unused"])
    assert columns == ["a", "kind", "unused"]
    mean = falls.mean(axis=1)
    assert mean == pytest.approx([np.sqrt(2), np.sqrt(2) * y.std(ddof=0), 0], rel=0.15)
    assert (falls[2] == 0).all()
    assert mean[1] > mean[0]


# --- the page ---


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
def test_a_history_that_is_none_is_a_sentence(rows, tmp_path, history) -> None:
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


def test_a_folder_that_is_none_leaves_nothing_behind(rows, tmp_path, monkeypatch) -> None:
    x, y = rows
    monkeypatch.setattr(pages, "page", lambda *_: "page")
    with pytest.raises(OSError, match=r"report expects to write .*nowhere"):
        cr.report(cr.MLP([4, 3], rng=0), x, y).save(tmp_path / "nowhere" / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_importing_chainrule_loads_none_of_it() -> None:
    import subprocess

    program = "import sys, chainrule; assert not any('report' in name for name in sys.modules if 'chainrule' in name)"
    subprocess.run([sys.executable, "-c", program], check=True)
