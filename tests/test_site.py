"""What the site is made of: a page for every public name, equations that can be typeset, links that lead somewhere."""

from __future__ import annotations

import html
import inspect
import json
import re
import shutil
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from docs._ext import checks, reference, unicode_tex

ROOT = Path(__file__).resolve().parents[1]
MARKDOWN = [*ROOT.glob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("docs/**/*.md")]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["chainrule"]["repository_url"]


def docstrings() -> Iterator[str]:
    """Those of all public names and of their methods."""
    for thing in reference.public_names().values():
        yield from map(inspect.getdoc, [thing, *(vars(thing).values() if inspect.isclass(thing) else ())])


def equations() -> list[str]:
    found: list[str] = []
    for text in docstrings():
        unicode_tex.replace(f"{text}\n", lambda equation: found.append(equation) or equation)
    return list(dict.fromkeys(found))


def formulas() -> list[str]:
    rows = [row for equation in equations() for row in unicode_tex.rows(equation)]
    return [piece[1:] for row in rows for piece in row if piece and piece.startswith("$")]


def test_every_public_name_stands_on_one_page_in_one_group() -> None:
    names = reference.public_names()
    on_pages = [name for together in reference.pages().values() for name in together]
    assert sorted(on_pages) == sorted(names)
    assert all(reference.group_of(name, thing) for name, thing in names.items())
    assert {name.split(".")[0] for name in names} >= {"Linear", "ops", "metrics", "plots", "save"}


def test_a_name_of_an_unknown_place_is_refused() -> None:
    with pytest.raises(LookupError, match=r"chainrule\.json\.dumps has no group"):
        reference.group_of("json.dumps", json.dumps)


def test_every_proof_stands_on_the_page_of_its_name(tmp_path) -> None:
    reference.write(tmp_path / "reference")
    pages = {file.stem: file.read_text(encoding="utf-8") for file in tmp_path.glob("reference/*.rst")}
    for name, rows in reference.proved().items():
        for variant, error in rows:
            assert f"* {variant}: **{error:.1e}**" in pages[name]
    assert "Proof" not in pages["Adam"]
    assert ".. autofunction:: affine_backward" in pages["ops.affine"]


def test_pages_of_names_that_are_gone_are_removed_and_others_left_alone(tmp_path) -> None:
    reference.write(tmp_path)
    gone, kept = tmp_path / "Gone.rst", tmp_path / "Linear.rst"
    gone.touch()
    before = kept.stat().st_mtime_ns
    reference.write(tmp_path)
    assert not gone.exists()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "equation, tex",
    [
        ("dx = dy Wᵀ", [r"$\mathrm{d}x=\mathrm{d}y\,W^{\mathsf{T}}"]),
        ("L = Σₙ wₙ lₙ / Σₙ wₙ", [r"$L=\frac{\sum _{n}\,w_{n}\,l_{n}}{\sum _{n}\,w_{n}}"]),
        ("g m/n + 1", [r"$g\,\frac{m}{n}+1"]),
        ("ŷ = (x − μ) / √(σ² + ε)", [r"$\hat{y}=\frac{x-\mu }{\sqrt{\sigma ^{2}+\varepsilon }}"]),
        (
            "η = rate · decay^(step / every)",
            [r"$\eta =\mathit{rate}\cdot \mathit{decay}^{\mathit{step}/\mathit{every}}"],
        ),
        ("dz = sign r,  0 at r = 0", [r"$\mathrm{d}z=\operatorname{sign} r,", "$0", "at", "$r=0"]),
        ("dx = dy · (1 if x > 0 else a)", [r"$\mathrm{d}x=\mathrm{d}y\cdot (1\text{ if }x>0\text{ else }a)"]),
        ("y = x      dx = dy", ["$y=x", None, r"$\mathrm{d}x=\mathrm{d}y"]),
        ("l = Σ |r| / 2", [r"$l=\frac{\sum \lvert r\rvert }{2}"]),
        ("p < 1e-12", ["$p<10^{-12}"]),
        ("c = ∫₀¹ f(t) dt", [r"$c=\int _{0}^{1}\,f(t)\,\mathrm{d}t"]),
    ],
)
def test_an_equation_in_unicode_becomes_tex_and_words(equation: str, tex: list[str | None]) -> None:
    assert unicode_tex.rows(equation) == [tex]


@pytest.mark.parametrize("equation", ["y = f(x", "y = x)", "y = √", "y = x / ", "y = ∮ x"])
def test_an_equation_that_cannot_be_read_is_refused(equation: str) -> None:
    with pytest.raises(ValueError, match="an equation"):
        unicode_tex.rows(equation)


def test_every_equation_of_a_docstring_becomes_balanced_tex() -> None:
    found = formulas()
    assert len(found) > 200
    for tex in found:
        assert tex.count("{") == tex.count("}")
        assert tex.count(r"\left") - tex.count(r"\leftarrow") == tex.count(r"\right")
        assert [sign for sign in tex if ord(sign) > 127 and unicodedata.category(sign) != "Po"] == []


def test_code_in_a_docstring_is_no_equation() -> None:
    text = (
        "Sentence.\n\n    y = x\n\nLike this::\n\n    y = f(x)\n\nParameters\n----------\nx : array\n\n    y = g(x)\n"
    )
    assert unicode_tex.replace(text, str.upper) == text.replace("    y = x\n", "    Y = X")


def test_mathjax_typesets_every_formula_of_a_docstring() -> None:
    if shutil.which("node") is None or not checks.MATHJAX.is_file():
        pytest.skip("node and MathJax are there after `make docs`")
    page = checks.Page(
        "".join(f'<span class="math">\\({html.escape(tex)}\\)</span>' for tex in [*formulas(), r"\frac{a"])
    )
    assert list(checks.refused({ROOT: page})) == [r"MathJax: Missing close brace: \frac{a"]


def test_what_leads_nowhere_or_comes_from_elsewhere_is_found(tmp_path) -> None:
    file = tmp_path / "page.html"
    file.write_text(
        '<link rel="stylesheet" href="https://fonts.example/a.css"><img src="//cdn.example/b.png"><script src="c.js">'
        '</script><h1 id="top"></h1><a href="#top">up</a><a href="#gone">gone</a><a href="page.html#top">here</a>'
        '<a href="other.html">other</a><a href="https://example.org">a link may leave</a>'
    )
    pages = {file: checks.Page(file.read_text())}
    assert [fault.split()[-1] for fault in checks.foreign(pages)] == [
        "//cdn.example/b.png",
        "https://fonts.example/a.css",
    ]
    assert [fault.split(" links to ")[1] for fault in checks.broken(pages)] == [
        "#gone, and there is no such anchor",
        "c.js, and there is no such file",
        "other.html, and there is no such file",
    ]


def slugs(file: Path) -> set[str]:
    """The anchors that a Markdown file has for its headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def labels() -> set[str]:
    """The anchors that a page of the site names, to which every page may link."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in ROOT.glob("docs/**/*.md"))
    return set(re.findall(r"^\((.*)\)=$", text, re.MULTILINE)) | set(re.findall(r"^ *name: (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", text):
        path = (file.parent / target).resolve() if target else file
        assert path.exists() or "docs/reference/" in path.as_posix(), f"{target} of {file.name}"
        if path.suffix == ".md" and anchor:
            assert anchor in slugs(path) | labels(), f"{target}#{anchor} of {file.name}"
    for source in re.findall(r"\{source\}`([^`:]*)", text):
        assert any((root / source).is_file() for root in (ROOT / "src" / "chainrule", ROOT)), source


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_package_and_the_citation_name_the_repository() -> None:
    urls = metadata("chainrule").get_all("Project-URL") or []
    assert [url for url in urls if url.startswith("Source")] == ([f"Source, {REPOSITORY}"] if REPOSITORY else [])
    cited = re.findall(r"^repository-code: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited == ([REPOSITORY] if REPOSITORY else [])
