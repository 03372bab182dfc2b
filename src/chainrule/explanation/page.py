"""An explanation as one HTML file that loads nothing, runs no scripts, and escapes everything from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import numpy as np

from .. import __version__
from .._support.checks import Array
from .._support.text import printable
from ..reporting.style import document
from .contributions import Contributions
from .shown import GRADIENTS, OF_ROWS, RULE, Journey, backward_arrays, forward_arrays, number, shown
from .trace import LossStep, Step

# Okabe and Ito's palette: values blue, gradients orange, weights green; lighter on dark screens.
OWN = """
:root { --value: #0072b2; --gradient: #d55e00; --weight: #009e73; }
@media (prefers-color-scheme: dark) { :root { --value: #4fa8de; --gradient: #f08a3c; --weight: #2fc79b; } }
h2 { overflow-wrap: anywhere; }
h2 small { font-weight: 400; color: var(--soft); margin-left: .4rem; }
.ways { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.6rem; }
.ways > div { min-width: 0; padding-left: .8rem; border-left: 3px solid var(--value); overflow-x: auto; }
.ways > div + div { border-color: var(--gradient); }
.ways h3 { margin: 0 0 .2rem; font-size: .85rem; }
.op { margin: 1rem 0 .2rem; font-weight: 600; }
.equation { margin: 0 0 .5rem; font: .95rem/1.5 "Cambria Math", "STIX Two Math", Cambria, Georgia, serif; }
.equation span { display: inline-block; margin-right: 1.4rem; color: var(--ink); }
.array { display: flex; gap: .5rem; align-items: baseline; margin: .15rem 0; font-size: .88rem; }
.array b { flex: 0 0 2.8rem; text-align: right; font-weight: 600; white-space: nowrap; }
.array small { flex: 0 0 3.3rem; color: var(--soft); white-space: nowrap; }
.array table { font-size: .88rem; }
.array td { padding: .1rem .3rem; min-width: 3.7rem; text-align: right; border: 0; white-space: nowrap;
  vertical-align: baseline; background: color-mix(in srgb, var(--tint) calc(var(--a) * 38%), transparent); }
.array td.rest { color: var(--soft); background: none; min-width: 0; }
.value { --tint: var(--value); } .gradient { --tint: var(--gradient); } .weight { --tint: var(--weight); }
.value b { color: var(--value); } .gradient b { color: var(--gradient); } .weight b { color: var(--weight); }
.loss { font-size: 1.6rem; margin: .3rem 0; color: var(--ink); }
.bars { width: 100%; } .bars td { max-width: none; vertical-align: middle; }
.bars .n { width: 6rem; }
.bars td.bar { width: 50%; min-width: 8rem; }
.bars i { display: block; height: .8rem; border-radius: 2px; background: var(--value); }
.bars i.less { background: var(--gradient); }
@media (max-width: 48rem) {
  .ways { grid-template-columns: 1fr; gap: 1rem; }
  .array b { flex-basis: 2.4rem; } .array small { flex-basis: 3rem; } .bars td.bar { min-width: 3rem; width: 25%; }
}
"""


NUMBERS = ("contribution", "mean size", "importance")  # columns whose heads stand over their right ends


def page(found: Journey) -> str:
    """Return the document."""
    title, middle = _text(found.title, 200), []
    if found.contributions is not None:
        middle.append(_contributions(found.contributions))
    if found.cells:
        middle.append(_cells(found))
    middle += _steps(found)
    rule = f"<p>{RULE}</p>" if any('class="rest"' in part for part in middle) else ""
    heading = "Step by step" if found.steps else "Column by column"
    about = f"{_text(found.conditions)} · chainrule {__version__}"
    header = f"<h1>{heading}</h1>\n<p>{title}</p>\n<p>{about}</p>\n"
    return document(title, header, "".join(middle) + rule, OWN)


def _text(text: object, most: int = 1000) -> str:
    return escape(printable(str(text), most))


def _steps(found: Journey) -> list[str]:
    """One card for each layer: the way down on the left, the way back on the right; the loss is the turning point."""
    backward = [] if found.loss is None else backward_arrays(found.steps, found.loss.gradient)
    cards: dict[str, tuple[Step, list[str], list[str]]] = {}
    for index, (step, arrays) in enumerate(forward_arrays(found.steps)):
        _, down, up = cards.setdefault(step.layer, (step, [], []))
        own = [parameter.name for parameter in step.parameters]
        down.append(_op(step.op, step.equation, arrays, own, found.rows))
        if backward:
            up.insert(0, _op(step.op, step.gradient_equation, backward[index], own, found.rows))
    shown_cards = [_card(*card) for card in cards.values()]
    return shown_cards if found.loss is None else [*shown_cards, _loss(found, found.loss)]


def _card(step: Step, down: list[str], up: list[str]) -> str:
    back = f'<div tabindex="0"><h3>↑ backward</h3>{"".join(up)}</div>' if up else ""
    return (
        f"<section><h2>{_text(step.name, 200)}<small>layer {_text(step.layer)}</small></h2>"
        f'<div class="ways"><div tabindex="0"><h3>↓ forward</h3>{"".join(down)}</div>{back}</div></section>\n'
    )


def _op(op: str, equation: tuple[str, ...], arrays: Mapping[str, Array], own: list[str], rows: int) -> str:
    found = "".join(_array(name, one, _tint(name, own), rows * (name in OF_ROWS)) for name, one in arrays.items())
    return f'<p class="op">{_text(op)}</p>{_equation(equation)}{found}'


def _tint(name: str, own: list[str]) -> str:
    if name.removesuffix(" ←") in own:
        return "weight"
    return "value" if name in ("x", "y", "z", "target", "") else "gradient"


def _array(name: str, array: Array, tint: str, rows: int = 0) -> str:
    """Return the numbers, each the more tinted the larger it is."""
    found = shown(array, rows, 6)
    finite = [abs(value) for line in found.lines for value in line if math.isfinite(value)]
    most = max([*finite, abs(found.largest) if found.place else 0.0]) or 1.0
    lines = ["".join(_number(value, most) for value in line) for line in found.lines]
    if found.place and found.largest == 0:
        lines = ['<td class="rest">all 0</td>']
    elif found.place:
        lines[0] += f'<td class="rest">…</td>{_number(found.largest, most)}<td class="rest">at {found.place}</td>'
    inner = "".join(f"<tr>{line}</tr>" for line in lines)
    head = f"<b>{_text(name, 40)}</b><small>{found.shape}</small>" if name else ""
    return f'<div class="array {tint}">{head}<table>{inner}</table></div>'


def _number(value: float, most: float) -> str:
    share = min(abs(value) / most, 1.0) if math.isfinite(value) else 1.0
    return f'<td style="--a:{share:.2f}">{number(value)}</td>'


def _loss(found: Journey, loss: LossStep) -> str:
    penalty = f" + penalty {number(loss.penalty)} = {number(loss.value + loss.penalty)}" if loss.penalty else ""
    return (
        f"<section><h2>{_text(loss.name, 200)}<small>the loss, where forward ends and backward begins</small></h2>"
        f'{_equation((*loss.equation, *loss.gradient_equation))}<p class="loss">L = {number(loss.value)}{penalty}</p>'
        f"{_array('z', loss.outputs, 'value', found.rows)}{_array('target', loss.target, 'value', found.rows)}"
        f"{_array('dz', loss.gradient, 'gradient', found.rows)}<p>{GRADIENTS}</p></section>\n"
        f"<section><h2>{_text(found.optimizer, 200)}<small>what W ← comes from</small></h2>"
        f"{_equation(found.rule)}</section>\n"
    )


def _equation(lines: tuple[str, ...]) -> str:
    return f'<p class="equation">{"".join(f"<span>{_text(line)}</span>" for line in lines)}</p>'


def _cells(found: Journey) -> str:
    lines = "".join(
        f'<tr><th scope="row">{_text(cell.column, 60)}</th><td>{_text(cell.value, 120)}</td>'
        f"<td>{_text(cell.how)}</td><td>{_array('', cell.numbers, 'value')}</td></tr>\n"
        for cell in found.cells
    )
    inner = _table("", ["column", "the row says", "how it is encoded", "numbers"], lines)
    return f"<section><h2>The row, as numbers</h2>{inner}</section>\n"


def _table(kind: str, heads: list[str], lines: str) -> str:
    top = "".join(f'<th scope="col"{" class=n" * (name in NUMBERS)}>{name}</th>' for name in heads)
    table = f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _contributions(found: Contributions) -> str:
    sizes, one = found.sizes, len(found.values) == 1
    sign = "+" if one else ""
    largest, lines = float(np.abs(sizes).max()) or 1.0, []
    for at in found.order:
        cells = f"{_text(found.cells[at], 60)} <small>not {_text(found.baseline[at], 60)}</small>"
        said = f"<td>{cells}</td>" if one else ""
        beside = "" if found.importance is None else f'<td class="n">{number(found.importance[at])}</td>'
        less = ' class="less"' if sizes[at] < 0 else ""
        bar = f'<i{less} style="width:{100 * abs(sizes[at]) / largest:.1f}%"></i>'
        name = f'<th scope="row">{_text(found.columns[at], 60)}</th>'
        lines.append(
            f'<tr>{name}{said}<td class="n">{sizes[at]:{sign}.4g}</td>{beside}<td class="bar">{bar}</td></tr>\n'
        )
    heads = ["column", *["the row says"] * one, "contribution" if one else "mean size"]
    heads += ["importance"] * (found.importance is not None) + [""]
    notes = "".join(f"<p>{_text(line[0].upper() + line[1:])}.</p>" for line in found.notes)
    title = _text(found.heading[0].upper() + found.heading[1:], 200)
    return f"<section><h2>{title}</h2>{_table('bars', heads, ''.join(lines))}{notes}</section>\n"
