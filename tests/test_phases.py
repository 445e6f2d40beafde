"""Programs of phases: their arrays against plain lists, cells that take turns against loops."""

import dataclasses
import functools
import operator

import chex
import jax
from jax import lax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
import numpy as np
import pytest

import maes_jax
from maes_jax import encoder_solver
from maes_jax import families
from maes_jax import phases
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.cells import maes
from maes_jax.cells import ntm
from maes_jax.config import Config
from maes_jax.encoder_solver import Model
from maes_jax.phases import ENCODER
from maes_jax.phases import Episode
from maes_jax.phases import HANDOVER
from maes_jax.phases import Phase
from maes_jax.phases import Repeat
from maes_jax.phases import RESTART
from maes_jax.phases import RESUME
from maes_jax.phases import SOLVER
from maes_jax.tasks import dual

ADDRESSES, INPUTS, OUTPUTS = 7, 4, 3
MODEL = Model(
    maes.Maes(width=4, units=2), {name: maes.Maes(outputs=OUTPUTS, width=4, units=units)
                                  for name, units in (('one', 2), ('other', 3))}, inputs=INPUTS)


TIED = Model(ntm.Ntm(width=4, units=2), {'one': ntm.Ntm(outputs=OUTPUTS, width=4, units=2)},
             tied=True, inputs=INPUTS)


def phase(size, steps, cell=ENCODER, start=RESUME, seed=0, **options):
  """A phase of random numbers, in the padding too; a solver is asked about every step."""
  rng = np.random.default_rng([seed, size])
  asked = {} if cell == ENCODER else {
      'targets': rng.normal(size=(size, OUTPUTS)), 'mask': np.arange(size) < steps}
  return Phase(rng.normal(size=(size, INPUTS)), np.int32(steps), cell=cell, start=start,
               **asked, **options)


def repeat(*rounds):
  """Rounds of phases, each a tuple of the same forms, as one part."""
  return Repeat(jax.tree.map(lambda *leaves: np.stack(leaves), *rounds))


def written_out(program):
  """All phases in the order of time, those of a repeat one by one."""
  for part in program:
    if isinstance(part, Repeat):
      for i in range(len(part.phases[0].inputs)):
        yield from jax.tree.map(operator.itemgetter(i), part.phases)
    else:
      yield part


def of_phases(parts):
  """What parts hold of each phase, in the order of time."""
  for part in parts:
    if isinstance(part, Repeat):
      for i in range(len(jax.tree.leaves(part)[0])):
        yield from jax.tree.map(operator.itemgetter(i), part.phases)
    else:
      yield from part


def program():
  """Two phases, one of them of no steps, three rounds of two and one more."""
  rounds = [(phase(4, n, seed=10 + n), phase(2, m, SOLVER, RESTART, seed=20 + m))
            for n, m in ((1, 2), (0, 0), (4, 1))]
  return (phase(3, 2), phase(2, 0, SOLVER, HANDOVER, seed=1), repeat(*rounds),
          phase(5, 5, SOLVER, RESUME, seed=2))


@functools.cache
def params():
  """Random, in double precision; no bias is zero."""
  shapes, rng = jax.eval_shape(MODEL.init, jax.random.key(0)), np.random.default_rng(0)
  return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)


def in_double(function):
  """Compiled and run in double precision."""
  def run(*args):
    with jax.enable_x64(True):
      return jax.device_get(jax.jit(function)(*args))
  return run


def assert_close(found, wanted, tolerance=1e-10):
  chex.assert_trees_all_close(found, wanted, rtol=tolerance, atol=tolerance)


class TestArrays:
  """Against lists of rows."""

  def test_joined_is_in_the_order_of_time(self):
    found = phases.joined([phases.each(part, lambda p: p.inputs) for part in program()], 1)
    rows = [row for p in written_out(program()) for row in p.inputs]
    np.testing.assert_array_equal(found, np.float32(rows))
    assert phases.size(program()) == len(rows) == 3 + 2 + 3 * (4 + 2) + 5
    assert phases.count(program()) == len([*written_out(program())])

  def test_answers_are_those_of_the_phases_that_are_asked(self):
    asked = [p for p in written_out(program()) if p.mask is not None]
    episode = Episode(program(), np.int32(5))
    np.testing.assert_array_equal(
        episode.targets, np.float32([row for p in asked for row in p.targets]))
    np.testing.assert_array_equal(episode.mask, [bit for p in asked for bit in p.mask])

  def test_a_stream_has_no_gaps(self):
    stream = phases.stream(program())
    rows = [row for p in written_out(program()) for row in p.inputs[:p.steps]]
    assert stream.steps == len(rows) == 2 + 3 + 5 + 5
    np.testing.assert_array_equal(stream.inputs[:len(rows)], np.float32(rows))
    assert not stream.inputs[len(rows):].any()
    begin = np.cumsum([0] + [int(p.steps) for p in written_out(program())])[:-1]
    found = jnp.concatenate([jnp.stack(part.phases, 1).ravel() if isinstance(part, Repeat) else
                             jnp.stack(part) for part in stream.starts])
    np.testing.assert_array_equal(found, begin)

  def test_cut_undoes_a_stream(self):
    """All steps of all phases come back, with an axis behind that of steps and without."""
    stream = phases.stream(program())
    shown = {'inputs': stream.inputs, 'number': jnp.arange(len(stream.inputs))}
    parts = phases.cut(program(), stream.starts, shown)
    number = 0
    for p, steps in zip(written_out(program()), of_phases(parts), strict=True):
      assert steps['inputs'].shape == p.inputs.shape
      np.testing.assert_array_equal(steps['inputs'][:p.steps], np.float32(p.inputs[:p.steps]))
      np.testing.assert_array_equal(steps['number'][:p.steps], number + np.arange(p.steps))
      number += p.steps

  def test_phases_of_a_batch(self):
    """All of it takes axes in front."""
    batch = [program(), jax.tree.map(lambda leaf: leaf[::-1] if leaf.ndim else leaf, program())]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *batch)
    of_each = lambda one: (Episode(one, 5).targets, Episode(one, 5).mask, phases.stream(one))
    together = jax.vmap(of_each)(stacked)
    for i, one in enumerate(batch):
      chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[i], together), of_each(one))  # noqa: B023
    found = phases.joined([phases.each(part, lambda p: p.inputs) for part in stacked[:2]], 1)
    assert found.shape == (2, 5, INPUTS)


def looped(model, params, task, program):
  """What every step of every phase answers, by `apply` alone; phases of no steps are left out."""
  names = [task if p.cell == SOLVER else p.cell for p in written_out(program)]
  cells = {name: model.encoder if name == ENCODER else model.solvers[name] for name in names}
  own = first = {name: cell.initial_state(ADDRESSES) for name, cell in cells.items()}
  last, answers = model.encoder.initial_state(ADDRESSES), []
  for name, p in zip(names, written_out(program)):
    if not p.steps:
      answers.append([])
      continue
    state = {RESUME: own[name], RESTART: first[name],
             HANDOVER: first[name]._replace(attention=last.attention)}[p.start]
    state = state._replace(memory=last.memory)
    weights = params['encoder'] if name == ENCODER else params['solvers'][name]
    state, outputs = stepped(cells[name], weights, state, p.inputs[:p.steps])
    last, own = state, {**own, name: state}
    answers.append(outputs)
  return answers


def stepped(cell, weights, state, inputs):
  apply, outputs = jax.jit(cell.apply), []
  for x_t in inputs:
    state, shown = apply({'params': weights}, state, x_t)
    outputs.append(shown.output)
  return state, outputs


def outputs(program, parts):
  """Answers by phase, those of its padding left out."""
  return [[] if shown.output is None else list(shown.output[:p.steps])
          for p, shown in zip(written_out(program), of_phases(parts), strict=True)]


def with_inputs(part, inputs):
  """A part of a program with other inputs, in its form."""
  replaced = tuple(dataclasses.replace(p, inputs=x) for p, x in zip(
      phases.of(part), inputs.phases if isinstance(part, Repeat) else inputs, strict=True))
  return Repeat(replaced) if isinstance(part, Repeat) else replaced[0]


def alternating(*starts):
  """Encoder and solver in turn, the second solver being another task's."""
  cells = (ENCODER, SOLVER, ENCODER, SOLVER, 'other', ENCODER, 'other')
  sizes = ((3, 3), (3, 2), (2, 2), (3, 3), (2, 1), (2, 2), (3, 3))
  return tuple(phase(*size, cell, start, seed=i)
               for i, (size, cell, start) in enumerate(zip(sizes, cells, starts, strict=True)))


class TestTurns:

  @pytest.mark.parametrize('starts', [
      (RESUME,) * 7, (RESTART,) * 7, (HANDOVER,) * 7,
      (RESTART, HANDOVER, RESUME, RESUME, HANDOVER, RESTART, RESUME)])
  @pytest.mark.parametrize('unroll', [encoder_solver.unroll, encoder_solver.skipping],
                           ids=['plain', 'skipping'])
  def test_every_step_is_that_of_a_loop(self, starts, unroll):
    program = alternating(*starts)
    found = in_double(lambda p, program: MODEL.run(p, 'one', program, ADDRESSES, unroll))(
        params(), program)
    with jax.enable_x64(True):
      wanted = looped(MODEL, params(), 'one', program)
    for shown, answers in zip(outputs(program, found), wanted, strict=True):
      assert_close(shown, [y for y in answers if y is not None])

  def test_every_start_is_another(self):
    """The loop would not tell if all three were the same."""
    run = in_double(lambda p, program: MODEL.run(p, 'one', program, ADDRESSES))
    last = [outputs(program, run(params(), program))[-1]
            for program in (alternating(*(RESUME,) * 6, start) for start in phases.STARTS)]
    for i in range(3):
      assert np.abs(np.subtract(last[i], last[i - 1])).max() > 1e-3

  def test_a_repeat_is_its_rounds_written_out(self):
    """Answers, and the gradient by parameters and inputs, rounds of no steps among them."""
    def total(params, program):
      episode = Episode(program, np.int32(1))
      logits = MODEL.answer(params, {'one': episode}, ADDRESSES, encoder_solver.skipping)['one']
      return jnp.sum(jnp.where(episode.mask[:, None], jnp.sin(logits), 0)), logits

    def with_gradient(program):
      inputs = [phases.each(part, lambda p: p.inputs) for part in program]

      def of(params, inputs):
        return total(params, tuple(with_inputs(part, leaves)
                                   for part, leaves in zip(program, inputs)))

      found, (by_params, by_inputs) = in_double(
          jax.value_and_grad(of, argnums=(0, 1), has_aux=True))(params(), inputs)
      return found, (by_params, list(of_phases(by_inputs)))

    (value, logits), gradient = with_gradient(program())
    (same_value, same_logits), same_gradient = with_gradient(tuple(written_out(program())))
    mask = Episode(program(), np.int32(1)).mask
    assert_close(value, same_value)
    assert_close(logits[mask], same_logits[mask])
    assert_close(gradient, same_gradient)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(gradient[0]['encoder']))

  def test_a_repeat_is_that_of_a_loop(self):
    found = in_double(lambda p, program: MODEL.run(p, 'one', program, ADDRESSES))(
        params(), program())
    with jax.enable_x64(True):
      wanted = looped(MODEL, params(), 'one', program())
    for shown, answers in zip(outputs(program(), found), wanted, strict=True):
      assert_close(shown, [y for y in answers if y is not None])

  def test_gradients_over_many_rounds_are_added_up_in_single_precision(self):
    """A sum in bfloat16 stands still once a round adds less than 1/256 of it."""
    program = (repeat(*[(phase(1, 1), phase(1, 1, SOLVER, HANDOVER))] * 1000),)
    half = jax.tree.map(lambda leaf: jnp.bfloat16(leaf / 4), params())

    def value(params):
      logits = MODEL.answer(params, {'one': Episode(program, np.int32(1))}, ADDRESSES)['one']
      return jnp.mean((logits.astype(jnp.float32) - 1)**2)

    gradient = jax.jit(jax.grad(value))
    found, wanted = (gradient(p)['solvers']['one']['output']
                     for p in (half, jax.tree.map(jnp.float32, half)))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
      assert one.dtype == jnp.bfloat16
      assert jnp.linalg.norm(one.astype(jnp.float32) - other) < .1 * jnp.linalg.norm(other)

  def test_one_program_serves_all_lengths_and_numbers_of_rounds(self):
    """Rounds that are not there are rounds of no steps; nothing else changes."""
    with jax.enable_x64(True):
      run = jax.jit(lambda p, program: MODEL.run(p, 'one', program, ADDRESSES))
      for rounds in ([(4, 2), (4, 2), (4, 2)], [(3, 1), (1, 2), (0, 0)], [(2, 2), (0, 0), (0, 0)]):
        program = (phase(3, 1 + len(rounds)), repeat(*(
            (phase(4, n, seed=n), phase(2, m, SOLVER, HANDOVER, seed=m)) for n, m in rounds)))
        found = outputs(program, run(params(), program))
        for shown, answers in zip(found, looped(MODEL, params(), 'one', program), strict=True):
          assert_close(shown, [y for y in answers if y is not None])
      assert run._cache_size() == 1

  @pytest.mark.parametrize('cell, start', [
      (ENCODER, RESUME), (ENCODER, RESTART), (SOLVER, HANDOVER), ('other', RESTART)])
  def test_a_phase_of_no_steps_is_as_if_not_there_bit_for_bit(self, cell, start):
    before, after = alternating(*(RESUME,) * 7)[:3], alternating(*(HANDOVER,) * 7)[3:]
    run = jax.jit(lambda p, program: MODEL.run(p, 'one', program, ADDRESSES))
    with_it = (*before, phase(4, 0, cell, start, seed=9), *after)
    found = outputs(with_it, run(params(), with_it))
    assert found.pop(len(before)) == []
    chex.assert_trees_all_equal(found, outputs(before + after, run(params(), before + after)))

  @pytest.mark.parametrize('model', [MODEL, TIED], ids=['maes', 'tied'])
  def test_devices_that_share_a_batch_add_up_its_gradient(self, model):
    """`shard_map` with its default checks; rounds come first, when nothing varies yet."""
    one = jax.tree.map(jnp.asarray, program()[2:])
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), one)
    mesh = jax.make_mesh((1,), ('batch',), (jax.sharding.AxisType.Explicit,))
    weights = model.init(jax.random.key(0))

    def value(params, program):
      logits = model.answer(params, {'one': Episode(program, jnp.int32(1))}, ADDRESSES,
                            encoder_solver.skipping)['one']
      return jnp.sum(jnp.sin(logits))

    whole = lambda params, batch: jnp.sum(jax.vmap(value, (None, 0))(params, batch))

    @functools.partial(jax.shard_map, mesh=mesh, out_specs=PartitionSpec(),
                       in_specs=(PartitionSpec(), PartitionSpec('batch')))
    def shared(params, batch):
      return lax.psum(whole(params, batch), 'batch')

    with jax.set_mesh(mesh):
      found = jax.jit(jax.grad(shared))(weights, jax.reshard(batch, PartitionSpec('batch')))
    assert_close(found, jax.jit(jax.grad(whole))(weights, batch), 1e-4)


class TestTied:

  @pytest.mark.parametrize('name', ['ntm', 'dnc', 'lstm'])
  @pytest.mark.parametrize('unroll', [encoder_solver.unroll, encoder_solver.skipping],
                           ids=['plain', 'skipping'])
  def test_a_program_is_one_sequence(self, name, unroll):
    """Whatever its phases, their starts, padding and repeats: a loop over all steps there are."""
    model, weights = tied(name)
    found = in_double(lambda p, program: model.run(p, 'one', program, ADDRESSES, unroll))(
        weights, program())
    rows = [row for p in written_out(program()) for row in p.inputs[:p.steps]]
    with jax.enable_x64(True):
      cell = model.solvers['one']
      _, wanted = stepped(cell, {**weights['encoder'], **weights['solvers']['one']},
                          cell.initial_state(ADDRESSES), np.array(rows))
    assert_close([y for shown in outputs(program(), found) for y in shown], wanted)

  @pytest.mark.parametrize('name', ['ntm', 'dnc', 'lstm'])
  def test_a_phase_of_no_steps_is_as_if_not_there_bit_for_bit(self, name):
    model, weights = tied(name)
    run = jax.jit(lambda p, program: model.run(p, 'one', program, ADDRESSES))
    without = (phase(3, 2), phase(4, 3, SOLVER, seed=1))
    with_it = (without[0], phase(2, 0, seed=2), without[1])
    found = outputs(with_it, run(weights, with_it))
    assert found.pop(1) == []
    chex.assert_trees_all_equal(found, outputs(without, run(weights, without)))


@functools.cache
def tied(name):
  """A model of one cell that is on duty throughout, and random parameters."""
  family, sizes = families.FAMILIES[name], {'units': 3} | ({'layers': 2} if name == 'lstm' else
                                                         {'width': 3})
  model = Model(family.cell(**sizes), {'one': family.cell(outputs=OUTPUTS, **sizes)}, tied=True,
                inputs=INPUTS)
  rng = np.random.default_rng(0)
  return model, jax.tree.map(lambda leaf: rng.normal(size=leaf.shape),
                             jax.eval_shape(model.init, jax.random.key(0)))


class TestJoint:

  def programs(self):
    """Two tasks that begin with the same two parts; the first also ends with a third phase."""
    opening = (phase(3, 3, shared=True), phase(2, 1, 'other', HANDOVER, seed=1, shared=True))
    return {'one': (*opening, phase(3, 2, SOLVER, RESTART, seed=2), phase(2, 2, seed=3)),
            'other': (*opening, phase(4, 4, SOLVER, RESUME, seed=4))}

  def test_a_shared_opening_gives_each_task_what_it_gets_alone(self):
    episodes = {name: Episode(program, np.int32(1)) for name, program in self.programs().items()}
    answer = in_double(lambda p, episodes: MODEL.answer(p, episodes, ADDRESSES))
    together = answer(params(), episodes)
    for name, episode in episodes.items():
      assert_close(together[name], answer(params(), {name: episode})[name])
      np.testing.assert_array_equal(
          together[name].shape, (sum(len(p.inputs) for p in episode.program if p.asked), OUTPUTS))

  def test_it_is_run_once(self):
    ran = []

    def unroll(cell, params, state, inputs, steps):
      ran.append(len(inputs))
      return encoder_solver.unroll(cell, params, state, inputs, steps)

    episodes = {name: Episode(program, np.int32(1)) for name, program in self.programs().items()}
    jax.eval_shape(lambda: MODEL.answer(params(), episodes, ADDRESSES, unroll))
    assert ran == [3, 2, 3, 2, 4]

  def test_a_solver_of_each_tasks_own_is_never_shared(self):
    """Even if its phase says so: it is another cell in each task."""
    first, answer = phase(3, 3, shared=True), phase(3, 2, SOLVER, RESTART, shared=True)
    episodes = {name: Episode((first, answer), np.int32(1)) for name in ('one', 'other')}
    answer = in_double(lambda p, episodes: MODEL.answer(p, episodes, ADDRESSES))
    together = answer(params(), episodes)
    for name, episode in episodes.items():
      assert_close(together[name], answer(params(), {name: episode})[name])


def four_phases(name, start, most=None):
  """A task that stores items, recalls them, stores others and recalls those.

  Args:
    name: whose solver answers.
    start: where it starts the second time.
    most: how many answers are asked for each time; None: as many as there are items.
  """
  def ask(key, stored, length):
    size = len(stored)
    inside = tasks.within(length, size)
    others = jnp.where(inside[:, None], task.items.draw(key, size), 0)
    asked = inside if most is None else tasks.within(jnp.minimum(length, most), size)

    def store(items):
      return tasks.Phase(tasks.with_marker(task, items, 0), 1 + length)

    def recall(items, start):
      if name == 'reverse_recall':
        items = items[jnp.clip(length - 1 - jnp.arange(size), 0, size - 1)]
      return tasks.Phase(
          tasks.with_marker(task, jnp.zeros_like(items), 1), 1 + length,
          jnp.pad(items, ((1, 0), (0, 0))), jnp.pad(asked, (1, 0)), cell=name, start=start)

    first = HANDOVER if name == 'reverse_recall' else RESTART
    return store(stored), recall(stored, first), store(others), recall(others, start)

  task = tasks.Task('four', 8, ask)
  return task


@functools.cache
def shipped():
  """E_J, with a solver for the task of four phases whose parameters none of them needs."""
  trained = maes_jax.load('E_J')
  solvers = {**trained.model.solvers, 'four': trained.model.solvers['serial_recall']}
  weights = trained.params['solvers']
  return (dataclasses.replace(trained.model, solvers=solvers),
          {**trained.params, 'solvers': {**weights, 'four': weights['serial_recall']}})


@pytest.mark.parametrize('name, start', [('serial_recall', RESUME), ('reverse_recall', HANDOVER)])
def test_four_phases_at_length_500_are_right_in_every_bit(name, start):
  """A shipped model stores 500 items, recalls them, stores 500 others and recalls those."""
  model, weights = shipped()
  tester = maes_jax.Tester(model, four_phases(name, start), 500, 1024, batch_size=4)
  counts = tester.test(weights, 500, batches=1)
  assert counts == (2 * 4 * 500 * 8,) * 2 + (2 * 4 * 500,) * 2 + (4,) * 2


@pytest.mark.parametrize('name, right', [('E_J', False), ('E_J+', True)])
def test_only_what_learnt_it_writes_over_old_words(name, right):
  """Twenty sub-sequences of up to 50 words, one on top of the other; the last is recalled."""
  loaded, solver = maes_jax.load(name), maes_jax.load('E_J+').params['solvers']['scratch_pad']
  model = dataclasses.replace(
      loaded.model, solvers={'scratch_pad': loaded.model.solvers['serial_recall']})
  task = dual.scratch_pad(cuts=dual.Cuts(most=20, items=50))
  tester = maes_jax.Tester(model, task, 1000, 1024, batch_size=4)
  counts = tester.test({**loaded.params, 'solvers': {'scratch_pad': solver}}, 1000, batches=1)
  assert (counts.bits_right == counts.bits) is right


class TestWindow:
  """Programs through a window on the memory."""

  LENGTHS = (5, 20)

  def both(self, task, addresses, change=lambda program: program):
    """Logits through the window, whether they are exact, and those through all of the memory."""
    model, weights = shipped()
    keys = jax.random.split(jax.random.key(0), len(self.LENGTHS))
    batch = tasks.sample_batch(task, keys, jnp.array(self.LENGTHS), max(self.LENGTHS))
    batch = batch._replace(program=change(batch.program))
    through_all = jax.jit(lambda p, b: model.answer_batch(p, {'four': b}, addresses)['four'])
    through_window = jax.jit(lambda p, b: windowed.answer_batch(model, p, 'four', b, addresses))
    return batch.mask, *through_window(weights, batch), through_all(weights, batch)

  @pytest.mark.parametrize('name, start', [('serial_recall', RESUME), ('reverse_recall', HANDOVER)])
  def test_is_exact_where_it_says_so(self, name, start):
    """36 addresses are once round for 20 items and the window itself, 64 are not."""
    for addresses, wanted in ((64, [True, True]), (36, [True, False])):
      mask, logits, exact, plain = self.both(four_phases(name, start), addresses)
      assert exact.tolist() == wanted
      assert mask[exact].any()
      np.testing.assert_allclose(
          logits[exact][mask[exact]], plain[exact][mask[exact]], rtol=1e-4, atol=1e-3)

  def test_what_is_lost_between_answers_counts(self):
    """The head goes on after the last answer of a round: the next would start from what is lost.

    Only what follows the very last answer does not matter.
    """
    def in_rounds(program):
      pairs = program[:2], program[2:]
      return (Repeat(jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *pairs)),)

    def long_recall(program, which):
      """Stores 5 items in all sequences, but goes on for 20 steps in some recalls."""
      return tuple(dataclasses.replace(p, steps=jnp.where(i in which, 21, 6) + 0 * p.steps)
                   for i, p in enumerate(program))

    task = four_phases('serial_recall', RESTART, most=5)
    for which, wanted in (((1,), False), ((3,), True), ((), True)):
      written = lambda program, which=which: same_form(long_recall(program, which))
      for change in (written, lambda program: in_rounds(written(program))):  # noqa: B023
        mask, logits, exact, plain = self.both(task, 36, change)
        assert exact.tolist() == [wanted, wanted]
        if wanted:
          np.testing.assert_allclose(logits[mask], plain[mask], rtol=1e-4, atol=1e-3)


def same_form(program):
  """Phases that may be rounds of one repeat: the same starts in all of them."""
  return tuple(dataclasses.replace(p, start=RESTART) for p in program)


@pytest.mark.parametrize('name', ['maes', 'ntm'])
def test_a_task_of_rounds_is_trained_and_tested(name, tmp_path, monkeypatch):
  """A number of rounds that data tells, through all that a task goes through."""
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  most = 3

  def ask(key, stored, length):
    """Repeats what is stored now and then: `length` of the three rounds, half of a word each."""
    size = len(stored)
    rounds = jnp.arange(most) < length
    steps = jnp.where(rounds, 1 + length, 0)
    store = tasks.with_marker(task, stored, 0)
    targets, mask = jnp.pad(stored, ((1, 0), (0, 0))), jnp.pad(tasks.within(length, size), (1, 0))
    tile = lambda leaf: jnp.stack([leaf] * most)
    return (tasks.Repeat((
        tasks.Phase(tile(store), steps),
        tasks.Phase(tile(tasks.with_marker(task, 0 * stored, 1)), steps, tile(targets),
                    tile(mask) & rounds[:, None], cell=SOLVER, start=RESTART))),)

  task = tasks.register(tasks.Task('rounds', 8, ask))
  config = Config(
      model=name, task=('rounds',), units=3, width=4, min_length=1, max_length=3, start_length=2,
      batch_size=2, memory=12, validation_length=3, validation_memory=12, validation_sequences=2,
      max_iterations=100)
  maes_jax.train(config, tmp_path / 'run')
  trained = maes_jax.load(tmp_path / 'run')
  tester = maes_jax.Tester(trained.model, task, max_length=3, addresses=12, batch_size=2)
  for length in (1, 3):
    counts = tester.test(trained.params, length, batches=1)
    assert (counts.bits, counts.items) == (2 * 8 * length**2, 2 * length**2)
  recording = maes_jax.record(trained.model, trained.params, task, length=2, addresses=12)
  assert recording.starts.tolist() == [0, 3, 6, 9]
  assert recording.asked.tolist() == 2 * ([False] * 4 + [True] * 2)


class TestTold:
  """The control bit that says when an answer is due."""

  def test_is_on_after_the_marker_of_a_phase_that_is_asked(self):
    """Written down by hand: Serial Recall of two items of two, padded to three."""
    task = tasks.get('serial_recall')
    program = tasks.sample(task, jax.random.key(1), jnp.int32(2), 3).program
    store, recall = phases.told(program, 2)
    np.testing.assert_array_equal(store.inputs[:, 2], [0, 0, 0, 0])
    np.testing.assert_array_equal(recall.inputs[:, 2], [0, 1, 1, 1])
    for before, after in zip(program, (store, recall)):
      np.testing.assert_array_equal(np.delete(after.inputs, 2, axis=1), before.inputs)
    stream = phases.stream([store, recall])
    np.testing.assert_array_equal(stream.inputs[:int(stream.steps), 2], [0, 0, 0, 0, 1, 1])

  def test_is_on_in_every_round_of_a_repeat(self):
    program = tasks.sample(
        tasks.get('repeat_serial'), jax.random.key(0), jnp.int32(2), 2).program
    _, rounds = phases.told(program, 2)
    there = np.asarray(rounds.phases[0].steps) > 0
    np.testing.assert_array_equal(
        np.asarray(rounds.phases[0].inputs)[there, :, 2], [[0, 1, 1]] * there.sum())

  @pytest.mark.parametrize('name', ['n_back', 'delayed_match', 'repeat_copy', 'operation_span'])
  def test_is_on_only_where_an_answer_may_count(self, name):
    task = tasks.get(name)
    bits = task.control_bits * task.sequences
    program = tasks.sample(task, jax.random.key(0), jnp.int32(4), 6).program
    for part, after in zip(program, phases.told(program, bits)):
      for one, told in zip(phases.of(part), phases.of(after)):
        marker = np.asarray(one.inputs)[..., :bits].any(-1)
        np.testing.assert_array_equal(told.inputs[..., bits], ~marker & one.asked)

  def test_is_what_the_model_reads(self):
    """A model with the bit against one without it that is shown the bit by its task."""
    told = dataclasses.replace(TIED, inputs=INPUTS + 1, control_bits=2, phase_bit=True)
    params = told.init(jax.random.key(0))
    store, recall = phase(3, 2), phase(4, 3, SOLVER, seed=1)
    recall.inputs[1:, 0] = 0  # No marker after the first.
    program, shown = (store, recall), phases.told((store, recall), 1)
    wanted = dataclasses.replace(told, phase_bit=False).run(params, 'one', shown, ADDRESSES)
    found = told.run(params, 'one', program, ADDRESSES)
    for (a,), (b,) in zip(found, wanted):
      np.testing.assert_array_equal(a.output, b.output)
    without = told.run(params, 'one', (program[0], dataclasses.replace(
        program[1], targets=None, mask=None)), ADDRESSES)
    assert np.abs(found[1][0].output - without[1][0].output).max() > 1e-3


@pytest.mark.parametrize('unroll', [encoder_solver.unroll, encoder_solver.skipping])
def test_answers_on_a_ring_are_those_in_a_memory_of_its_size(unroll):
  """And so are their derivatives, of two sequences of a batch with rings of their own."""
  params = TIED.init(jax.random.key(0))
  programs = [(phase(3, 2, seed=seed), phase(4, 4, SOLVER, seed=seed + 9)) for seed in (0, 1)]
  batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *programs)
  rings = jnp.array([4, 6])

  def loss(params):
    episodes = Episode(batch, jnp.array([2, 2]), rings)
    return jnp.sum(TIED.answer_batch(params, {'one': episodes}, ADDRESSES, unroll)['one']**2)

  def plain(params):
    answers = [TIED.answer(params, {'one': Episode(program, jnp.int32(2))}, ring, unroll)['one']
               for program, ring in zip(programs, (4, 6))]
    return sum(jnp.sum(answer**2) for answer in answers)

  np.testing.assert_allclose(loss(params), plain(params), rtol=1e-5)
  jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5),
               jax.grad(loss)(params), jax.grad(plain)(params))


def test_what_is_masked_in_padding_does_not_count():
  """Whatever a program of a user's own says there."""
  def ask(key, items, length):
    del key
    whole = jnp.ones(1 + len(items), bool)
    marked = tasks.with_marker(task, items, 0)
    return (Phase(marked, 1 + length),
            Phase(marked, 1 + length, targets=jnp.pad(items, ((1, 0), (0, 0))), mask=whole,
                  cell=SOLVER, start=RESTART))
  task = tasks.Task('own', outputs=8, ask=ask)
  episode = tasks.sample(task, jax.random.key(0), 3, 7)
  assert episode.mask.tolist() == 4 * [True] + 4 * [False]
