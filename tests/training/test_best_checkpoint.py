"""The checkpoint of the best epoch stays, is resumed from, and predicts."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.checkpoints import StopAfter, X, Y


class Says(cr.Callback):
    """A column of the record, as it was said to be."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, trainer, row):
        row["said_error"] = self.values[trainer.epoch - 1]


def saying(folder, values, **arguments):
    model = cr.Sequential([cr.Linear(6, 16, "relu"), cr.BatchNorm(16), cr.Dropout(0.3), cr.Linear(16, 3)], rng=0)
    callbacks = [Says(values), cr.callbacks.Checkpoint(folder, monitor="said_error", **arguments)]
    return cr.Trainer(model, "cross_entropy", cr.Adam(), batch_size=16, callbacks=callbacks, rng=1)


def epoch_of(path):
    """Of a checkpoint."""
    one = saying(path.parent, [])
    one.resume(path)
    return one.epoch


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ([3, 2, 4, 5], None, 2),
        ([3, 2, 4, 2], None, 4),
        ([3, 2, 4, 1], True, 3),
        ([np.float32(1), 2, 3, 4], None, 1),
        ([float("nan"), 2, float("nan"), 3], None, 2),
        ([float("nan"), float("nan"), float("nan"), float("nan")], None, 1),
    ],
)
def test_the_best_epoch_has_a_checkpoint_of_its_own(tmp_path, values, higher, best):
    one = saying(tmp_path, values, keep=1, higher_is_better=higher)
    one.fit(X, Y, epochs=4, verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "step-00000052.safetensors"]
    assert epoch_of(tmp_path / "best.safetensors") == best


def test_the_best_alone(tmp_path):
    saying(tmp_path, [1, 2, 3], every=None).fit(X, Y, epochs=3, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["best.safetensors"]


@pytest.mark.parametrize("values", [[2, 1, 3, 2, 4], [2, 1, 3, 0, 4]])
def test_a_resumed_training_knows_the_best_so_far(tmp_path, values):
    whole = saying(tmp_path / "whole", values)
    whole.fit(X, Y, epochs=5, verbose=0)
    broken = saying(tmp_path / "broken", values)
    broken.callbacks.append(StopAfter(13 * 3))
    with pytest.raises(MemoryError):
        broken.fit(X, Y, epochs=5, verbose=0)
    again = saying(tmp_path / "broken", values).resume(tmp_path / "broken")
    again.fit(X, Y, epochs=5, verbose=0)
    best = [cr.load(tmp_path / name / "best.safetensors") for name in ("whole", "broken")]
    np.testing.assert_array_equal(best[0].parameters.vector, best[1].parameters.vector)
    assert epoch_of(tmp_path / "broken" / "best.safetensors") == 1 + int(np.argmin(values))
    np.testing.assert_array_equal(again.model.parameters.vector, whole.model.parameters.vector)


def test_a_training_resumes_from_its_best_epoch(tmp_path):
    saying(tmp_path, [2, 1, 3, 4]).fit(X, Y, epochs=4, verbose=0)
    again = saying(tmp_path, [2, 1, 3, 4]).resume(tmp_path / "best.safetensors")
    assert len(again.fit(X, Y, epochs=4, verbose=0)) == 4
    whole = saying(tmp_path / "whole", [2, 1, 3, 4])
    whole.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(again.model.parameters.vector, whole.model.parameters.vector)


def test_a_missing_column_is_reported(tmp_path):
    one = saying(tmp_path, [1])
    one.callbacks[1] = cr.callbacks.Checkpoint(tmp_path, monitor="said_eror")
    with pytest.raises(ValueError, match=r"Checkpoint expects the name of a column, got 'said_eror' \(did you mean"):
        one.fit(X, Y, epochs=1, verbose=0)


def test_the_model_of_a_checkpoint_predicts(tmp_path):
    one = saying(tmp_path, [1, 2])
    one.fit(X, Y, epochs=2, verbose=0)
    model = cr.load(tmp_path / "step-00000026.safetensors")
    np.testing.assert_array_equal(model.predict(X), one.model.predict(X))
    assert model.metadata == {}
    assert model.dtype == one.model.dtype
    cr.save(model, tmp_path / "model")
    np.testing.assert_array_equal(cr.load(tmp_path / "model").predict(X), model.predict(X))
