"""How notebooks show objects: small tables, and curves as vector graphics, in the notebook's own colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from html import escape

from .text import printable

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 170, 58, 22, 24  # of a chart, and the room for its labels
MOST_POINTS = 400  # of a curve; more would not be seen
COLOURS = ("#0072B2", "#D55E00")  # Okabe & Ito (2008)
LOG_FROM = 10.0  # largest over smallest value from which the scale is logarithmic


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", notes: Iterable[str] = ()
) -> str:
    """Return a table, right-aligned except for the first column, with a list of notes below."""
    top = f"<caption>{_text(caption)}</caption>" if caption else ""
    names = "".join(_cell("th", name, place) for place, name in enumerate(head))
    lines = "".join(f"<tr>{''.join(_cell('td', cell, place) for place, cell in enumerate(row))}</tr>" for row in rows)
    below = "".join(f"<li>{_text(note)}</li>" for note in notes)
    listed = f"<ul>{below}</ul>" if below else ""
    return f"<table>{top}<thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>{listed}"


def chart(title: str, curves: Mapping[str, Sequence[float]]) -> str:
    """Draw curves over the epochs as SVG, on a logarithmic scale if they span more than a factor of ten."""
    found = {name: _points(values) for name, values in curves.items()}
    numbers = [y for points in found.values() for _, y in points]
    if not numbers:
        return ""
    low, high, last = min(numbers), max(numbers), max(map(len, curves.values()))
    place = partial(_place, low=low, high=high, last=last)
    parts = [
        f'<path fill="none" stroke="#888" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH}"/>',
        _label(title, LEFT, 14, "start", 'font-weight="bold" fill="currentColor"'),
        _label(f"{high:.4g}", LEFT - 6, TOP + 8),
        _label(f"{low:.4g}", LEFT - 6, HEIGHT - BOTTOM),
        _label(f"epoch {last}", WIDTH, HEIGHT - 6),
    ]
    for row, ((name, points), colour) in enumerate(zip(found.items(), COLOURS, strict=False)):
        line = " ".join(place(x, y) for x, y in points * (2 if len(points) == 1 else 1))  # a single one is a dot
        width = f'stroke-width="{1.6 if len(points) > 1 else 5}" stroke-linecap="round"'
        parts.append(f'<polyline fill="none" stroke="{colour}" {width} points="{line}"/>')
        parts.append(_label(name, WIDTH - 62 * (len(found) - 1 - row), 14, colour=f'fill="{colour}"'))
    said = _text(f"{title} over {last} epochs, between {low:.4g} and {high:.4g}")
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" {size}>{"".join(parts)}</svg>'


def page(document: str, title: str) -> str:
    """Return a separate document inside the notebook, without scripts."""
    return (
        f'<iframe title="{_text(title)}" sandbox="" srcdoc="{escape(document)}" '
        'style="width:100%;height:640px;border:1px solid #8884"></iframe>'
    )


def _text(text: object) -> str:
    return escape(printable(str(text)))


def _cell(tag: str, value: object, place: int) -> str:
    return f'<{tag} style="text-align:{"right" if place else "left"}">{_text(value)}</{tag}>'


def _points(values: Sequence[float]) -> list[tuple[int, float]]:
    """Return the finite values with their numbers from 0; of many, a visible selection with the last."""
    stride = -(-len(values) // MOST_POINTS)
    places = [*range(0, len(values) - 1, stride or 1), len(values) - 1] if values else []
    return [(place, values[place]) for place in places if math.isfinite(values[place])]


def _place(x: int, y: float, low: float, high: float, last: int) -> str:
    measure = math.log if low > 0 and high > LOG_FROM * low else float
    height = (measure(y) - measure(low)) / ((measure(high) - measure(low)) or 1)
    across, down = (WIDTH - LEFT - 4) / max(last - 1, 1), HEIGHT - BOTTOM - TOP - 6
    return f"{LEFT + 2 + x * across:.1f},{HEIGHT - BOTTOM - 3 - height * down:.1f}"


def _label(text: str, x: int, y: int, anchor: str = "end", colour: str = 'fill="currentColor"') -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {colour}>{_text(text)}</text>'
