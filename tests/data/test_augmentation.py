"""Batches that change: what stays true of them, and that a network learns from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr

pytest.importorskip("scipy")

SHAPE = (28, 28)
STILL = dict(degrees=0, stretch=0, shear=0, shift=0, elasticity=0)
ROWS, COLUMNS = np.mgrid[:28, :28].astype(np.float32)


def blob(row=13.5, column=13.5, width=3.0):
    """A grey hill on black."""
    return np.exp(-((ROWS - row) ** 2 + (COLUMNS - column) ** 2) / (2 * width**2)).astype(np.float32)


def changed(images, seed=0, **settings):
    images = np.stack([images]) if np.ndim(images) == 2 else images
    distort = cr.data.RandomDistortion(SHAPE, **(STILL | settings))
    x, _ = distort(images.reshape(len(images), -1), np.zeros(len(images)), np.random.default_rng(seed))
    return x.reshape(-1, 28, 28)


def centre(image):
    return np.array([(ROWS * image).sum(), (COLUMNS * image).sum()]) / image.sum()


def spreads(image):
    row, column = centre(image)
    moments = [((ROWS - row) ** 2 * image).sum(), ((COLUMNS - column) ** 2 * image).sum()]
    return np.sqrt(np.array(moments) / image.sum())


def test_without_any_change_images_stay_as_they_are():
    images = np.random.default_rng(0).random((5, 28, 28), dtype=np.float32)
    np.testing.assert_array_equal(changed(images), images)


def test_images_come_back_in_new_arrays_of_their_shape_and_dtype():
    images = np.random.default_rng(0).random((5, 28, 28), dtype=np.float32)
    kept = images.copy()
    distort = cr.data.RandomDistortion(SHAPE)
    for x in (images, images.reshape(5, -1), images.astype(np.float64)):
        y = np.arange(5)
        found, same = distort(x, y, np.random.default_rng(0))
        assert (found.shape, found.dtype) == (x.shape, x.dtype)
        assert same is y
    np.testing.assert_array_equal(images, kept)


def test_each_image_keeps_to_itself():
    """A black one between white ones stays black, whatever the distortion."""
    images = np.zeros((3, 28, 28), np.float32)
    images[[0, 2]] = 1
    found = changed(images, degrees=90, stretch=0.5, shear=45, shift=10, elasticity=200)
    np.testing.assert_array_equal(found, images)


@given(seed=st.integers(0, 1000))
def test_grey_values_stay_between_those_that_there_were(seed):
    image = np.random.default_rng(seed).random(SHAPE, dtype=np.float32)
    found = changed(image, seed, degrees=30, stretch=0.3, shear=20, shift=3, elasticity=60)
    assert image.min() - 1e-6 <= found.min()
    assert found.max() <= image.max() + 1e-6


def test_a_shift_moves_the_image_by_no_more_than_it_says():
    places = np.array([centre(image) for image in changed(np.stack([blob()] * 200), shift=3.0)])
    moved = places - 13.5
    assert np.abs(moved).max() < 3.001
    assert np.abs(moved).max() > 2.8
    assert np.abs(moved.mean(axis=0)).max() < 0.4


def test_a_turn_keeps_the_distance_from_the_middle():
    found = changed(np.stack([blob(13.5, 20.0, 1.5)] * 200), degrees=40.0)
    row, column = (np.array([centre(image) for image in found]) - 13.5).T
    np.testing.assert_allclose(np.hypot(row, column), 6.5, atol=0.05)
    angles = np.degrees(np.arctan2(row, column))
    assert 38 < np.abs(angles).max() < 40.1
    assert abs(angles.mean()) < 5


def test_a_stretch_widens_and_narrows_each_direction_by_itself():
    wide = np.array([spreads(image) for image in changed(np.stack([blob()] * 200), stretch=0.2)]) / 3.0
    assert wide.min() > 0.79
    assert wide.max() < 1.21
    assert wide.max() - wide.min() > 0.3
    assert abs(np.corrcoef(wide.T)[0, 1]) < 0.3


def test_a_shear_leans_the_image_and_keeps_its_place():
    found = changed(np.stack([blob()] * 100), shear=30.0)
    covariances = np.array([((ROWS - 13.5) * (COLUMNS - 13.5) * image).sum() / image.sum() for image in found])
    limit = np.tan(np.radians(30)) * 9  # of a variance of 9
    assert limit * 0.8 < np.abs(covariances).max() < limit * 1.05
    np.testing.assert_allclose([centre(image) for image in found], 13.5, atol=0.05)


def test_an_elastic_image_bends_smoothly_and_by_about_a_pixel():
    """A slope of grey tells by how much each pixel moved."""
    slope = np.stack([COLUMNS] * 50)
    moved = (changed(slope, elasticity=36.0) - slope)[:, 6:-6, 6:-6]
    assert 0.6 < moved.std() < 1.6
    assert np.abs(np.diff(moved, axis=1)).max() < 0.8
    assert abs(moved.mean()) < 0.2


def test_the_same_generator_gives_the_same_images():
    image = blob()
    settings = dict(degrees=10, stretch=0.1, shear=5, shift=1, elasticity=36)
    np.testing.assert_array_equal(changed(image, 3, **settings), changed(image, 3, **settings))
    assert (changed(image, 3, **settings) != changed(image, 4, **settings)).any()


def test_images_of_another_size_are_refused():
    with pytest.raises(
        ValueError, match=r"RandomDistortion expects a batch of images of shape \(N, 784\), got \(3, 64"
    ):
        cr.data.RandomDistortion(SHAPE)(np.zeros((3, 64)), np.zeros(3), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(shape=28), "shape to be (height, width)"),
        (dict(shape=(28, 0)), "each of height and width"),
        (dict(degrees=-1), "degrees"),
        (dict(stretch=1), "stretch"),
        (dict(shear=90), "shear"),
        (dict(shift=-1), "shift"),
        (dict(elasticity=np.nan), "elasticity"),
        (dict(smoothness=0), "smoothness"),
    ],
)
def test_settings_are_checked(settings, says):
    import re

    with pytest.raises(ValueError, match=re.escape(says)):
        cr.data.RandomDistortion(**({"shape": SHAPE} | settings))


def test_a_mixture_keeps_the_sums_of_both_sides():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 4, 50)
    for seed in range(20):
        xm, ym = cr.data.MixUp(0.5, classes=4)(x, y, np.random.default_rng(seed))
        np.testing.assert_allclose(ym.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(xm.sum(axis=0), x.sum(axis=0), atol=1e-9)  # a permutation of the batch in both parts
        np.testing.assert_allclose(ym.sum(axis=0), np.bincount(y, minlength=4), atol=1e-9)
        shares = np.unique(ym.round(9))
        assert len(shares) <= 4  # 0, 1, λ and 1 − λ: one share for the batch


def test_features_and_targets_are_mixed_alike():
    x = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    xm, ym = cr.data.MixUp(1.0)(x, 2 * x + 1, np.random.default_rng(0))
    assert (xm.dtype, ym.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(ym, 2 * xm + 1, rtol=1e-5)
    assert (xm != x).any()


@pytest.mark.parametrize("labels", [np.array([0, 1, 3]), np.array([0.0, 1.0, 2.0]), np.eye(3), np.array([-1, 0, 1])])
def test_labels_that_do_not_fit_the_classes_are_refused(labels):
    with pytest.raises(ValueError, match=r"MixUp expects labels \(N,\) from 0 to 2"):
        cr.data.MixUp(classes=3)(np.eye(3), labels, np.random.default_rng(0))


def test_labels_without_classes_are_refused():
    with pytest.raises(
        TypeError, match=r"targets that are numbers, got labels of dtype int64; pass MixUp\(classes=K\)"
    ):
        cr.data.MixUp()(np.eye(3), np.arange(3), np.random.default_rng(0))


def test_a_trainer_applies_one_after_the_other_and_only_in_training():
    seen = []

    def note(x, y, rng):
        seen.append((x.copy(), y.copy()))
        return x, y

    def double(x, y, rng):
        return 2 * x, y

    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2
    trainer = cr.Trainer(
        cr.MLP([3, 8, 2], rng=0), "cross_entropy", batch_size=16, metrics=["accuracy"],
        augment=[note, double, note, cr.data.MixUp(0.2, classes=2), note],
    )  # fmt: skip
    history = trainer.fit(x, y, validation=(x, y), epochs=2, verbose=0)
    assert len(seen) == 2 * 4 * 3
    np.testing.assert_array_equal(seen[1][0], 2 * seen[0][0])
    assert seen[2][1].shape == (16, 2)
    assert len(history["accuracy"]) == 2
    trainer.evaluate(x, y)
    assert len(seen) == 2 * 4 * 3


def test_the_users_rows_stay_as_they_were():
    images = np.random.default_rng(0).random((32, 784), dtype=np.float32)
    kept, y = images.copy(), np.arange(32) % 2
    for size in (None, 8):
        trainer = cr.Trainer(
            cr.MLP([784, 4, 2], rng=0), "cross_entropy", batch_size=size, augment=[cr.data.RandomDistortion(SHAPE)]
        )
        trainer.fit(images, y, epochs=2, verbose=0)
        np.testing.assert_array_equal(images, kept)


@pytest.mark.slow
def test_distorted_digits_teach_more_than_few_digits_alone():
    pytest.importorskip("sklearn")
    digits = cr.data.load_named("digits")
    x, y = digits.x[:150], digits.y[:150]
    augment = [cr.data.RandomDistortion((8, 8), shift=0.8, elasticity=0)]
    scores = {}
    for name, changes in (("plain", []), ("distorted", augment)):
        model = cr.MLP([64, 128, 10], rng=0)
        trainer = cr.Trainer(
            model, "cross_entropy", cr.Adam(2e-3), batch_size=50, metrics=["accuracy"], augment=changes
        )
        trainer.fit(x, y, epochs=150, verbose=0)
        scores[name] = trainer.evaluate(digits.x_test, digits.y_test)["accuracy"]
    assert scores["distorted"] > scores["plain"] + 0.01


def test_training_with_augmentation_resumes_to_the_same_bits(tmp_path):
    """Interrupted within an epoch, with metrics, an average that has not started, and mixtures."""
    x, y = np.random.default_rng(0).random((90, 784), dtype=np.float32), np.arange(90) % 3

    def trained(folder, limit=None, resume=False):
        class PowerFailure(cr.Callback):
            def on_pause(self, trainer):
                if trainer.step == limit:
                    raise MemoryError

        trainer = cr.Trainer(
            cr.MLP([784, 8, 3], rng=0),
            "cross_entropy",
            batch_size=16,
            metrics=["accuracy"],
            augment=[cr.data.RandomDistortion(SHAPE), cr.data.MixUp(0.3, classes=3)],
            callbacks=[
                cr.callbacks.Checkpoint(folder, seconds=1e-9),
                cr.callbacks.WeightAverage(None, start=0.5),
                PowerFailure(),
            ],
        )
        if resume:
            trainer.resume(folder)
        trainer.fit(x, y, epochs=5, verbose=0)
        return trainer

    whole = trained(tmp_path / "whole")
    for limit in (3, 15, 20):
        with pytest.raises(MemoryError):
            trained(tmp_path / str(limit), limit)
        again = trained(tmp_path / str(limit), resume=True)
        np.testing.assert_array_equal(again.model.parameters.vector, whole.model.parameters.vector)
        assert again.history["accuracy"] == whole.history["accuracy"]
