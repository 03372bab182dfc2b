"""The site: Sphinx, the pages of MyST Markdown, and every code block of a notebook page executed when it is built."""

from __future__ import annotations

project = "chainrule"
author = copyright = "The chainrule authors"
extensions = ["myst_nb", "sphinx.ext.mathjax"]
html_theme = "pydata_sphinx_theme"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"]
mathjax_path = "tex-svg.js"  # MathJax in one file: formulas need nothing from elsewhere
nb_execution_raise_on_error = True
nb_execution_timeout = 300
exclude_patterns = ["_build", "README.md"]
