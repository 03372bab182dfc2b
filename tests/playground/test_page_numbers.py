"""What the page shows is what the library computes, as fast as it is computed, for as long as one likes."""

from __future__ import annotations

import contextlib
import io
import os
import time
from typing import Any

import numpy as np
import pytest

from playground.browser import Visitor

pytestmark = pytest.mark.slow
SECONDS = float(os.environ.get("CHAINRULE_PLAYGROUND_SECONDS", "5"))  # 600 for the long version of the test of memory
FIGURES = "[...document.querySelectorAll('#figures dd')].map(each => each.textContent)"


def number(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace("−", "-"))


def digits(text: str) -> int:
    """How many significant digits a number is written with."""
    return len(text.lstrip("−").partition("e")[0].replace(".", "").lstrip("0"))


def assert_shown(text: str, value: float) -> None:
    """Text is this number, to its last digit."""
    assert number(text) == pytest.approx(float(f"{value:.{digits(text) - 1}e}"), rel=1e-12), (text, value)


def executed(code: str) -> dict[str, Any]:
    """What a program leaves."""
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, scope)
    return scope


@pytest.mark.parametrize(
    "settings",
    ["", "data=ripples&hidden=5&l2=0.001&features=x1,x2,x1^2", "optimizer=sgd&momentum=0.9&loss=binary_cross_entropy"],
)
def test_numbers_equal_those_of_the_program_to_copy(settings: str, visitor: Visitor) -> None:
    visitor.open(settings)
    visitor("await page.select('#speed', '1'); await page.click('#play')")
    visitor.until("frames_seen >= 4")
    visitor("await page.click('#play'); await idle()")
    epoch, train, test, score = visitor.read(FIGURES)
    visitor("await page.click('#code'); await idle()")
    scope = executed(visitor.read("document.getElementById('dialog-code').textContent"))
    trainer, model = scope["trainer"], scope["model"]
    assert int(epoch) >= 4
    found = trainer.evaluate(scope["x_test"], scope["y_test"])
    assert_shown(train, trainer.evaluate(scope["x"], scope["y"])["loss"])
    assert_shown(test, found.pop("loss"))
    (metric,) = found.values()
    if score.endswith(" %"):
        assert score == f"{metric * 100:.1f} %"
    else:
        assert_shown(score, metric)
    visitor("await page.click('#close')")
    visitor.do("document.querySelectorAll('.edge')[1].focus()")
    value, gradient, difference = visitor.read(
        "[...document.querySelectorAll('#lens dd')].map(each => each.textContent)"
    )
    assert_shown(value, model.layers[0].W[1, 0])
    edge = visitor.answers("edge")[-1]["answer"]
    assert_shown(gradient, edge["gradient"])
    assert_shown(difference, edge["finite_difference"]["value"])
    np.testing.assert_allclose(number(gradient), number(difference), rtol=1e-3, atol=1e-6)


def test_surface_and_points_have_the_colours_of_the_answers(visitor: Visitor) -> None:
    visitor.open("data=gaussians")
    visitor("await page.select('#speed', '2'); await page.click('#play')")
    visitor.until(f"{FIGURES}[3] === '100.0 %' && frames_seen > 20")
    visitor("await page.click('#play'); await idle()")
    pixels = visitor.read("""(() => {
      const canvas = document.querySelector('.result canvas'), context = canvas.getContext('2d')
      return [[.03, .97], [.97, .03], [.03, .03]].map(([x, y]) =>
        [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data])
    })()""")
    corners = np.array([[-2.8, -2.8], [2.8, 2.8], [-2.8, 2.8]])
    visitor("await page.click('#code'); await idle()")
    model = executed(visitor.read("document.getElementById('dialog-code').textContent"))["model"]
    z = model.predict(corners)
    for (red, _, blue, _), (first, second) in zip(pixels, z, strict=True):
        assert (blue > red) == (second > first)


def test_spirals_are_learned_while_one_watches(visitor: Visitor, capsys: pytest.CaptureFixture[str]) -> None:
    visitor.open()
    visitor("await page.select('#speed', '2'); await page.click('#play')")
    start = time.perf_counter()
    visitor.until(f"parseFloat({FIGURES}[3]) >= 97")
    seconds, frames = time.perf_counter() - start, visitor.read("frames_seen")
    visitor("await page.click('#play'); await idle()")
    with capsys.disabled():
        print(f"\nspirals: 97 % of the test points after {seconds:.1f} s, {frames / seconds:.0f} frames a second")
    assert frames > 1


def test_frames_come_while_a_network_of_8_and_8_units_learns(
    visitor: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    visitor.open("points=500&hidden=8,8")
    for speed, name in enumerate(visitor.read("[...document.getElementById('speed').options].map(each => each.text)")):
        visitor("await page.select('#speed', `${speed}`); await page.click('#play')", speed=speed)
        before, start = visitor.read("frames_seen"), time.perf_counter()
        visitor.until(f"frames_seen >= {before + 60}")
        rate = (visitor.read("frames_seen") - before) / (time.perf_counter() - start)
        visitor("await page.click('#play'); await idle()")
        with capsys.disabled():
            print(f"\n{name}: {rate:.0f} frames a second", end="")
        assert visitor.read("frames_seen") >= before + 60


def test_memory_stands_still(visitor: Visitor) -> None:
    measure = """
        const session = await page.createCDPSession()
        await session.send("HeapProfiler.collectGarbage")
        const { JSHeapUsedSize, Nodes } = await page.metrics()
        await session.detach()
        return [JSHeapUsedSize, Nodes]
    """
    visitor.open()
    visitor("await page.select('#speed', '0'); await page.click('#play')")
    visitor.until("frames_seen > 100")
    heap, nodes = visitor(measure)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or visitor.read("frames_seen") < 300:
        visitor("await page.hover('.edge:nth-child(7)').catch(() => {}); await page.hover('h1')")
    grown, more = visitor(measure)
    visitor("await page.click('#play'); await idle()")
    assert grown < heap + 1_500_000  # a history of 1,200 points, and what the engine compiles
    assert more <= nodes + 200
    assert visitor.read("document.querySelectorAll('*').length") < 2000
