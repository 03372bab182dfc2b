"""The compiled kernels, which are optional: where they cannot be built the package installs all the same, and says so.

NumPy alone computes then. ``CHAINRULE_BUILD_KERNELS=0`` leaves them out on purpose; ``CHAINRULE_SANITIZE=1`` builds
them with the sanitizers of GCC or Clang, for tests/fuzz.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError
from setuptools.modified import newer_group

FUSED = Path("src/chainrule/ops/fused")
OPTIONS = [
    "-O3",
    "-g0",
    "-fno-asynchronous-unwind-tables",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fopenmp-simd",
]
if sys.platform == "linux":  # GCC: without copies of loops that only their last few numbers run through
    OPTIONS += ["-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic"]
    OPTIONS += ["--param=max-completely-peeled-insns=30", "--param=vect-epilogues-nomask=0"]
    OPTIONS += ["-fno-plt", "-fvisibility=hidden"]  # calls without stubs, fewer symbols: 1 kB
#: Smaller code, for what Cython writes: so the library takes 199 kB of the wheel, to which vectorized epilogues would
#: add 20 kB, -O3 and complete peeling 48 kB. The bits are the same and steps as fast. A call is 45 ns longer than -O2
#: would make it; inlining at -O2 what each call runs through would cost 7 kB for 25 ns of them. kernels/plan.c is not
#: among these: 2 kB less would make the smallest networks' steps of 1.3 µs 0.2 µs longer. Nor are -fno-gcse and
#: -fno-tree-pre among the options: 4 kB less, but activations up to a quarter slower.
SMALLER = {"_kernels.c": ["-Os"]}
LINKED = (
    ["-pthread", "-lm", "-Wl,-s,--build-id=none"] if sys.platform == "linux" else []
)  # no symbols: a fraction of the size
if os.environ.get("CHAINRULE_SANITIZE", "0") != "0":
    LINKED = ["-fsanitize=address,undefined"]
    OPTIONS += ["-O1", "-g1", "-fno-omit-frame-pointer", *LINKED]

kernels = Extension(
    "chainrule.ops.fused._kernels",
    sources=[str(FUSED / "_kernels.pyx"), *map(str, sorted(FUSED.glob("kernels/*.c")))],
    depends=["setup.py", *map(str, sorted([*FUSED.glob("*.pxi"), *FUSED.glob("kernels/*.[hd]*")]))],
    include_dirs=[str(FUSED)],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
    extra_compile_args=OPTIONS,
    extra_link_args=LINKED,
    optional=True,
)


class BuildKernels(build_ext):
    """Compile the kernels, or say in one line why not."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.cython_c_in_temp = True  # the generated C belongs in build/, not beside the sources

    def build_extension(self, ext: Extension) -> None:
        obstacle = self.obstacle()
        if not obstacle:
            import numpy as np

            ext.include_dirs.append(np.get_include())
            self.compiler.compile = partial(compile_each, self.compiler.compile, self.compiler.object_filenames)
            try:
                super().build_extension(ext)
            except CCompilerError:
                obstacle = "the kernels do not compile (the compiler says above why)"
        if obstacle:
            Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)  # what an earlier build left behind
            print(f"chainrule: {obstacle}; installing without compiled kernels, NumPy alone will compute", flush=True)

    def obstacle(self) -> str:
        """Why this machine cannot build the kernels; "" if nothing is known against it."""
        if self.compiler.compiler_type == "msvc":
            return "the kernels are written for GCC and Clang, not for MSVC"
        if missing := [name for name in ("Cython", "numpy") if find_spec(name) is None]:
            return f"no {' and no '.join(missing)} to build with"
        trial = Path(self.build_temp, "trial.c")
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_text("int chainrule_trial;\n", encoding="utf-8")
        try:
            self.compiler.compile([str(trial)], output_dir=self.build_temp)
        except CCompilerError:
            return "no C compiler found"
        return ""


def compile_each(
    compile_: Callable[..., list[str]],
    object_filenames: Callable[..., list[str]],
    sources: list[str],
    *,
    output_dir: str,
    depends: list[str],
    **options: Any,
) -> list[str]:
    """Compile the sources side by side, and only those that are newer than their objects."""

    def compile_one(source: str) -> list[str]:
        objects = object_filenames([source], output_dir=output_dir)
        if not newer_group([source, *depends], objects[0]):
            return objects
        smaller = SMALLER.get(Path(source).name, [])
        own = options | {"extra_postargs": [*options["extra_postargs"], *smaller]}
        return compile_([source], output_dir=output_dir, depends=depends, **own)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [name for objects in pool.map(compile_one, sources) for name in objects]


wanted = os.environ.get("CHAINRULE_BUILD_KERNELS", "1") != "0"
address = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["chainrule"]["repository_url"]
setup(
    ext_modules=[kernels] if wanted else [],
    cmdclass={"build_ext": BuildKernels},
    project_urls={"Source": address, "Changelog": f"{address}/blob/main/CHANGELOG.md"} if address else {},
)
