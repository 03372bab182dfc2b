"""The configuration of this installation: versions, kernels, threads and the BLAS, with what slows it down."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import check_name
from ..ops import fused
from .threads import available_threads, blas_libraries, processors

PACKAGES = (
    "numpy", "safetensors", "threadpoolctl", "tqdm", "scikit-learn", "pandas", "pyarrow", "onnx",
    "matplotlib",
)  # fmt: skip
#: Instruction sets of x86 processors, in ascending order.
LEVELS = ("SSE", "AVX", "AVX2", "AVX-512")
#: The processors that OpenBLAS and BLIS have kernels for, and their instruction sets.
LEVEL_OF = {
    "prescott": "SSE", "core2": "SSE", "penryn": "SSE", "nehalem": "SSE", "barcelona": "SSE", "generic": "SSE",
    "sandybridge": "AVX", "bulldozer": "AVX", "piledriver": "AVX", "steamroller": "AVX",
    "excavator": "AVX2", "haswell": "AVX2", "zen": "AVX2", "zen2": "AVX2", "zen3": "AVX2",
    "skylakex": "AVX-512", "cooperlake": "AVX-512", "sapphirerapids": "AVX-512", "skx": "AVX-512", "zen4": "AVX-512",
    "zen5": "AVX-512",
}  # fmt: skip


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show versions, kernels, threads and the BLAS, and what slows it down; include it in bug reports.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print the configuration, or return it like ``numpy.show_config``.

    Returns
    -------
    dict or None
        The configuration with "dicts".

    Raises
    ------
    ValueError
        If the mode is unknown.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.show_config()
    chainrule  ...
    python     ...
    packages   numpy ...
    kernels    ...
    threads    at most ... of ... processors, ...
    blas       ...
    >>> cr.show_config(mode="dicts")["kernels"]["in_use"] in ("fused", "numpy")
    True
    """
    check_name("show_config", "a mode", mode, ("stdout", "dicts"))
    config = _config()
    if mode == "dicts":
        return config
    for name, text in _lines(config):
        print(f"{name:<9}  {text}")
    return None


def _config() -> dict[str, Any]:
    blas = [_library(library.info()) for library in blas_libraries()] or [_as_built()]
    return {
        "chainrule": __version__,
        "python": f"{platform.python_version()} on {sys.platform} {platform.machine()}",
        "packages": _versions(),
        "kernels": _kernels(),
        "threads": {"available": available_threads(), "processors": processors()},
        "processor": {"name": processor_name(), "instructions": processor_level()},
        "blas": blas,
        "notes": [note for library in blas for note in _notes(library, processor_level())],
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _kernels() -> dict[str, str]:
    if fused.KERNELS == "fused":
        return {"in_use": "fused", "instructions": fused.INSTRUCTIONS + (", bfloat16" if fused.BFLOAT16 else "")}
    return {"in_use": "numpy", "why": fused.ABSENT or "CHAINRULE_KERNELS=numpy"}


def _library(info: dict[str, Any]) -> dict[str, Any]:
    """Translate threadpoolctl's description of a BLAS."""
    return {
        "library": info["internal_api"],
        "version": info["version"],
        "architecture": info.get("architecture"),
        "threads": info["num_threads"],
        "of": Path(info["filepath"]).parent.name,
    }


def _as_built() -> dict[str, Any]:
    """The BLAS that NumPy was built with, if threadpoolctl finds none: Apple's Accelerate, for example."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload, unused-ignore]
    return {"library": built.get("name", "unknown"), "version": built.get("version")}


def processor_name() -> str:
    """The processor's name for itself."""
    return cpuinfo("model name") or platform.processor() or platform.machine()


def cpuinfo(key: str) -> str:
    """Look up a fact about the first processor on Linux; "" elsewhere."""
    path = Path("/proc/cpuinfo")
    if sys.platform != "linux" or not path.is_file():
        return ""
    found = re.search(rf"^{key}\s*:\s*(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def processor_level() -> str:
    """The highest of LEVELS that NumPy finds in this processor; "" if it is not an x86."""
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {})  # type: ignore[call-overload, unused-ignore]
    found = {*simd.get("baseline", ()), *simd.get("found", ())}
    names = {  # in NumPy since 2.4, and before
        "AVX-512": {"X86_V4", "AVX512_SKX"},
        "AVX2": {"X86_V3", "AVX2"},
        "AVX": {"AVX"},
        "SSE": {"X86_V2", "SSE"},
    }
    return next((level for level, known in names.items() if known & found), "")


def _notes(library: dict[str, Any], level: str) -> Iterator[str]:
    """Yield a sentence for each setting that slows down this BLAS, with a remedy."""
    name, architecture = library["library"], library.get("architecture") or ""
    used = LEVEL_OF.get(architecture.lower())
    if used and level and LEVELS.index(used) < LEVELS.index(level):
        cause, remedy = f"{name} runs its kernels for {architecture}", "a newer build of NumPy may have better ones"
        if name == "openblas" and (core := os.environ.get("OPENBLAS_CORETYPE")):
            cause, remedy = f"OPENBLAS_CORETYPE={core} holds {name} to its kernels for {architecture}", "unset it"
        yield f"{cause} ({used}), below what this processor can do ({level}): {remedy}."
    if name == "openblas" and (size := os.environ.get("OPENBLAS_L2_SIZE")):
        yield f"OPENBLAS_L2_SIZE={size} replaces the cache size that {name} finds and cuts its blocks by: unset it."


def _lines(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kernels, threads = config["kernels"], config["threads"]
    yield "chainrule", config["chainrule"]
    yield "python", config["python"]
    yield "packages", ", ".join(f"{name} {number}" for name, number in config["packages"].items())
    yield "kernels", f"{kernels['in_use']}: {kernels.get('instructions') or kernels['why']}"
    most = f"at most {threads['available']} of {threads['processors']} processors, {config['processor']['name']}"
    yield "threads", f"{most}; each training learns how many are fastest"
    for library in config["blas"]:
        facts = [f"{library['library']} {library['version'] or ''}".strip()]
        facts += [f"kernels for {library['architecture']}"] if library.get("architecture") else []
        facts += [f"threads {library['threads']}", f"from {library['of']}"] if "threads" in library else []
        yield "blas", ", ".join(facts)
    for note in config["notes"]:
        yield "note", note
