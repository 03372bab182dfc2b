"""``explain``: what it says in a terminal, a notebook and a page, whatever the names in it are."""

from __future__ import annotations

import re
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr
from chainrule.explanation import Explanation

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e\"'&"
X, Y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2


class Page(HTMLParser):
    """A page: its tags, its text, and whether it closes what it opens."""

    VOID = ("meta", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open += [] if tag in self.VOID else [tag]
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href") or value == "data:,"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture
def found() -> Explanation:
    model = cr.Sequential([cr.Linear(2, 3, "tanh"), cr.Linear(3, 40, l2=0.1), cr.Linear(40, 2)], rng=0)
    return cr.explain(model, [1.0, -2.0], 1, loss="cross_entropy", optimizer=cr.SGD(0.5))


def test_a_small_network_is_written_out_whole() -> None:
    model = cr.Sequential([cr.Linear(2, 1)], dtype="float64", rng=0)
    model.parameters.vector[:] = 2.0, 1.0, 0.5
    assert str(cr.explain(model, [1.0, 3.0], 6.0, loss="half_squared_error")).splitlines() == [
        "Sequential([Linear(2 → 1)])",
        "1 row; dropout and noise off, as in prediction",
        "",
        "forward",
        "0  Linear(2 → 1)",
        "   affine: y = xW + b",
        "     x              2  1          3",
        "     W          2 × 1  2",
        "                       1",
        "     b              1  0.5",
        "     y              1  5.5",
        "",
        "loss",
        "   HalfSquaredError(): l = ½ Σ r²,  r = z − y   dz = r",
        "     target         1  6",
        "     L                 0.125",
        "     dz             1  -0.5",
        "",
        "backward",
        "   dx is ∂L/∂x, the gradient of the loss L with respect to x; dW and db",
        "     likewise.",
        "   W ← by SGD(learning_rate=0.1): v ← μ v + (1 − τ) g,  v = 0 at first   w ← w −",
        "     η v   or, with Nesterov,  w ← w − η (g + μ v)",
        "0  Linear(2 → 1)",
        "   affine: dx = dy Wᵀ   dW = xᵀ dy   db = Σₙ dyₙ",
        "     dx             2  -1         -0.5",
        "     dW         2 × 1  -0.5",
        "                       -1.5",
        "     W ←        2 × 1  2.05",
        "                       1.15",
        "     db             1  -0.5",
        "     b ←            1  0.55",
    ]


def test_long_arrays_are_abbreviated_by_a_rule_that_is_stated(found: Explanation) -> None:
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    (W,) = (p for step in found.steps if step.layer == "1" for p in step.parameters if p.name == "W")
    place = np.unravel_index(np.abs(W.value).argmax(), W.value.shape)
    numbers = "  ".join(f"{value:.4g}" for value in W.value[0, :4])
    assert f"3 × 40  {numbers} … {W.value[place]:.4g} at {place[0]}, {place[1]}" in text
    assert "the first 4 numbers, then the one of largest magnitude" in text.replace("\n  ", " ")
    small = cr.explain(cr.Sequential([cr.Linear(2, 1)], rng=0), [1.0, 2.0])
    assert "first 4 numbers" not in str(small)


def test_what_is_the_same_as_before_is_not_repeated(found: Explanation) -> None:
    forward, backward = str(found).split("\nloss\n")
    assert len(re.findall(r"^ +x  ", forward, re.M)) == 1
    assert not re.findall(r"^ +dy  ", backward, re.M)
    block = cr.Residual([cr.Linear(2, 2)])
    text = str(cr.explain(cr.Sequential([block], rng=0), [1.0, 2.0], [0.0, 0.0], loss="squared_error"))
    assert len(re.findall(r"^ +x  ", text, re.M)) == 2


def test_the_steps_are_plain_arrays_and_words(found: Explanation) -> None:
    plain = asdict(found.steps[1])
    assert (plain["layer"], plain["op"], plain["equation"]) == ("0", "tanh", ("y = tanh x",))
    assert {type(value) for value in plain.values()} <= {str, tuple, np.ndarray}
    with pytest.raises(AttributeError):
        found.rows = 3  # type: ignore[misc]


def test_training_draws_dropout_and_prediction_leaves_it_out() -> None:
    model = cr.Sequential([cr.Dropout(0.5), cr.Linear(2, 1)], rng=0)
    expected = model.astype("float32").forward(X, training=True)
    drawn = cr.explain(model, X, Y[:, None], loss="squared_error", training=True)
    np.testing.assert_array_equal(drawn.steps[-1].outputs, expected)
    assert "dropout drawn" in drawn.conditions
    assert drawn.steps[0].equation[0] == "y = x · m"
    off = cr.explain(model, X, Y[:, None], loss="squared_error")
    np.testing.assert_array_equal(off.steps[0].outputs, X.astype("float32"))
    assert "dropout and noise off" in off.conditions
    assert (off.steps[0].op, off.steps[0].equation, off.steps[0].gradient_equation) == (
        "dropout",
        ("y = x",),
        ("dx = dy",),
    )


def test_a_trainer_brings_its_loss_and_its_optimizer() -> None:
    trainer = cr.Trainer(cr.MLP([2, 4, 2], rng=0), "cross_entropy", cr.Adam(0.25))
    trainer.fit(X, Y, epochs=2, verbose=0)
    model = trainer.model
    taken = trainer.optimizer.steps_taken
    found = cr.explain(trainer, X[0], Y[0])
    assert "Adam(learning_rate=0.25)" in found.optimizer
    assert trainer.optimizer.steps_taken == taken
    z = model.forward(X[:1], training=True)
    model.backward(cr.CrossEntropy()(z, Y[:1])[1])
    trainer.optimizer.step(model.parameters.vector, model.gradients.vector)
    W = found.steps[0].parameters[0]
    np.testing.assert_allclose(W.value + W.update, model.parameters["0.W"], rtol=1e-6, atol=1e-7)


def test_the_page_runs_nothing_and_loads_nothing(found: Explanation, tmp_path) -> None:
    page = Page(found.to_html())
    assert not {"script", "iframe", "img", "object"} & set(page.tags)
    for word in ("Linear(2 → 3, tanh)", "y = tanh x", "dx = dy · (1 − y²)", "CrossEntropy()", "W ←"):
        assert word in page.text
    assert f"{found.loss.value:.4g}" in page.text
    found.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == found.to_html()
    assert found._repr_html_().startswith("<iframe")


def test_every_name_from_outside_is_escaped() -> None:
    pytest.importorskip("sklearn")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({HOSTILE: X[:, 0], "kind": [HOSTILE, "b", "c"] * 10})
    labels = np.where(Y > 0, HOSTILE, "other")
    settings = dict(columns={"kind": "category"}, early_stopping=False, validation_fraction=0.25)
    model = cr.TabularClassifier(max_epochs=2, random_state=0, **settings).fit(frame, labels)
    assert "\n" in repr(model)
    one = cr.explain(model, frame.iloc[[3]], labels[3], baseline=frame)
    several = cr.explain(model, frame, labels)
    layer = type(HOSTILE, (cr.Identity,), {"__doc__": f"{HOSTILE}.", "__repr__": lambda self: HOSTILE})()
    named = cr.explain(cr.Sequential([cr.Linear(2, 2), layer], rng=0), X[0], [0.0, 1.0], loss="squared_error")
    for found in (one, several, named):
        page = Page(found.to_html())
        assert "script" not in page.tags
        assert "<script>alert(1)" in page.text
        for text in (str(found), found.to_html()):
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert all(line.isprintable() for line in text.splitlines())
        assert max(map(len, str(found).splitlines())) <= 80
        assert "  " not in found.title


@pytest.mark.parametrize(
    ("x", "y", "options", "says"),
    [
        ([1.0, 2.0, 3.0], None, {}, r"Linear\(2 → 1\) expects input of shape \(N, 2\), got \(1, 3\)"),
        ([1.0, np.nan], None, {}, "explain expects finite numbers in x"),
        (np.empty((0, 2)), None, {}, "explain expects at least one row, got none"),
        ([1.0, 2.0], 3.0, {}, 'explain expects a loss beside y, got none; pass the one of its training, as in loss="'),
        ([1.0, 2.0], [[1.0, 2.0]], {"loss": "squared_error"}, r"SquaredError expects y of shape \(1, 1\)"),
        ([1.0, 2.0], 3.0, {"loss": "square"}, "did you mean 'squared_error'"),
        (["a", "b"], None, {}, "explain expects x to be an array of numbers, got dtype <U1; encode text as numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(x, y, options, says: str) -> None:
    model = cr.Sequential([cr.Linear(2, 1)], rng=0)
    with pytest.raises((ValueError, TypeError), match=says):
        cr.explain(model, x, y, **options)


def test_what_is_no_model_is_refused_in_a_sentence() -> None:
    with pytest.raises(TypeError, match="a Sequential model, a Trainer, or an estimator of chainrule, got an object"):
        cr.explain(cr.Linear(2, 1), [1.0, 2.0])
    model = cr.Sequential([cr.Linear(2, 2), cr.BatchNorm(2)], rng=0)
    with pytest.raises(ValueError, match="at least two rows in training"):
        cr.explain(model, [1.0, 2.0], [0.0, 0.0], loss="squared_error", training=True)
    assert cr.explain(model, [1.0, 2.0], [0.0, 0.0], loss="squared_error").loss is not None
