"""Format names, strings, comments and numbers in C, whatever they contain."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np

from ..._support.checks import Array, sentence

LONGEST_NAME = 40  # characters; C99 distinguishes 63, some of them for suffixes
LONGEST_STRING = 500  # bytes; C99 guarantees 4095
LONGEST_WORD = 1000  # bytes, each of which takes four characters if escaped
PER_LINE = 8


def as_identifier(name: str | None, path: Path) -> str:
    """Return the prefix of all functions: the given name, or the valid characters of the file name."""
    if name is None:
        kept = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:LONGEST_NAME]
        return kept if kept[:1].isalpha() else f"model_{kept}".rstrip("_")
    if not isinstance(name, str) or not re.fullmatch(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        expected = f"a name of at most {LONGEST_NAME} letters, digits and underscores that begins with a letter"
        raise ValueError(sentence("export to C", expected, repr(name), 'pass name="model"'))
    return name


def string(text: str, longest: int = LONGEST_STRING) -> str:
    r"""Return a string literal in UTF-8: octal escapes of three digits, and no trigraph (``\?``)."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > longest:
        encoded = encoded[:longest].decode("utf-8", "ignore").encode() + b"..."
    return '"' + "".join(map(_escaped, encoded)) + '"'


def _escaped(byte: int) -> str:
    if chr(byte) in '"\\?':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def comment(text: str) -> str:
    """Escape text so that it cannot end its comment, hide what follows, or change its direction."""
    shown = "".join(char if char.isprintable() else f"<{ord(char):x}>" for char in text)
    shown = re.sub(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)", " ", shown)
    return shown.rstrip("\\ ")


def number(value: float) -> str:
    """Return a float32 literal."""
    return _literals(np.array([value]))[0]


def double(value: float) -> str:
    """Return a float64 literal."""
    return "NAN" if value != value else repr(value).replace("inf", "INFINITY")


def array(kind: str, name: str, values: Array) -> str:
    """Return a constant array, with each row of a matrix on its own lines."""
    rows = values if values.ndim == 2 else values[None]
    lines = [f"static const {kind} {name}[{values.size}] = {{"]
    for row in rows:
        texts = _numbers(kind, row)
        step = {"float": PER_LINE, "double": PER_LINE // 2}.get(kind, 2 * PER_LINE)
        lines += ["    " + ", ".join(texts[start : start + step]) + "," for start in range(0, len(texts), step)]
    return "\n".join([*lines, "};"])


def _literals(values: Array) -> list[str]:
    """Return the shortest decimals that read as the same float32."""
    return [f"{text}f" for text in values.astype(np.float32).astype(np.str_).tolist()]


def _numbers(kind: str, row: Array) -> list[str]:
    if kind == "float":
        return _literals(row)
    return list(map(double, row.tolist())) if kind == "double" else [f"{value:4d}" for value in row.tolist()]


LONGEST = 63  # characters that C99 distinguishes
_NUMBER = 5  # of these, for a number at the end
_WORDS = """
alignas alignof and asm auto bitand bitor bool break case catch char class compl concept const constexpr
continue decltype default delete do double else enum explicit export extern false float for friend goto if
inline int long mutable namespace new noexcept not nullptr operator or private protected public register
reinterpret_cast requires restrict return short signed sizeof static struct switch template this throw true try
typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor errno linux unix
i386 NULL NAN INFINITY
"""
RESERVED = frozenset(_WORDS.split())


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
