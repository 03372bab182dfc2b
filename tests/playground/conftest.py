"""A browser for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from playground.browser import Visitor, visiting


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A visitor for the tests of a file."""
    yield from visiting(tmp_path_factory.mktemp("node"))
