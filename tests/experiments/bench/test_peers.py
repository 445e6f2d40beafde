"""The PyTorch peers compute what our models compute: same outputs, same gradients."""

import jax
import numpy as np
import optax
import pytest

from experiments.bench import ours
from maes_jax import trained

torch = pytest.importorskip('torch', reason='the extra `bench` is not installed')

from experiments.bench import peers
from experiments.bench import torch_training

LENGTH, BATCH, ADDRESSES = 6, 3, 9
SMALL = {'maes': {}, 'ntm': {}, 'lstm': {'units': 7}, 'gru': {'units': 7},
         'transformer': {'layers': 2, 'inner': 5}}


@pytest.fixture(scope='module', autouse=True)
def one_thread():
  """Other tests use the other cores."""
  torch.set_num_threads(1)


@pytest.fixture(scope='module', params=SMALL)
def pair(request):
  """Our model, its parameters, and the peer that has taken these over."""
  name = request.param
  model, params = ours.untrained(name, **SMALL[name])
  peer = peers.MODELS[name](ADDRESSES, **SMALL[name])
  peer.take(params, ours.TASK)
  return model, params, peer


@pytest.fixture(scope='module')
def data():
  return torch_training.draw(BATCH, LENGTH, torch.Generator().manual_seed(3))


def test_outputs_are_equal(pair, data):
  model, params, peer = pair
  mine = ours.logits(model, params, *(part.numpy() for part in data[:2]), ADDRESSES)
  np.testing.assert_allclose(mine, peer(*data[:2]).detach().numpy(), rtol=0, atol=1e-5)


def test_gradients_are_equal(pair, data):
  """Their sum of squares: the same whatever the order and the grouping of the parameters."""
  model, params, peer = pair
  arrays = [part.numpy() for part in data]

  def loss(params):
    values = ours.logits(model, params, *arrays[:2], ADDRESSES)[1:]
    return optax.sigmoid_binary_cross_entropy(values, arrays[2]).mean()
  value, gradients = jax.value_and_grad(loss)(params)
  theirs = torch_training.loss(peer, *data)
  theirs.backward()
  assert value == pytest.approx(theirs.item(), rel=1e-5)
  wanted = _squares(ours_too(name, parameter.grad.numpy())
                    for name, parameter in peer.named_parameters())
  assert _squares(jax.tree.leaves(gradients)) == pytest.approx(wanted, rel=1e-4)


def ours_too(name, gradient):
  """Of PyTorch's second biases we have those of the GRU's candidate, the last of three parts."""
  if 'bias_hh' not in name:
    return gradient
  return gradient[-len(gradient) // 3:] if 'gru' in name else gradient[:0]


def test_outputs_of_a_trained_model_are_equal():
  """Attention is sharp there, and most addresses have no weight at all."""
  restored = trained.load(ours.CHECKPOINT)
  data = torch_training.draw(BATCH, 40, torch.Generator().manual_seed(4))
  mine = ours.logits(restored.model, restored.params, *(part.numpy() for part in data[:2]), 64)
  peer = peers.MODELS['maes'](64)
  peer.take(restored.params, ours.TASK)
  np.testing.assert_array_equal(mine[1:] > 0, data[2] > 0.5)
  np.testing.assert_allclose(mine, peer(*data[:2]).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_the_peer_learns():
  torch.manual_seed(0)
  workload = torch_training.training(peers.MODELS['maes'](21), iterations=10, batch=4)
  first = workload.run()
  workload.run()
  assert workload.run() < first


def _squares(arrays):
  return sum(float(np.sum(np.square(array))) for array in arrays)
