"""The command itself: help, version, one sentence for an error, and good manners in a pipe."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.cli import COMMANDS, main, make_parser


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
        check=False,
    )


def test_the_module_is_the_command() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"chainrule {cr.__version__}\n", "")


def test_errors_leave_no_traceback_and_code_2(tmp_path: Path) -> None:
    result = run("train", "digit", "--out", tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("chainrule: error: train expects the name of a data set, or an existing file, got")
    assert result.stderr.count("\n") == 1


def test_a_traceback_is_there_for_who_wants_it() -> None:
    result = run("train", "digit", CHAINRULE_DEBUG="1")
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback")
    assert "did you mean 'digits'?" in result.stderr


CHECK_UNTIL_THE_READER_IS_GONE = """
import runpy, sys
from chainrule.cli import check

def proofs(rows=check.proofs()):
    yield next(rows)
    sys.stdin.read()  # it ends when the reader has closed the pipe
    yield from rows

check.proofs = proofs
sys.argv = ["chainrule", "check"]
runpy.run_module("chainrule", run_name="__main__")
"""


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """As ``chainrule check | head -1``: the reader closes the pipe, and the writer stops in silence."""
    command, pipe = [sys.executable, "-c", CHECK_UNTIL_THE_READER_IS_GONE], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_is_no_error(stream: str, shell, monkeypatch: pytest.MonkeyPatch, flowers_model: Path) -> None:
    """As ``chainrule inspect model >&-``."""
    monkeypatch.setattr(sys, stream, None)
    assert main(["inspect", str(flowers_model)]) == 0
    assert main(["predict", str(flowers_model), "nothing.csv"]) == 2
    assert getattr(sys, stream) is None


def test_a_terminal_that_knows_ascii_only_is_no_error(flowers_model: Path) -> None:
    result = run("inspect", flowers_model, PYTHONUTF8="0", PYTHONIOENCODING="ascii:strict")
    assert (result.returncode, result.stderr) == (0, "")
    assert r"\u2192" in result.stdout


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, shell) -> None:
    def press(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.train.resolve", press)
    answer = shell("train", "digits")
    assert (answer.code, answer.err) == (130, "chainrule: interrupted\n")


def test_too_large_a_network_is_told_in_one_sentence(refuses) -> None:
    assert "allocate" in refuses("train", "digits", "--hidden", "100000000,100000000")


@pytest.mark.parametrize("words", [[], ["train"], ["predict", "model"], ["inspect", "a", "--depth", "3"]], ids=str)
def test_a_wrong_command_line_says_where_help_is(words: list[str], refuses) -> None:
    assert "--help" in refuses(*words)


def test_an_unknown_command_is_answered_with_the_nearest(refuses) -> None:
    assert "did you mean 'train'?" in refuses("trian", "digits")


def test_help_names_every_command(shell) -> None:
    answer = shell("--help")
    assert answer.code == 0
    assert all(name in answer.out for name in COMMANDS)
    assert "example: chainrule train digits" in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example_that_parses(name: str, shell) -> None:
    answer = shell(name, "--help")
    assert answer.code == 0
    example = answer.out.split("example: ")[1].strip()
    program, *words = shlex.split(example)
    assert (program, words[0]) == ("chainrule", name)
    assert make_parser().parse_args(words).run is COMMANDS[name].run


def test_the_arguments_come_from_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["chainrule", "trian"])
    assert main() == 2
    assert "did you mean 'train'?" in capsys.readouterr().err
