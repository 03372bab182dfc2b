"""The report of what computes here: true, readable, and not silent about a BLAS that is held back."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops import fused
from chainrule.runtime import config
from chainrule.runtime.config import LEVELS, show_config

threadpoolctl = pytest.importorskip("threadpoolctl")

OPENBLAS = {
    "internal_api": "openblas", "version": "0.3.30", "architecture": "Haswell", "num_threads": 2,
    "filepath": "/env/numpy.libs/libopenblas.so",
}  # fmt: skip


class Library:
    """A BLAS as threadpoolctl holds it."""

    num_threads = 2

    def __init__(self, **changes: Any) -> None:
        self.facts = OPENBLAS | changes

    def info(self) -> dict[str, Any]:
        return self.facts


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``notes(level, architecture=..., VARIABLE=...)``: what is said of such a BLAS on such a processor."""

    def say(level: str, architecture: str | None = "Haswell", **environment: str) -> list[str]:
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(config, "blas_libraries", lambda: (Library(architecture=architecture),))
        monkeypatch.setattr(config, "processor_level", lambda: level)
        return as_dict()["notes"]

    return say


def as_dict() -> dict[str, Any]:
    found = show_config(mode="dicts")
    assert found is not None
    return found


def in_a_new_process(**environment: str) -> dict[str, Any]:
    script = "import chainrule as cr, json; print(json.dumps(cr.show_config(mode='dicts')))"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "CHAINRULE_"))}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=variables | environment, check=True
    )
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_versions_are_the_installed_ones() -> None:
    found = as_dict()
    assert found["chainrule"] == cr.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"]["threadpoolctl"] == threadpoolctl.__version__


def test_a_package_that_is_absent_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "PACKAGES", ("numpy", "no-such-package-at-all"))
    assert list(as_dict()["packages"]) == ["numpy"]


@pytest.mark.skipif(bool(fused.ABSENT), reason=f"compiled kernels: {fused.ABSENT}")
def test_compiled_kernels_name_their_instructions() -> None:
    found = in_a_new_process(CHAINRULE_KERNELS="fused")["kernels"]
    assert found["in_use"] == "fused"
    level = config.processor_level()
    others = "NEON" if platform.machine() in ("aarch64", "arm64") else "generic"
    assert found["instructions"] == (level or others)


def test_plain_kernels_say_why() -> None:
    found = in_a_new_process(CHAINRULE_KERNELS="numpy")["kernels"]
    assert found == {"in_use": "numpy", "why": fused.ABSENT or "CHAINRULE_KERNELS=numpy"}


def test_the_blas_is_what_threadpoolctl_finds() -> None:
    known = {info["version"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"}
    if not known:
        pytest.skip("threadpoolctl knows no BLAS of this process")
    assert {library["version"] for library in as_dict()["blas"]} <= known


def test_the_blas_keeps_its_threads() -> None:
    with threadpoolctl.threadpool_limits(1):
        found = as_dict()
        assert found["threads"]["available"] == 1
        assert all(library.get("threads", 1) == 1 for library in found["blas"])


def test_a_blas_that_threadpoolctl_does_not_know_is_named_as_numpy_was_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "blas_libraries", lambda: ())
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload]
    (library,) = as_dict()["blas"]
    assert library["library"] == built["name"]
    show_config()
    assert f"\nblas       {built['name']} {built['version']}\n" in capsys.readouterr().out


def test_an_older_core_type_is_told(notes: Any) -> None:
    (note,) = notes("AVX-512", OPENBLAS_CORETYPE="Haswell")
    assert note == (
        "OPENBLAS_CORETYPE=Haswell holds openblas to its kernels for Haswell (AVX2), below what this processor can do "
        "(AVX-512): unset it."
    )


def test_kernels_for_an_older_processor_are_told(notes: Any) -> None:
    (note,) = notes("AVX-512", "Zen")
    assert note.startswith(
        "openblas runs its kernels for Zen (AVX2), below what this processor can do (AVX-512): a new"
    )
    (note,) = notes("AVX2", "Nehalem")
    assert "(SSE)" in note


def test_a_foreign_cache_size_is_told(notes: Any) -> None:
    (note,) = notes("AVX-512", "SkylakeX", OPENBLAS_L2_SIZE="512")
    assert note.startswith("OPENBLAS_L2_SIZE=512 replaces the cache size")


@pytest.mark.parametrize(
    ("level", "architecture"),
    [("AVX-512", "SkylakeX"), ("AVX2", "Haswell"), ("AVX2", "SkylakeX"), ("", "neoversen1"), ("AVX-512", "Newest"),
     ("", "Haswell"), ("AVX-512", None)],
)  # fmt: skip
def test_a_blas_at_its_best_is_told_nothing(notes: Any, level: str, architecture: str | None) -> None:
    assert notes(level, architecture) == []
    assert notes(level, architecture, OPENBLAS_CORETYPE="SkylakeX") == []


def test_a_restricted_blas_is_seen_in_the_flesh() -> None:
    """OpenBLAS itself, told to run as on an older core."""
    unset = in_a_new_process()
    if unset["blas"][0]["library"] != "openblas" or config.processor_level() not in LEVELS[2:]:
        pytest.skip("no OpenBLAS on an x86 processor with AVX2")
    assert [note for note in unset["notes"] if "OPENBLAS" in note] == []
    (note,) = in_a_new_process(OPENBLAS_CORETYPE="Nehalem")["notes"]
    assert note.startswith("OPENBLAS_CORETYPE=Nehalem holds")


@pytest.mark.parametrize(
    ("simd", "level"),
    [
        ({"baseline": ["X86_V2"], "found": ["X86_V3", "X86_V4", "AVX512_ICL"]}, "AVX-512"),
        ({"baseline": ["X86_V2"], "found": ["X86_V3"]}, "AVX2"),
        ({"baseline": ["SSE", "SSE2"], "found": ["AVX", "F16C", "FMA3", "AVX2", "AVX512F", "AVX512_SKX"]}, "AVX-512"),
        ({"baseline": ["SSE", "SSE2"], "found": ["AVX", "F16C"]}, "AVX"),
        ({"baseline": ["X86_V2"]}, "SSE"),
        ({"baseline": ["NEON", "ASIMD"], "found": ["ASIMDHP"]}, ""),
        ({}, ""),
    ],
)
def test_the_level_of_the_processor(simd: dict[str, list[str]], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "show_config", lambda mode: {"SIMD Extensions": simd} if simd else {})
    assert config.processor_level() == level


def test_the_printed_lines(capsys: pytest.CaptureFixture[str], notes: Any) -> None:
    notes("AVX-512", OPENBLAS_CORETYPE="Haswell")
    assert show_config() is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "chainrule", "python", "packages", "kernels", "threads", "blas", "note",
    ]  # fmt: skip
    assert lines[5] == "blas       openblas 0.3.30, kernels for Haswell, threads 2, from numpy.libs"


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^show_config expects the name of a mode, got 'dict' \(did you mean 'dicts'"):
        show_config(mode="dict")
