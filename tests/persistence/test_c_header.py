"""The header itself: names, whatever they hold, its self-test, what any compiler says of it, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.persistence import c
from custom import Double
from persistence.c_programs import answers, compiled, difference, export, needs_cc

# --- names
HOSTILE = [
    'quote"',
    "back\\slash",
    "trigraph ??/ ??) ???",
    "line\nbreak\r\t",
    "größe 漢字 🙂",
    "",
    "*/ /* // */",
    "\\012",
    "%s%n\x7f\u202e",
    "a" * 200,
]


@needs_cc
def test_hostile_class_names_come_back_as_they_are(tmp_path: Path) -> None:
    model = cr.MLP([2, len(HOSTILE)], rng=0)
    model.metadata = {"class_names": HOSTILE}
    c.write(model, tmp_path / "names.h", name="net")
    loop = "for (int i = 0; i < NET_OUTPUTS; i++) { fputs(net_classes[i], stdout); putchar(0); }"
    main = compiled(tmp_path, f'#include <stdio.h>\n#include "names.h"\nint main(void) {{ {loop} return 0; }}\n')
    told = subprocess.run([str(main)], capture_output=True, check=True).stdout
    assert told.decode().split("\0")[:-1] == HOSTILE
    head = (tmp_path / "names.h").read_text(encoding="utf-8").split("#ifndef")[0]
    assert head.count("*/") == head.count("/*") == 1
    assert "\u202e" not in head


def test_a_very_long_class_name_is_cut(tmp_path: Path) -> None:
    model = cr.MLP([2, 1], rng=0)
    model.metadata = {"class_names": ["é" * 10_000]}
    c.write(model, tmp_path / "long.h")
    literal = re.search(r"^    (\".*\"),$", (tmp_path / "long.h").read_text(encoding="utf-8"), re.MULTILINE)
    assert literal is not None
    assert len(literal[1]) < 4095
    assert literal[1].endswith('..."')


@pytest.mark.parametrize("name", ["", "2nd", "_x", "a-b", "a b", "naïve", "x" * 41, "a\n", "a;", 3])
def test_names_that_c_does_not_allow_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ValueError, match="export to C expects a name of at most 40 letters, digits and underscores"):
        c.write(cr.MLP([2, 1]), tmp_path / "net.h", name=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digits.h", "digits"),
        ("2nd-try v1.h", "model_2nd_try_v1"),
        ("größe.h", "gr_e"),
        ("漢.h", "model"),
        ("__x.h", "x"),
    ],
)
def test_a_file_gives_its_name_where_none_is_given(tmp_path: Path, file: str, name: str) -> None:
    try:
        os.fsencode(file)
    except UnicodeEncodeError:
        pytest.skip(f"a file cannot be called {file!a} in this locale")
    c.write(cr.MLP([2, 1]), tmp_path / file)
    assert f"static inline void {name}_predict(const float *x, float *y)" in (tmp_path / file).read_text(
        encoding="utf-8"
    )


# --- the self-test


def self_tested(folder: Path, name: str, *flags: str) -> float:
    program = f'#include <stdio.h>\n#define {name.upper()}_SELF_TEST\n#include "{name}.h"\n'
    program += f'int main(void) {{ printf("%.9g", (double){name}_self_test()); return 0; }}\n'
    main = compiled(folder, program, *flags)
    return float(subprocess.run([str(main)], capture_output=True, check=True).stdout)


@needs_cc
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 1e-3)])
def test_the_self_test_passes_and_sees_a_changed_weight(tmp_path: Path, precision: str, tolerance: float) -> None:
    c.write(cr.MLP([5, 8, 3], rng=0), tmp_path / "net.h", precision)
    assert self_tested(tmp_path, "net", "-O2") < tolerance
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    changed = re.sub(r"(net_W3\[24\] = \{\n *)-?\d+", r"\g<1>99", text)
    assert changed != text
    (tmp_path / "net.h").write_text(changed, encoding="utf-8")
    assert self_tested(tmp_path, "net") > 0.01


@needs_cc
def test_the_self_test_sees_nan(tmp_path: Path) -> None:
    c.write(cr.MLP([5, 3], rng=0), tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    (tmp_path / "net.h").write_text(text.replace("y[o] = ", "y[o] = o == 0 ? NAN : "), encoding="utf-8")
    assert np.isnan(self_tested(tmp_path, "net"))


# --- compilers


@pytest.mark.parametrize("level", ["-Os", "-O2", "-O3"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_optimizers_find_nothing_to_warn_of(tmp_path: Path, level: str, precision: str) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    model = cr.Sequential(
        [cr.Linear(64, 16, "relu"), cr.Residual([cr.LayerNorm(16), cr.Linear(16, 16)]), cr.Softmax()], rng=0
    )
    one = export(tmp_path, "net", model, np.random.default_rng(0).normal(size=(3, 64)), precision=precision)
    ((_, y),) = answers(tmp_path, [one], level, "-DNET_BUFFER=static")
    assert difference(y, one.y) < (1e-5 if precision == "float32" else 0.05)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_it_is_cpp_too(tmp_path: Path) -> None:
    model, x = cr.MLP([4, 8, 3], "mish", rng=0), np.random.default_rng(0).normal(size=(5, 4))
    exported = [export(tmp_path, f"net_{p}", model, x, precision=p) for p in ("float32", "int8")]
    standard = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    for one, y in answers(tmp_path, exported, "-DNET_INT8_SELF_TEST", compiler="g++", standard=standard):
        assert difference(y, one.y) < (1e-5 if one.name == "net_float32" else 0.05)


@needs_cc
def test_check_compiles_and_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = cr.MLP([3, 4, 2], rng=0), cr.MLP([3, 4, 2], rng=1)
    path, rows = tmp_path / "a model's.h", np.random.default_rng(0).normal(size=(8, 3))
    c.write(model, path)
    assert c.check(model, path, rows) < 1e-5 < c.check(other, path, rows)
    assert c.check(model, path, rows[:0]) == 0
    monkeypatch.setenv("PATH", "")
    assert c.check(model, path, rows) is None


@needs_cc
def test_check_refuses_other_files(tmp_path: Path) -> None:
    model, path, rows = cr.MLP([3, 2], rng=0), tmp_path / "net.h", np.zeros((1, 3))
    with pytest.raises(FileNotFoundError, match="check expects a C header at"):
        c.check(model, path, rows)
    path.write_text("int x;\n")
    with pytest.raises(ValueError, match="to be a header that chainrule wrote, got another file"):
        c.check(model, path, rows)
    c.write(model, path)
    path.write_text(path.read_text(encoding="utf-8") + "oops\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)net\.h to compile, got .*oops"):
        c.check(model, path, rows)
    with pytest.raises(ValueError, match=r"rows of shape \(N, 3\)"):
        c.check(model, path, np.zeros((1, 4)))


# --- the text


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_equal_models_give_equal_files(tmp_path: Path, precision: str) -> None:
    model = cr.Sequential([cr.Linear(5, 30, "gelu"), cr.BatchNorm(30), cr.Linear(30, 2)], rng=0)
    model.metadata = {"class_names": ["a", "b"]}
    cr.save(model, tmp_path / "model.safetensors")
    c.write(model, tmp_path / "one.h", precision, name="net")
    c.write(cr.load(tmp_path / "model.safetensors"), tmp_path / "two.h", precision, name="net")
    assert (tmp_path / "one.h").read_bytes() == (tmp_path / "two.h").read_bytes()


def test_it_holds_what_it_uses_and_nothing_that_changes(tmp_path: Path) -> None:
    notes = c.write(cr.MLP([784, 128, 10], rng=0), tmp_path / "net.h", self_test=False)
    text = (tmp_path / "net.h").read_text(encoding="utf-8")
    assert re.findall(r"^static inline \w+ (\w+)\(", text, re.MULTILINE) == ["net_dense", "net_relu", "net_predict"]
    assert re.findall(r"#include .*", text) == ["#include <math.h>", "#include <stddef.h>"]
    assert not re.search(r"^\s*static (?!inline|const)|malloc|SELF_TEST", text, re.MULTILINE)
    assert notes == [
        "flash: 407,080 bytes of constants, and the code",
        "RAM: 512 bytes of buffers",
        "101,632 multiply-adds a row",
    ]


def test_the_notes_say_what_is_lost(tmp_path: Path) -> None:
    model = cr.Sequential([cr.BatchNorm(4), cr.Linear(4, 3), cr.BatchNorm(3)], rng=0, dtype="float64")
    notes = c.write(model, tmp_path / "net.h", "int8")
    assert notes[:3] == [  # 2·4 + 3 + 3 numbers and 12 weights; 4 numbers and 4 rounded ones; 4 + 12
        "flash: 68 bytes of constants, and the code",
        "RAM: 24 bytes of buffers",
        "16 multiply-adds a row",
    ]
    assert notes[3] == "the model computes in float64, the C code in float32"
    assert re.fullmatch(r"int8 weights change the outputs of 100 rows by up to [\d.e-]+ of their spread", notes[4])


# --- what is refused


class Exponential(cr.Activation):
    def apply(self, x, out):
        return np.exp(x, out=out)

    def pull_back(self, dy, x, y, out):
        return np.multiply(dy, y, out=out)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [cr.Linear(2, 1), Double()],
            r"layers that .* program\(\) .*, got Double\(\); give it program\(\), or use",
        ),
        ([cr.Linear(2, 1, Exponential())], r"layers that .* program\(\) .*, got Exponential\(\); give it program\(\)"),
        ([cr.ReLU()], "a model whose layers say how many inputs it has, got none that does; begin with"),
        ([cr.Softmax(), cr.Flatten(), cr.Linear(4, 1)], "Flatten in front of Softmax, got it behind"),
    ],
)
def test_layers_that_it_cannot_write_are_refused(tmp_path: Path, layers: list[cr.Layer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        c.write(cr.Sequential(layers), tmp_path / "net.h")
    assert list(tmp_path.iterdir()) == []


def test_other_models_precisions_and_infinities_are_refused(tmp_path: Path) -> None:
    model = cr.MLP([2, 1])
    with pytest.raises(TypeError, match=r"expects a Sequential model, .* got Trainer; pass trainer\.model\."):
        c.write(cr.Trainer(model, "squared_error"), tmp_path / "net.h")
    with pytest.raises(TypeError, match="got str"):
        c.write("model", tmp_path / "net.h")
    with pytest.raises(ValueError, match="the name of a precision, got 'float16'"):
        c.write(model, tmp_path / "net.h", "float16")
    model.layers[0].W[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"finite numbers in the parameters of Linear\(2 → 1\)"):
        c.write(model, tmp_path / "net.h")


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_that_say_nothing_are_refused(tmp_path: Path) -> None:
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.raises(exceptions.NotFittedError):
        c.write(cr.MLPClassifier(), tmp_path / "net.h")
    one = cr.MLPClassifier((2,), max_iter=1).fit([[0.0], [1.0]], ["a", "a"])
    with pytest.raises(ValueError, match=r"at least two classes, got \['a'\]"):
        c.write(one, tmp_path / "net.h")
