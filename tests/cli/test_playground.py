"""``chainrule playground``: prints the link, opens the browser, and ends with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from chainrule.playground.server import Server

from .conftest import Shell


@pytest.mark.skipif(os.name != "posix", reason="a signal as Ctrl-C sends it")
def test_it_prints_the_link_serves_the_page_and_ends_with_ctrl_c() -> None:
    command = [sys.executable, "-m", "chainrule", "playground", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        link = re.search(r"http://127\.0\.0\.1:\d+/#token=[\w-]{32,}", line)
        assert link, line + process.stderr.read()
        with urllib.request.urlopen(link.group().partition("#")[0]) as page:
            assert b"<!doctype html>" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "has ended" in out


def test_it_opens_the_browser_unless_told_not_to(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def interrupted(server: Server) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Server, "serve_forever", interrupted)
    answer = shell("playground")
    assert answer.code == 0
    assert opened
    assert opened[0] in answer.out
    assert shell("playground", "--no-browser").code == 0
    assert len(opened) == 1


def test_a_port_that_is_taken_or_none_is_refused_in_one_sentence(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = shell("playground", "--no-browser", "--port", port)
    assert answer.code == 2
    assert f"to listen on port {port}" in answer.err
    for port in (-1, 70_000):
        answer = shell("playground", "--no-browser", "--port", port)
        assert answer.code == 2
        assert len(answer.err.splitlines()) == 1
