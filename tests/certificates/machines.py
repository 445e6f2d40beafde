"""MAES built by hand, whose every weight has a reason, and a simulation in NumPy beside theirs."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from maes_jax.cells.maes import Maes
from maes_jax.certificates import claims
from maes_jax.certificates import places
from maes_jax.certificates import seals
from maes_jax.encoder_solver import Model

CONTROL = 2
SURE = 18.  # As a logit: sigmoid gives 1.5e-8.


@dataclasses.dataclass(frozen=True)
class Machine:
  """A MAES in plain layers.

  Attributes:
    params: as `checker.check` takes them.
    says: as `finder.find` takes it.
    claim: what it is to answer.
  """
  params: dict[str, Any]
  says: dict[str, Any]
  claim: claims.Claim

  @property
  def form(self):
    return self.says['form']


def recall(claim, bits=4, line3='write_first', add_activation='sigmoid', move=1, marker=None,
           units=3, seed=0, noise=.1, sharp=SURE, scale=1., busy=0., soft=None, solver_soft=None):
  """Stores each word as it is and answers what lies where the claim says.

  Hidden units do what they like, by weights of size `scale`; every other weight is off by `noise`
  times a normal number. `sharp` is by how much the logit of the right shift is larger; where it is
  `busy`, by that much the encoder's marker step and all of the solver's steps write something.
  Where it is `soft`, or its solver is, that is by how much at the marker step, which then sharpens
  nothing.
  """
  random = np.random.default_rng(seed)
  marker = (move if line3 == 'write_first' else 0) if marker is None else marker
  of_n, of_i, constant = claim.item
  first = marker - (move if line3 == 'write_first' else 0)
  start = (marker if of_n else 0)
  solver_moves = first + move * (of_i + constant) - start, move * of_i
  says = {'task': '', 'claim': claim.packed(bits), 'form': {
      'control_bits': CONTROL, 'bits': bits, 'width': bits, 'line3': line3,
      'add_activation': add_activation}}
  encoder = _blank(random, bits, units, max(abs(marker), abs(move), 1), noise, scale)
  solver = _blank(random, bits, units, max(*map(abs, solver_moves), 1), noise, scale)
  _move(encoder, CONTROL - 2, (marker, move), bits, sharp)
  _move(solver, CONTROL - 1, solver_moves, bits, sharp)
  if soft is not None:
    _soften(encoder, CONTROL - 2, marker, bits, sharp - soft)
  if solver_soft is not None:
    _soften(solver, CONTROL - 1, solver_moves[0], bits, sharp - solver_soft)
  _store(encoder, bits, add_activation)
  _leave(solver, bits, add_activation)
  _write_something(random, encoder, CONTROL - 2, bits, busy)
  _write_something(random, solver, slice(None), bits, busy)
  params = {'encoder': encoder, 'solver': solver}
  for layer, (kernel, bias) in (_equal if claim.shown else _same)(random, bits, units,
                                                                  noise).items():
    solver[layer] = {'kernel': kernel, 'bias': bias}
  return Machine(plain(params), says, claim)


def as_model(machine, task, outputs):
  """The same as a model of one task, and its parameters."""
  form = machine.form

  def cell(name, outputs=0):
    size = {layer: len(part['bias']) for layer, part in machine.params[name].items()}
    return Maes(outputs, form['width'], size['hidden'],
                shift_range=size['interface'] // 2 - form['width'] - 1, line3=form['line3'],
                output_hidden=size.get('output_hidden', 0), add_activation=form['add_activation'])
  return (Model(cell('encoder'), {task: cell('solver', outputs)},
                inputs=form['control_bits'] + form['bits']),
          {'encoder': machine.params['encoder'], 'solvers': {task: machine.params['solver']}})


def plain(params, change=lambda leaf: leaf):
  """By cell, layer and part NumPy's arrays in single precision, changed."""
  if isinstance(params, dict):
    return {name: plain(part, change) for name, part in params.items()}
  return np.float32(change(np.asarray(params, np.float64)))


def _blank(random, bits, units, reach, noise, scale):
  """Layers of noise; rows are those of [x, h, r]."""
  rows = CONTROL + bits + units + bits
  layer = lambda scale, outputs: {'kernel': scale * random.normal(size=(rows, outputs)),
                                  'bias': scale * random.normal(size=outputs)}
  return {'hidden': layer(scale, units), 'interface': layer(noise, 2 * (bits + reach + 1))}


def _move(cell, marker_bit, moves, bits, sharp):
  """The taps: by one move at the marker, by another at items, which have no control bit."""
  interface = cell['interface']
  reach = len(interface['bias']) // 2 - bits - 1
  taps = slice(2 * bits, -1)
  at = lambda move: sharp * (np.arange(-reach, reach + 1) == move)
  interface['bias'][taps] += at(moves[1])
  interface['kernel'][marker_bit, taps] += at(moves[0]) - at(moves[1])
  interface['bias'][-1] += 3.


def _soften(cell, marker_bit, move, bits, less):
  of_marker = cell['interface']['kernel'][marker_bit]
  of_marker[2 * bits + (len(of_marker) - 2 * bits - 2) // 2 + move] -= less
  of_marker[-1] -= 9.


def _store(cell, bits, add_activation):
  """a = the word, e = 1; at the marker a = 0."""
  interface = cell['interface']
  word = np.arange(bits)
  size = 2 * SURE if add_activation == 'sigmoid' else 1.
  interface['kernel'][CONTROL + word, word] += size
  interface['bias'][bits:2 * bits] += SURE
  if add_activation == 'sigmoid':
    interface['bias'][:bits] -= SURE


def _leave(cell, bits, add_activation):
  """a = 0 and e = 0."""
  interface = cell['interface']
  interface['bias'][bits:2 * bits] -= SURE
  if add_activation == 'sigmoid':
    interface['bias'][:bits] -= SURE


def _write_something(random, cell, rows, bits, size):
  kernel = cell['interface']['kernel']
  kernel[rows, :2 * bits] += size * random.normal(size=kernel[rows, :2 * bits].shape)


def _same(random, bits, units, noise):
  """Logits of the word that is read."""
  rows = CONTROL + bits + units + bits
  kernel = noise * random.normal(size=(rows, bits))
  kernel[-bits:] += 2 * SURE * np.eye(bits)
  return {'output': (kernel, noise * random.normal(size=bits) - SURE)}


def _equal(random, bits, units, noise):
  """By ReLU units how much the word shown is more than the one read, and less, bit by bit."""
  rows = CONTROL + bits + units + bits
  kernel = .1 * noise * random.normal(size=(rows, 2 * bits))
  more = np.concatenate([np.eye(bits), -np.eye(bits)], axis=1)
  kernel[CONTROL:CONTROL + bits] += more
  kernel[-bits:] -= more
  return {'output_hidden': (kernel, np.full(2 * bits, -.3)),
          'output': (np.full((2 * bits, 1), -4 * SURE), np.full(1, SURE))}


def latched(bits=2, seed=0):
  """Says whether all pairs so far are equal: one unit holds that a word was larger, one smaller.

  Words are compared as the numbers that they write. Of two boxes for "same" and "differ" no proof
  can be made for it, see the claim below, so "differ" is two states here.
  """
  machine = recall(claims.CLAIMS['sequence_comparison'], bits, units=2, seed=seed, noise=0.)
  solver = {name: {part: np.array(leaf, np.float64) for part, leaf in layer.items()}
            for name, layer in machine.params['solver'].items()}
  value = 2. ** np.arange(bits)[::-1]
  sharp, hold = SURE, SURE * (2**bits + 1)
  kernel = np.zeros((CONTROL + bits + 2 + bits, 2))
  kernel[CONTROL:CONTROL + bits] = np.outer(value, [sharp, -sharp])
  kernel[-bits:] = np.outer(value, [-sharp, sharp])
  kernel[[CONTROL + bits, CONTROL + bits + 1], [0, 1]] = hold
  solver['hidden'] = {'kernel': kernel, 'bias': np.full(2, -sharp / 2)}
  solver['hidden']['kernel'][CONTROL - 1] = -sharp  # Nothing differs at the marker.
  units = slice(CONTROL + bits, CONTROL + bits + 2)
  output_hidden, output = solver['output_hidden'], solver['output']
  holds = np.zeros((len(kernel), 2))
  holds[units] = np.eye(2)
  solver['output_hidden'] = {'kernel': np.append(output_hidden['kernel'], holds, 1),
                             'bias': np.append(output_hidden['bias'], [-.3, -.3])}
  solver['output'] = {'kernel': np.append(output['kernel'], np.full((2, 1), -4 * SURE), 0),
                      'bias': output['bias']}
  claim = claims.CLAIMS['hard_equality']
  says = {**machine.says, 'claim': {**claim.packed(bits), **_three_states(bits)}}
  return Machine({**machine.params, 'solver': plain(solver)}, says, claim)


def _three_states(bits):
  """Same so far; else which was larger where they first differed."""
  number = np.arange(2**bits)
  shown, stored = np.meshgrid(number, number, indexing='ij')
  right = np.stack([shown == stored, 0 * shown, 0 * shown])[..., None]
  after = np.stack([1 * (shown > stored) + 2 * (shown < stored), 0 * shown + 1, 0 * shown + 2])
  return {'right': seals.packed(right), 'after': seals.packed(after)}


class Simulation:
  """One step after another of B sequences in float64, each number off by what one likes.

  Attributes:
    hidden: h_t [B, H].
    memory: M_t [B, N, W].
    attention: w_t [B, N].
    read: r_t [B, W] of the last step.
    logits: y_t [B, Y] of the last step.
  """

  def __init__(self, params, form, batch, addresses, off=np.zeros):
    self.params, self.form, self.off = params, form, off
    self.memory = np.zeros((batch, addresses, form['width']))
    self.attention = np.tile(np.eye(addresses)[0], (batch, 1))
    self.start('encoder')

  def start(self, cell, handover=True):
    self.layers = {name: [np.asarray(layer[part], np.float64) for part in ('kernel', 'bias')]
                   for name, layer in self.params[cell].items()}
    self.hidden = np.zeros((len(self.memory), len(self.layers['hidden'][1])))
    if not handover:
      self.attention = np.tile(np.eye(self.memory.shape[1])[0], (len(self.memory), 1))

  def step(self, x):
    """Algorithm 1 for x [B, X]."""
    width = self.form['width']
    self.read = np.einsum('bnw,bn->bw', self.memory, self.attention)
    self.read = self.read + self.off(self.read.shape)
    seen = np.concatenate([x, self.hidden, self.read], 1)
    self.logits = self._output(seen)
    raw, self.hidden = self._layer('interface', seen), _sigmoid(self._layer('hidden', seen))
    add, erase, taps, gamma = np.split(raw, [width, 2 * width, raw.shape[1] - 1], 1)
    add = _sigmoid(add) if self.form['add_activation'] == 'sigmoid' else add
    before, self.attention = self.attention, self._moved(taps, gamma)
    at = (before if self.form['line3'] == 'write_first' else self.attention)[..., None]
    self.memory = self.memory * (1 - _sigmoid(erase)[:, None] * at) + add[:, None] * at

  def _moved(self, taps, gamma):
    reach = taps.shape[1] // 2
    shares = np.exp(taps - taps.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    moved = sum(shares[:, [tap]] * np.roll(self.attention, tap - reach, 1)
                for tap in range(taps.shape[1]))
    with np.errstate(divide='ignore'):
      powers = (1 + np.logaddexp(0, gamma)) * np.log(moved)
    weights = np.exp(powers - powers.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    return weights * (1 + self.off(weights.shape))

  def _output(self, seen):
    if 'output' not in self.layers:
      return None
    if 'output_hidden' in self.layers:
      seen = np.maximum(self._layer('output_hidden', seen), 0)
    return self._layer('output', seen)

  def _layer(self, name, into):
    kernel, bias = self.layers[name]
    found = into @ kernel + bias
    return found + self.off(found.shape)


def _sigmoid(x):
  return np.exp(-np.logaddexp(0, -x))


def shown(bits, words):
  """Inputs [B, X] for words [B, D]."""
  return np.pad(words, ((0, 0), (CONTROL, 0)))


def marker(bits, which, batch):
  return np.tile(np.eye(1, CONTROL + bits, which), (batch, 1))


def variants():
  """All that can be chosen about a cell and where it goes, by name."""
  serial, reverse, odd = (claims.CLAIMS[name] for name in (
      'serial_recall', 'reverse_recall', 'odd_recall'))
  found = {}
  for line3, add, move in itertools.product(('write_first', 'move_first'), ('sigmoid', 'linear'),
                                            (1, -1)):
    form = {'line3': line3, 'add_activation': add, 'move': move,
            'noise': .02 if add == 'linear' else .1}
    for name, claim in (('serial', serial), ('reverse', reverse), ('odd', odd)):
      found[f'{name} {line3} {add} {move:+}'] = (claim, form)
  found['comparison'] = claims.CLAIMS['sequence_comparison'], {}
  found['comparison, move first'] = (claims.CLAIMS['sequence_comparison'],
                                     {'line3': 'move_first', 'marker': 1})
  found['three times'] = dataclasses.replace(serial, times=3), {}
  found['three times, back'] = dataclasses.replace(serial, times=3), {'move': -1}
  found['item on the marker'] = serial, {'marker': 0}
  found['back over the marker'] = serial, {'marker': -1}
  found['two apart'] = serial, {'move': 2, 'marker': 1}
  found['two apart, back'] = reverse, {'move': -2, 'marker': 2}
  return found


def words(bits):
  return places.words(bits)
