"""Searches shipped models that are certified for a sequence that they get wrong.

`python -m tests.certificates.adversarial 10000000` is the full size.
"""

import itertools
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import maes_jax
from maes_jax import windowed
from maes_jax.certificates import claims
from maes_jax.certificates import falsify

CERTIFIED = (
    ('E_J', 'serial_recall'), ('E_J', 'reverse_recall'), ('E_J-odd_recall', 'odd_recall'),
    ('E_J-sequence_comparison', 'sequence_comparison'), ('E_S', 'serial_recall'),
    ('E_R', 'reverse_recall'))


def search(name: str, task: str, size: int, effort: int = 1000) -> falsify.Search:
  """All short sequences and those that the gradient leads to, then others until so many are right.

  Of the others half of the words differ in a bit where words are shown, some only in one.
  """
  trained, asked = maes_jax.load(name), maes_jax.tasks.get(task)
  falsifier = falsify.Falsifier(trained.model, asked, claims.get(asked))
  found = falsifier.search(trained.params, effort, longest=min(falsify.LENGTHS[-1], size // 100))
  tried, random = found.tried, np.random.default_rng(1)
  for length in itertools.cycle((3, 4, 5, 6, 8, 11, 16)):
    if found.witness or tried >= size:
      return falsify.Search(found.witness, tried)
    drawn = falsifier._drawn(random, 8192, length)
    found = falsify.Search(falsifier.wrong(trained.params, drawn), 8192)
    tried += found.tried


def long(name: str, task: str, count: int, seed: int = 0) -> tuple[int, int, bool]:
  """Wrong bits and bits of one sequence of so many items, and whether no weight was left out."""
  trained, asked = maes_jax.load(name), maes_jax.tasks.get(task)
  addresses = count + 4 * windowed.SIZES[0]  # Room for the window beyond the last item.

  @jax.jit
  def answer(params, key):
    episodes = maes_jax.tasks.sample_batch(asked, key[None], jnp.array([count]), count)
    logits, exact = windowed.answer_batch(trained.model, params, task, episodes, addresses)
    wrong = ((logits > 0) != (episodes.targets > .5)) & episodes.mask[..., None]
    bits = episodes.mask.sum() * episodes.targets.shape[-1]
    return wrong.sum(), bits, exact.all()

  wrong, bits, exact = jax.device_get(answer(trained.params, jax.random.key(seed)))
  return int(wrong), int(bits), bool(exact)


def main(size: int):
  for name, task in CERTIFIED:
    began = time.time()
    found = search(name, task, size // len(CERTIFIED))
    print(f'{name} {task}: {"WRONG" if found.witness else "right"} on {found.tried:,} sequences, '
          f'{time.time() - began:.0f} s', flush=True)
  for name, task in CERTIFIED:
    began = time.time()
    wrong, bits, exact = long(name, task, max(size // 10, 100))
    print(f'{name} {task}: {wrong:,} of {bits:,} bits wrong in one sequence, exact: {exact}, '
          f'{time.time() - began:.0f} s', flush=True)


if __name__ == '__main__':
  main(int(float(sys.argv[1])))
