"""TensorBoard: what it would read is what the History holds."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from training.logged import ENDINGS, Adds, broken_and_resumed, fit, fit_until, make, not_begun


def events(folder):
    """All that TensorBoard would read, file by file in the order of their names, and after the last restart."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is not installed")
    found = []
    for path in sorted(Path(folder).iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)  # length, its checksum, the event, its checksum
            event = proto.Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            if event.HasField("session_log"):
                found = [earlier for earlier in found if earlier.step < event.step]
            elif event.HasField("summary"):
                found.append(event)
    return found


def scalars(folder):
    """Tag → (steps, numbers)."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                steps, numbers = found.setdefault(value.tag, ([], []))
                steps.append(event.step)
                numbers.append(value.simple_value)
    return found


def assert_shows(folder, history, tags):
    shown = scalars(folder)
    assert set(shown) == set(tags)
    for tag, name in tags.items():
        steps, numbers = shown[tag]
        assert steps == list(range(1, len(history) + 1))
        np.testing.assert_allclose(numbers, history[name], rtol=1e-6)  # float32


TAGS = {
    "loss/training": "loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "accuracy",
    "accuracy/validation": "validation_accuracy",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


@pytest.fixture
def board():
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


@pytest.mark.usefixtures("board")
class TestTensorBoard:
    def test_training_and_validation_are_one_family(self, tmp_path):
        history = fit(cr.callbacks.TensorBoard(tmp_path / "made" / "here"), metrics=["accuracy"])
        assert_shows(tmp_path / "made" / "here", history, TAGS)

    def test_what_a_callback_adds_stands_alone(self, tmp_path):
        history = fit(cr.callbacks.TensorBoard(tmp_path), Adds("validation_distance", first=1), validation=None)
        tags = {"loss/training": "loss", **{name: name for name in history.columns[1:]}}
        assert_shows(tmp_path, history, tags)

    def test_each_epoch_is_on_the_disk_when_it_is_over(self, tmp_path):
        seen = []

        class Look(cr.Callback):
            def on_epoch_begin(self, trainer):
                seen.append(len(events(tmp_path)))

        fit(Look(), cr.callbacks.TensorBoard(tmp_path))
        assert seen == [0, 1, 2, 3]

    @ENDINGS
    def test_the_file_is_closed_when_training_is_interrupted(self, tmp_path, error, status):
        log = cr.callbacks.TensorBoard(tmp_path)
        fit_until(log, 3, error)
        assert scalars(tmp_path)["loss/training"][0] == [1, 2]
        assert log._events is None
        fit(trainer=make(log))

    def test_a_resumed_training_shows_each_epoch_once(self, tmp_path):
        history = broken_and_resumed(tmp_path / "points", lambda: cr.callbacks.TensorBoard(tmp_path / "runs"))
        assert_shows(tmp_path / "runs", history, TAGS)
        assert len(list((tmp_path / "runs").iterdir())) == 2

    def test_a_new_training_replaces_what_the_folder_showed(self, tmp_path):
        trainer = make(cr.callbacks.TensorBoard(tmp_path), metrics=["accuracy"])
        fit(trainer=trainer)
        assert_shows(tmp_path, fit(trainer=trainer, epochs=2), TAGS)

    def test_histograms_are_of_the_parameters_as_they_were(self, tmp_path):
        seen = {}

        class Look(cr.Callback):
            def on_epoch_end(self, trainer, row):
                seen[trainer.epoch] = {name: array.copy() for name, array in trainer.model.parameters.items()}

        fit(Look(), cr.callbacks.TensorBoard(tmp_path, histograms=True, every=2), epochs=5)
        found = {}
        for event in events(tmp_path):
            for value in event.summary.value:
                if value.HasField("histo"):
                    found[event.step, value.tag] = value.histo
        names = ["0.W", "0.b", "1.W", "1.b"]
        assert list(found) == [(epoch, f"parameters/{name}") for epoch in (2, 4) for name in names]
        for (epoch, tag), histogram in found.items():
            array = seen[epoch][tag.removeprefix("parameters/")]
            assert (histogram.num, sum(histogram.bucket)) == (array.size, array.size)
            np.testing.assert_allclose([histogram.min, histogram.max], [array.min(), array.max()])
            np.testing.assert_allclose(histogram.sum, array.sum(), rtol=1e-5)

    def test_a_folder_that_cannot_be_is_one_sentence_before_training(self, tmp_path):
        (tmp_path / "file").touch()
        epochs = []
        with pytest.raises(OSError, match=r"TensorBoard expects to write .*file, got File exists; choose a folder"):
            fit(cr.callbacks.TensorBoard(tmp_path / "file"), not_begun(epochs))
        assert epochs == []

    def test_a_disk_that_gets_full_is_one_sentence(self, tmp_path, monkeypatch):
        writer = pytest.importorskip("tensorboardX.event_file_writer").EventsWriter
        log = cr.callbacks.TensorBoard(tmp_path)

        def full(*_):
            raise OSError(28, "No space left on device")

        class Full(cr.Callback):
            def on_epoch_begin(self, trainer):
                if trainer.epoch == 3:
                    monkeypatch.setattr(writer, "write_event", full)

        with pytest.raises(OSError, match=r"TensorBoard expects to write .*got No space left on device; choose"):
            fit(log, Full())
        assert scalars(tmp_path)["loss/training"][0] == [1, 2]


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_every_is_a_positive_integer(every, error):
    with pytest.raises(error, match="TensorBoard expects every"):
        cr.callbacks.TensorBoard("runs", every=every)
