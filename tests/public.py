"""What is public: the names at the top, and those of the namespaces that hold classes and functions to be called."""

from __future__ import annotations

from typing import Any

import chainrule as cr

NAMESPACES = ("callbacks", "convert", "data", "exercises", "schedules")


def public_things() -> dict[str, Any]:
    """Each public thing by its name, whichever namespace it is in."""
    things = {name: getattr(cr, name) for name in cr.__all__}
    for namespace in NAMESPACES:
        module = getattr(cr, namespace)
        things |= {name: getattr(module, name) for name in module.__all__}
    return things
