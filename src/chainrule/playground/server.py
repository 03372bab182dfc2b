"""The local server: it carries the protocol, and gives the page's own files, to the browser of this user alone.

It listens on 127.0.0.1. A request must name this server as its host (a foreign name that resolves to this address does
not), come from its own page or from no page, and carry the token, which stands in the fragment of the link printed in
the terminal: browsers send fragments to nobody.
"""

from __future__ import annotations

import hmac
import http.server
import json
import os
import re
import secrets
import socketserver
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from importlib import resources
from typing import Any

from .._support.checks import sentence
from .choices import PLAYGROUND
from .session import MOST_CHARACTERS, Session, handle_json

HOST = "127.0.0.1"
MOST_SESSIONS, MOST_CONNECTIONS = 8, 64
IDLE_SECONDS, TIMEOUT_SECONDS = 3600.0, 60.0
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
SOURCES = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
REST = "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": f"{SOURCES}; {REST}",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NO_SERVER, THIS_SERVER = b'name="server" content=""', b'name="server" content="yes"'


def page_files() -> dict[str, tuple[bytes, str]]:
    """The page's files and their types by path: nothing else can be asked for."""
    found = {}
    for file in resources.files(__package__).joinpath("page").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[f"/{file.name}"] = file.read_bytes().replace(NO_SERVER, THIS_SERVER), kind
    return found | {"/": found["/index.html"]}


class Sessions:
    """The sessions of the open pages: the latest few, without those that have been idle for an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: OrderedDict[str, tuple[Session, threading.Lock, float]] = OrderedDict()  # the latest at the end

    def __len__(self) -> int:
        return len(self._known)

    def handle(self, name: str, text: str) -> str:
        """Answer a request of the page of this name; requests of one page wait for each other."""
        with self._lock:
            session, own, _ = self._known.get(name) or (Session(), threading.Lock(), 0.0)
            self._known[name] = session, own, self._clock()
            self._known.move_to_end(name)
            if len(self._known) > MOST_SESSIONS:
                self._known.popitem(last=False)
        with own:
            return handle_json(text, session)

    def drop_idle(self) -> None:
        """Drop the sessions that nobody has used for an hour."""
        with self._lock:
            for name, (*_, used) in list(self._known.items()):
                if self._clock() - used > IDLE_SECONDS:
                    del self._known[name]


class Server(http.server.ThreadingHTTPServer):
    """The server; ``server.link`` is what opens the page.

    Parameters
    ----------
    port : int
        The port; 0 for any that is free.
    """

    allow_reuse_address = os.name == "posix"  # elsewhere it would let another program listen on the same port

    def __init__(self, port: int = 0) -> None:
        self.files, self.token, self.sessions = page_files(), secrets.token_urlsafe(24), Sessions()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((HOST, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def link(self) -> str:
        """The address of the page, with the token."""
        return f"http://{HOST}:{self.server_port}/#token={self.token}"

    @property
    def hosts(self) -> list[str]:
        """What a browser may call this server."""
        return [f"{name}:{self.server_port}" for name in (HOST, "localhost")]

    def service_actions(self) -> None:
        """Drop idle sessions, twice a second."""
        self.sessions.drop_idle()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, if there are not too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed is no error."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection, kept alive: thirty requests a second would cost more to open than to answer."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_SECONDS
    wbufsize = 1 << 16  # headers and body leave together

    def do_GET(self) -> None:
        """Give a file of the page."""
        found = self.server.files.get(self.path.partition("?")[0])
        if self._is_ours():
            if found is None:
                self.send_error(404, sentence(PLAYGROUND, "the path of a file of the page", repr(self.path[:80])))
            else:
                self._send(200, *found)

    def do_POST(self) -> None:
        """Answer a request of the protocol."""
        if self._is_ours() and self._may_ask():
            try:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                answer = self.server.sessions.handle(self.headers["X-Session"], text)
            except UnicodeDecodeError:
                return self.send_error(400, sentence(PLAYGROUND, "a request in UTF-8", "other bytes"))
            except Exception as error:
                traceback.print_exc()
                return self.send_error(500, f"{PLAYGROUND} failed: {type(error).__name__}; the terminal says where.")
            self._send(200, answer.encode(), "application/json")
        return None

    def _is_ours(self) -> bool:
        """Whether the request is for this server, and does not come from a foreign page; if not, refuse it."""
        hosts, headers = self.server.hosts, self.headers
        origin = headers.get("Origin")
        if headers.get("Host") not in hosts:
            self.send_error(403, sentence(PLAYGROUND, f"the host {hosts[0]}", repr(headers.get("Host"))))
        elif origin is not None and origin.removeprefix("http://") not in hosts:
            self.send_error(403, sentence(PLAYGROUND, "a request from its own page", f"one from {origin!r}"))
        else:
            return True
        return False

    def _may_ask(self) -> bool:
        """Whether the request carries the token and is of a size and type that is read; if not, refuse it."""
        headers, length = self.headers, self.headers.get("Content-Length", "")
        if self.path != "/api":
            self.send_error(404, sentence(PLAYGROUND, "a request to /api", repr(self.path[:80])))
        elif not hmac.compare_digest(headers.get("X-Token", "").encode(), self.server.token.encode()):
            remedy = "open the link that chainrule playground printed"
            self.send_error(403, sentence(PLAYGROUND, "the token of its link", "another or none", remedy))
        elif headers.get("Content-Type", "").partition(";")[0] != "application/json":
            self.send_error(415, sentence(PLAYGROUND, "application/json", repr(headers.get("Content-Type"))))
        elif not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MOST_CHARACTERS:
            got = f"{length} bytes" if length else "no Content-Length"
            self.send_error(413, sentence(PLAYGROUND, f"a body of at most {MOST_CHARACTERS:,} bytes", got))
        elif not re.fullmatch(r"[A-Za-z0-9_-]{16,64}", headers.get("X-Session", "")):
            self.send_error(400, sentence(PLAYGROUND, "X-Session of 16 to 64 letters and digits", "another or none"))
        else:
            return True
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in one sentence, and close the connection: what follows it was not read."""
        self.close_connection = True
        self._send(code, json.dumps({"error": message or f"{PLAYGROUND} cannot serve this request."}).encode())

    def _send(self, code: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """The name of the server, without the version of Python."""
        return PLAYGROUND

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: thirty requests a second are no news."""
