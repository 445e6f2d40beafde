"""A certificate that was changed proves nothing, or what it says is true all the same."""

import copy
import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from maes_jax.certificates import checker
from maes_jax.certificates import claims
from maes_jax.certificates import finder
from maes_jax.certificates import seals
from maes_jax.certificates.attention import Refused
from tests.certificates import machines
from tests.certificates import test_soundness

ETA = 3e-4
DAMAGE = (KeyError, TypeError, ValueError, IndexError, ArithmeticError)  # As `recheck` takes it.


@pytest.fixture(scope='module')
def serial():
  return made(machines.recall(claims.CLAIMS['serial_recall'], bits=2))


def made(machine, eta=ETA):
  return machine, finder.find(machine.params, machine.says, eta)


def sealed(certificate):
  return {**certificate, 'seal': seals.seal(certificate)}


def accepted(machine, certificate):
  try:
    checker.check(machine.params, certificate)
  except (Refused, *DAMAGE):
    return False
  return True


def changed(certificate, path, value):
  found = copy.deepcopy(certificate)
  inner = found
  for key in path[:-1]:
    inner = inner[key]
  inner[path[-1]] = value
  return found


def leaves(node, path=()):
  """Paths and values of all that a certificate says."""
  inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(
      node, list) else ()
  if not inner:
    yield path, node
  for key, value in inner:
    yield from leaves(value, (*path, key))


def test_what_the_finder_finds_is_accepted(serial):
  machine, certificate = serial
  assert checker.check(machine.params, certificate) >= certificate['margin'] > 10


def test_any_change_breaks_the_seal(serial):
  machine, certificate = serial
  for path, value in leaves(certificate):
    other = value + 1 if isinstance(value, int | float) else 'x'
    assert not accepted(machine, changed(certificate, path, other)), path


VALUES = (float('nan'), float('inf'), -float('inf'), 0, 1, -1, 2, -2, 3, .5, -.5, 1e-9, -1e-9,
          1e300, 10**400, True, None, 'x', '0', [], {}, [0.], [[0., 1.]])
# What says how small a margin or how large a memory is right may say less than it could.
MAY_BE_LESS = {'margin', 'addresses', 'task'}


@pytest.mark.slow
@pytest.mark.parametrize('name', ['serial write_first sigmoid +1', 'reverse move_first sigmoid +1'])
def test_a_change_that_is_sealed_is_refused_or_true(name):
  """True: a simulation stays in what it says now, in as much memory as it says."""
  claim, form = machines.variants()[name]
  machine, certificate = made(machines.recall(claim, **form, bits=2))
  passed = 0
  for path, old in leaves({key: certificate[key] for key in certificate if key != 'seal'}):
    for value in (*VALUES, *([old * .9, old * 1.1, old + 1e-3, old - 1e-3, old + 1, old - 1] if
                             isinstance(old, int | float) else [])):
      other = changed(certificate, path, value)
      if other == certificate or not accepted(machine, other := sealed(other)):
        continue
      passed += 1
      if path == ('claim', 'shown') and bool(value) == old:  # Python's truth: it says the same.
        continue
      assert path[0] in ({'encoder', 'solver', 'eta'} | MAY_BE_LESS), (path, value)
      if path[0] not in MAY_BE_LESS:
        said = test_soundness.Said(machine, other)
        test_soundness.follow(said, 5, 4, 0)
  assert passed > 10  # Wider boxes are no lies.


def test_every_number_of_the_model_matters(serial):
  machine, certificate = serial
  for path, _ in leaves(machine.params):
    other = copy.deepcopy(machine.params)
    part = other[path[0]][path[1]][path[2]]
    part.flat[-1] = np.nextafter(part.flat[-1], np.float32(np.inf))
    with pytest.raises(Refused, match='of other parameters'):
      checker.check(other, certificate)


def as_if_of(machine, params, certificate):
  """The certificate with another model's parameters written into it."""
  del machine
  return sealed({**certificate, 'parameters': seals.digest(params)})


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e38])
def test_numbers_that_are_none_are_refused(serial, value):
  machine, certificate = serial
  for path, _ in leaves(machine.params):
    other = copy.deepcopy(machine.params)
    other[path[0]][path[1]][path[2]].flat[0] = value
    with pytest.raises((Refused, *DAMAGE)):
      checker.check(other, as_if_of(machine, other, certificate))


def test_less_than_single_precision_is_refused(serial):
  machine, certificate = serial
  other = {cell: {layer: {part: leaf.astype(np.float16) for part, leaf in parts.items()}
                  for layer, parts in layers.items()} for cell, layers in machine.params.items()}
  with pytest.raises(Refused, match='less than single precision'):
    checker.check(other, as_if_of(machine, other, certificate))


def test_weights_that_single_precision_cannot_add_up_are_refused():
  """h - h is nothing to exact arithmetic, and by 2^-24 of itself off in single precision."""
  machine, certificate = made(machines.recall(claims.CLAIMS['serial_recall'], bits=2))
  other = copy.deepcopy(machine.params)
  other['solver']['interface']['kernel'][0] += 1e5
  other['solver']['interface']['bias'] -= 0
  with pytest.raises(Refused, match='single precision'):
    checker.check(other, as_if_of(machine, other, certificate))
  with pytest.raises(Refused, match='single precision'):
    finder.find(other, machine.says, ETA)
  for eta in (0., -1e-3, 1e-9):
    with pytest.raises(Refused, match='single precision'):
      checker.check(machine.params, sealed({**certificate, 'eta': eta}))


def test_a_layer_that_is_not_known_is_refused(serial):
  machine, certificate = serial
  other = copy.deepcopy(machine.params)
  other['solver']['skip'] = other['solver']['hidden']
  with pytest.raises(Refused, match='no proof is known'):
    checker.check(other, as_if_of(machine, other, certificate))


@pytest.mark.parametrize('move', [-2, 2, 1., True])
def test_moves_are_taps_of_the_kernel(move):
  """Tap -1 would be gamma, beside which all taps look small."""
  machine = machines.recall(claims.CLAIMS['serial_recall'], bits=2)
  for cell in machine.params.values():
    cell['interface']['bias'][-1] = 60
  certificate = finder.find(machine.params, machine.says, ETA)
  for cell in ('encoder', 'solver'):
    other = changed(certificate, (cell, 'moves'), [move, move])
    with pytest.raises(Refused, match='cannot move'):
      checker.check(machine.params, sealed(other))


def test_a_state_that_is_missing_is_refused():
  machine, certificate = made(machines.latched(), 1e-3)
  assert accepted(machine, certificate)
  other = changed(certificate, ('solver', 'hidden'), certificate['solver']['hidden'][:2])
  with pytest.raises(Refused, match='states are missing'):
    checker.check(machine.params, sealed(other))
  after = seals.unpacked(certificate['claim']['after']).copy()
  after[after == 2] = 3
  other = changed(certificate, ('claim', 'after'), seals.packed(after))
  with pytest.raises(Refused, match='states are missing'):
    checker.check(machine.params, sealed(other))


@pytest.mark.parametrize('which', ['right', 'after'])
def test_a_claim_about_some_words_only_is_refused(serial, which):
  machine, certificate = serial
  numbers = seals.unpacked(certificate['claim'][which])
  other = changed(certificate, ('claim', which), seals.packed(numbers[:, :, :1]))
  with pytest.raises(Refused, match='not about all words'):
    checker.check(machine.params, sealed(other))
  whole = changed(certificate, ('claim', 'right'), seals.packed(numbers[..., :1])) if (
      which == 'right') else certificate
  if which == 'right':
    with pytest.raises(Refused, match='not about all logits'):
      checker.check(machine.params, sealed(whole))


@pytest.mark.parametrize('item, start', [
    ((1, -1, 2), 'handover'), ((1, -1, 3), 'handover'), ((0, 1, -1), 'restart'),
    ((0, -1, 3), 'restart'), ((2, -1, 0), 'handover'), ((0, 0, 1), 'restart')])
def test_answers_before_there_is_an_item_are_refused(item, start):
  """What is read then is in no box: such a claim needs another proof."""
  claim = claims.Claim(item, claims._stored, start=start)
  machine = machines.recall(claim, bits=2)
  with pytest.raises(Refused):
    finder.find(machine.params, machine.says, ETA)


def test_wrong_bits_are_refused(serial):
  machine, certificate = serial
  right = seals.unpacked(certificate['claim']['right'])
  for index in np.ndindex(right.shape):
    other = right.copy()
    other[index] = 1 - other[index]
    with pytest.raises(Refused, match='may be wrong'):
      checker.check(machine.params, sealed(changed(certificate, ('claim', 'right'),
                                                   seals.packed(other))))


@pytest.mark.parametrize('part, value', [
    ('line3', 'move_first'), ('line3', 'sideways'), ('add_activation', 'linear'),
    ('add_activation', 'tanh'), ('width', 3), ('bits', 3), ('control_bits', 1)])
def test_another_form_is_refused(serial, part, value):
  machine, certificate = serial
  assert not accepted(machine, sealed(changed(certificate, ('form', part), value)))


def test_numpy_is_enough():
  """Neither JAX nor anything that needs it is imported."""
  blocked = ('import sys\n'
             'for name in ("jax", "jaxlib", "flax", "chex", "optax", "orbax", "scipy"):\n'
             '  sys.modules[name] = None\n'
             'import maes_jax.certificates.checker\n'
             'names = {name.split(".")[0] for name in sys.modules}\n'
             'own = {"maes_jax", "numpy"}\n'
             'more = {name for name in names - own - set(sys.stdlib_module_names)\n'
             '        if not name.startswith("_") and sys.modules[name] is not None\n'
             '        and "site-packages" in (getattr(sys.modules[name], "__file__", "") or "")}\n'
             'assert not more, more\n')
  subprocess.run([sys.executable, '-c', blocked], check=True, timeout=60)


@pytest.mark.parametrize('item', [(0, 2, -1), (0, 1, 1)])
def test_who_is_asked_again_about_some_items_alone_is_not_proved(item):
  """The last steps of a pass then write on what lies beyond, which the next one reads."""
  claim = claims.Claim(item, lambda stored, shown: stored, times=2)
  once = dataclasses.replace(claim, times=1)
  assert made(machines.recall(once, bits=2, units=1))
  with pytest.raises(Refused, match='so many answers'):
    made(machines.recall(claim, bits=2, units=1))
