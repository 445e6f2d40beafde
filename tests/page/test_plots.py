"""Pictures of all steps keep every peak, however small they are drawn."""

import numpy as np

from maes_jax.page import plots


def test_pooling_keeps_the_largest_of_each_cell():
  image = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
  assert plots.pool(image, 3, 2).tolist() == [[1, 3], [5, 7], [9, 11]]
  assert plots.pool(image, 2, 4).tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]


def test_a_picture_smaller_than_its_pixels_stays_as_it_is():
  image = np.arange(6.).reshape(2, 3)
  np.testing.assert_array_equal(plots.pool(image, 5, 3), image)


def test_one_hot_attention_stays_visible_at_every_step():
  pooled = plots.pool(np.eye(1024, 2002), 300, 700)
  assert pooled.shape == (300, 700)
  assert pooled[:, :350].max(axis=0).min() == 1
