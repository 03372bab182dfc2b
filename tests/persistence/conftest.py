"""What the compiler can check."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from persistence.c_programs import SANITIZED


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The flags of the sanitizers; none of them where the compiler has none."""
    folder = tmp_path_factory.mktemp("sanitizers")
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    if subprocess.run(["cc", *SANITIZED, "main.c"], cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("the C compiler has no address and undefined-behaviour sanitizers")
    return SANITIZED
