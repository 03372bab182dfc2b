"""The server answers its own page, and refuses everybody else in one sentence."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chainrule.playground import server as module
from chainrule.playground.server import MOST_SESSIONS, Server, Sessions
from chainrule.playground.session import MOST_CHARACTERS

PAGE = "a" * 16


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def headers(server: Server, **changes: Any) -> dict[str, str]:
    given = {"Content-Type": "application/json", "X-Token": server.token, "X-Session": PAGE}
    given |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in given.items() if value is not None}


def send(server: Server, method: str, path: str, body: Any = None, **changes: Any) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.request(method, path, body, headers(server, **changes))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def ask(server: Server, request: Any, **changes: Any) -> tuple[int, Any]:
    status, body, _ = send(server, "POST", "/api", json.dumps(request), **changes)
    return status, json.loads(body)


def test_it_answers_the_page_with_the_token(server: Server) -> None:
    status, answer = ask(server, {"do": "build", "settings": {"data": "xor", "hidden": [2]}})
    assert (status, answer["shapes"]) == (200, [[2, 2], [2, 2]])
    own = f"http://localhost:{server.server_port}"
    status, answer = ask(server, {"do": "advance", "epochs": 1}, Origin=own, Host=own.removeprefix("http://"))
    assert (status, answer["epoch"]) == (200, 1)


def test_what_the_session_refuses_is_an_answer(server: Server) -> None:
    status, answer = ask(server, {"do": "fly"})
    assert (status, list(answer)) == (200, ["error"])


def test_one_connection_serves_many_requests(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/api", json.dumps({"do": "describe"}), headers(server))
        before = connection.sock
        assert connection.getresponse().read()
        assert connection.sock is before is not None
    connection.close()


REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "another token": (403, {"X_Token": "x" * 32}),
    "a token that is no ASCII": (403, {"X_Token": "é"}),
    "no token": (403, {"X_Token": None}),
    "a foreign origin": (403, {"Origin": "http://evil.example"}),
    "a sandboxed page": (403, {"Origin": "null"}),
    "another port": (403, {"Origin": "http://127.0.0.1:1"}),
    "another scheme": (403, {"Origin": "https://127.0.0.1"}),
    "a foreign name that leads here": (403, {"Host": "evil.example"}),
    "a form": (415, {"Content_Type": "text/plain"}),
    "a huge body": (413, {"Content_Length": str(MOST_CHARACTERS + 1)}),
    "a length that is none": (413, {"Content_Length": "-1"}),
    "a body of unknown length": (413, {"Content_Length": None, "Transfer_Encoding": "chunked"}),
    "no session": (400, {"X_Session": None}),
    "an odd session": (400, {"X_Session": "../../etc/passwd"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_foreign_requests_are_refused_in_one_sentence(server: Server, case: str) -> None:
    status, changes = REFUSED[case]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as line:
        given = headers(server, **({"Host": server.hosts[0], "Content_Length": "17"} | changes))
        text = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        line.sendall(f"POST /api HTTP/1.1\r\n{text}\r\n".encode("latin-1") + b'{"do":"describe"}')
        answer = http.client.HTTPResponse(line)
        answer.begin()
        sentence = json.loads(answer.read())["error"]
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert sentence.startswith("playground expects ")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"do": NaN}', b"[]", b"3", b'{"do": 1e999}', b'{"do": "\\ud800"}']
)
def test_bad_json_is_refused_in_one_sentence(server: Server, body: bytes) -> None:
    status, answer, _ = send(server, "POST", "/api", body)
    assert status in (200, 400)
    assert json.loads(answer)["error"].startswith("playground expects ")


def test_it_gives_the_files_of_the_page_and_no_others(server: Server) -> None:
    status, body, found = send(server, "GET", "/")
    assert (status, found["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert module.THIS_SERVER in body
    assert send(server, "GET", "/index.html?x=1")[1] == body
    for path in (
        "/../session.py",
        "/..%2fsession.py",
        "//etc/passwd",
        "/session.py",
        "/page/index.html",
        "/%00",
        "/api",
    ):
        assert send(server, "GET", path)[0] == 404, path
    for method in ("PUT", "OPTIONS", "HEAD", "TRACE"):
        assert send(server, method, "/")[0] == 501
    assert send(server, "GET", "/", Host="evil.example")[0] == 403
    assert send(server, "POST", "/index.html", "{}")[0] == 404


def test_no_header_lets_another_page_in(server: Server) -> None:
    for method, path in (("GET", "/"), ("POST", "/api"), ("GET", "/nothing")):
        found = send(server, method, path, "{}")[2]
        assert "Access-Control-Allow-Origin" not in found
        assert found["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
        assert (found["X-Content-Type-Options"], found["X-Frame-Options"]) == ("nosniff", "DENY")
        assert "Python" not in found["Server"]


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.link.partition("#token=")[2] == server.token
    assert len(server.token) >= 32


def test_a_fault_of_our_own_shows_no_traceback_to_the_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, text: str) -> str:
        raise RuntimeError("secret")

    said: list[str] = []
    monkeypatch.setattr(server.sessions, "handle", broken)
    monkeypatch.setattr(module.traceback, "print_exc", lambda: said.append("traceback"))
    status, answer = ask(server, {"do": "describe"})
    assert (status, said) == (500, ["traceback"])
    assert "secret" not in answer["error"]


def test_sessions_are_few_and_idle_ones_are_dropped() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    build = json.dumps({"do": "build", "settings": {"points": 20, "hidden": []}})
    advance = json.dumps({"do": "advance", "steps": 1})
    for index in range(MOST_SESSIONS + 1):
        sessions.handle(f"page {index}", build)
        sessions.handle("page 0", advance if index else build)
    assert len(sessions) == MOST_SESSIONS
    assert json.loads(sessions.handle("page 0", advance))["step"] == MOST_SESSIONS + 1
    assert "built first" in json.loads(sessions.handle("page 1", advance))["error"]
    now[0] = module.IDLE_SECONDS
    sessions.handle("page 2", advance)
    now[0] += 1
    sessions.drop_idle()
    assert len(sessions) == 1


def test_too_many_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 1)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as first:
                first.sendall(f"GET / HTTP/1.1\r\nHost: {server.hosts[0]}\r\n\r\n".encode())
                assert first.recv(12) == b"HTTP/1.1 200"
                with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as second:
                    assert second.recv(1) == b""
        finally:
            server.shutdown()
            thread.join()
