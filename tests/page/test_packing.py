"""What the browser unpacks is the array, to three decimals."""

import base64
import zlib

import numpy as np
import pytest

from maes_jax import errors
from maes_jax.page import packing


def unpack(packed):
  differences = np.frombuffer(zlib.decompress(base64.b64decode(packed['data'])), packed['type'])
  whole = np.cumsum(differences.reshape(packed['shape']), axis=0, dtype=packed['type'])
  return whole / packed['scale']


@pytest.mark.parametrize(('size', 'kind'), [(1., 'int16'), (30., 'int16'), (1e4, 'int32')])
def test_unpacks_to_three_decimals(size, kind):
  """Also where differences are larger than the numbers: they wrap around."""
  array = np.random.default_rng(0).uniform(-size, size, (7, 3, 5)).astype(np.float32)
  packed = packing.pack('memory', array)
  assert packed['type'] == kind
  np.testing.assert_allclose(unpack(packed), array, rtol=1e-7, atol=.5e-3)


def test_numbers_beyond_the_type_stay_at_its_end():
  assert unpack(packing.pack('memory', np.array([[1e9, -1e9]]))).tolist() == [
      [2147483.647, -2147483.648]]


def test_truth_values_are_0_and_1():
  assert unpack(packing.pack('asked', np.array([[True], [False], [True]]))).tolist() == [
      [1], [0], [1]]


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_diverged_model_is_told(bad):
  with pytest.raises(errors.UserError, match=r'memory .* diverged'):
    packing.pack('memory', np.array([[0., bad]]))


def test_what_stays_takes_no_room():
  still = np.tile(np.random.default_rng(0).uniform(size=(1, 1000)), (100, 1))
  assert len(packing.pack('memory', still)['data']) < 5000
