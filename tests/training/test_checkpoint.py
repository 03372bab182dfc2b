"""A training that is broken off, at any step, and gone on with, ends as the one that was not."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import chainrule as cr
import halting
from chainrule._support import files
from chainrule.training import checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(203, 6))
Y = RNG.integers(0, 3, 203)
WEIGHT = RNG.uniform(0.5, 2, 203)


class StopAfter(cr.Callback):
    """The power fails after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def on_pause(self, trainer):
        if trainer.optimizer.state["step"] >= self.left:
            raise MemoryError


class Plain(cr.Layer):
    """A layer without a kernel, so that training goes operation by operation."""

    def forward(self, x, work):
        return x

    def backward(self, dy, work, input_gradient=True):
        return dy


def trainer(folder, *more, plain=False, optimizer=None, width=16, **arguments):
    layers = [cr.Linear(6, width, "relu"), cr.BatchNorm(width), cr.Dropout(0.3), cr.Linear(width, 3)]
    model = cr.Sequential([*layers, Plain()] if plain else layers, rng=0)
    optimizer = cr.Adam(cr.schedules.OneCycle(0.01)) if optimizer is None else optimizer
    callbacks = [
        cr.callbacks.Checkpoint(folder, **arguments),
        cr.callbacks.WeightAverage(0.9),
        cr.callbacks.EarlyStopping(patience=50),
    ]
    return cr.Trainer(model, "cross_entropy", optimizer, batch_size=16, callbacks=[*callbacks, *more], rng=1)


def fit(trainer, epochs=6):
    return trainer.fit(X, Y, WEIGHT, validation=(X[:50], Y[:50]), epochs=epochs, verbose=0)


def assert_equal(mine, expected):
    np.testing.assert_array_equal(mine.model.parameters.vector, expected.model.parameters.vector)
    for name, array in expected.model.buffers.items():
        np.testing.assert_array_equal(mine.model.buffers[name], array)
    for name, array in expected.optimizer.state.items():
        np.testing.assert_array_equal(mine.optimizer.state[name], array)
    for column in set(expected.history) - {"seconds"}:
        assert mine.history[column] == expected.history[column], column


@pytest.mark.parametrize("plain", [False, True], ids=["plan", "op by op"])
@pytest.mark.parametrize("steps", [1, 7, 13, 14, 31, 77])
def test_a_broken_training_goes_on_to_the_same_bits(tmp_path, steps, plain, monkeypatch):
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


def test_a_schedule_that_watches_the_loss_goes_on(tmp_path):
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


@pytest.mark.parametrize("way", ["a plan", "operation by operation"])
def test_metrics_are_of_the_whole_epoch_though_it_was_broken_off_in_between(tmp_path, monkeypatch, capsys, way):
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


def changed(path, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("where", [-1, -400, 30])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_taken(tmp_path, where):
    fit(trainer(tmp_path))
    _, newest = sorted(tmp_path.iterdir())
    changed(newest, where)
    with pytest.raises(ValueError, match=r"resume expects .*step-00000078.safetensors to be"):
        trainer(tmp_path).resume(newest)
    again = trainer(tmp_path)
    with pytest.warns(UserWarning, match=r"step-00000078.*The one before it is used\."):
        again.resume(tmp_path)
    np.testing.assert_array_equal(again.optimizer.state["step"], 65)
    fit(again)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: cr.Trainer(cr.MLP([6, 3]), "cross_entropy"), r"model.layers is \[Linear\], got \[Linear, "),
        (lambda folder: trainer(folder, width=8), r"model.layers\[0\].out_features is 8, got 16"),
        (lambda folder: trainer(folder, optimizer=cr.SGD(0.1)), "optimizer is SGD, got Adam"),
        (lambda folder: trainer(folder, cr.callbacks.WeightAverage()), "list of callbacks is .*'WeightAverage'], got"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, make, says):
    fit(trainer(tmp_path), epochs=1)
    words = rf"^resume expects .*\.safetensors to be of this trainer, whose {says}.*; build the trainer as it was when"
    with pytest.raises(ValueError, match=words):
        make(tmp_path).resume(tmp_path)


def test_other_data_are_refused(tmp_path):
    fit(trainer(tmp_path), epochs=1)
    with pytest.raises(ValueError, match=r"fit expects data of 203 rows, as before, got 100"):
        trainer(tmp_path).resume(tmp_path).fit(X[:100], Y[:100], epochs=2, verbose=0)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    where = r"; pass the folder that was given to Checkpoint, or one of the files in it\.$"
    with pytest.raises(FileNotFoundError, match=rf"^resume expects a checkpoint in .*, got none{where}"):
        trainer(tmp_path).resume(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"^resume expects a checkpoint at .*nothing, got no such .*{where}"):
        trainer(tmp_path).resume(tmp_path / "nothing")
    cr.save(cr.MLP([1, 1], rng=0), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"resume expects .*model.safetensors to be a checkpoint, got another"):
        trainer(tmp_path).resume(tmp_path / "model.safetensors")


SCRIPT = """
    import sys
    import numpy as np, chainrule as cr
    folder, resume = sys.argv[1], sys.argv[2] == "resume"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 20)).astype(np.float32), rng.integers(0, 5, 200)
    layers = [cr.Linear(20, 64, "relu"), cr.BatchNorm(64), cr.Dropout(0.2), cr.Linear(64, 5)]
    model, optimizer = cr.Sequential(layers, rng=0), cr.Adam(cr.schedules.WarmupCosine(0.01))
    callbacks = [cr.callbacks.Checkpoint(folder, seconds=1e-9)]
    trainer = cr.Trainer(model, "cross_entropy", optimizer, batch_size=32, callbacks=callbacks)
    if resume:
        trainer.resume(folder)
    history = trainer.fit(x, y, validation=0.1, epochs=10, verbose=0)
    np.save(folder + "/weights.npy", trainer.model.parameters.vector)
    print("interrupted" if history.interrupted else "done")
"""
STEPS = 60  # six an epoch


def run(folder, how):
    """To its end, undisturbed; the weights."""
    with halting.Process(SCRIPT, folder, how, halts=[]) as process:
        assert process.end() == ["done"]
    return np.load(folder / "weights.npy")


def kill(folder, how, at, until=None, moment=0.0):
    """After the step ``at``; or so many seconds later, but before the step after ``until``."""
    with halting.Process(SCRIPT, folder, how, halts=[at] if until is None else [at, until]) as process:
        process.wait_until_halted(at)
        if until is not None:
            process.let_continue()
            time.sleep(moment)
        process.kill_in_the_middle()
    assert 0 < newest_step(folder) < STEPS
    assert not (folder / "weights.npy").exists()


def newest_step(folder):
    return max(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_killed_process_is_gone_on_with_to_the_same_bits(tmp_path):
    killed = tmp_path / "killed"
    kill(killed, "start", at=20)
    kill(killed, "resume", at=45)
    np.testing.assert_array_equal(run(killed, "resume"), run(tmp_path, "start"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_thirty_kills_at_random_moments(tmp_path):
    whole = run(tmp_path, "start")
    for trial in range(10):
        folder, rng = tmp_path / f"{trial}", np.random.default_rng(trial)
        for how, at in (("start", 5), ("resume", 25), ("resume", 45)):
            kill(folder, how, at, until=at + 10, moment=rng.uniform(0, 0.02))
        np.testing.assert_array_equal(run(folder, "resume"), whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_polite_signal_writes_a_checkpoint_and_says_how_to_go_on(tmp_path, number):
    with halting.Process(SCRIPT, tmp_path, "start", halts=[20]) as process:
        process.wait_until_halted(20)
        process.send_signal(number)
        said, last = process.end()
    assert said.startswith("Interrupted: resume from ")
    assert last == "interrupted"
    assert 20 <= newest_step(tmp_path) < STEPS
    interrupted = np.load(tmp_path / "weights.npy")
    assert (run(tmp_path, "resume") != interrupted).any()


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
def test_the_best_so_far_is_known_to_a_training_that_goes_on(tmp_path, values):
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


def test_a_training_goes_on_from_its_best_epoch(tmp_path):
    saying(tmp_path, [2, 1, 3, 4]).fit(X, Y, epochs=4, verbose=0)
    again = saying(tmp_path, [2, 1, 3, 4]).resume(tmp_path / "best.safetensors")
    assert len(again.fit(X, Y, epochs=4, verbose=0)) == 4
    whole = saying(tmp_path / "whole", [2, 1, 3, 4])
    whole.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(again.model.parameters.vector, whole.model.parameters.vector)


def test_a_column_that_is_not_there_is_told(tmp_path):
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


def test_the_model_of_a_checkpoint_may_have_layers_of_ones_own(tmp_path):
    fit(trainer(tmp_path, plain=True), epochs=1)
    (path,) = tmp_path.iterdir()
    with pytest.raises(ValueError, match=r"load expects .* to describe a model that can be built.*Plain"):
        cr.load(path)
    assert isinstance(cr.load(path, custom_layers={"Plain": Plain}).layers[-1], Plain)


def rewritten(path, change):
    """With a digest that is right."""
    arrays, facts = checkpoint.read_checkpoint("resume", path)
    change(arrays, facts)
    checkpoint.write_checkpoint(path, arrays, facts)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda arrays, facts: facts.pop("model"), "to describe its model, got None"),
        (lambda arrays, facts: facts.update(model=[]), r"to describe its model, got \[\]"),
        (lambda arrays, facts: facts["model"].update(layers=[{"type": "Linear"}]), "to describe a model that can be"),
        (lambda arrays, facts: facts["model"]["layers"][0].update(out_features=10**12), "sizes that fit the"),
        (lambda arrays, facts: facts["model"]["layers"][3].update(out_features=2), "'model/parameters'"),
        (lambda arrays, facts: arrays.pop("buffer/1.running_mean"), "'buffer/1.running_mean', got none"),
        (
            lambda arrays, facts: arrays.update({"model/parameters": np.zeros(3)}),
            "'model/parameters', got F64 of shape",
        ),
    ],
)
def test_a_checkpoint_that_was_tampered_with_is_not_loaded(tmp_path, change, says):
    fit(trainer(tmp_path), epochs=1)
    (path,) = tmp_path.iterdir()
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"^load expects .*{says}"):
        cr.load(path)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_facts_that_are_none_are_refused(tmp_path, text):
    arrays, header = {"a": np.zeros(1)}, {checkpoint.KEY: text}
    files.write_arrays("save", tmp_path / "x", arrays, header | {files.DIGEST: files.digest(arrays, header)})
    for read in (trainer(tmp_path / "y").resume, cr.load):
        with pytest.raises(ValueError, match=r"(resume|load) expects .* to describe its contents"):
            read(tmp_path / "x")


def test_what_json_cannot_hold_is_told_where_the_training_is(tmp_path):
    class Odd(cr.Callback):
        def state(self):
            return {"odd": object()}

    one = trainer(tmp_path, Odd())
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        fit(one, epochs=3)
    assert list(tmp_path.iterdir()) == []


def test_the_training_goes_on_while_a_checkpoint_is_written_and_a_failure_is_told_soon(tmp_path, monkeypatch):
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


def test_a_checkpoint_may_be_written_at_any_time(tmp_path):
    written = []

    class Now(cr.Callback):
        def on_epoch_end(self, trainer, row):
            written.append(trainer.callbacks[0].write(trainer))
            assert written[-1].is_file()

    fit(trainer(tmp_path, Now(), every=None), epochs=1)
    assert [path.name for path in written] == ["step-00000013.safetensors"]
