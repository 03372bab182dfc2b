"""Text from outside, made printable: nothing in it can move a cursor, colour a screen or turn a line around."""

from __future__ import annotations

MOST = 1000  # characters of one part of a message
_BREAKS = frozenset("\t\n\v\f\r")


def printable(text: str, most: int | None = None) -> str:
    r"""``text`` in one line of at most ``most`` characters, in which every character is seen.

    Line breaks and tabs become blanks. Control characters, escape sequences, marks that are invisible or turn the
    direction of writing, and halves of characters are written as Python writes them: ``\x1b``, ``\u202e``, ``\ud800``.
    Of a text that is too long, the end is left out.

    >>> printable("a\x1b[2Jb\u202ec\nd")
    'a\\x1b[2Jb\\u202ec d'
    >>> printable("0123456789", 7)
    '012345…'
    """
    start = text if most is None else text[: most + 1]
    shown = start if start.isprintable() else "".join(map(_shown, start))
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "…"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character in _BREAKS:
        return " "
    escaped = ascii(character)[1:-1]
    is_blank = character.isspace() and character >= "\xa0" and character not in "\u2028\u2029"
    return character if is_blank else escaped  # blanks of other widths do no harm
