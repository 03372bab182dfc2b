"""The namespaces of conversions and of data load a name when it is touched, and nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import chainrule as cr

LAZY = {"convert": ("h5py", "sklearn", "chainrule.persistence"), "data": ("chainrule.data.named", "gzip")}


@pytest.mark.parametrize("namespace", LAZY)
def test_importing_a_namespace_loads_none_of_its_tools(namespace: str) -> None:
    script = f"import sys, chainrule.{namespace}; print(*(set({LAZY[namespace]!r}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize("namespace", LAZY)
def test_a_name_that_a_namespace_lacks_is_an_attribute_error(namespace: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'chainrule.{namespace}' has no attribute 'nothing'"):
        getattr(cr, namespace).nothing  # noqa: B018  (it is the access that raises)
