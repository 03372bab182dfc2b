"""What a library costs before it computes: the time of its import, its size on disk, the memory of a small training."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .grid import ROWS, make_problem
from .peers import PEERS, Peer
from .peers.ours import Ours
from .timing import Pairs, figures

IMPORTS = {"numpy": "numpy", "scikit_learn": "sklearn.neural_network", "pytorch": "torch", "jax_scan": "jax"}
PACKAGES = {"numpy": ["numpy"], "scikit_learn": ["scikit-learn", "scipy"], "pytorch": ["torch"]}
PACKAGES |= {"jax_scan": ["jax", "jaxlib"], "onnx_runtime": ["onnxruntime"]}
TRAINED = replace(ROWS["784-512-256-10x128"], steps=10)  # few rows: the libraries' own memory is what differs

IMPORT_TIME = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
PEAK = "from benchmarks.footprint import print_peak; print_peak({!r})"


def measure_import(rounds: int) -> dict[str, Any]:
    """Seconds of ``import chainrule`` and of the others', each in a fresh process, in turn."""
    pairs = {key: Pairs() for key, module in IMPORTS.items() if find_spec(module.split(".")[0])}
    for count in range(-1, rounds):  # the round before the first writes bytecode and fills the disk's cache
        for key, pair in pairs.items():
            ours = float(_python(IMPORT_TIME.format("chainrule")))
            theirs = float(_python(IMPORT_TIME.format(IMPORTS[key])))
            if count >= 0:
                pair.ours.append(ours)
                pair.theirs.append(theirs)
    return figures("import", pairs, {})


def measure_size() -> dict[str, Any]:
    """Bytes on disk of what ``pip install`` of each would bring, dependencies apart, and of our wheel."""
    files = [path for path in sorted(package_folder().rglob("*")) if path.is_file() and _is_shipped(path)]
    sizes: dict[str, Any] = {"ours": sum(path.stat().st_size for path in files), "wheel": _zipped(files)}
    for key, names in PACKAGES.items():
        try:
            sizes[key] = sum(_installed(name) for name in names)
        except PackageNotFoundError:
            continue
    return sizes


def measure_memory(peers: Iterable[Peer]) -> dict[str, int]:
    """Peak bytes of a process that trains a network for an epoch: NumPy's products alone, ours, theirs."""
    keys = [peer.key for peer in peers if peer.trains]
    return {key: int(_python(PEAK.format(key))) for key in ("ours", *keys)}


def print_peak(key: str) -> None:
    """Train with one library and print the peak memory of this process."""
    problem = make_problem(TRAINED)
    make: Callable[[Any], Any] = Ours if key == "ours" else PEERS[key].contestant
    make(problem).train(1)
    print(peak())


def peak() -> int:
    """Bytes; Linux's own count, because ``ru_maxrss`` there begins with what the parent process had."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def package_folder() -> Path:
    """Where chainrule is installed."""
    return Path(__file__).parents[1]


def _python(script: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise OSError(f"{script} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return done.stdout.strip().splitlines()[-1]


def _is_shipped(path: Path) -> bool:
    return path.suffix in {".py", ".so", ".pyd", ".typed"} and "__pycache__" not in path.parts


def _zipped(files: Iterable[Path]) -> int:
    """A wheel is a zip file of the package."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(package_folder()))
    return len(memory.getvalue())


def _installed(name: str) -> int:
    """Bytes of a distribution's files."""
    paths = [Path(str(file.locate())) for file in distribution(name).files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())
