"""What a figure depends on: the processor, the versions, the kernels, the BLAS and what restricts it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from chainrule import __version__
from chainrule.ops.fused import KERNELS
from chainrule.runtime.config import cpuinfo, processor_name

RESTRICTING = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)  # with these NumPy's BLAS may run far below the processor's ability
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS")
FLAGS = ("sse4_2", "avx", "fma", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "asimd", "sve")
WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "asimd": "Neon"}
PACKAGES = ("numpy", "scikit-learn", "torch", "jax", "jaxlib", "onnxruntime")


def describe() -> dict[str, Any]:
    """The facts, as JSON values."""
    return {
        "processor": processor_name(),
        "cores": cores(),
        "flags": flags(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "python": platform.python_version(),
        "chainrule": __version__,
        "kernels": KERNELS,
        "versions": versions(PACKAGES),
        "blas": blas(),
        "environment": {name: os.environ[name] for name in (*RESTRICTING, *THREADS) if name in os.environ},
    }


def restricted(facts: Mapping[str, Any]) -> bool:
    """Whether the BLAS was held below the processor's ability."""
    return any(name in facts["environment"] for name in RESTRICTING)


def flags() -> list[str]:
    """The vector instructions that it has, of those that matter here."""
    has = set((cpuinfo("flags") or cpuinfo("Features")).split())
    return [flag for flag in FLAGS if flag in has]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def blas() -> list[str]:
    """NumPy's and the others' libraries of matrix products: name, version, core type, threads."""
    from threadpoolctl import threadpool_info

    return [
        " ".join(str(info[key]) for key in ("internal_api", "version", "architecture") if info.get(key))
        + f", {info['num_threads']} threads"
        for info in threadpool_info()
        if info["user_api"] == "blas"
    ]


def name(facts: Mapping[str, Any]) -> str:
    """``AMD EPYC AVX-512``: several generations have one name."""
    widest = next((word for flag, word in WIDEST.items() if flag in facts["flags"]), "")
    return f"{facts['processor']} {widest}".strip()


def slug(facts: Mapping[str, Any]) -> str:
    """``amd-epyc-avx-512-2-cores``, for the name of a file."""
    words = re.sub(r"[^a-z0-9]+", "-", name(facts).lower()).strip("-")
    return f"{words}-{facts['cores']}-cores" + ("-restricted" if restricted(facts) else "")
