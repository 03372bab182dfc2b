"""Hash pieces of text in ONNX: characters by ONNX Runtime's Tokenizer, the hash in 64-bit integers.

ONNX itself cannot split text. The operator belongs to ONNX Runtime, in all its builds except those for browsers.
"""

from __future__ import annotations

from collections.abc import Collection
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from ...layers.program import Call
from ...tabular.encoders.texts import MIX, MOST_CHARACTERS, P, Q
from ..tables import encodable
from .network import ListGraph

MICROSOFT, ML = "com.microsoft", "ai.onnx.ml"
_END = -1  # after the last character
_BLANK = ord(" ")


def pieces(g: ListGraph, call: Call, x: str, missing: Collection[str]) -> str:
    """Compute the sums (N, B) of texts (N, 1), each of length 1; then 1 for a missing text, if the call asks for it."""
    words = sorted(filter(encodable, missing))
    gone = g.LabelEncoder(x, domain=ML, keys_strings=words, values_int64s=[1] * len(words), default_int64=0)
    buckets = int(call.numbers["buckets"])
    known = dict.fromkeys(call.arrays["alphabet"].tolist())
    first, second, third = _threes(g, _letters(g, x, gone, known), MOST_CHARACTERS + 2)
    mixed = g.Add(g.Add(g.Mul(first, np.array([P**2])), g.Mul(second, np.array([P]))), third)
    h = g.Mod(g.Mul(g.Mod(mixed, np.array([Q])), np.array([MIX])), np.array([Q]))
    odd = g.Mod(g.Div(h, np.array([buckets])), np.array([2]))
    sign = g.Sub(g.Mul(odd, np.array([2])), np.array([1]))
    counted = g.cast(g.Where(g.Equal(third, np.array([_END])), np.array([0]), sign), np.float64)
    gap = g.cast(gone, np.float64)
    empty = g.Mul(gap, np.zeros((1, buckets)))
    place = g.Max(g.Mod(h, np.array([buckets])), np.array([0]))
    sums = g.Mul(g.ScatterElements(empty, place, counted, axis=1, reduction="add"), g.Sub(1.0, gap))
    length = g.Sqrt(g.ReduceSum(g.Mul(sums, sums), np.array([1]), keepdims=1))
    sums = g.Div(sums, g.Where(g.Equal(length, 0.0), 1.0, length))
    return g.Concat(sums, gap, axis=1) if call.numbers["says"] else sums


def _letters(g: ListGraph, x: str, gone: str, known: Collection[int]) -> str:
    """Compute the characters (N, L) of ⎵text⎵: lower case for A to Z, 0 for those unseen in training, then _END."""
    letters = g.Tokenizer(
        g.Reshape(x, np.array([-1])), domain=MICROSOFT, mark=0, pad_value="", separators=[""], mincharnum=1
    )
    g.add_texts(letters)
    blank = _BLANK if _BLANK in known else 0
    found = {chr(code): code for code in known if not (0xD800 <= code < 0xE000 or chr(code) in ascii_uppercase)}
    found |= {chr(code).upper(): code for code in known if chr(code) in ascii_lowercase}
    found[""] = _END
    codes = g.LabelEncoder(
        letters, domain=ML, keys_strings=list(found), values_int64s=list(found.values()), default_int64=0
    )
    codes = g.Slice(codes, np.array([0]), np.array([MOST_CHARACTERS]), np.array([1]))
    begin = g.Add(g.Mul(gone, np.array([0])), np.array([blank]))
    end = g.Add(g.Mul(gone, np.array([0])), np.array([_END]))
    after = g.Concat(codes, end, axis=1)
    before = g.Concat(begin, codes, axis=1)
    is_end = g.And(g.Equal(after, np.array([_END])), g.Not(g.Equal(before, np.array([_END]))))
    return g.Concat(begin, g.Where(is_end, np.array([blank]), after), axis=1)


def _threes(g: ListGraph, letters: str, most: int) -> list[str]:
    """Return the first, second and third of each three consecutive characters."""
    ends = ([0, -2], [1, -1], [2, most])
    return [g.Slice(letters, np.array([start]), np.array([end]), np.array([1])) for start, end in ends]
