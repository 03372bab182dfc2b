"""Models of tables as C headers: a struct with a field for each column, compiled strictly, the answers of the model."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("narwhals", reason="narwhals is not installed")

import chainrule as cr
from chainrule.persistence.c import compiled
from chainrule.persistence.c.text import Names
from chainrule.persistence.tables import rows_of, table_model
from chainrule.tabular.inputs import as_frame
from persistence.table_models import KINDS, SPECIES, answer, fitted, frame, odd_frame, quiet

COMPILERS = [one for one in ("gcc", "clang") if shutil.which(one)]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
pytestmark = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The header of each kind of model, made once."""
    folder, made = tmp_path_factory.mktemp("c"), {}

    def file_of(kind):
        if kind not in made:
            made[kind] = cr.export(fitted(kind), folder / f"trees{len(made)}.h", X=frame(), name="trees")
        return made[kind]

    return file_of


def run(folder, header, program, compiler=COMPILERS[0] if COMPILERS else "", given=b""):
    """What a program that includes the header prints, compiled with every warning an error."""
    shutil.copyfile(header, folder / "model.h")
    (folder / "main.c").write_text(program, encoding="utf-8")
    made = subprocess.run(
        [compiler, *STRICT, "main.c", "-o", "main", "-lm"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[:2000]
    return subprocess.run([folder / "main"], input=given, capture_output=True, check=True).stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_answered_as_by_the_model(kind, exported, tmp_path) -> None:
    model, rows = fitted(kind), odd_frame()
    table = table_model(model)
    columns = table.read(rows)
    told = run(tmp_path, exported(kind).path, compiled.reading(table, "trees"), given=compiled.in_bytes(columns))
    found, expected = compiled.read_answers(table, told, len(rows["height"])), answer(model, rows)
    unit = 1.0 if hasattr(model, "classes_") else expected.std(axis=0)
    assert (np.abs(found.numbers - expected) / unit).max() < 2e-5
    if hasattr(model, "classes_"):
        assert (found.labels == model.predict(rows)).all()
    assert exported(kind).checked < 2e-5


PROGRAM = """\
#define TREES_SELF_TEST
#include <stdio.h>
#include "model.h"
int main(void)
{
    printf("%g", (double)trees_self_test());
    return 0;
}
"""


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kind", ["classes", "several labels", "a number", "quantiles of several"])
def test_the_self_test_passes_on_this_machine(kind, compiler, exported, tmp_path) -> None:
    text = exported(kind).path.read_text(encoding="utf-8")
    limit = float(re.search(r"On a sound device it is at most ([\d.e-]+)\. ", text)[1])
    assert float(run(tmp_path, exported(kind).path, PROGRAM, compiler)) <= limit <= 1e-3


def test_the_self_test_fails_where_a_constant_was_changed(exported, tmp_path) -> None:
    text = exported("a number").path.read_text(encoding="utf-8")
    changed = re.sub(r"(static const double trees_factor\[\d+\] = \{\n    )[^,]+", r"\g<1>0.0", text)
    assert changed != text
    (tmp_path / "changed.h").write_text(changed, encoding="utf-8")
    assert float(run(tmp_path, tmp_path / "changed.h", PROGRAM)) > 1e-3


WORDS = """\
#include <stdio.h>
#include "model.h"
int main(void)
{
    printf("%d %d %d %d %d %d", trees_label_from_text("oak") == TREES_LABEL_OAK,
        trees_label_from_text("Gr\\303\\266\\303\\237e") == TREES_LABEL_GROSSE,
        trees_label_from_text("larch") == TREES_LABEL_OTHER, trees_label_from_text(NULL) == TREES_LABEL_MISSING,
        trees_felled_from_text("oUi") == TREES_FELLED_TRUE, trees_there_from_text("?") == TREES_THERE_FALSE);
    return 0;
}
"""


def test_words_have_enums_by_their_names(exported, tmp_path) -> None:
    assert run(tmp_path, exported("classes").path, WORDS) == b"1 1 1 1 1 1"
    text = exported("classes").path.read_text(encoding="utf-8")
    assert "double height; /* 'height': a number; NAN where it is missing */" in text
    assert "int64_t planted; /* 'planted': microseconds since 1970 in UTC; INT64_MIN where it is missing */" in text
    assert "enum trees_town_Ost_code town_Ost; /* 'town, Öst': trees_town_Ost_from_text(word) */" in text
    assert "enum trees_class_2_code class_2;" in text  # class is a word of C++
    assert "const char *note;" in text


STRANGE_FIELD = """\
#include <stdio.h>
#include "model.h"
int main(void)
{
    trees_row row = {0};
    float y[TREES_OUTPUTS];
    row.label = (enum trees_label_code)12345;
    row.planted = INT64_MAX;
    row.height = INFINITY;
    row.note = "\\xf0\\x9f";
    const size_t label = trees_predict(&row, y);
    printf("%d", label < TREES_OUTPUTS && y[0] >= 0.0f && y[0] <= 1.0f);
    return 0;
}
"""


def test_fields_with_anything_in_them_are_safe(exported, tmp_path) -> None:
    assert run(tmp_path, exported("classes").path, STRANGE_FIELD) == b"1"


def test_int8_weights(tmp_path) -> None:
    done = cr.export(fitted("a number"), tmp_path / "trees.h", precision="int8", X=frame())
    assert done.checked < 0.3
    text = done.path.read_text(encoding="utf-8")
    assert "int8_t" in text
    limit = float(re.search(r"On a sound device it is at most ([\d.e-]+)\. ", text)[1])
    assert float(run(tmp_path, done.path, PROGRAM)) <= limit <= 0.05


def test_equal_models_give_equal_files_and_no_self_test_if_not_wanted(exported, tmp_path) -> None:
    again = cr.export(fitted("classes"), tmp_path / "again.h", X=frame(), name="trees")
    assert again.path.read_bytes() == exported("classes").path.read_bytes()
    short = cr.export(fitted("classes"), tmp_path / "short.h", X=frame(), name="trees", self_test=False)
    assert "SELF_TEST" not in short.path.read_text(encoding="utf-8")


def test_names_of_columns_and_words_differ_whatever_they_are() -> None:
    names = Names()
    odd = ["a b", "a-b", "a_b", "", "class", "9", "Größe", "日本", "x" * 99, "x" * 99, "int"]
    found = [names.new(name) for name in odd]
    assert len(set(found)) == len(odd)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name) for name in found)
    assert not {"class", "int"} & set(found)


def test_words_that_c_cannot_hold_are_refused_by_their_column(tmp_path) -> None:
    rows = {"kind": np.array(["oak\0", "fir", "elm"] * 30, object)}
    model = quiet(cr.TabularRegressor(max_epochs=1, random_state=0), rows, np.arange(90.0))
    with pytest.raises(ValueError, match=r"got 'oak.x00' in column 'kind'; drop the column, or rename it"):
        cr.export(model, tmp_path / "a.h")
    assert list(tmp_path.iterdir()) == []


def test_comments_and_strings_hold_nothing_that_ends_them(exported) -> None:
    text = exported("classes").path.read_text(encoding="utf-8")
    assert len(SPECIES) == 8
    assert r'"a \"b\" \\ \?\?/"' in text.replace(r"\134", r"\\")


def test_without_a_compiler_the_notes_say_that_nothing_was_compared(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("chainrule.persistence.c.compiled.COMPILERS", ())
    done = cr.export(fitted("a number"), tmp_path / "a.h", X=frame())
    assert done.checked is None
    assert done.notes[-1] == "not compiled and compared with the model: there is no C compiler"


def test_drawn_rows_are_as_the_model_reads_them() -> None:
    """It drops blanks around words, which a header would take into account."""
    table = table_model(fitted("classes"))
    rows, _ = rows_of(table, None)
    for name, read in table.read(as_frame(rows)).items():
        np.testing.assert_array_equal(rows[name], read, err_msg=name)
