"""Training that is interrupted at any step and resumed ends as one that was not; only the newest files stay."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import chainrule as cr
from training.checkpoints import StopAfter, assert_equal, fit, trainer


@pytest.mark.parametrize("plain", [False, True], ids=["plan", "op by op"])
@pytest.mark.parametrize("steps", [1, 7, 13, 14, 31, 77])
def test_an_interrupted_training_resumes_to_the_same_bits(tmp_path, steps, plain, monkeypatch):
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)  # so that there is a pause after every step
    whole = trainer(tmp_path / "whole", plain=plain)
    fit(whole)
    broken = trainer(tmp_path / "broken", seconds=1e-9, plain=plain)
    broken.callbacks.append(StopAfter(steps))
    with pytest.raises(MemoryError):
        fit(broken)
    again = trainer(tmp_path / "broken", plain=plain)
    fit(again.resume(tmp_path / "broken"))
    assert_equal(again, whole)


def test_a_schedule_that_watches_the_loss_resumes(tmp_path):
    def patient():
        return cr.SGD(cr.schedules.ReduceOnPlateau(0.5, factor=0.5, patience=0), momentum=0.9)

    whole = trainer(tmp_path / "whole", optimizer=patient())
    fit(whole)
    broken = trainer(tmp_path / "broken", optimizer=patient())
    broken.callbacks.append(StopAfter(13 * 3))
    with pytest.raises(MemoryError):
        fit(broken)
    again = trainer(tmp_path / "broken", optimizer=patient())
    fit(again.resume(tmp_path / "broken"))
    assert_equal(again, whole)
    assert len(set(again.history["learning_rate"])) > 1


@pytest.mark.parametrize("way", ["a plan", "operation by operation"])
def test_metrics_cover_the_whole_epoch_though_it_was_interrupted(tmp_path, monkeypatch, capsys, way):
    monkeypatch.setattr("chainrule.training.compiled.CALL_SECONDS", 1e-9)
    if way != "a plan":
        monkeypatch.setattr("chainrule.training.run.compiled_engine", lambda *_: None)

    class Interrupt(cr.Callback):
        def on_pause(self, trainer):
            if trainer.step == 20:
                signal.raise_signal(signal.SIGINT)

    def measured(folder, *callbacks):
        made = trainer(folder, *callbacks, seconds=1e-9)
        made.metrics = ["accuracy"]
        return made

    broken = measured(tmp_path / "broken", Interrupt())
    assert fit(broken).interrupted
    assert broken.step in (20, 21)  # thirteen an epoch
    assert "Interrupted: resume from" in capsys.readouterr().out
    whole, again = measured(tmp_path / "whole"), measured(tmp_path / "broken")
    fit(whole)
    fit(again.resume(tmp_path / "broken"))
    assert_equal(again, whole)
    assert again.history["accuracy"] == whole.history["accuracy"]


# ---- files


def test_only_the_newest_stay_and_a_finished_training_has_nothing_to_do(tmp_path):
    first = trainer(tmp_path, every=2, keep=2)
    fit(first)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000052.safetensors",
        "step-00000078.safetensors",
    ]
    again = trainer(tmp_path, every=2)
    fit(again.resume(tmp_path))
    np.testing.assert_array_equal(again.optimizer.state["step"], 78)
    assert len(again.history) == 6


def test_what_an_earlier_training_left_does_not_count_as_newer(tmp_path):
    fit(trainer(tmp_path, keep=2))
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))  # some file systems count in seconds
    second = trainer(tmp_path, keep=2)
    fit(second, epochs=3)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["step-00000026", "step-00000039"]
    again = trainer(tmp_path)
    fit(again.resume(tmp_path), epochs=3)
    assert_equal(again, second)


def test_a_checkpoint_may_be_written_at_any_time(tmp_path):
    written = []

    class Now(cr.Callback):
        def on_epoch_end(self, trainer, row):
            written.append(trainer.callbacks[0].write(trainer))
            assert written[-1].is_file()

    fit(trainer(tmp_path, Now(), every=None), epochs=1)
    assert [path.name for path in written] == ["step-00000013.safetensors"]


def test_training_continues_during_a_write_whose_failure_is_reported_soon(tmp_path, monkeypatch):
    gone_on = threading.Event()

    def slow(descriptor):
        assert gone_on.wait(600)  # or it hangs
        raise OSError(28, "No space left on device")

    class GoesOn(cr.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 2:
                gone_on.set()

    monkeypatch.setattr("os.fsync", slow)
    one = trainer(tmp_path, GoesOn())
    with pytest.raises(OSError, match=r"Checkpoint expects to write .*00000013.safetensors, got No space left"):
        fit(one)
    assert one.epoch == 2
    assert list(tmp_path.iterdir()) == []


def test_what_json_cannot_hold_is_reported_by_the_training(tmp_path):
    class Odd(cr.Callback):
        def state(self):
            return {"odd": object()}

    one = trainer(tmp_path, Odd())
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        fit(one, epochs=3)
    assert list(tmp_path.iterdir()) == []
