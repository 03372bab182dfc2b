"""Watch a network learn in the browser: choose data, layers and optimizer, step through every operation.

The page trains with this library, in this process. Only this machine can reach it, and only with the link printed here.
"""

from __future__ import annotations

import argparse
import webbrowser

from .._support.checks import check_integer, check_number, sentence

EXAMPLE = "chainrule playground"
MOST = 65_535  # a port has 16 bits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule playground``."""
    parser.add_argument("--port", metavar="N", type=int, default=0, help="the port (default: any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the link, and open no browser")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from ..playground.server import Server

    port = check_integer("playground", "--port", args.port, minimum=0)
    check_number("playground", "--port", port, maximum=MOST)
    try:
        server = Server(port)
    except OSError as error:
        remedy = "leave --port out"
        raise ValueError(sentence("playground", f"to listen on port {port}", str(error), remedy)) from None
    with server:
        print(f"The playground is at {server.link}\nCtrl-C ends it.", flush=True)
        if not args.no_browser:
            webbrowser.open(server.link)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nThe playground has ended.")
    return 0
