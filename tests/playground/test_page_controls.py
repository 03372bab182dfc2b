"""Each control of the page does what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.playground.choices import controls
from playground.browser import Visitor

pytestmark = pytest.mark.slow
CONTROLS = {control["name"]: control for control in controls()}
SIMPLE = [name for name, each in CONTROLS.items() if each["kind"] not in ("features", "layers", "columns", "column")]
TABLE = "width,height,name,price\n" + "".join(f"{k},{k * k % 17},item{k % 3},{k / 7}\n" for k in range(60))


def setting(visitor: Visitor) -> dict[str, Any]:
    """The settings that the library says it uses."""
    settings: dict[str, Any] = visitor.answers("build")[-1]["answer"]["settings"]
    return settings


def needed(name: str) -> dict[str, Any]:
    """Settings under which a control is shown."""
    return {other: values[0] for other, values in CONTROLS[name].get("only", {}).items()}


def another(name: str) -> Any:
    """A value that is not the default, of those that the control allows."""
    control = CONTROLS[name]
    if control["kind"] == "choice":
        classes = control.get("classes", {})
        fitting = [choice["value"] for choice in control["choices"] if 2 in classes.get(choice["value"], [2])]
        return next(value for value in fitting if value not in (control["default"], "table", "cross_entropy"))
    if control["kind"] == "pair":
        return [0.8, 0.95]
    if control["kind"] == "boolean":
        return not next(iter(control["defaults"].values()))
    if control["kind"] == "range":
        return control["min"] + 3 * control["step"]
    return 3 if name in ("iterations", "every", "patience") or name.endswith("seed") else 0.25


@pytest.mark.parametrize("name", SIMPLE)
def test_a_control_changes_its_setting(name: str, visitor: Visitor) -> None:
    visitor.open("&".join(f"{key}={value}" for key, value in needed(name).items()))
    visitor.do("for (const group of document.querySelectorAll('details')) group.open = true")
    value = another(name)
    visitor(
        """
        const input = await page.$(`#set-${name}`) ?? await page.$(`input[name="${name}"][value="${value}"]`)
        await input.evaluate((element, text) => {
          if (element.type === "radio") return element.click()
          element.value = text
          element.dispatchEvent(new Event("input", { bubbles: true }))
          element.dispatchEvent(new Event("change", { bubbles: true }))
        }, Array.isArray(value) ? value.join(", ") : `${value}`)
        await idle()
        """,
        name=name,
        value=value,
    )
    assert setting(visitor)[name] == (pytest.approx(value) if isinstance(value, float) else value)
    assert visitor.read("document.getElementById('error').hidden")
    assert f"{name}=" in visitor.read("location.hash")
    assert visitor.read("document.body.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "name", [choice["value"] for choice in CONTROLS["data"]["choices"] if choice["value"] != "table"]
)
def test_every_kind_of_data_is_drawn_and_trained_on(name: str, visitor: Visitor) -> None:
    visitor.open("points=60")
    visitor.do(f"document.querySelector('input[name=data][value={name}]').click()")
    assert setting(visitor)["data"] == name
    visitor.do("document.getElementById('step').click()")
    assert visitor.read("document.querySelector('.result canvas').getAttribute('aria-label')")
    assert visitor("return faults") == []


def test_features_layers_and_units_by_click(visitor: Visitor) -> None:
    visitor.open()
    features = [choice["value"] for choice in CONTROLS["features"]["choices"]]
    visitor.do("document.querySelectorAll('.inputs .unit')[4].click()")
    assert setting(visitor)["features"] == ["x1", "x2", features[4]]
    visitor.do("document.querySelectorAll('.inputs .unit')[0].click()")
    assert setting(visitor)["features"] == ["x2", features[4]]
    visitor.do("document.querySelector('[aria-label=\"Add a unit in layer 1\"]').click()")
    visitor.do("document.querySelector('[aria-label=\"Remove a unit in layer 2\"]').click()")
    assert setting(visitor)["hidden"] == [9, 7]
    visitor.do("document.querySelector('[aria-label=\"Add a hidden layer\"]').click()")
    assert setting(visitor)["hidden"] == [9, 7, 7]
    assert visitor.read("document.querySelectorAll('.unit').length") == 7 + 9 + 7 + 7 + 2
    assert visitor.read("document.querySelectorAll('.edge').length") == 2 * 9 + 9 * 7 + 7 * 7 + 7 * 2
    for _ in range(3):
        visitor.do("document.querySelector('[aria-label=\"Remove a hidden layer\"]').click()")
    assert setting(visitor)["hidden"] == []
    assert visitor.read("document.querySelector('[aria-label=\"Remove a hidden layer\"]').disabled")
    visitor.do("document.querySelectorAll('.inputs .unit')[4].click()")
    visitor.do("document.querySelectorAll('.inputs .unit')[1].click()")  # the last one stays
    assert setting(visitor)["features"] == ["x2"]


def test_play_pause_one_batch_and_reset(visitor: Visitor) -> None:
    visitor.open()
    start = visitor.read("document.getElementById('figures').textContent")
    visitor.do("document.getElementById('step').click()")
    stepped = visitor.read("document.getElementById('figures').textContent")
    assert stepped != start
    visitor("await page.click('#play')")
    visitor.until("frames_seen > 5")
    visitor("await page.click('#play'); await idle()")
    told = visitor.read("document.getElementById('status').textContent")
    assert told.startswith("Paused. Epoch ")
    seen = visitor.read("frames_seen")
    visitor.do("document.getElementById('reset').click()")
    assert visitor.read("document.getElementById('figures').textContent") == start
    assert visitor.read("frames_seen") == seen


@pytest.mark.parametrize("view", ["activations", "gradients"])
def test_lines_flow_and_stand_still_where_motion_is_unwanted(view: str, visitor: Visitor) -> None:
    picture = "document.querySelector('#diagram > canvas').toDataURL()"
    choose = f"document.querySelector('input[name=flow][value={view}]').click()"
    visitor.open()
    weights = visitor.read(picture)
    visitor.do(choose)
    moving = visitor.read(picture)
    assert moving != weights
    visitor.until(f"{picture} !== '{moving}'")
    visitor.open(prefers_reduced_motion="reduce")
    visitor.do(choose)
    still = visitor.read(picture)
    visitor("for (let k = 0; k < 20; k++) await page.evaluate(() => new Promise(requestAnimationFrame))")
    assert visitor.read(picture) == still


def test_stepping_through_shows_each_operation_and_takes_the_step(visitor: Visitor) -> None:
    visitor.open("hidden=3")
    visitor.do("document.getElementById('walk').click()")
    operations = visitor.answers("trace")[-1]["answer"]["operations"]
    for operation in operations:
        body = visitor.read("document.getElementById('lens-body').textContent")
        assert operation["title"] in visitor.read("document.getElementById('lens-title').textContent")
        assert all(equation in body for equation in operation["equations"])
        assert all(line in body for line in operation["numbers"])
        lit = visitor.read("document.querySelectorAll('.unit.lit').length")
        assert (lit == 0) == (operation["part"] == "edges")
        last = operation is operations[-1]
        label = "Take this step" if last else "Next operation"
        assert visitor.read("document.querySelector('#lens .row .primary').textContent") == label
        visitor.do("document.querySelector('#lens .row .primary').click()")
    W, change = (value["data"] for value in operations[-2]["values"])
    visitor.do("document.getElementById('walk').click()")
    visitor.do("document.querySelectorAll('.edge')[6].focus()")
    after = visitor.answers("edge")[-1]["answer"]["value"]
    np.testing.assert_allclose(after, W[0][0] + change[0][0], rtol=1e-12)


def test_a_training_that_diverges_says_so_and_can_be_reset(visitor: Visitor) -> None:
    visitor.open("data=ripples&optimizer=sgd&learning_rate=3&activation=relu")
    start = visitor.read("document.getElementById('figures').textContent")
    visitor("await page.select('#speed', '1'); await page.click('#play')")
    visitor.until("!document.getElementById('error').hidden")
    visitor("await idle()")
    assert "lower the learning rate" in visitor.read("document.getElementById('error').textContent")
    assert visitor.read("document.getElementById('play').textContent") == "Play"
    visitor.do("document.getElementById('reset').click()")
    assert visitor.read("document.getElementById('error').hidden")
    assert visitor.read("document.getElementById('figures').textContent") == start
    assert visitor("return faults") == []


def test_change_one_thing_compares_two_runs(visitor: Visitor) -> None:
    visitor.open()
    visitor.do("document.getElementById('compare').click()")
    assert "equal so far" in visitor.read("document.querySelector('.changed').textContent")
    visitor("await page.select('#set-activation', 'relu'); await idle()")
    assert visitor.read("document.querySelector('.changed').textContent").startswith("Activation: A ")
    assert visitor.read("document.querySelectorAll('.result').length") == 2
    visitor("await page.click('#play')")
    visitor.until("frames_seen > 3")
    visitor("await page.click('#play'); await idle()")
    scores = visitor.read("[...document.querySelectorAll('.result small')].map(each => each.textContent)")
    assert len(set(scores)) == 2
    visitor.do("document.querySelectorAll('input[name=run]')[0].click()")
    assert visitor.read("document.getElementById('set-activation').value") == "tanh"
    visitor.do("document.getElementById('compare').click()")
    assert visitor.read("document.querySelectorAll('.result').length") == 1


def test_a_table_of_ones_own(visitor: Visitor, tmp_path: Any) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE, encoding="utf-8")
    visitor.open()
    visitor.do("document.querySelector('input[name=data][value=table]').click()")
    assert visitor.read("document.getElementById('set-target')") is None  # before there are columns
    visitor(
        "await (await page.$('#table-file')).uploadFile(path); await page.waitForSelector('#set-target'); await idle()",
        path=str(path),
    )
    settings = setting(visitor)
    assert (settings["data"], settings["columns"], settings["target"]) == ("table", ["width", "height"], "price")
    visitor("await page.select('#set-target', 'name'); await idle()")
    assert visitor.answers("build")[-1]["answer"]["classes"] == ["item0", "item1", "item2"]
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    visitor(
        "await (await page.$('#table-file')).uploadFile(path); await page.waitForSelector('#error:not([hidden])')",
        path=str(path),
    )
    assert "expects" in visitor.read("document.getElementById('error').textContent")


def test_a_digit_is_drawn_by_pointer_and_by_keys(visitor: Visitor) -> None:
    visitor.open("data=digits&hidden=16")
    clear = "document.querySelectorAll('.result .row button')[1].click()"
    visitor.do(clear)
    visitor(
        """
        const { x, y, width, height } = await (await page.$('.pad')).boundingBox()
        await page.mouse.click(x + width * .56, y + height * .3)
        await idle()
        """
    )
    x = np.reshape(visitor.answers("predict")[-1]["request"]["x"], (8, 8))
    assert np.unravel_index(x.argmax(), x.shape) == (2, 4)
    visitor.do(clear)
    visitor.do("document.querySelector('.pad').focus()")
    visitor.press("ArrowRight", "ArrowRight", "ArrowDown", " ")
    x = np.reshape(visitor.answers("predict")[-1]["request"]["x"], (8, 8))
    assert np.unravel_index(x.argmax(), x.shape) == (1, 2)
    shown = visitor.read("[...document.querySelectorAll('.bars meter')].map(each => each.value)")
    np.testing.assert_allclose(shown, visitor.answers("predict")[-1]["answer"]["answers"][0])
