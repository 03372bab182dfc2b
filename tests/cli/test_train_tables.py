"""``chainrule train`` on tables as they come: what it understands, learns, writes and says."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import outputs, scores, tables

from .conftest import lines_of, trained, write_flowers

PNG = b"\x89PNG"
QUICK = ("--epochs", 2, "--quiet")


def model_in(folder: Path) -> Any:
    return cr.load(folder / "model.safetensors")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tables.Tables]:
    """What was prepared; nothing is trained."""
    seen: list[tables.Tables] = []
    monkeypatch.setattr(tables.Tables, "train", lambda job, *args: seen.append(job) or 0)
    return seen


# --- what it understands ---


def test_how_each_column_is_understood_is_printed_in_80_columns(shell, tmp_path: Path, jobs) -> None:
    rows = [
        f"{k},{k % 7}.5,{'ab'[k % 2]},{'' if k % 5 else k},2024-01-{k % 28 + 1:02},x\x1b[2Jy,{k * k % 97}.5"
        for k in range(60)
    ]
    (tmp_path / "t.csv").write_text("no,size,kind,gaps,day,same,price\n" + "\n".join(rows) + "\n")
    out = shell("train", tmp_path / "t.csv", "--out", tmp_path / "out").out
    head, *lines = out.splitlines()
    assert head.split() == ["column", "kind", "missing", "distinct", "example", "why"]
    assert {line.split()[0]: line.split()[1] for line in lines[:7]} == {
        "no": "id", "size": "number", "kind": "category", "gaps": "number", "day": "date", "same": "constant",
        "price": "number",
    }  # fmt: skip
    assert lines[3].split()[2:4] == ["48", "12"]
    assert lines[7] == "to overrule: --number A --category B --date C --text D --drop E"
    assert all(len(line) <= 80 and line.isprintable() for line in [head, *lines])


def test_kinds_are_overruled_by_name(shell, flowers: Path, tmp_path: Path, jobs) -> None:
    text = flowers.read_text(encoding="utf-8").replace("width", "wi,dth", 1).replace("wi,dth", '"wi,dth"', 1)
    (tmp_path / "t.csv").write_text(text)
    options = ("--category", "wi,dth", "--drop", "length", "--text", "colour")
    assert shell("train", tmp_path / "t.csv", "--out", tmp_path / "out", *options).code == 0
    assert {kind.name: kind.kind for kind in jobs[0].found.kinds} == {
        "length": "drop", "wi,dth": "category", "colour": "text", "kind": "category",
    }  # fmt: skip
    shell(
        "train", flowers, "--out", tmp_path / "out", "--drop", "length,width", "--drop", "colour", "--number", "width"
    )
    shell("train", flowers, "--out", tmp_path / "out", "--drop", "length,width")
    assert [kind.name for kind in jobs[-1].found.inputs] == ["colour"]


def test_a_likely_leak_is_told_and_how_to_drop_it(shell, tmp_path: Path, jobs) -> None:
    rows = "".join(f"{k * 7 % 13},{k * 5 % 17},{k * 7 % 13 + k * 5 % 17}\n" for k in range(90))
    (tmp_path / "t.csv").write_text("casual,registered,all\n" + rows)
    err = shell("train", tmp_path / "t.csv", "--number", "casual", "--out", tmp_path / "out").err
    assert "note: 'casual' and 'registered' give the target 'all'" in err
    assert "(--drop casual,registered)" in err


def test_target_and_task_are_said(shell, flowers: Path, prices: Path, tmp_path: Path, without_pictures) -> None:
    def data_line(*words: object) -> str:
        return lines_of(shell("train", *words, *QUICK, "--force", "--out", tmp_path).out)["data"]

    assert data_line(flowers) == (
        "flowers.csv: 3 columns (2 number, 1 category), 3 classes in 'kind' (the last column); "
        "120 rows: 96 training, 24 test; each network validates on its own 19 of the training rows"
    )
    assert "2 columns (2 number), numeric target 'price'; 200 rows" in data_line(prices, "--target", "price")
    assert "9 classes in 'floor' (the last column)" in data_line(prices)
    assert "numeric target 'floor' (the last column)" in data_line(prices, "--task", "regression")
    assert "1 column (1 number), 3 classes in 'kind'" in data_line(flowers, "--columns", "width,kind")


# --- what it learns and writes ---


def test_a_table_of_classes_is_learned(flowers_model: Path) -> None:
    model = model_in(flowers_model)
    facts = model.model_.metadata
    assert model.classes_.tolist() == ["iris", "lily", "rose"]
    assert facts["target"] == "kind"
    assert facts["scores"]["accuracy"] > 0.9
    assert facts["training"]["best_epoch"] == model.best_epoch_ <= facts["training"]["epochs"] == model.n_epochs_
    assert facts["chainrule"] == cr.__version__
    assert [kind.why for kind in model.column_kinds_] == ["numbers", "numbers", "words"]
    rows = json.loads((flowers_model / "history.json").read_text(encoding="utf-8"))["rows"]
    scored = [row for row in rows if "validation_log_loss" in row]
    assert rows[model.best_epoch_ - 1]["validation_log_loss"] == min(row["validation_log_loss"] for row in scored)


def test_a_table_of_numbers_is_learned(prices_model: Path) -> None:
    pytest.importorskip("matplotlib")
    assert model_in(prices_model).model_.metadata["scores"]["r2"] > 0.98
    assert (prices_model / "predictions.png").read_bytes().startswith(PNG)
    assert not (prices_model / "confusion.png").exists()


def test_the_report_of_a_training(shell, flowers: Path, tmp_path: Path, without_pictures) -> None:
    report = lines_of(shell("train", flowers, *QUICK, "--out", tmp_path).out)
    assert list(report) == ["data", "model", "result", "members", "beside", "files", "next"]
    assert re.fullmatch(r"3 features: [\d,]+ parameters", report["model"])
    assert re.fullmatch(
        r"test accuracy [\d.]+ % \(\d+ of 24 rows\), log-loss [\d.]+, best epoch [12 to]+ of 2, trained in [\d.]+ s",
        report["result"],
    )
    best = sorted({member["best_epoch"] for member in model_in(tmp_path).members_})
    assert f"best epoch {' to '.join(map(str, best))} of 2," in report["result"]
    assert report["data"].endswith("96 training, 24 test; each network validates on its own 19 of the training rows")
    assert re.match(r"a guess: accuracy 50.00 %, log-loss [\d.]+; logistic regression: accuracy", report["beside"])
    assert report["files"] == f"model.safetensors, history.json, run.json in {tmp_path}"
    words = shlex.split(report["next"])
    assert words[-2:] == ["report", str(tmp_path)]
    assert shell(*words[-2:]).code == 0


def test_missing_values_categories_dates_and_texts_are_taken_as_they_are(
    shell, tmp_path: Path, without_pictures
) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{'' if rng.random() < 0.2 else round(x, 2)},{'?' if rng.random() < 0.2 else kind},2024-0{month}-11,"
        f"{'a red one' if x > 0 else 'a blue one'} of {rng.integers(99)},{'yes' if x > 0 else 'no'}"
        for x, kind, month in zip(
            rng.normal(size=200), rng.choice(list("abc"), 200), rng.integers(1, 9, 200), strict=True
        )
    ]
    (tmp_path / "t.csv").write_text("x,kind,day,note,y\n" + "\n".join(rows) + "\n")
    out = trained(tmp_path / "t.csv", tmp_path / "out", "--epochs", 20)
    assert [kind.kind for kind in model_in(out).column_kinds_] == ["number", "category", "date", "text"]
    (tmp_path / "new.csv").write_text("note,x,kind,day\na red one,,,2024-03-04\n,1e300,ash,1850-01-01\n")
    answer = shell("predict", out, tmp_path / "new.csv", "--probabilities")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 3


def test_rows_without_a_target_are_left_out(shell, flowers: Path, tmp_path: Path, jobs) -> None:
    (tmp_path / "t.csv").write_text(flowers.read_text(encoding="utf-8") + "5,50,red,\n5,50,red,NA\n")
    answer = shell("train", tmp_path / "t.csv", "--out", tmp_path / "out")
    assert "note: 2 rows without a value in 'kind' are left out\n" in answer.err
    assert len(jobs[0].target.rows) == 120


@pytest.mark.parametrize(
    "labels", [("3", "12"), ("9007199254740993", "9007199254740992"), ("0.5", "1.5"), ("-", "None")]
)
def test_labels_stay_what_they_are(shell, tmp_path: Path, labels: tuple[str, str], without_pictures) -> None:
    rows = "".join(f"{row % 2}.{row},{labels[row % 2]}\n" for row in range(10, 70))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    out = trained(tmp_path / "t.csv", tmp_path / "out", "--epochs", 15)
    said = set(shell("predict", out, tmp_path / "t.csv").out.split()[1:])
    assert said == set(labels)
    assert "never saw" not in shell("evaluate", out, tmp_path / "t.csv").err


# --- honest splits, weights, metrics ---


def test_groups_stay_together_and_are_no_input(shell, tmp_path: Path, jobs) -> None:
    rows = "".join(f"{k},{k * k % 31},c{k % 12},{k % 2}\n" for k in range(120))
    (tmp_path / "t.csv").write_text("x,z,customer,y\n" + rows)
    shell("train", tmp_path / "t.csv", "--number", "x", "--group", "customer", "--out", tmp_path / "out")
    (job,) = jobs
    assert [kind.name for kind in job.found.inputs] == ["x", "z"]
    held = [{int(job.target.rows[row]) % 12 for row in part} for part in job.parts]
    assert sum(map(len, held)) == 12 == len(set.union(*held))


@pytest.mark.parametrize("written", ["2024-{:02}-{:02}", "{1:02}.{0:02}.2024", "2024{:02}{:02}"])
def test_the_last_rows_by_time_are_the_test(shell, tmp_path: Path, written: str, jobs) -> None:
    order = np.random.default_rng(0).permutation(120)
    rows = "".join(f"{k % 7}.5,{written.format(k // 12 + 1, k % 12 * 2 + 3)},{k % 11}.25\n" for k in order.tolist())
    (tmp_path / "t.csv").write_text("x,day,y\n" + rows)
    answer = shell("train", tmp_path / "t.csv", "--time", "day", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    train, validation, test = (order[jobs[0].target.rows[part]] for part in jobs[0].parts)
    assert train.max() < validation.min()
    assert validation.max() < test.min()
    assert "day" in jobs[0].names


def test_a_large_table_keeps_2000_rows_for_the_test(shell, tmp_path: Path, jobs) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{k % 97}.5,{k * k % 89}.25\n" for k in range(12_000)))
    shell("train", tmp_path / "t.csv", "--out", tmp_path / "out")
    shell("train", tmp_path / "t.csv", "--out", tmp_path / "half", "--test-fraction", 0.5)
    with (tmp_path / "t.csv").open("a") as file:
        file.write("1.5,2.25\n" * 5_500)
    shell("train", tmp_path / "t.csv", "--out", tmp_path / "more")
    assert [[len(part) for part in job.parts] for job in jobs] == [
        [10_000, 0, 2_000],
        [6_000, 0, 6_000],
        [15_500, 0, 2_000],
    ]


def test_validation_rows_may_be_a_file(shell, refuses, flowers: Path, tmp_path: Path, without_pictures) -> None:
    more = write_flowers(tmp_path / "more.csv", rows=40, seed=9)
    more.write_text(more.read_text(encoding="utf-8") + "5,50,red,tulip\n")
    answer = shell("train", flowers, *QUICK, "--validation", more, "--out", tmp_path / "out")
    assert "96 training, 40 validation, 24 test" in answer.out
    assert "note: 1 of 41 rows have classes that training did not have ('tulip')" in answer.err
    (tmp_path / "less.csv").write_text("length,width,kind\n5,50,rose\n")
    words = ("--validation", tmp_path / "less.csv", "--out", tmp_path / "other")
    assert "column 'colour', which the model needs, in " in refuses("train", flowers, *words)


def test_weights_change_what_is_learned(shell, tmp_path: Path, without_pictures) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{rng.normal():.3f},{'rare' if k % 5 == 0 else 'common'},{9 if k % 5 == 0 else 1}\n" for k in range(300)
    )
    (tmp_path / "t.csv").write_text("x,y,w\n" + rows)

    def share(*options: object) -> float:
        out = trained(tmp_path / "t.csv", tmp_path / "out", "--target", "y", "--epochs", 20, "--force", *options)
        p = shell("predict", out, tmp_path / "t.csv", "--probabilities").out.splitlines()[1:]
        return float(np.mean([float(line.split(",")[2]) for line in p]))

    plain = share("--drop", "w")
    assert plain == pytest.approx(0.2, abs=0.1)
    assert share("--sample-weight", "w") == pytest.approx(9 / 13, abs=0.15)
    assert share("--drop", "w", "--class-weight", "balanced") == pytest.approx(0.5, abs=0.12)
    assert share("--drop", "w", "--class-weight", "rare=9") == pytest.approx(9 / 13, abs=0.15)


def test_a_metric_chooses_the_epoch(flowers: Path, prices: Path, tmp_path: Path, without_pictures) -> None:
    assert model_in(trained(flowers, tmp_path / "a", *QUICK, "--metric", "accuracy")).metric == "accuracy"
    out = trained(prices, tmp_path / "b", *QUICK, "--target", "price", "--metric", "mae")
    assert "validation_mean_absolute_error" in json.loads((out / "history.json").read_text())["rows"][-1]


def test_quantiles_are_trained_and_predicted(shell, prices: Path, tmp_path: Path, without_pictures) -> None:
    out = trained(prices, tmp_path / "q", "--target", "price", "--quantiles", "0.9,0.1", "--epochs", 40)
    lines = shell("predict", out, prices, "--quantiles").out.splitlines()
    assert lines[0] == "prediction,quantile_0.1,quantile_0.9"
    low, high = np.array([line.split(",")[1:] for line in lines[1:]], float).T
    assert (low <= high).all()


# --- what it is held against ---


def test_a_model_that_is_worse_than_a_guess_or_a_line_says_so(
    shell, prices: Path, tmp_path: Path, without_pictures
) -> None:
    answer = shell("train", prices, "--target", "price", "--epochs", 1, "--quiet", "--out", tmp_path)
    assert "note: on the test rows ridge regression is better than the model (RMSE " in answer.err


def test_the_linear_models_are_those_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 90, 4))
    a -= a.mean(axis=0)
    y = a @ [1, 2, 3, 4] + rng.normal(size=90) + 7
    scaled = linear.Ridge(alpha=1.0).fit(a, y)
    np.testing.assert_allclose(scores._ridge(a, y, b), scaled.predict(b), rtol=1e-9)


# --- files ---


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("s.2023.csv", "s.2023-model"),
        (".hidden.csv", ".hidden-model"),
        ("a.b.TSV.GZ", "a.b-model"),
        ("plain", "plain-model"),
    ],
)
def test_only_known_suffixes_are_left_out(shell, flowers: Path, tmp_path: Path, monkeypatch, name, folder) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(flowers, name)
    assert shell("train", f"./{name}" if name == "plain" else name, *QUICK).code == 0
    assert (tmp_path / folder / "model.safetensors").is_file()


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="no /dev/fd on this platform")
def test_a_pipe_and_standard_input_are_tables(shell, flowers: Path, tmp_path: Path, monkeypatch) -> None:
    """As ``chainrule train <(cat flowers.csv)``."""
    reader, writer = os.pipe()
    os.write(writer, flowers.read_bytes())
    os.close(writer)
    answer = shell("train", f"/dev/fd/{reader}", *QUICK, "--out", tmp_path / "a")
    os.close(reader)
    assert answer.code == 0
    assert "3 classes in 'kind'" in answer.out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(flowers.read_bytes())))
    assert shell("train", "-", *QUICK, "--out", tmp_path / "b").code == 0
    a, b = ((tmp_path / name / "model.safetensors") for name in "ab")
    assert model_in(a.parent).predict({"length": [5], "width": [5], "colour": ["red"]}) == model_in(b.parent).predict(
        {"length": [5], "width": [5], "colour": ["red"]}
    )


@pytest.mark.parametrize("table", ["a,p\n1,1.5\n2,2.5\n3,3.5\n4,4.5\n5,5.5\n", "a,k\n1,x\n2,x\n3,x\n4,x\n5,y\n"])
def test_five_rows_are_enough(shell, tmp_path: Path, table: str, without_pictures) -> None:
    """One row of validation has no variance, so no R²; one of the test has none either."""
    (tmp_path / "five.csv").write_text(table)
    answer = shell("train", tmp_path / "five.csv", *QUICK, "--out", tmp_path / "out")
    assert answer.code == 0
    assert "5 rows: " in answer.out
    assert "R²" not in answer.out


def test_an_earlier_result_is_replaced(shell, flowers: Path, prices: Path, tmp_path: Path) -> None:
    """No figure of another model is left among the files."""
    for source, options in ((flowers, ()), (prices, ("--target", "price"))):
        answer = shell("train", source, *QUICK, *options, "--force", "--out", tmp_path)
        files = lines_of(answer.out)["files"].removesuffix(f" in {tmp_path}").split(", ")
        assert sorted(files) == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.usefixtures("without_pictures")
def test_same_seed_same_file(shell, flowers: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert shell("train", flowers, *QUICK, "--seed", seed, "--out", tmp_path / name).code == 0
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert str(flowers.parent).encode() not in a


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("called", "on_the_path", "program"),
    [
        ("/usr/bin/chainrule", True, ["chainrule"]),
        (".venv/bin/chainrule", False, [".venv/bin/chainrule"]),
        ("/lib/chainrule/__main__.py", False, [sys.executable, "-m", "chainrule"]),
    ],
)
def test_the_next_command_can_be_typed_as_it_stands(
    shell,
    flowers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    called: str,
    on_the_path: bool,
    program: list[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    monkeypatch.setattr(shutil, "which", lambda name: called if on_the_path else None)
    words = shlex.split(lines_of(shell("train", flowers, *QUICK, "--out", tmp_path / "my model").out)["next"])
    assert words[: len(program)] == program
    assert shell(*words[len(program) :]).code == 0


def test_without_matplotlib_all_but_the_pictures_is_written(
    shell, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    answer = shell("train", flowers, *QUICK, "--out", tmp_path)
    assert answer.code == 0
    assert "no figures written: " in answer.err
    assert "pip install 'chainrule[plots]'" in answer.err
    assert lines_of(answer.out)["files"] == f"model.safetensors, history.json, run.json in {tmp_path}"


def test_pictures_that_fail_for_another_reason_are_told(shell, flowers: Path, tmp_path: Path, monkeypatch) -> None:
    def fail(*args: Any) -> None:
        raise ImportError("libpng is broken")

    monkeypatch.setattr(outputs, "write_figures", fail)
    answer = shell("train", flowers, *QUICK, "--out", tmp_path)
    assert answer.code == 0
    assert "note: no figures written: libpng is broken\n" in answer.err


def test_a_missing_extra_is_told_with_its_pip_line(refuses, flowers: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    assert "pip install 'chainrule[tabular]'" in refuses("train", flowers, "--out", tmp_path / "out")
