"""Every command, every bad input: exit code 2 and one printable line, in the words of the command line."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import chainrule as cr
from chainrule._support import locks
from chainrule.cli import COMMANDS, main, screen, train
from chainrule.cli.screen import Screen

from .conftest import trained, write_flowers

CORPUS = Path(__file__).parent / "corpus"
INTERNAL = re.compile(
    r"read_table|Traceback|[a-z]\w*_\w+|\w+=\S|\b[A-Z][a-z]+[A-Z]\w+|\bTable\b|\bMLP\b|\[\.\.\.\]|\(\)|\bNone\b|dtype"
)
NAMES = r"(known|some) are .*|yes=2,no=1|got '[^']*=[^']*'"  # of activations and the like, which are typed in the shell


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, and all that is no input."""
    folder = tmp_path_factory.mktemp("place")
    table = write_flowers(folder / "t.csv")
    for name, target in (("classes", "kind"), ("numbers", "length")):
        trained(table, folder / name, "--target", target, "--epochs", 1)
    for name, content in {
        "empty": b"",
        "empty.csv": b"",
        "bytes": bytes(range(256)) * 10,
        "bytes.csv": bytes(range(256)) * 10,
        "text.txt": b"hello",
        "header.csv": b"length,width,colour,kind\n",
        "ragged.csv": b"a,b\n1,2\n3\n",
        "mixed.csv": b"a,1,b\n2,3,x\n4,5,y\n",
        "one-column.csv": b"k\n" + b"x\ny\n" * 20,
        "few.csv": b"a,k\n1,x\n2,y\n",
        "constant.csv": b"a,k\n" + b"1,x\n2,x\n" * 20,
        "names.csv": b"a,kind\n" + b"".join(b"%d,id%d\n" % (i % 7, i) for i in range(60)),
    }.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    cr.save(cr.MLP([2, 1], rng=0), folder / "own.safetensors")
    return folder


NO_INPUT = (
    "nothing", "nothing.csv", "folder", "empty", "empty.csv", "bytes", "bytes.csv", "text.txt", "dangling",
    "a\x1b[2J\u202e.csv", "", "/dev/null", "x" * 300 + ".csv", "t.csv/x", "\udcff.csv",
)  # fmt: skip
NO_OUTPUT = ("folder", "t.csv/x", "nowhere/x.onnx", "/dev/full")
TABLES = (
    "header.csv", "ragged.csv", "mixed.csv", "one-column.csv", "few.csv", "names.csv", "own.safetensors",
)  # fmt: skip
VALUES: dict[str, tuple[str, ...]] = {
    "--epochs": ("0", "-1", "x", "1.5"),
    "--hidden": ("4", "x"),
    "--activation": ("relu",),
    "--seed": ("-1", "x", "1.5"),
    "--validation": ("1", "-1", "nan", "x", "nothing.csv", "ragged.csv", "header.csv"),
    "--time-limit": ("0", "-1", "nan", "x"),
    "--metric": ("foo", "rmse", ""),
    "--preset": ("foo", ""),
    "--class-weight": ("foo", "rose=x", "rose=-1", "tulip=2", "=2"),
    "--sample-weight": ("column", "colour"),
    "--group": ("column", "", "kind"),
    "--time": ("column", "colour"),
    "--quantiles": ("0", "1", "x", "0.5,", "nan"),
    "--number": ("column", "colour", "width:;"),
    "--category": ("column", "width:dmy", "kind,column"),
    "--date": ("column", "width", "colour:dmy", "colour:ymd"),
    "--drop": ("column", "kind", "length,width,colour"),
    "--delimiter": ("xx", "a", ""),
    "--decimal": ("x", ""),
    "--encoding": ("foo", "utf-16", ""),
    "--query": ("select 1",),
    "--dropout": ("1",),  # the names of options are not abbreviated
    "--targ": ("kind",),
    "--test-fraction": ("0", "1", "-1", "nan"),
    "--target": ("column", "Kind", ""),
    "--task": ("foo", "regression"),
    "--columns": ("column", "kind"),
    "--text": ("column",),
    "--nothing": ("1",),
}
USES: dict[str, tuple[list[list[str]], tuple[str, ...]]] = {
    "no input": (
        [
            *(["train", "{}"], ["train", "--resume", "{}"], ["train", "--repeat", "{}"], ["inspect", "{}"]),
            *(["predict", "{}", "t.csv"], ["predict", "classes", "{}"], ["evaluate", "{}", "t.csv"]),
            *(["evaluate", "classes", "{}"], ["report", "classes", "{}"], ["export", "{}", "--out", "x.onnx"]),
            *(["explain", "{}", "t.csv"], ["explain", "classes", "{}"]),
        ],
        NO_INPUT,
    ),
    "no output": (
        [
            *(["predict", "classes", "t.csv", "--out", "{}"], ["explain", "classes", "t.csv", "--out", "{}"]),
            ["export", "own.safetensors", "--out", "{}"],
        ],
        NO_OUTPUT,
    ),
    "no table": (
        [
            ["train", "{}", "--quiet", "--epochs", "1", "--out", "new", "--force", "--target", "kind"],
            ["predict", "classes", "{}"],
            ["evaluate", "classes", "{}"],
            ["report", "classes", "{}"],
            ["explain", "classes", "{}"],
        ],
        TABLES,
    ),
    "no folder": (
        [["train", "t.csv", "--quiet", "--epochs", "1", "--out", "{}"]],
        ("t.csv", "t.csv/x", "/dev/full", "dangling"),
    ),
    **{option: ([["train", "t.csv", "--out", "new", "--quiet", option, "{}"]], VALUES[option]) for option in VALUES},
    "others": (
        [
            *(["export", "classes", "--out", "x.foo"], ["export", "classes", "--out", "x.onnx", "--format", "foo"]),
            *(
                ["export", "classes", "--out", "x.onnx", "--precision", "foo"],
                ["predict", "numbers", "t.csv", "--probabilities"],
            ),
            *(["check", "--seed", "-1"], ["check", "--seed", "x"], ["foo"], ["\x1b[2J"], [], ["train"], ["predict"]),
            *(["inspect", "t.csv"], ["evaluate", "own.safetensors", "t.csv"], ["report", "folder", "t.csv"]),
            *(["train", "constant.csv"], ["train", "digits", "--target", "x"], ["predict", "classes", "digits"]),
            *(
                ["train", "--resume", "classes", "--repeat", "classes"],
                ["train", "--repeat", "classes", "--epochs", "7"],
            ),
            *(["config", "x"], ["report", "text.txt"], ["explain", "classes"], ["explain", "classes", "digits"]),
            *(["explain", "classes", "t.csv", "--row", "999"], ["explain", "classes", "--cell", "height=3"]),
            *(["explain", "classes", "t.csv", "--row", "x"], ["explain", "numbers", "--cell", "width"]),
            *(["playground", "--port", port] for port in ("-1", "x", "99999")),
        ],
        ("",),
    ),
}


@pytest.mark.parametrize("use", USES)
def test_what_cannot_be_done_is_one_line_in_words_of_the_shell(
    use: str, refuses: Callable[..., str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    commands, values = USES[use]
    wrong = []
    for command in commands:
        for value in values:
            said = refuses(*(word.format(value) for word in command))
            bare = re.sub(NAMES, "", re.sub(r"\S*[/.]\S*", "", said))
            if not said[:-1].isprintable() or INTERNAL.search(bare):
                wrong.append((command, value, said))
    assert wrong == []


NUMBERS = ("--epochs", "--seed", "--validation", "--test-fraction", "--time-limit", "--quantiles")
OF_IMAGES: dict[str, tuple[str, ...]] = {
    "--epochs": VALUES["--epochs"],
    "--seed": VALUES["--seed"],
    "--validation": ("1", "-1", "nan", "x"),
    "--batch-size": ("0", "-1", "x"),
    "--learning-rate": ("-1", "nan", "inf", "x", "1e999"),
    "--dropout": ("-1", "1", "nan", "x"),
    "--hidden": ("0", "-1", "x", "1,,2", "1.5"),
    "--activation": ("foo", "\x1b[2J", ""),
    "--optimizer": ("foo", ""),
}


@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_that_does_not_fit_is_told_with_its_option(
    option: str, refuses: Callable[..., str], place: Path
) -> None:
    for value in VALUES[option]:
        if not value.endswith("csv"):
            said = refuses("train", place / "t.csv", "--target", "width", "--out", place / "new", option, value)
            assert option in said or "no such file" in said or "x" in value


@pytest.mark.parametrize("option", OF_IMAGES)
def test_options_of_images_are_checked_before_any_data_are_read(
    option: str, refuses: Callable[..., str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.cli.images.load_named", None)
    for value in OF_IMAGES[option]:
        said = refuses("train", "digits", "--out", place / "new", option, value)
        bare = re.sub(NAMES, "", said)
        assert not INTERNAL.search(bare), said
        assert option in said or option in ("--activation", "--optimizer")


def test_each_command_is_tried() -> None:
    tried = {command[0] for commands, _ in USES.values() for command in commands if command}
    assert set(COMMANDS) <= tried


@pytest.mark.parametrize("error", [KeyError("x\x1b[2J"), RecursionError(), ZeroDivisionError("a\nb"), AssertionError()])
def test_a_fault_of_ours_is_one_line_that_says_what_to_report(
    error: Exception, refuses: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(train, "run", fail)
    said = refuses("train", "digits")
    assert f"train failed with an internal error, {type(error).__name__}" in said
    assert said.endswith(
        "; please report it, with what chainrule config prints, and this command's output with CHAINRULE_DEBUG=1.\n"
    )
    assert said[:-1].isprintable()


def test_a_warning_is_a_note(shell: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*args: object) -> int:
        warnings.warn("beware\x1b[2J", stacklevel=1)
        return 0

    monkeypatch.setattr(train, "run", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        answer = shell("train", "digits")
    assert (answer.code, answer.err) == (0, "note: beware\\x1b[2J\n")


def test_memory_that_is_not_there_is_told() -> None:
    assert screen.in_the_shell(MemoryError(), "train") == "train expects enough memory, got too little."


def test_a_run_that_is_under_way_is_not_joined_by_another(
    refuses: Callable[..., str], shell: Callable[..., object], place: Path, tmp_path: Path
) -> None:
    command = ["train", place / "t.csv", "--out", tmp_path, "--quiet", "--epochs", 1]
    with locks.alone_in("train", tmp_path):
        assert "one that is in use; choose another with --out DIR" in refuses(*command)
        assert list(tmp_path.iterdir()) == []
    assert shell(*command).code == 0


# --- the screen ---

HARMLESS = {
    "plain": "plain",
    "a\n\tb\n": "a\n\tb\n",
    "→ ² é 日本 \xa0": "→ ² é 日本 \xa0",
    "\x1b[2J\x07": r"\x1b[2J\x07",
    "a\rb": "a b",
    "\u202eabc\u200b": r"\u202eabc\u200b",
    "\x9b2J\x85\u2028": r"\x9b2J\x85\u2028",
    "\ud800": r"\ud800",
}


@pytest.mark.parametrize("text", HARMLESS, ids=ascii)
def test_nothing_but_text_reaches_the_screen(text: str) -> None:
    behind = io.StringIO(newline="")
    screen = Screen(behind)
    assert screen.write(text) == len(text)
    assert behind.getvalue() == HARMLESS[text]


def test_a_progress_bar_returns_to_the_beginning_of_its_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    behind = Terminal(newline="")
    Screen(behind).write("\r 50 %|█  | \x1b[A a\rb\r")
    assert behind.getvalue() == "\r 50 %|█  | \\x1b[A a b\r"


@pytest.mark.parametrize(
    "words", [["config"], ["check"], ["inspect", "classes"], ["predict", "classes", "t.csv"]], ids=str
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_standard_output_without_room_is_told(words: list[str], place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=place
        )
    assert done.returncode == 2
    assert done.stderr == f"chainrule: error: {words[0]} expects to write its output, got No space left on device.\n"


def test_names_of_a_table_are_harmless_on_every_screen(shell: Callable[..., object], tmp_path: Path) -> None:
    """In the words of every command, in the page of the report, and in the file of predictions as they are."""
    rows = "".join(
        f"{i % 7}.5,{'xy'[i % 2]},{('c' + chr(27) + '[5mlass', 'b', chr(0x202E) + 'c')[i % 3]}\n" for i in range(60)
    )
    table, less = tmp_path / "t\x1b[2J.csv", tmp_path / "less.csv"
    table.write_text("\x1b]0;title\x07a,\u202et$x$,k\n" + rows, encoding="utf-8")
    less.write_text(table.read_text(encoding="utf-8").replace("k\n", "other\n", 1), encoding="utf-8")
    out = tmp_path / "m\x07odel"
    for command in (
        ["train", table, "--target", "k", "--epochs", 2, "--out", out],
        ["train", table, "--target", "unknown"],
        ["predict", out, less],
        ["predict", out, table, "--probabilities", "--out", tmp_path / "p.csv"],
        ["evaluate", out, table],
        ["evaluate", out, less],
        ["report", out, table],
        ["inspect", out],
        ["export", CORPUS / "flowers.safetensors", "--out", tmp_path / "m\x1b.h"],
    ):
        answer = shell(*command)
        assert all(map(str.isprintable, (answer.out + answer.err).replace("\t", " ").splitlines())), command
    for page in ((out / "report.html").read_text(encoding="utf-8"), (tmp_path / "m\x1b.h").read_text(encoding="utf-8")):
        assert all(map(str.isprintable, page.splitlines()))
    assert "c\x1b[5mlass" in (tmp_path / "p.csv").read_text(encoding="utf-8")
    assert os.listdir(tmp_path / out)


def test_the_command_leaves_the_streams_of_python_as_they_were() -> None:
    before = sys.stdout, sys.stderr, warnings.showwarning
    assert main(["foo"]) == 2
    assert (sys.stdout, sys.stderr, warnings.showwarning) == before
