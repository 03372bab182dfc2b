"""Fits on two workers of loky, Dask and Ray: the same scores as here, and no more threads than processors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import cross_validate

import chainrule as cr
from chainrule.runtime.threads import available_threads, blas_libraries, processors

pytestmark = pytest.mark.filterwarnings("ignore")  # of clusters, in threads of theirs
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 60))  # more than a megabyte: loky and Dask hand it over as read-only memory
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(params=["loky", "dask", "ray"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two workers, to which joblib sends what is computed."""
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    with ExitStack() as stack:
        options = {}
        if request.param == "dask":
            distributed = pytest.importorskip("dask.distributed", reason="Dask is not installed")
            made = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
            stack.enter_context(distributed.Client(stack.enter_context(made)))
            options = {"scatter": [X, Y]}
        elif request.param == "ray":
            ray = pytest.importorskip("ray")
            from ray.util.joblib import register_ray

            register_ray()
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            stack.callback(ray.shutdown)
        stack.enter_context(parallel_config(request.param, n_jobs=2, **options))
        yield


def test_two_workers_share_the_processors_and_score_as_one_does(workers: None) -> None:
    if blas_libraries():
        share = max(1, processors() // 2)
        assert all(1 <= number <= share for number in Parallel()(delayed(available_threads)() for _ in range(4)))
    model = cr.MLPClassifier((8,), max_iter=3, random_state=0, scale=True)
    together = cross_validate(model, X, Y, cv=2, error_score="raise")
    with parallel_config("threading", n_jobs=1):
        alone = cross_validate(model, X, Y, cv=2, error_score="raise")
    np.testing.assert_allclose(together["test_score"], alone["test_score"])
