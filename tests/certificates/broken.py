"""Trained models with one weight changed so that it goes wrong, mostly for one word or pair."""

import collections
from collections.abc import Iterator
import copy
import dataclasses

import numpy as np

import maes_jax
from maes_jax.certificates import claims
from maes_jax.certificates import verdict
from tests.certificates import machines


def models(name: str, task: str, count: int, seed: int = 0) -> Iterator[maes_jax.trained.Trained]:
  """In turn: one word or pair is wrong, one only after some others, heads that go astray."""
  trained, random = maes_jax.load(name), np.random.default_rng(seed)
  params = machines.plain(verdict.of(trained.params, task))
  claim = claims.CLAIMS[task]
  alone, after = (_last_steps(trained, task, params, claim, random, length) for length in (1, 3))
  for number in range(count):
    other = copy.deepcopy(params)
    if number % 10 == 9:
      _astray(other, random)
    else:
      _one_wrong(other['solver']['output'], *(after if number % 10 == 8 else alone), random)
    whole = {**trained.params, 'encoder': other['encoder'],
             'solvers': {**trained.params['solvers'], task: other['solver']}}
    yield dataclasses.replace(trained, saved={**trained.saved, 'params': whole})


def _last_steps(trained, task, params, claim, random, length):
  """What the output layer gets at the last answer that counts [B, Z], and the right bits [B, Y]."""
  form = verdict._says(trained.model, maes_jax.tasks.get(task), claim)['form']
  bits = form['bits']
  words = machines.words(bits)
  if length > 1:
    stored = random.integers(0, len(words), (2**14, length))
    shown = np.where(random.random(stored.shape) < .5, stored, stored ^ 1)
  else:
    stored, shown = (side.reshape(-1, 1) for side in np.meshgrid(
        *[np.arange(len(words))] * 2, indexing='ij')) if claim.shown else (
            np.arange(len(words))[:, None], np.zeros((len(words), 1), int))
  batch = len(stored)
  run = machines.Simulation(params, form, batch, 2 * length + 8)
  run.step(machines.marker(bits, 0, batch))
  for i in range(length):
    run.step(machines.shown(bits, words[stored[:, i]]))
  run.start('solver', claim.start == 'handover')
  run.step(machines.marker(bits, 1, batch))
  about = claim.about(length)
  steps = int(((about >= 0) & (about < length)).sum())
  for i in range(steps):
    x = machines.shown(bits, words[shown[:, i]] * claim.shown)
    hidden = run.hidden
    run.step(x)
  seen = np.concatenate([x, hidden, run.read], 1)
  if 'output_hidden' in params['solver']:
    layer = params['solver']['output_hidden']
    seen = np.maximum(seen @ layer['kernel'] + layer['bias'], 0)
  right = claim.answer(words[stored[:, about[steps - 1]]], words[shown[:, steps - 1]]).astype(bool)
  return seen, right


def _one_wrong(layer, seen, right, random):
  """Changes one weight by a little more than the first bit that goes wrong then bears."""
  logits = seen @ np.float64(layer['kernel']) + layer['bias']
  assert np.all((logits > 0) == right)
  while True:
    row, column, side = random.integers(seen.shape[1]), random.integers(right.shape[1]), (
        random.choice([-1., 1.]))
    worse = np.where(right[:, column], -1, 1) * side * seen[:, row]
    bears = np.where(worse > .05, abs(logits[:, column]) / np.maximum(worse, .05), np.inf)
    if np.isfinite(bears.min()):
      layer['kernel'][row, column] += side * (bears.min() * 1.01 + 1e-3)
      return


def _astray(params, random):
  """Attention spreads a little more at each step, or stays where it is at some words."""
  if random.random() < .5:
    interface = params[random.choice(['encoder', 'solver'])]['interface']
    reach = _reach(params, interface)
    interface['kernel'][:, -1], interface['bias'][-1] = 0, -40
    for part in interface.values():
      part[..., -2 * reach - 2:-1] *= .2
  else:
    interface = params['encoder']['interface']
    bit = random.integers(machines.CONTROL, machines.CONTROL + 8)
    interface['kernel'][bit, -2 - _reach(params, interface)] += 60


def _reach(params, interface):
  width = len(interface['kernel']) - machines.CONTROL - 8 - len(params['encoder']['hidden']['bias'])
  return len(interface['bias']) // 2 - width - 1


def main():
  """Goes through 200 and counts verdicts: none may be certified."""
  found = collections.Counter()
  for name, task, count in (('E_J', 'serial_recall', 60), ('E_J', 'reverse_recall', 60),
                            ('E_J-odd_recall', 'odd_recall', 60),
                            ('E_J-sequence_comparison', 'sequence_comparison', 20)):
    found.update(verdict.certify(model, task, effort=16).status
                 for model in models(name, task, count))
    print(name, task, dict(found), flush=True)


if __name__ == '__main__':
  main()
