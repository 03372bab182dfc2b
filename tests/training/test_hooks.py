"""Hooks are called in order, may stop or break off the training, and are always ended."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import At, fail, fit, interrupt, stop


class Diary(cr.Callback):
    """Notes each call, and what the trainer showed at the time."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, trainer):
        self.calls.append("fit begins")

    def on_epoch_begin(self, trainer):
        self.calls.append(f"epoch {trainer.epoch} of {trainer.epochs}")

    def on_batch_end(self, trainer, loss):
        assert isinstance(loss, float)
        self.calls.append("batch")

    def on_epoch_end(self, trainer, row):
        self.calls.append("epoch ends")

    def on_train_end(self, trainer):
        self.calls.append("fit ends")


EPOCH = ["batch", "batch", "batch", "epoch ends"]


def test_hooks_come_in_order():
    diary = Diary()
    fit(diary, epochs=2)
    assert diary.calls == ["fit begins", "epoch 1 of 2", *EPOCH, "epoch 2 of 2", *EPOCH, "fit ends"]


def test_the_hooks_of_callback_itself_do_nothing():
    assert fit(cr.Callback())["loss"] == fit()["loss"]


def test_a_callback_may_stop_after_its_epoch():
    diary = Diary()
    history = fit(At(2, stop), diary)
    assert len(history) == 2
    assert not history.interrupted
    assert diary.calls[-2:] == ["epoch ends", "fit ends"]


def test_stopping_holds_for_one_fit_only():
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[At(1, stop)])
    x = np.ones((4, 1))
    assert len(trainer.fit(x, x, epochs=3, verbose=0)) == 1
    trainer.callbacks.clear()
    assert len(trainer.fit(x, x, epochs=3, verbose=0)) == 3


def test_ctrl_c_ends_the_training_and_keeps_the_record():
    diary = Diary()
    history = fit(diary, At(3, interrupt))
    assert history.interrupted
    assert len(history) == 2  # the third epoch's row was not finished
    assert diary.calls[-1] == "fit ends"


def test_a_failing_callback_raises_and_the_others_may_clean_up():
    diary = Diary()
    with pytest.raises(RuntimeError, match="the callback's own trouble"):
        fit(diary, At(1, fail))
    assert diary.calls[-1] == "fit ends"


def test_optuna_prunes_a_trial_and_leaves_the_trainer_clean():
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    before, after = Diary(), Diary()
    x = np.arange(6.0)[:, None]

    class Prune(cr.Callback):
        def on_epoch_end(self, trainer, row):
            trial.report(row["validation_loss"], trainer.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.SGD(1e-3), callbacks=[before, Prune(), after])
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=3))
    trial = study.ask()
    with pytest.raises(optuna.TrialPruned):
        trainer.fit(x, 2 * x, validation=(x, 2 * x), epochs=9, verbose=0)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert study.trials[0].intermediate_values.keys() == {1, 2, 3}
    assert list(study.trials[0].intermediate_values.values())[:2] == trainer.history["validation_loss"]
    assert [diary.calls[-1] for diary in (before, after)] == ["fit ends", "fit ends"]
    assert not trainer.history.interrupted
    trainer.callbacks.pop(1)
    assert len(trainer.fit(x, 2 * x, epochs=2, verbose=0)) == 2


def test_a_callback_may_add_a_column():
    history = fit(At(2, lambda trainer, row: row.update(distance=0.5)), epochs=3)
    assert history["distance"] == [0.5]
    assert "distance" in history.columns
