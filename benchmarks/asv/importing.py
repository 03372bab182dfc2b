"""The time of the import, and the size of the package."""

from benchmarks.footprint import measure_size


def timeraw_import() -> str:
    return "import chainrule"


def track_wheel() -> int:
    return int(measure_size()["wheel"])


track_wheel.unit = "bytes"
