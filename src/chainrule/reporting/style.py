"""The look of the page: its style for light and dark screens, phones and paper, and figures embedded in it."""

from __future__ import annotations

import base64
import io
import warnings
from typing import TYPE_CHECKING

from .._support.checks import Array, require
from .answers import WHO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
STYLE = """
:root { --ink: #1c2530; --soft: #5b6775; --line: #dde3e9; --paper: #ffffff; --back: #f4f6f8; --warn: #fff6e0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --soft: #9aa7b4; --line: #333d47; --paper: #1a2129; --back: #12171d; --warn: #3a3119; }
  img { filter: brightness(.92); }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header, main { max-width: 78rem; margin: 0 auto; padding: 0 1rem; }
.halves { columns: 2; column-gap: 1.1rem; margin-bottom: 1.1rem; }
.halves section:last-child { margin-bottom: 0; }
header { padding-top: 2.2rem; padding-bottom: 1rem; }
h1 { margin: 0 0 .3rem; font-size: 1.8rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .8rem; font-size: 1.2rem; }
h3 { margin: 1.4rem 0 .4rem; font-size: 1rem; color: var(--soft); overflow-wrap: anywhere; }
p { margin: .6rem 0; max-width: 46rem; overflow-wrap: anywhere; }
header p, section p { color: var(--soft); }
section {
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.2rem 1.3rem; margin: 0 0 1.1rem; break-inside: avoid;
}
main { padding-bottom: 3rem; }
p.note { background: var(--warn); color: var(--ink); border-radius: 6px; padding: .6rem .8rem; max-width: none; }
figure { margin: 0 0 .8rem; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td {
  text-align: left; vertical-align: top; padding: .32rem 1rem .32rem 0; border-bottom: 1px solid var(--line);
  unicode-bidi: isolate;
}
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td, tbody th { max-width: 26rem; overflow-wrap: break-word; white-space: normal; }
.scores { width: 100%; }
.scores tbody th { max-width: none; padding-right: 2rem; color: var(--ink); }
.scores td { font-size: 1.05rem; }
.scores small { display: block; font-weight: 400; color: var(--soft); }
th.n, td.n { text-align: right; }
.n, td.s { white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
tr > :last-child { padding-right: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.4rem 2.5rem; }
.facts > div { min-width: 0; }
.facts h3 { margin-top: 0; color: var(--ink); }
.facts tbody th { font-weight: 400; }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem 1.2rem; margin: .8rem 0 0; padding: 0; list-style: none; }
.tiles li { width: 6.4rem; font-size: .82rem; line-height: 1.35; overflow-wrap: anywhere; }
.tiles img {
  width: 100%; margin-bottom: .3rem; border: 1px solid var(--line); border-radius: 4px; image-rendering: pixelated;
}
@media (max-width: 60rem) { .halves { columns: 1; } }
@media (max-width: 40rem) {
  header, main { padding-left: .6rem; padding-right: .6rem; }
  section { padding: 1rem .8rem; }
  h1 { font-size: 1.45rem; }
  th, td { padding-right: .75rem; }
}
@media print {
  :root { --ink: #000; --soft: #444; --line: #ccc; --paper: #fff; --back: #fff; --warn: #fff; }
  body { font-size: 10.5pt; }
  .halves { columns: 1; }
  section { border: 0; padding: 0; margin: 1.4rem 0; }
  figure, tr, li, h2, h3 { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
}
"""


DOTS_PER_INCH = 144
PIXELS_PER_INCH = 96  # of CSS


def document(title: str, header: str, main: str, style: str = "") -> str:
    """Return a page that loads nothing and runs no scripts; its parts must be escaped."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<header>
{header}</header>
<main>
{main}</main>
</body>
</html>
"""


def as_image(figure: Figure, description: str) -> str:
    """Return an ``<img>`` of the figure with its size in CSS pixels; the description must be escaped."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font lacks are drawn as boxes
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    width, height = (round(PIXELS_PER_INCH * inches) for inches in figure.get_size_inches())
    return f'<img alt="{description}" width="{width}" height="{height}" src="{_data(stream)}">'


def as_small_images(images: Array) -> list[str]:
    """Return an ``<img>`` of each image of (M, height, width); large values are dark."""
    imsave = require("matplotlib.image", "plots", WHO).imsave
    low, high = float(images.min()), float(images.max())
    found = []
    for image in images:
        stream = io.BytesIO()
        imsave(stream, image, cmap="gray_r", vmin=low, vmax=high if high > low else low + 1, format="png")
        found.append(f'<img alt="" src="{_data(stream)}">')
    return found


def _data(stream: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
