"""Compiled twins of the hot ops: optional, built if a compiler was available at installation.

``CHAINRULE_KERNELS=numpy`` disables them and ``CHAINRULE_KERNELS=fused`` requires them. By default they are used if
they exist.
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
#: Why there are no compiled kernels; "" if there are.
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


#: "fused" or "numpy": which of the two computes; fixed at import.
KERNELS = _chosen()
#: Instruction set of the compiled kernels in use: "AVX-512", "AVX2", ...; "" without them.
INSTRUCTIONS: str = getattr(_kernels, "INSTRUCTIONS", "")
#: Whether the processor multiplies bfloat16 with an instruction of its own.
BFLOAT16: bool = getattr(_kernels, "MULTIPLIES_BFLOAT16", False)

# A browser has no compiler.
_warn_once = bool(ABSENT) and os.environ.get("CHAINRULE_KERNELS", "") == "" and sys.platform != "emscripten"


def warn_if_absent() -> None:
    """Warn, once, that training runs without compiled kernels, unless the user disabled them."""
    global _warn_once
    if _warn_once:
        _warn_once = False
        remedy = ", or ".join([*_REMEDIES, "set CHAINRULE_KERNELS=numpy to silence this warning."])
        warn(
            f"chainrule trains with NumPy alone, several times slower than with its compiled kernels ({ABSENT}). "
            f"{remedy[0].upper()}{remedy[1:]}"
        )


#: The compiled functions if they are in use, else None.
compiled: Any = _kernels if KERNELS == "fused" else None


def twin(plain: Function) -> Function:
    """Return the compiled function of the same name if kernels are in use and it exists, else the plain one.

    The compiled function falls back on the plain one, its ``__wrapped__``, for arrays that no kernel accepts.
    """
    found: Function | None = None if _kernels is None else _kernels.twin(plain)
    return plain if found is None or compiled is None else found
