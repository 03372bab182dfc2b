"""Make distinct C names for columns and words: letters, digits and underscores."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 63  # characters that C99 distinguishes
_NUMBER = 5  # of these, for a number at the end
RESERVED = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "asm",
        "auto",
        "bitand",
        "bitor",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "compl",
        "concept",
        "const",
        "constexpr",
        "continue",
        "decltype",
        "default",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "not",
        "nullptr",
        "operator",
        "or",
        "private",
        "protected",
        "public",
        "register",
        "reinterpret_cast",
        "requires",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "template",
        "this",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "typeof",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "wchar_t",
        "while",
        "xor",
        "errno",
        "linux",
        "unix",
        "i386",
        "NULL",
        "NAN",
        "INFINITY",
    ]
)


class Names:
    """A set of distinct names."""

    def __init__(self) -> None:
        self._taken = set(RESERVED)

    def new(self, *parts: str) -> str:
        """Return a new name from these parts, the first of which begins with a letter or is alone."""
        name = "_".join(filter(None, map(_kept, parts))) or "column"
        name = name if name[0].isalpha() else f"c_{name}"
        name = found = name[: LONGEST - _NUMBER].rstrip("_")
        number = 1
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found


def _kept(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
