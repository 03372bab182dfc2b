"""Compiled twins of the hot ops, where a compiler was at hand when the package was built; never required.

``CHAINRULE_KERNELS=numpy`` leaves them out, ``CHAINRULE_KERNELS=fused`` insists on them; without it they are used where
they are there.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from ..._support.checks import sentence
from ..._support.notices import warn

Function = TypeVar("Function", bound=Callable[..., Any])

_kernels: ModuleType | None = None
#: Why there are no compiled kernels; "" where there are.
ABSENT = ""
_REMEDIES = ["install a C compiler and reinstall chainrule"]
try:
    _kernels = importlib.import_module("._kernels", __name__)
    if not _kernels.INSTRUCTIONS:
        _kernels, ABSENT, _REMEDIES = None, "this processor lacks AVX2", []
except ImportError as error:
    absent = isinstance(error, ModuleNotFoundError) and error.name == f"{__name__}._kernels"
    ABSENT = "not compiled when chainrule was installed" if absent else f"they do not load: {error}"


def _chosen() -> str:
    choice = os.environ.get("CHAINRULE_KERNELS", "").strip().lower()
    if choice not in ("", "fused", "numpy"):
        raise ValueError(sentence("CHAINRULE_KERNELS", "numpy or fused", repr(choice), "set one of them, or neither"))
    if choice == "fused" and _kernels is None:
        remedy = ", or ".join([*_REMEDIES, "unset the variable"])
        raise ImportError(sentence("CHAINRULE_KERNELS=fused", "compiled kernels", f"none ({ABSENT})", remedy))
    return choice or ("numpy" if _kernels is None else "fused")


#: "fused" or "numpy": which of the two computes, settled when the package is imported.
KERNELS = _chosen()
#: What the compiled kernels are compiled for here: "AVX-512", "AVX2", ...; "" without them.
INSTRUCTIONS: str = getattr(_kernels, "INSTRUCTIONS", "")

# In a browser there is no compiler to be had.
_untold = bool(ABSENT) and os.environ.get("CHAINRULE_KERNELS", "") == "" and sys.platform != "emscripten"


def tell_if_absent() -> None:
    """Warn that a training takes place without compiled kernels: once, and not whoever chose to have none."""
    global _untold
    if _untold:
        _untold = False
        remedy = "; or ".join([*_REMEDIES, "set CHAINRULE_KERNELS=numpy, and this is not said again."])
        warn(
            f"chainrule trains with NumPy alone, several times as slowly as with its compiled kernels ({ABSENT}). "
            f"{remedy[0].upper()}{remedy[1:]}"
        )


#: The compiled functions where they are in use, else None.
compiled: Any = _kernels if KERNELS == "fused" else None


def twin(plain: Function) -> Function:
    """The compiled function of the same name where kernels are in use and it has one, else the plain one.

    The compiled function calls the plain one, its ``__wrapped__``, for arrays that no kernel takes.
    """
    found: Function | None = None if _kernels is None else _kernels.twin(plain)
    return plain if found is None or compiled is None else found
