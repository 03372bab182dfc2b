"""Equations as the docstrings write them, in Unicode, become TeX: ``dz = dy · σ′`` is typeset and words stay words.

A row is read once from left to right. Words that stand among words are prose; words beside an operator are names.
Juxtaposed factors bind closer than a ``/`` between spaces, and a ``/`` without spaces joins single factors:

    wₙ lₙ / Σₙ wₙ    is    \\frac{w_n l_n}{\\sum_n w_n},        g m/n    is    g \\frac{m}{n}.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₙₖᵢⱼₗₘₜₚ₊₋", "0123456789aeoxnkijlmtp+-", strict=True))
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵗᵛˢᶻⁿ", "0123456789+-tvszn", strict=True))
SUPERSCRIPTS |= {"ᵀ": r"\mathsf{T}", "′": r"\prime "}
GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau"
GREEK += " upsilon phi chi psi omega"
LETTERS = {chr(0x3B1 + place): rf"\{name} " for place, name in enumerate(GREEK.split())}
LETTERS |= {
    "ε": r"\varepsilon ",
    "φ": r"\varphi ",
    "Φ": r"\Phi ",
    "Π": r"\Pi ",
    "Σ": r"\sum ",
    "∫": r"\int ",
    "½": r"\tfrac12 ",
}
LETTERS |= {"…": r"\dots ", "...": r"\dots ", "⋯": r"\cdots ", "!": "!"}
RELATIONS = {"=": "=", "<": "<", ">": ">", "≤": r"\le ", "≥": r"\ge ", "<=": r"\le ", ">=": r"\ge ", "~": r"\sim "}
RELATIONS |= {"∈": r"\in ", "←": r"\leftarrow ", "≈": r"\approx "}
OPERATORS = RELATIONS | {
    "+": "+",
    "−": "-",
    "·": r"\cdot ",
    "∘": r"\circ ",
    "∗": r"\ast ",
    ",": ",\\ ",
    ";": ";\\ ",
    ":": "{:}",
}
BRACKETS = {"(": ")", "[": "]", "⟨": "⟩", "⌊": "⌋", "|": "|", "‖": "‖"}
DELIMITERS = {"⟨": r"\langle ", "⟩": r"\rangle ", "⌊": r"\lfloor ", "⌋": r"\rfloor "}
ACCENTS = {"\u0302": r"\hat", "\u0304": r"\bar"}
FUNCTIONS = {"exp", "log", "max", "min", "tanh", "cosh", "cos", "sin"}
LIMITS = {"argmax", "mean"}  # an index stands below them
APPLIED = {"erf", "sign", "var", "diag"} | FUNCTIONS  # to what follows, in brackets or not
PROSE = {"and", "at", "else", "for", "if", "in", "is", "of", "or", "so", "to", "where", "while", "with"}

TOKEN = re.compile(
    rf"""
    (?P<space>\s+)
    | (?P<code>``[^`]*``)
    | (?P<dots>\.\.\.)
    | (?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
    | (?P<differential>d(?P<of>gain|bias|[A-Zα-ωa-z]\d?)(?P<hat>[\u0302\u0304]?)(?:_(?P<index>\w))?(?![A-Za-z0-9_'-]))
    | (?P<accented>[A-Za-zα-ω][\u0302\u0304])
    | (?P<word>[A-Za-z][A-Za-z0-9_]*(?:['-][a-z]+)*)
    | (?P<sub>[{"".join(SUBSCRIPTS)}]+)
    | (?P<sup>[{"".join(SUPERSCRIPTS)}]+)
    | (?P<symbol><=|>=|\S)
    """,
    re.VERBOSE,
)


#: In a docstring an equation is what is indented before the first section.
BLOCK = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
SECTION = re.compile(r"^\w[\w ]*\n-{3,}$", re.MULTILINE)


def replace(docstring: str, by: Callable[[str], str]) -> str:
    """The docstring with its equations replaced; an indented block after a double colon is code, and stays."""
    section = SECTION.search(docstring)
    end = section.start() if section else len(docstring)

    def replaced(found: re.Match[str]) -> str:
        code = docstring[: found.start()].endswith("::\n\n")
        return found[0] if code else by(found[0].rstrip())

    return BLOCK.sub(replaced, docstring[:end]) + docstring[end:]


@dataclass
class Token:
    """A piece of a row; ``after_space`` says how closely it stands to the piece before."""

    kind: str
    text: str
    after_space: bool
    match: re.Match[str]


def rows(equation: str) -> list[list[str | None]]:
    """The rows of an equation; of each its pieces in order: TeX begins with a dollar, prose does not, None is a gap."""
    lines = [line.strip() for line in unicodedata.normalize("NFD", equation).splitlines()]
    return [row(line) for line in lines if line]


def row(line: str) -> list[str | None]:
    """The pieces of one line."""
    pieces: list[str | None] = []
    for part in re.split(r"\s{3,}", line):
        pieces += [*([None] if pieces else []), *runs(tokens(part))]
    return pieces


def tokens(line: str) -> list[Token]:
    """Cut a line into tokens, and decide of each word whether it is prose, a name, a function or letters."""
    found: list[Token] = []
    space = True
    for match in TOKEN.finditer(line):
        kind = match.lastgroup if match.lastgroup not in ("of", "hat", "index") else "differential"
        if kind != "space":
            text = match[0]
            if kind == "word" and len(text) == 2 and not text.islower():  # xW, a product
                found.append(Token("letter", text[0], space, match))
                found.append(Token("letter", text[1], False, match))
            else:
                found.append(Token(str(kind), text, space, match))
        space = kind == "space"
    depth = 0
    for place, token in enumerate(found):
        depth += (token.text in "([") - (token.text in ")]")
        if token.kind == "word":
            around = [found[place - 1] if place else None, *found[place + 1 : place + 2], None]
            token.kind = of_word(token.text, *around[:2], inside=depth > 0)
    for token, after in pairwise(found):
        if token.text == "a" and after.kind == "prose" and len(after.text) > 2:
            token.kind = "prose"
    return found


def of_word(text: str, before: Token | None, after: Token | None, *, inside: bool) -> str:
    """What a word is, by itself and by its neighbours; ``inside`` brackets or not."""
    if len(text) == 1:
        return "letter"
    if re.fullmatch(r"[A-Za-z]\d?_\w", text):
        return "indexed"
    if text in PROSE or (before is not None and before.text == "the"):
        return "prose"
    if text in APPLIED:
        return "function"
    tight = after is not None and not after.after_space
    if tight and (after.text == "(" or after.kind in ("sub", "sup")):
        return "function" if after.text == "(" or text in LIMITS else "name"
    around = [token for token in (before, after) if token]
    if any(token.text in {*RELATIONS, *"+−·∗/^|‖"} for token in around):
        return "name"
    return "name" if inside and all(token.text in "()[]," for token in around) else "prose"


def runs(found: list[Token]) -> list[str]:
    """Formulas and prose by turns; inside brackets everything is formula."""
    pieces: list[str] = []
    depth, start = 0, 0
    for place, token in enumerate([*found, None]):
        if token and token.text in BRACKETS and not (token.text in "|‖" and depth):
            depth += 1
        elif token and token.text in BRACKETS.values() and depth:
            depth -= 1
        outside = token is None or (depth == 0 and (token.kind in ("prose", "code") or token.text in (",", ";", ":")))
        if outside:
            if place > start:
                pieces.append("$" + Formula(found[start:place]).tex)
            start = place + 1
            if token is None:
                break
            if token.kind not in ("prose", "code") and pieces:
                pieces[-1] += token.text  # the comma never begins a line
            elif pieces and not pieces[-1].startswith("$") and not pieces[-1].endswith((",", ";", ":")):
                pieces[-1] += " " + token.text
            else:
                pieces.append(unicodedata.normalize("NFC", token.text))
    return pieces


class Formula:
    """The TeX of tokens, by recursive descent."""

    def __init__(self, found: list[Token]) -> None:
        self.found, self.place, self.flat = found, 0, False
        self.tex = self.products("")
        if self.place < len(found):
            raise ValueError(f"an equation closes {found[self.place].text!r}, which nothing opens")

    def peek(self) -> Token | None:
        """The next token."""
        return self.found[self.place] if self.place < len(self.found) else None

    def products(self, closing: str) -> str:
        """Products, quotients and the operators between them, up to the closing bracket or the end."""
        done, product = "", ""
        while (token := self.peek()) and token.text != closing and token.text not in ")]⟩⌋":
            if token.text == "/":
                self.place += 1
                product = self.quotient(product, tight=not token.after_space)
            elif token.kind == "prose":
                done, product = done + product + self.words(), ""
            elif token.text in OPERATORS:
                self.place += 1
                done, product = done + product + OPERATORS[token.text], ""
            else:
                product = self.times(product, token)
        return done + product

    def words(self) -> str:
        """Prose inside brackets."""
        start = self.place
        while (token := self.peek()) and token.kind == "prose":
            self.place += 1
        words = " ".join(token.text for token in self.found[start : self.place])
        opens = start > 0 and self.found[start - 1].text in BRACKETS
        closes = token is not None and token.text in BRACKETS.values()
        return rf"\text{{{'' if opens else ' '}{words}{'' if closes else ' '}}}"

    def times(self, product: str, token: Token) -> str:
        """The product with one more factor; ``last`` is where that begins."""
        apart = token.after_space and product and not product.endswith((" ", "}\\!"))
        self.last = len(product) + 2 * bool(apart)
        return product + (r"\," if apart else "") + self.factor()

    def quotient(self, product: str, *, tight: bool) -> str:
        """A fraction; in an exponent, a slash."""
        kept, above = (product[: self.last], product[self.last :]) if tight else ("", product)
        below = ""
        while (token := self.peek()) and token.text not in {*OPERATORS, *"/)]⟩⌋"} and token.kind != "prose":
            if token.text in "|‖" and self.closes(token.text):
                break
            below = self.times(below, token)
            if tight:
                break
        if not (above and below):
            raise ValueError("an equation divides nothing, or by nothing")
        self.last = len(kept)
        if self.flat:
            return f"{kept}{above}/{below}"
        return rf"{kept}\frac{{{bare(above)}}}{{{bare(below)}}}"

    def closes(self, bar: str) -> bool:
        """Whether this bar closes: an odd number of them stands before it."""
        return sum(token.text == bar for token in self.found[: self.place]) % 2 == 1

    def factor(self) -> str:
        """An atom with its indices and powers."""
        tex = self.atom()
        sub = sup = ""
        while token := self.peek():
            if token.kind == "sub":
                self.place += 1
                sub += "".join(SUBSCRIPTS[sign] for sign in token.text)
                if (following := self.peek()) and following.text == "∈" and not following.after_space:
                    self.place += 1
                    sub += r"\in " + self.factor()
            elif token.kind == "sup":
                self.place += 1
                sup += "".join(SUPERSCRIPTS[sign] for sign in token.text)
            elif token.text == "^":
                self.place += 1
                self.flat, before = True, self.flat
                sup += bare(self.factor())
                self.flat = before
            else:
                break
        if sub and "_{" in tex[-5:]:  # not twice
            raise ValueError(f"an equation has two indices at {tex}")
        return tex + (f"_{{{sub}}}" if sub else "") + (f"^{{{sup}}}" if sup else "") + self.argument(tex)

    def argument(self, tex: str) -> str:
        """The brackets that follow a function at once."""
        token = self.peek()
        if tex.startswith(r"\operatorname") or tex.strip("\\ ") in FUNCTIONS:
            if token and token.text == "(" and not token.after_space:
                return self.factor()
            return " "
        return ""

    def atom(self) -> str:
        """One symbol, word, number or bracket."""
        token = self.peek()
        if token is None:
            raise ValueError("an equation ends where a symbol is due")
        self.place += 1
        text, parts = token.text, token.match
        if token.kind == "number":
            following = self.peek()
            if text == "1" and following and following.text == "[" and not following.after_space:
                return r"\mathbf{1}"
            mantissa, _, power = text.partition("e")
            return f"{'' if mantissa == '1' else mantissa + '·'}10^{{{power}}}" if power else text
        if token.kind == "differential":
            index = re.sub(r"\D", "", parts["of"]) + (parts["index"] or "")
            of = accent(letter(re.sub(r"\d", "", parts["of"])), parts["hat"])
            return rf"\mathrm{{d}}{of}" + (f"_{{{index}}}" if index else "")
        if token.kind == "accented":
            return accent(letter(text[0]), text[1])
        if token.kind == "indexed":
            return f"{text[0]}_{{{text[1:].replace('_', '')}}}"
        if token.kind == "function":
            return rf"\{text}" if text in FUNCTIONS else rf"\operatorname{'*' * (text in LIMITS)}{{{escaped(text)}}}"
        if text in ("√", "∂"):
            inner = self.factor()
            return rf"\sqrt{{{bare(inner)}}}" if text == "√" else rf"\partial {inner}"
        if text in BRACKETS:
            return self.bracket(text)
        return letter(text)

    def bracket(self, opening: str) -> str:
        """What stands between brackets, and these as tall as it is."""
        closing, outside = BRACKETS[opening], self.last if hasattr(self, "last") else 0
        inner = self.products(closing)
        token = self.peek()
        if token is None or token.text != closing:
            raise ValueError(f"an equation opens {opening!r} and does not close it")
        self.place += 1
        self.last = outside
        left, right = DELIMITERS.get(opening, opening), DELIMITERS.get(closing, closing)
        if opening in "|‖":
            left, right = (r"\lvert ", r"\rvert ") if opening == "|" else (r"\lVert ", r"\rVert ")
        return rf"\left{left}{inner}\right{right}" if r"\frac" in inner else f"{left}{inner}{right}"


def bare(tex: str) -> str:
    """Without the brackets around all of it, which a fraction or a root replaces."""
    for left, right in ((r"\left(", r"\right)"), ("(", ")")):
        if tex.startswith(left) and tex.endswith(right):
            inner, depth = tex[len(left) : -len(right)], 0
            for sign in re.findall(r"[()]", inner):
                depth += 1 if sign == "(" else -1
                if depth < 0:
                    return tex
            return inner
    return tex


def letter(text: str) -> str:
    """A letter, a Greek one or a name."""
    if not text.isascii() and text not in LETTERS:
        raise ValueError(f"an equation has {text!r}, whose TeX is not known")
    return LETTERS.get(text) or (rf"\mathit{{{escaped(text)}}}" if len(text) > 1 else text)


def accent(tex: str, mark: str) -> str:
    """The letter under its hat or bar."""
    return f"{ACCENTS[mark]}{{{tex.strip()}}}" if mark else tex


def escaped(text: str) -> str:
    """A name with its underscores."""
    return text.replace("_", r"\_")
