"""The number of threads: set by the user, held by libraries that limit the BLAS, and given back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from chainrule.runtime import threads
from chainrule.runtime.threads import LARGE, available_threads, blas_libraries, blas_threads, processors

threadpoolctl = pytest.importorskip("threadpoolctl")
needs_blas = pytest.mark.skipif(not blas_libraries(), reason="threadpoolctl knows no BLAS of this process")


HANGS = 600  # seconds; only what never comes takes so long


def present() -> list[int]:
    return [library.num_threads for library in blas_libraries()]


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A BLAS of three threads on four processors, whatever this machine has."""
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "processors", lambda: 4)
    with threadpoolctl.threadpool_limits(3, user_api="blas"):
        yield


def in_a_new_process(**environment: str) -> str:
    script = "from chainrule.runtime.threads import available_threads; print(available_threads())"
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=variables | environment, check=False
    )
    return result.stdout.strip() or result.stderr.strip().splitlines()[-1]


@needs_blas
def test_the_blas_says_how_many() -> None:
    assert available_threads() == 3
    with threadpoolctl.threadpool_limits(2):
        assert available_threads() == 2
    assert available_threads() == 3


@needs_blas
def test_no_more_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)
    assert available_threads() == 2


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", " 7 ")
    assert available_threads() == 7


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
def test_the_variable_is_checked(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", value)
    with pytest.raises(ValueError, match=rf"^CHAINRULE_NUM_THREADS expects a positive integer, got '{value}'; set it"):
        available_threads()


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CHAINRULE_NUM_THREADS"])
def test_variables_of_a_new_process(name: str) -> None:
    if name == "OPENBLAS_NUM_THREADS" and not any(lib.internal_api == "openblas" for lib in blas_libraries()):
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    assert in_a_new_process(**{name: "1"}) == "1"


@needs_blas
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # joblib's own, on the newest Python
def test_workers_of_joblib_share_the_processors() -> None:
    joblib = pytest.importorskip("joblib")
    share = max(1, joblib.cpu_count() // 2)
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(available_threads)() for _ in range(4))
    assert all(1 <= number <= share for number in found)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(available_threads)() for _ in range(2)) == [1, 1]


@needs_blas
@pytest.mark.parametrize(("work", "expected"), [(0.0, 1), (LARGE - 1, 1), (LARGE, 3), (np.inf, 3)])
def test_small_work_runs_on_one_blas_thread(work: float, expected: int) -> None:
    with blas_threads(work):
        assert set(present()) == {expected}
        assert available_threads() == 3
    assert set(present()) == {3}


@needs_blas
@pytest.mark.parametrize("work", [0.0, np.inf])
def test_the_variable_decides_for_the_blas_too(work: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    with blas_threads(work):
        assert set(present()) == {2}
    assert set(present()) == {3}


@needs_blas
def test_an_error_inside_gives_the_threads_back() -> None:
    with pytest.raises(ZeroDivisionError), blas_threads(0):
        raise ZeroDivisionError
    assert set(present()) == {3}


@needs_blas
def test_one_inside_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with blas_threads(0):
        with blas_threads(np.inf), blas_threads(0):
            assert set(present()) == {1}
        assert set(present()) == {1}
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
        with blas_threads(0):
            assert set(present()) == {1}
    assert set(present()) == {3}


@needs_blas
def test_the_last_to_leave_gives_the_threads_back() -> None:
    """Two threads whose stays overlap: the first that came leaves before the second does."""
    entered, may_leave = threading.Event(), threading.Event()

    def stay() -> None:
        with blas_threads(0):
            entered.set()
            may_leave.wait(HANGS)

    other = threading.Thread(target=stay, daemon=True)
    with blas_threads(0):
        other.start()
        assert entered.wait(HANGS)
    assert set(present()) == {1}
    may_leave.set()
    other.join()
    assert set(present()) == {3}


@needs_blas
def test_what_is_set_inside_stays() -> None:
    with blas_threads(0):
        threadpoolctl.threadpool_limits(2, user_api="blas")
    assert set(present()) == {2}


class PerThread:
    """A BLAS in which every thread has a number of its own, as MKL."""

    internal_api = "mkl"

    def __init__(self) -> None:
        self.local = threading.local()

    @property
    def num_threads(self) -> int:
        number: int = getattr(self.local, "number", 3)
        return number

    def set_num_threads(self, number: int) -> None:
        self.local.number = number


def test_each_thread_gets_back_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    library = PerThread()
    monkeypatch.setattr(threads, "blas_libraries", lambda: (library,))
    numbers = []

    def stay() -> None:
        with blas_threads(0):
            entered.set()
            may_leave.wait(HANGS)
            numbers.append(library.num_threads)
        numbers.append(library.num_threads)

    entered, may_leave = threading.Event(), threading.Event()
    other = threading.Thread(target=stay, daemon=True)
    with blas_threads(0):
        other.start()
        assert entered.wait(HANGS)
        assert library.num_threads == 1
    assert library.num_threads == 3
    may_leave.set()
    other.join()
    assert numbers == [1, 3]


@needs_blas
def test_many_at_once_leave_nothing_behind() -> None:
    def work() -> None:
        for _ in range(50):
            with blas_threads(0):
                np.ones((8, 8)) @ np.ones((8, 8))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(present()) == {3}
    assert available_threads() == 3


def test_without_threadpoolctl_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = present()
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(threads, "blas_libraries", blas_libraries.__wrapped__)
    assert threads.blas_libraries() == ()
    assert available_threads() == 4
    with blas_threads(0):
        assert available_threads() == 4
        assert present() == before


def test_processors_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert processors() == 3
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert processors() == 2
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
