"""Work in parts, on as many threads as there are: all of it, once, and nothing left behind."""

from __future__ import annotations

import _thread
import signal
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.fused import KERNELS
from chainrule.runtime import sharing
from chainrule.runtime.sharing import Thread, share
from chainrule.training.checkpoint import Checkpoint

PATIENCE = 120


def none_allowed(work: object, arguments: tuple[object, ...]) -> None:
    raise RuntimeError("can't start new thread")


def no_memory_within(work: object, arguments: tuple[object, ...]) -> None:
    """Python prints a MemoryError that comes before the first call of a thread, and says nothing to its starter."""


@pytest.fixture(params=[none_allowed, no_memory_within])
def no_more_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "start_new_thread", request.param)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread here")
def test_a_thread_is_waited_for_after_ctrl_c_interrupted_the_waiting() -> None:
    goes_on, ended = threading.Event(), list[bool]()

    def work() -> None:
        goes_on.wait(PATIENCE)
        ended.append(True)

    thread = Thread(work)
    assert thread.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        threading.Timer(0.1, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
        thread.join()
    assert not ended
    threading.Timer(0.1, goes_on.set).start()
    thread.join()
    assert ended


def test_a_thread_that_fails_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("in vain")

    said = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: said.append(str(unraisable.exc_value)))
    thread = Thread(fail)
    thread.join()  # nor is one that was never started
    assert thread.start()
    thread.join()
    assert not thread.is_alive()
    assert said == ["in vain"]


def test_each_part_is_done_once() -> None:
    done: list[int] = []
    share(done.append, range(100), threads=4)
    assert sorted(done) == list(range(100))


def test_threads_work_at_the_same_time_and_end_with_the_call() -> None:
    before, meeting = _thread._count(), threading.Barrier(3)
    share(lambda part: meeting.wait(PATIENCE) and None, range(3), threads=3)
    assert _thread._count() == before


def test_the_first_error_is_raised_and_no_further_part_begins() -> None:
    begun: list[int] = []
    meeting = threading.Barrier(2)

    def work(part: int) -> None:
        begun.append(part)
        if part < 2:
            meeting.wait(PATIENCE)
            raise ValueError(f"part {part}")

    before = _thread._count()
    with pytest.raises(ValueError, match="part 0"):
        share(work, range(1000), threads=2)
    assert _thread._count() == before
    assert len(begun) < 1000


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_fewer_threads_do_the_same(threads: int, no_more_threads: None) -> None:
    done: list[int] = []
    share(done.append, range(10), threads)
    assert done == list(range(10))


def test_prediction_and_checkpoints_without_threads(no_more_threads, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "4")
    model = cr.MLP([20, 256, 3], rng=0)
    x = np.random.default_rng(0).normal(size=(5000, 20)).astype("f4")
    parts = [model.predict(x[start : start + 1250]) for start in range(0, 5000, 1250)]
    rounding = 0 if KERNELS == "fused" else 1e-5  # the BLAS adds up parts of other lengths in other orders
    np.testing.assert_allclose(model.predict(x), np.concatenate(parts), rtol=0, atol=rounding)
    cr.Trainer(model, "cross_entropy", callbacks=[Checkpoint(tmp_path)]).fit(
        x, np.arange(5000) % 3, epochs=1, verbose=0
    )
    assert list(tmp_path.glob("step-*"))
