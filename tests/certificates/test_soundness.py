"""What a certificate says is true of every step that a simulation of the model makes."""

import dataclasses

import numpy as np
import pytest

import maes_jax
from maes_jax.certificates import cell
from maes_jax.certificates import checker
from maes_jax.certificates import claims
from maes_jax.certificates import finder
from maes_jax.certificates import storing
from maes_jax.certificates import verdict
from maes_jax.certificates.attention import Refused
from maes_jax.certificates.cell import Cell
from maes_jax.certificates.finder import PLAIN
from maes_jax.certificates.finder import Way
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.places import Places
from tests.certificates import machines

ROUNDING = 1e-12  # Of the simulation itself.
VARIANTS = machines.variants()
WAYS = PLAIN, Way(trail=True)


def holds(box, value):
  return np.all(box.lo - ROUNDING <= value) and np.all(value <= box.hi + ROUNDING)


@dataclasses.dataclass
class Said:
  """What a certificate says, with words taken from it as the checker takes them."""
  machine: machines.Machine
  certificate: dict

  def __post_init__(self):
    self.encoder, self.solver = (Cell(self.machine.params, self.certificate, name)
                                 for name in ('encoder', 'solver'))
    self.places, self.claim = Places(self.certificate), checker.claim(self.certificate)
    self.stored = storing.store(self.encoder, self.places)
    self.phase = storing._Phase(self.encoder, self.places)
    solver, stored, places = self.solver, self.stored, self.places
    at_any = solver.write(places.shown, hull(*solver.hiddens)[None], solver.read[None])
    starts = checker._starts(solver, stored, places, at_any)
    of_marker = (places.markers[1], checker.of(np.zeros((1, solver.units))),
                 solver.seen(starts, stored.anything)[None])
    items, self.anything = checker._left(
        solver, stored, places, solver.write(*of_marker), at_any)
    self.items = solver.seen(items, self.anything)
    x, h, r = of_marker
    self.opening = solver.opening(x, h, r[0]) if places.solver_opens else None

  def addresses(self, count):
    slope, extra = self.certificate['addresses']
    return max(slope * count + extra, 2 * max(self.encoder.reach, self.solver.reach) + 1)


def check_attention(cell, attention, place, handed=False):
  """All other addresses together, and each by its distance from the head and its trail."""
  says, size = cell.attention, attention.shape[1]
  ahead = (np.arange(size) - place) * np.sign(cell.moves[1]) % size
  trail = 0 if handed else int(says.trail.lo)
  behind = size - ahead - trail
  distance = np.minimum(ahead, np.where(behind >= 1, behind, size))
  elsewhere = np.delete(attention, place % size, 1)
  assert holds(says.weight, attention[:, place % size])
  assert np.all(elsewhere.sum(1) <= says.away.hi * (1 + ROUNDING))
  bound = says.first.hi * says.ratio.hi ** (distance - 1.)
  bounded = (ahead > 0) & (behind >= 1)
  assert np.all(attention[:, bounded] <= bound[bounded] * (1 + ROUNDING))


def check_opening(opening, attention):
  size = attention.shape[1]
  for address in range(-(size - 1) // 2, size // 2 + 1):
    assert holds(opening.share(address), attention[:, address])


def follow(said, count, batch, seed, addresses=0):
  """Runs random sequences, disturbed by eta to whatever side, and looks at every step."""
  random, eta = np.random.default_rng(seed), said.certificate['eta']
  bits = said.machine.form['bits']
  sides = {}
  always = random.integers(0, 2, batch)  # In some sequences each number is off to one side.

  def off(shape):
    drawn = random.choice([-eta, eta], shape)
    kept = sides.setdefault(shape, random.choice([-eta, eta], shape))
    return np.where(always.reshape(batch, *[1] * (len(shape) - 1)), kept, drawn)

  addresses = addresses or said.addresses(count)
  run = machines.Simulation(said.machine.params, said.machine.form, batch, addresses, off)
  words = machines.words(bits)
  stored = random.integers(0, len(words), (batch, count))
  differ = random.random((batch, count)) < random.choice([0., .2, .8], batch)[:, None]
  shown = np.where(differ, random.integers(0, len(words), (batch, count)), stored)
  _check_storing(said, run, words, stored)
  left = run.memory.copy()
  for time in range(said.places.times):
    _check_solving(said, run, words, stored, shown, time)
  return left


def _check_solving(said, run, words, stored, shown, time):
  """The solver's phase for the first time, or again."""
  batch, count = stored.shape
  bits, row = said.machine.form['bits'], time * len(said.stored.items.lo)
  run.start('solver', said.places.handover)
  place = said.places.start[0] * count + said.places.start[1]
  run.step(machines.marker(bits, 1, batch))
  place += said.solver.moves[0]
  state = np.zeros(batch, int)
  about = said.machine.claim.about(count)
  for i in range(count):
    if not 0 <= about[i] < count:
      break
    for which in range(len(said.solver.hiddens)):
      assert holds(said.solver.hiddens[which], run.hidden[state == which])
    check_attention(said.solver, run.attention, place)
    if i == 0 and said.opening:
      check_opening(said.opening, run.attention)
    a = shown[:, i] if said.machine.claim.shown else np.zeros(batch, int)
    p = stored[:, about[i]]
    run.step(machines.shown(bits, words[a]) if said.machine.claim.shown else
             np.zeros((batch, machines.CONTROL + bits)))
    assert holds(said.items[row + rows(said, stored, about[i])], run.read)
    right = said.claim.right[state, a, p].astype(bool)
    margins = np.where(right, run.logits, -run.logits)
    assert margins.min() >= said.certificate.get('margin', -np.inf)
    assert holds(said.anything, run.memory.reshape(-1, said.encoder.width))
    state = said.claim.after[state, a, p]
    place += said.solver.moves[1]


def kind(said, i):
  return i + 1 if i + 1 in said.places.kinds else 0


def rows(said, stored, i):
  """Of each sequence the row of item i, by its kind."""
  return len(said.places.items) * said.places.kinds.index(kind(said, i)) + stored[:, i]


def _check_storing(said, run, words, stored):
  batch, count = stored.shape
  bits, places, encoder = said.machine.form['bits'], said.places, said.encoder
  run.step(machines.marker(bits, 0, batch))
  place = encoder.moves[0]
  for i in range(count):
    assert holds(said.phase._before[kind(said, i)].over(0), run.hidden)
    if i == 0 and places.opening:
      check_opening(said.phase._opening, run.attention)
    else:
      check_attention(encoder, run.attention, place)
    run.step(machines.shown(bits, words[stored[:, i]]))
    assert holds(said.phase._row(kind(said, i)), run.read)
    place += encoder.moves[1]
  check_attention(encoder, run.attention, place)
  check_attention(said.solver, run.attention, place, handed=True)
  size = run.memory.shape[1]
  at_items = (places.first + places.move * np.arange(1, count + 1)) % size
  for i, at in enumerate(at_items):
    assert holds(said.stored.items[rows(said, stored, i)], run.memory[:, at])
  others = np.setdiff1d(np.arange(size), at_items)
  marker = places.marker % size
  if marker in others:
    assert holds(said.stored.marker, run.memory[:, marker])
  fresh = np.setdiff1d(others, [marker])
  assert holds(said.stored.fresh, run.memory[:, fresh].reshape(-1, encoder.width))


def enclosed(machine, eta, way=PLAIN):
  """A certificate, of no margin where answers are wrong; None where attention is not sharp."""
  with np.errstate(all='ignore'):
    return _enclosed(machine, eta, way)


def _enclosed(machine, eta, way):
  try:
    return finder.find(machine.params, machine.says, eta, way)
  except Refused:
    try:
      found = finder.enclose(machine.params, machine.says, eta, way)
      checker.margin(Cell(machine.params, found, 'encoder'), Cell(machine.params, found, 'solver'),
                     found)
      return found
    except Refused:
      return None


def machines_of(name, seeds, **soft):
  """Sharp and less so, of weak and of strong weights, and whose other weights are off by much."""
  claim, form = VARIANTS[name]
  noise = form.get('noise', .1)
  for seed in seeds:
    for sharp, scale, times, busy in ((18., 1., 1, 0), (6., 3., .3, 4), (5., 1., .1, 9),
                                      (9., 8., 3, 1), (3., .5, .1, 2)):
      yield machines.recall(claim, **{**form, 'noise': noise * times}, seed=seed, sharp=sharp,
                            scale=scale, busy=busy, **soft)


def run_all(name, seeds, etas, batch, counts, ways=WAYS, **soft):
  """How many machines there was something to say about, and how many are certified."""
  found = certified = 0
  for number, machine in enumerate(machines_of(name, seeds, **soft)):
    for eta in etas:
      for way in ways:
        certificate = enclosed(machine, eta, way)
        if certificate is None:
          continue
        found, certified = found + 1, certified + ('margin' in certificate)
        said = Said(machine, certificate)
        for count in counts:
          follow(said, count, batch, number)
        follow(said, counts[0], batch, number, addresses=said.addresses(counts[0]) + 7)
  return found, certified


@pytest.mark.parametrize('name', [*VARIANTS][::4])
def test_every_state_lies_in_its_box(name):
  found, certified = run_all(name, range(1), (3e-3,), 8, (5,), (PLAIN,))
  assert found
  assert certified


@pytest.mark.slow
@pytest.mark.parametrize('name', [name for name in VARIANTS if 'move_first linear' not in name])
def test_every_state_of_many_sequences_lies_in_its_box(name):
  found, _ = run_all(name, range(1), (3e-4, .02), 16, (3, 9))
  assert found >= 2


SOFT = [name for name in VARIANTS if not any(part in name for part in (
    'move first', 'move_first', 'comparison'))]


@pytest.mark.parametrize('name', [
    name if number in (0, 4) or 'the marker' in name else pytest.param(name, marks=pytest.mark.slow)
    for number, name in enumerate(SOFT)])
def test_every_state_lies_in_its_box_where_the_marker_leaves_attention_soft(name):
  """Which no bound on all steps would allow: the first items are gone through one by one."""
  found, certified = run_all(name, range(1), (3e-4,), 16, (1, 2, 6), (Way(opening=(True, False)),),
                             soft=2.)
  assert found
  assert certified or 'on the marker' in name
  assert not run_all(name, range(1), (3e-4,), 1, (), (PLAIN,), soft=2.)[1]


@pytest.mark.parametrize('name', [
    'serial write_first sigmoid +1', *(pytest.param(name, marks=pytest.mark.slow) for name in (
        'odd write_first sigmoid +1', 'item on the marker', 'back over the marker', 'comparison'))])
def test_every_state_lies_in_its_box_where_the_solver_starts_soft(name):
  """Its first answer, of a state of its own, is gone through on its own."""
  way = Way((1, 1), opening=(False, True), refined=True)
  found, certified = run_all(name, range(1), (3e-4,), 16, (1, 2, 6), (way,), solver_soft=2.)
  assert found and certified
  assert not run_all(name, range(1), (3e-4,), 1, (), (PLAIN,), solver_soft=2.)[1]


def test_every_state_of_a_machine_of_three_states_lies_in_its_box():
  machine = machines.latched()
  said = Said(machine, finder.find(machine.params, machine.says, 1e-3))
  for count in (3, 12):
    follow(said, count, 64, count)


@pytest.mark.parametrize('name, task', [
    ('E_J', 'serial_recall'), ('E_J', 'reverse_recall'), ('E_J-odd_recall', 'odd_recall'),
    ('E_J-sequence_comparison', 'sequence_comparison')])
def test_every_state_of_trained_and_half_trained_models_lies_in_its_box(name, task):
  """Half-trained: every weight off by some of what it was trained to be."""
  trained, random = maes_jax.load(name), np.random.default_rng(0)
  claim = claims.CLAIMS[task]
  says = verdict._says(trained.model, maes_jax.tasks.get(task), claim)
  found = 0
  for noise in (0., .1, .3):
    params = machines.plain(verdict.of(trained.params, task),
                            lambda leaf, noise=noise: leaf * (
                                1 + noise * random.normal(size=leaf.shape)))
    machine = machines.Machine(params, says, claim)
    certificate = enclosed(machine, 3e-4)
    found += certificate is not None
    if certificate is not None:
      follow(Said(machine, certificate), 9, 16, 0)
  assert found >= 1


LIES = {
    'away': lambda said: said.solver.attention.__setattr__('away', checker.of(0.)),
    'first': lambda said: said.encoder.attention.__setattr__('first', checker.of(1e-9)),
    'read': lambda said: setattr(said.encoder, 'read', smaller(said.encoder.read)),
    'hidden': lambda said: said.solver.hiddens.__setitem__(0, smaller(said.solver.hiddens[0])),
    'fresh': lambda said: setattr(said, 'stored', said.stored._replace(
        fresh=smaller(said.stored.fresh, .001))),
    'items': lambda said: setattr(said, 'items', smaller(said.items)),
}


def smaller(box, factor=.5):
  middle, half = (box.lo + box.hi) / 2, (box.hi - box.lo) / 2 * factor
  return checker.Interval(middle - half, middle + half)


@pytest.mark.parametrize('lie', LIES)
def test_a_lie_is_seen(lie):
  """The simulation comes near to the bounds: where they were tighter, it would leave them."""
  machine = machines.recall(claims.CLAIMS['reverse_recall'], sharp=3., busy=4., noise=.02)
  said = Said(machine, finder.enclose(machine.params, machine.says, .01, Way((0, 0))))
  follow(said, 9, 64, 0)
  LIES[lie](said)
  with pytest.raises(AssertionError):
    follow(said, 9, 64, 0)


def test_where_there_are_too_many_boxes_fewer_hold_the_same_states(monkeypatch):
  """Pairs of words after each of hundreds of boxes would take tens of gigabytes."""
  machine = machines.recall(claims.CLAIMS['serial_recall'], bits=2)
  solver = Said(machine, finder.find(machine.params, machine.says, 3e-4)).solver
  random = np.random.default_rng(0)
  box = lambda *shape: Interval(*np.sort(random.normal(size=(2, *shape)), 0))
  past, of_x, of_r = box(7, solver.units), box(3, solver.units), box(4, solver.units)
  leads = random.random((3, 4)) < .5
  one_by_one = solver._after(past, of_x, of_r, leads)
  assert one_by_one.lo.shape == (leads.sum(), 7, solver.units)
  monkeypatch.setattr(cell, 'MOST_BOXES', 7 * leads.sum() - 1)
  together = solver._after(past, of_x, of_r, leads)
  assert together.lo.shape == (leads.sum(), 1, solver.units)
  assert together.holds(one_by_one)
