"""Free text as hashed pieces: the same in plain Python, in C and in ONNX."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tabular.encoders.texts import MIX, P, Q, hashed
from chainrule.tabular.encoding import TableEncoder

TEXTS = ["Hello World", "héllo", "", "ab", "The quick brown fox; jumps!", "日本語 text", "naïve café", "x" * 2000]
ALPHABET = "".join(sorted(set("".join(TEXTS).lower() + " ") - {"é"}))
BUCKETS = 16


def in_python(text: str, alphabet: str, buckets: int) -> list[float]:
    """The definition, one piece after the other."""
    characters = [ord(c) + 32 if "A" <= c <= "Z" else ord(c) for c in f" {text[:1000]} "]
    codes = [code if chr(code) in alphabet else 0 for code in characters]
    sums = [0.0] * buckets
    for a, b, c in zip(codes, codes[1:], codes[2:], strict=False):
        h = MIX * ((a * P**2 + b * P + c) % Q) % Q
        sums[h % buckets] += 1 if h // buckets % 2 else -1
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [value / length for value in sums]


def test_the_sums_are_those_of_the_definition() -> None:
    expected = [in_python(text, ALPHABET, BUCKETS) for text in TEXTS]
    np.testing.assert_allclose(hashed(TEXTS, ALPHABET, BUCKETS), expected, rtol=1e-12)


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(1, 300))
def test_any_texts_give_the_sums_of_the_definition(texts: list[str], buckets: int) -> None:
    texts = [text.replace("\0", " ") for text in texts]
    found = hashed(texts, ALPHABET, buckets)
    assert found.shape == (len(texts), buckets)
    np.testing.assert_allclose(found, np.array([in_python(t, ALPHABET, buckets) for t in texts]).reshape(found.shape))


PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    int64_t code, window[3] = {0, 0, 0}, sums[%(buckets)d] = {0};
    long seen = 0;
    while (scanf("%%ld", &code) == 1) {
        window[0] = window[1]; window[1] = window[2]; window[2] = code;
        if (++seen < 3) continue;
        int64_t h = (window[0] * %(p)dLL * %(p)dLL + window[1] * %(p)dLL + window[2]) %% %(q)dLL;
        h = h * %(mix)dLL %% %(q)dLL;
        sums[h %% %(buckets)d] += h / %(buckets)d %% 2 ? 1 : -1;
    }
    for (int at = 0; at < %(buckets)d; at++) printf("%%ld ", sums[at]);
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_gives_the_same_sums(tmp_path) -> None:
    (tmp_path / "hash.c").write_text(PROGRAM % {"p": P, "q": Q, "mix": MIX, "buckets": BUCKETS})
    subprocess.run(["cc", "-O2", "-fsanitize=undefined", "-o", tmp_path / "hash", tmp_path / "hash.c"], check=True)
    for text in TEXTS:
        codes = [ord(c) for c in f" {text[:1000].lower()} "]
        known = " ".join(str(code) if chr(code) in ALPHABET else "0" for code in codes)
        done = subprocess.run([tmp_path / "hash"], input=known, capture_output=True, text=True, check=True)
        sums = np.array(done.stdout.split(), float)
        np.testing.assert_allclose(sums / (np.linalg.norm(sums) or 1), hashed([text], ALPHABET, BUCKETS)[0], rtol=1e-12)


def onnx_graph(alphabet: str, buckets: int) -> bytes:
    """The definition as a graph that takes texts: characters, their codes, pieces, hashes, signed sums."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    make, as_tensor = onnx.helper, onnx.numpy_helper.from_array
    pairs = {c: ord(c) for c in alphabet} | {chr(ord(c) - 32): ord(c) for c in alphabet if "a" <= c <= "z"} | {"": -1}
    numbers = {"p2": P**2, "p": P, "q": Q, "mix": MIX, "buckets": buckets, "two": 2, "one": 1, "minus": -1, "zero": 0}
    constants = [as_tensor(np.array(value), name) for name, value in numbers.items()]
    constants += [as_tensor(np.array(values), name) for name, values in {
        "start": [0], "second": [1], "third": [2], "last": [2**62], "last1": [-1], "last2": [-2], "axis": [1],
        "depth": buckets, "off_on": np.array([0, 1], np.float32),
    }.items()]  # fmt: skip
    constants.append(make.make_tensor("blank", onnx.TensorProto.STRING, [1], [b" "]))
    steps = [
        ("StringConcat", ["blank", "x"], "left"), ("StringConcat", ["left", "blank"], "padded"),
        ("Slice", ["codes", "start", "last2", "axis"], "a0"), ("Slice", ["codes", "second", "last1", "axis"], "b0"),
        ("Slice", ["codes", "third", "last", "axis"], "c0"), ("Equal", ["c0", "minus"], "end"),
        ("Max", ["a0", "zero"], "a"), ("Max", ["b0", "zero"], "b"), ("Max", ["c0", "zero"], "c"),
        ("Mul", ["a", "p2"], "ap"), ("Mul", ["b", "p"], "bp"), ("Add", ["ap", "bp"], "ab"), ("Add", ["ab", "c"], "abc"),
        ("Mod", ["abc", "q"], "m"), ("Mul", ["m", "mix"], "mm"), ("Mod", ["mm", "q"], "h"),
        ("Mod", ["h", "buckets"], "at"), ("Div", ["h", "buckets"], "d"), ("Mod", ["d", "two"], "odd"),
        ("Mul", ["odd", "two"], "even"), ("Sub", ["even", "one"], "sign"), ("Where", ["end", "zero", "sign"], "signed"),
        ("Unsqueeze", ["signed", "minus1"], "s3"), ("OneHot", ["at", "depth", "off_on"], "hot"),
    ]  # fmt: skip
    constants.append(as_tensor(np.array([-1]), "minus1"))
    nodes = [make.make_node(op, inputs, [output]) for op, inputs, output in steps]
    tokens = {"domain": "com.microsoft", "mark": 0, "mincharnum": 1, "pad_value": "", "separators": [""]}
    nodes.insert(2, make.make_node("Tokenizer", ["padded"], ["characters"], **tokens))
    lookup = {"keys_strings": list(pairs), "values_int64s": list(pairs.values()), "default_int64": 0}
    nodes.insert(3, make.make_node("LabelEncoder", ["characters"], ["codes"], domain="ai.onnx.ml", **lookup))
    nodes += [
        make.make_node("Cast", ["s3"], ["s"], to=onnx.TensorProto.FLOAT),
        make.make_node("Mul", ["hot", "s"], ["each"]),
        make.make_node("ReduceSum", ["each", "axis"], ["sums"], keepdims=0),
    ]
    texts = make.make_tensor_value_info("x", onnx.TensorProto.STRING, ["N"])
    sums = make.make_tensor_value_info("sums", onnx.TensorProto.FLOAT, None)
    graph = make.make_graph(nodes, "text", [texts], [sums], constants)
    opsets = [make.make_opsetid("", 20), make.make_opsetid("ai.onnx.ml", 3), make.make_opsetid("com.microsoft", 1)]
    content: bytes = make.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def test_onnx_gives_the_same_sums() -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(onnx_graph(ALPHABET, BUCKETS))
    texts = [text[:1000] for text in TEXTS]
    (sums,) = session.run(None, {"x": np.array(texts, object)})
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(sums / np.where(length == 0, 1, length), hashed(TEXTS, ALPHABET, BUCKETS), atol=1e-6)


# --- the column ---------------------------------------------------------------------------------------------------


def reviews(words: Sequence[str]) -> list[str]:
    return [f"this {word} is number {at} of many" for at, word in enumerate(words)]


def test_free_text_becomes_features_that_tell_texts_apart() -> None:
    texts = reviews(["book", "film"] * 30)
    encoder = TableEncoder(text_buckets=64).fit({"review": texts})
    numbers = encoder.transform({"review": texts}).numbers
    assert numbers.shape == (60, 64)
    assert encoder.feature_roles == ["text"] * 64
    books, films = numbers[::2], numbers[1::2]
    apart = np.linalg.norm(books.mean(axis=0) - films.mean(axis=0))
    assert apart > 1.5 * np.linalg.norm(books[:15].mean(axis=0) - books[15:].mean(axis=0))
    assert np.abs(numbers).max() <= 3


def test_missing_texts_and_unknown_characters_are_safe() -> None:
    encoder = TableEncoder(text_buckets=8, scaling="standard").fit({"review": [*reviews(["a"] * 30), None]})
    found = encoder.transform({"review": [None, "", "日本", "z" * 5000]}).numbers
    assert np.isfinite(found).all()
    assert found[:, -1].tolist() == [1, 1, 0, 0]
    assert np.array_equal(found[0], found[1])


def test_upper_and_lower_case_are_the_same() -> None:
    encoder = TableEncoder(text_buckets=8).fit({"review": reviews(["a"] * 30)})
    assert np.array_equal(*encoder.transform({"review": ["THIS Book", "this book"]}).numbers)
