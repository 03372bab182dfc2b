"""The compiled kernels, which are optional: without a C compiler the package installs all the same and runs on NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FUSED = Path("src/chainrule/ops/fused")

kernels = Extension(
    "chainrule.ops.fused._kernels",
    sources=[str(FUSED / "_kernels.pyx"), *map(str, sorted(FUSED.glob("kernels/*.c")))],
    depends=[*map(str, FUSED.glob("*.pxi")), *map(str, FUSED.glob("kernels/*.h"))],
    include_dirs=[np.get_include(), str(FUSED)],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
    extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fopenmp-simd"],
    optional=True,
)

setup(ext_modules=[kernels], cmdclass={"build_ext": build_ext})
