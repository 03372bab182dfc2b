"""The examples run as they stand, say what they promise, save their pictures, and keep to the public names."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
PNG = b"\x89PNG\r\n"


class Runner:
    """Runs an example in a folder of its own; gives what it printed, and the names of the files it saved."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def __call__(self, name: str, *arguments: str) -> tuple[str, set[str]]:
        self.monkeypatch.setattr(sys, "argv", [name, *arguments])
        self.monkeypatch.chdir(self.folder)
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".h"]
        assert all(path.read_bytes().startswith(PNG) for path in files if path.suffix != ".onnx")
        return self.capsys.readouterr().out, {str(path.relative_to(self.folder)) for path in files}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    return Runner(tmp_path, monkeypatch, capsys)


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, f"{pattern} is nowhere in:\n{text}"
    return float(found[1])


def test_the_trainer_and_the_loop_by_hand_end_with_the_same_bits(run: Runner) -> None:
    said, pictures = run("trainer_and_your_own_loop.py")
    assert "the same weights, bit by bit" in said
    assert number(r"Test accuracy ([\d.]+)%", said) > 96
    assert pictures == {"digits_curves.png"}


def test_three_points_end_in_the_valley_and_below(run: Runner) -> None:
    said, pictures = run("fit_three_points.py")
    assert number(r"\[1, 1, 1\]: loss ([\d.]+)", said) == pytest.approx(5.8, abs=0.1)
    assert number(r"\[1, 1, 1\]: loss .* -> ([\d.]+)", said) == pytest.approx(0.33, abs=0.01)
    assert number(r"\[1, 4, 3, 1\]: loss ([\d.]+)", said) == pytest.approx(5.8, abs=0.1)
    assert number(r"\[1, 4, 3, 1\]: loss .* -> ([\d.]+)", said) == pytest.approx(0.03, abs=0.01)
    assert pictures == {"three_points.png"}


def test_one_random_batch_an_epoch_learns_xor(run: Runner) -> None:
    said, pictures = run("one_random_batch_an_epoch.py")
    assert number(r"([\d.]+)% of them on the right side", said) > 93
    assert pictures == {"xor_regions.png"}


def test_diabetes_is_predicted_about_as_well_as_can_be(run: Runner) -> None:
    said, pictures = run("predict_diabetes.py")
    assert number(r"R² ([\d.]+)", said) > 0.5
    assert pictures == {"diabetes_predictions.png", "diabetes_curves.png"}


def test_weighted_classes_find_more_of_what_is_rare(run: Runner) -> None:
    said, pictures = run("change_one_import.py")
    plain = number(r"class_weight=None .* balanced accuracy ([\d.]+)%", said)
    assert number(r"class_weight='balanced' .* balanced accuracy ([\d.]+)%", said) > plain + 5
    assert pictures == {"rare_digit_curves.png"}


def test_settings_are_found_and_bad_trials_stopped_early(run: Runner) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    said, pictures = run("search_settings.py", "--trials", "7")
    assert number(r"scikit-learn: ([\d.]+)% of the test digits right", said) > 94
    assert number(r"Optuna: validation loss ([\d.]+)", said) < 0.2
    assert number(r"(\d+) trials interrupted", said) >= 1
    assert pictures == set()


def test_settings_are_found_without_optuna_too(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    said, _ = run("search_settings.py", "--trials", "1")
    assert number(r"scikit-learn: ([\d.]+)% of the test digits right", said) > 94
    assert said.endswith("Optuna is not installed: pip install optuna\n")


def test_onnx_runtime_predicts_without_chainrule(run: Runner) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    said, files = run("onnx_in_python.py")
    assert number(r"largest difference from the model.*: ([\d.e-]+)", said) < 1e-5
    assert number(r"reads ([\d.]+)% of the test digits right", said) > 96
    assert files == {"digits.onnx"}


def test_one_epoch_of_mnist_is_a_good_start(run: Runner, data_dir: Path) -> None:
    if not (data_dir / "mnist").is_dir():
        pytest.skip("the folder named by CHAINRULE_DATA holds no mnist")
    said, pictures = run("mnist_classifier.py", "--epochs", "1")
    assert number(r"accuracy ([\d.]+)%", said) > 95
    assert pictures == {"mnist_curves.png", "mnist_confusion.png"}


@pytest.mark.slow
@pytest.mark.parametrize(("distort", "least"), [((), 96), (("--distort",), 97)])
def test_one_epoch_of_the_record_is_a_good_start(run: Runner, data_dir: Path, distort: tuple[str, ...], least) -> None:
    if not (data_dir / "mnist").is_dir():
        pytest.skip("the folder named by CHAINRULE_DATA holds no mnist")
    said, _ = run("mnist_record.py", *distort, "--epochs", "1", "--seeds", "0")
    assert number(r"seed 0: test accuracy ([\d.]+)%", said) > least
    assert "an ensemble of 1" in said


def test_recipes_are_compared(run: Runner) -> None:
    said, _ = run("recipes_that_learn_more.py", "--data", "digits", "--epochs", "5", "--seeds", "0")
    scores = [number(rf"{name} +([\d.]+)%", said) for name in ("plain", "max-norm", "noise", "averaging", "mix-up")]
    assert min(scores) > 90
    assert number(r"distortions +([\d.]+)%", said) > 90


def test_the_c_program_reads_digits_as_the_model_does(run: Runner, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    said, _ = run("c_on_a_microcontroller.py", "--epochs", "10")
    assert "\nnote: flash: 4,066 bytes of constants" in said
    program = EXAMPLES / "c_on_a_microcontroller.c"
    command = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-I", tmp_path, program, "-lm", "-o", "digits"]
    subprocess.run(command, cwd=tmp_path, check=True)
    digits = cr.data.load_named("digits")
    pixels = "\n".join(" ".join(map(str, row)) for row in digits.x_test.tolist())
    told = subprocess.run(
        [tmp_path / "digits"], input=pixels, capture_output=True, text=True, check=True
    ).stdout.split()
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    right = [name == names[label] for name, label in zip(told, digits.y_test, strict=True)]
    assert 100 * sum(right) / len(right) == pytest.approx(number(r"([\d.]+)% of the test digits right", said), abs=0.6)


def test_the_pictures_go_where_they_are_asked_to_go(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    said, pictures = run("fit_three_points.py", "--epochs", "5", "--seed", "0", "--out", "pictures")
    assert pictures == {str(Path("pictures", "three_points.png"))}
    assert str(Path("pictures", "three_points.png")) in said


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_short_public_and_in_the_table(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"({script.name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"{script.name}" in Path(__file__).read_text(encoding="utf-8")  # and it is run above
    assert re.findall(r"^ *(?:from|import) +chainrule.*$", text, re.MULTILINE) == ["import chainrule as cr"]
    used = {
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cr"
    }
    assert used <= set(cr.__all__)


def test_the_table_names_no_example_that_is_gone() -> None:
    named = re.findall(r"\((\w+\.py)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert sorted(named) == [script.name for script in SCRIPTS]
