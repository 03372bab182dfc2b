"""Files of every version that was released load to the numbers of their time, and need little to be predicted with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import venv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.json"))
ROWS = np.linspace(-2, 2, 12).reshape(3, 4)


def expected(name: str) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_an_earlier_version_loads_to_its_numbers(name: str) -> None:
    model = cr.load(CORPUS / f"{name}.safetensors")
    np.testing.assert_allclose(model.predict(ROWS), expected(name)["outputs"], rtol=1e-6)
    assert model.metadata == {"class_names": ["ja", "nein"], "score": 0.1, "nothing": None, "日本": [1, True]}
    assert [type(layer).__name__ for layer in model.layers] == [
        *("Linear", "BatchNorm", "Residual", "PReLU", "Scale", "Dropout", "Linear", "Softmax")
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if (CORPUS / f"{name}-checkpoint.safetensors").is_file()])
def test_a_checkpoint_of_an_earlier_version_loads_to_its_numbers(name: str) -> None:
    model = cr.load(CORPUS / f"{name}-checkpoint.safetensors")
    np.testing.assert_allclose(model.predict(ROWS), expected(name)["checkpoint outputs"], rtol=1e-6)


def test_the_corpus_has_a_file_of_every_format() -> None:
    formats = {name.split("-")[1] for name in NAMES}
    latest = max(map(int, formats))
    assert formats == {str(number) for number in range(1, latest + 1)}
    cr_format = json.loads(header_of(CORPUS / f"format-{latest}.safetensors")["chainrule"])["format"]
    assert cr_format == latest


def header_of(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return dict(file.metadata())


def test_what_is_saved_now_is_of_a_format_in_the_corpus(tmp_path: Path) -> None:
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "now")
    now = json.loads(header_of(tmp_path / "now")["chainrule"])["format"]
    assert f"format-{now}" in NAMES


def test_a_changed_number_is_found_by_the_digest(tmp_path: Path) -> None:
    content = bytearray((CORPUS / "format-2.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "changed").write_bytes(content)
    with pytest.raises(ValueError, match=r"^load expects .*changed to be as it was written, got one whose digest"):
        cr.load(tmp_path / "changed")
    content = bytearray((CORPUS / "format-1.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "changed").write_bytes(content)
    cr.load(tmp_path / "changed")  # that format has none


# --- with NumPy and safetensors alone ---

ALONE = """
    import json, sys
    import numpy as np
    import chainrule as cr
    model = cr.load(sys.argv[1])
    print(json.dumps(model.predict(np.linspace(-2, 2, 12).reshape(3, 4)).tolist()))
    many = model.predict(np.zeros((9000, 4)))  # more than are predicted at a time
    try:
        import threadpoolctl
    except ImportError:
        print("alone")
    cr.save(model, sys.argv[2])
"""


def test_a_model_is_loaded_and_predicts_with_numpy_and_safetensors_alone(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    (site,) = (tmp_path / "env").rglob("site-packages")
    for name in ("numpy", "safetensors", "chainrule"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        for folder in (package, package.parent / f"{name}.libs"):  # the BLAS of NumPy's wheel
            if folder.is_dir():
                link_or_copy(folder, site / folder.name)
    python = next(path for path in (tmp_path / "env").glob("*/python*") if path.stem == "python")
    command = [python, "-I", "-c", textwrap.dedent(ALONE), CORPUS / "format-2.safetensors", tmp_path / "again"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs, alone = done.stdout.splitlines()
    assert alone == "alone"
    np.testing.assert_allclose(json.loads(outputs), expected("format-2")["outputs"], rtol=1e-6)
    assert (tmp_path / "again").read_bytes() == (CORPUS / "format-2.safetensors").read_bytes()


def link_or_copy(source: Path, target: Path) -> None:
    if sys.platform == "win32":
        shutil.copytree(source, target)
    else:
        os.symlink(source, target, target_is_directory=True)
