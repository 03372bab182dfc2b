"""In a web worker there is no server, no kernel, and no package beside NumPy: the session needs none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

ABSENT = ["http", "socketserver", "multiprocessing", "ssl", "sqlite3", "lzma", "_lzma", "fcntl"]
ABSENT += ["safetensors", "tqdm", "threadpoolctl", "sklearn", "scipy", "narwhals", "pyarrow", "pandas", "matplotlib"]
PROGRAM = f"""
import sys
for name in {ABSENT}:
    sys.modules[name] = None
from chainrule.playground.session import Session, handle_json
session = Session()
for line in sys.stdin:
    print(handle_json(line, session))
"""
REQUESTS = [
    {"do": "describe"},
    {"do": "build", "settings": {"points": 60, "dropout": 0.2}},
    {"do": "advance", "epochs": 2, "side": 8, "unit_side": 4},
    {"do": "edge", "layer": 1, "i": 0, "j": 0},
    {"do": "trace"},
    {"do": "code"},
    {"do": "table", "text": "a,b\n1,2\n"},
    {"do": "build", "settings": {"data": "digits"}},
]


def test_the_session_needs_numpy_alone() -> None:
    lines = "".join(json.dumps(request) + "\n" for request in REQUESTS)
    environment = os.environ | {"CHAINRULE_KERNELS": "numpy"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=lines, env=environment, capture_output=True, encoding="utf-8"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(REQUESTS), done.stderr
    assert [answer.get("error") for answer in answers[:-2]] == [None] * 6
    assert answers[-2]["error"].endswith("pip install 'chainrule[tabular]'")
    assert answers[-1]["error"].endswith("pip install 'chainrule[sklearn]'")
