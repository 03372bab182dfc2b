"""A public name in code font, such as ``cr.Adam(0.1)`` or ``chainrule.Linear``, links to its page of the reference."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

NAME = re.compile(r"(?:cr|chainrule)\.((?:[a-z_]+\.)?[A-Za-z_0-9]+)(\(.*\))?")


class Names(SphinxTransform):
    """Wrap such a piece of code in a reference, which stays plain where there is no page."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Find them, but for those that are links already."""
        for code in list(self.document.findall(nodes.literal)):
            found = NAME.fullmatch(code.astext())
            if found and not isinstance(code.parent, (nodes.reference, pending_xref)):
                options = {"refdoc": self.env.docname, "refdomain": "py", "reftype": "obj", "refexplicit": True}
                link = pending_xref("", reftarget=f"chainrule.{found[1]}", refwarn=False, **options)
                code.replace_self(link)
                link += code


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
