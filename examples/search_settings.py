"""Search hyperparameters of a network for digits: with scikit-learn, and with Optuna, which stops bad trials early.

    python search_settings.py [--trials 8]

Optuna (`pip install optuna`) stops a trial whose validation loss is above the median at the same epoch.
"""

import argparse

from scipy.stats import loguniform, randint
from sklearn.datasets import load_digits
from sklearn.model_selection import RandomizedSearchCV

import chainrule as cr

try:
    import optuna
except ImportError:
    optuna = None


class Prune(cr.Callback):
    def __init__(self, trial):
        self.trial = trial

    def on_epoch_end(self, trainer, row):
        self.trial.report(row["validation_loss"], trainer.epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned  # ends training; other callbacks still clean up


def objective(trial, x, y):
    sizes, dropout = [64, trial.suggest_int("hidden", 16, 256), 10], trial.suggest_float("dropout", 0, 0.5)
    optimizer = cr.AdamW(trial.suggest_float("learning_rate", 1e-4, 0.3, log=True))
    trainer = cr.Trainer(cr.MLP(sizes, dropout=dropout, rng=0), "cross_entropy", optimizer, callbacks=[Prune(trial)])
    return trainer.fit(x, y, validation=0.2, epochs=20, verbose=0)["validation_loss"][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8)
    trials = parser.parse_args().trials
    x, y, x_test, y_test = cr.data.split(*load_digits(return_X_y=True), 0.3, rng=0)
    network = cr.MLPClassifier(early_stopping=True, n_iter_no_change=3, max_iter=300, random_state=0)
    where = {"hidden_layer_sizes": randint(16, 256), "learning_rate_init": loguniform(1e-4, 0.3)}
    search = RandomizedSearchCV(network, where, n_iter=trials, cv=3, random_state=0).fit(x / 16, y)
    print(f"scikit-learn: {search.score(x_test / 16, y_test):.1%} of the test digits right, by {search.best_params_}")
    if optuna:  # its default is the median pruner, from the sixth trial on
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        study.optimize(lambda trial: objective(trial, x / 16, y), n_trials=trials)
        pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
        print(f"Optuna: validation loss {study.best_value:.3f}, by {study.best_params}; {pruned} trials interrupted")
    else:
        print("Optuna is not installed: pip install optuna")


if __name__ == "__main__":
    main()
