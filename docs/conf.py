"""The site: pages of MyST Markdown whose code runs when they are built, and a reference made from the docstrings."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import chainrule

DOCS = Path(__file__).resolve().parent
MADE = DOCS.parent / ".venv" / "docs"  # what `make docs` fetches and keeps
PROJECT = DOCS.parent / "pyproject.toml"

sys.path.insert(0, str(DOCS / "_ext"))
# The kernels that run the pages find the book's figures.
os.environ["PYTHONPATH"] = os.pathsep.join([str(DOCS / "learn"), os.environ.get("PYTHONPATH", "")])
# They do not see what a developer's own IPython does at its start, and say nothing of how they are connected.
os.environ["IPYTHONDIR"] = str(MADE / "ipython")
(MADE / "ipython" / "profile_default").mkdir(parents=True, exist_ok=True)
settings = MADE / "ipython" / "profile_default" / "ipython_kernel_config.json"
settings.write_text('{"IPKernelApp": {"log_level": 40}}', encoding="utf-8")

project = "chainrule"
author = copyright = "The chainrule authors"
version = release = chainrule.__version__
repository_url = ""  # without it, links to source files lead to pages of this site
if PROJECT.is_file():
    repository_url = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["chainrule"]["repository_url"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "checks",
    "equations",
    "names",
    "notebooks",
    "reference",
    "source",
]
exclude_patterns = ["_build", "README.md", "learn/figures"]
nitpicky = True
suppress_warnings: list[str] = []
if pages := os.environ.get("DOCS_PAGES", "").split():  # these alone, whose links to the others lead nowhere
    include_patterns = ["index.md", *(f"{page}.*" for page in pages)]
    nitpicky = False
    suppress_warnings = ["toc", "ref", "myst.xref_missing"]

# ---- pages
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"]
myst_heading_anchors = 4
nb_execution_mode = "force"  # `make docs` keeps what a page printed until its code or the library changes
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
mathjax_path = "tex-svg.js"  # MathJax in one file: formulas need nothing from elsewhere
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
copybutton_exclude = ".linenos, .gp, .go"

# ---- HTML
html_theme = "pydata_sphinx_theme"
html_title = "chainrule"
html_static_path = [str(path) for path in (DOCS / "_static", MADE / "static") if path.is_dir()]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_logo = html_favicon = "_static/logo.svg"
html_theme_options = {
    "logo": {"text": "chainrule"},
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc", "notebook"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "search_as_you_type": True,
    "icon_links": [{"name": "Source", "url": repository_url, "icon": "fa-solid fa-code"}] if repository_url else [],
}
html_show_sourcelink = False
html_copy_source = False
