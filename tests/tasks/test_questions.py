"""A task of one's own that asks no proper question: one line, before anything is made."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import items as items_lib
from maes_jax import models
from maes_jax import phases
from maes_jax import families
from maes_jax import tasks
from maes_jax.cells import maes
from maes_jax.config import Config
from maes_jax.training import run
from tests.training import tiny

ITEMS = 4


@pytest.fixture
def own(monkeypatch):
  """Registers a task that asks so, for the time of the test."""
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  return lambda ask, outputs=8, **options: tasks.register(
      tasks.Task('mine', outputs, ask, **options))


def proper(key, items, length):
  del key
  return tasks.Question(items, items, tasks.episode.within(length, len(items)))


def but(**parts):
  """A question that is proper but for a part."""
  return lambda key, items, length: dataclasses.replace(
      proper(key, items, length), **{name: make(items) for name, make in parts.items()})


def only_when(condition):
  """Wrong at some lengths alone."""
  return but(aux=lambda x: x[:, 1:] if condition(len(x)) else x)


# What a task answers, and what the line says after its name.
WRONG = {
    '6 bits of aux': (
        but(aux=lambda x: x[:, :6]), r'returns aux \[4, 6\] of float32; .* aux \[4, 8\]'),
    'no aux': (but(aux=lambda x: None), r'returns aux None; .* aux \[4, 8\]'),
    'aux of whole numbers': (
        but(aux=lambda x: x.astype(int)), r'returns aux \[4, 8\] of int32; .* \[4, 8\] of float'),
    'too many answers': (
        but(targets=lambda x: jnp.zeros((9, 8))), r'targets \[9, 8\] .* targets \[4, 8\] of float'),
    'too narrow': (but(targets=lambda x: x[:, :3]), r'targets \[4, 3\] .* targets \[4, 8\]'),
    'truths for targets': (but(targets=lambda x: x > 0), r'targets \[4, 8\] of bool; .* of float'),
    'mask of numbers': (
        but(mask=lambda x: x[:, 0]), r'mask \[4\] of float32; .* mask \[4\] of bool'),
    'mask of bits': (but(mask=lambda x: x > 0), r'mask \[4, 8\] of bool; .* mask \[4\] of bool'),
    'nothing': (lambda key, items, length: None, r'returns None; .* Question of aux \[4, 8\]'),
    'a tuple': (lambda key, items, length: (items, items), r'returns \(.*Question of aux'),
    'an error of its own': (lambda key, items, length: {}['x'], "fails .* 4 items .*KeyError: 'x'"),
    'a length looked at': (
        lambda key, items, length: proper(key, items[:int(length)], length),
        'fails .*Concretization'),
    'other arguments': (lambda key: None, 'fails .*TypeError'),
    'wrong when long': (
        only_when(lambda n: n == ITEMS), r'aux \[4, 7\] .* with 4 items .* \[4, 8\]'),
    'wrong when short': (only_when(lambda n: n == 1), r'aux \[1, 7\] .* with 1 items .* \[1, 8\]'),
}


def config():
  return Config(task=('mine',), min_length=2, max_length=ITEMS, memory=ITEMS + 1,
                validation_length=ITEMS, validation_memory=ITEMS + 1)


@pytest.mark.parametrize('name', ['6 bits of aux', 'too narrow', 'mask of numbers', 'nothing'])
def test_an_episode_is_checked_too(own, name):
  ask, line = WRONG[name]
  task = own(ask)
  with pytest.raises(errors.UserError, match=line):
    tasks.sample(task, jax.random.key(0), 2, ITEMS)


def test_a_proper_question_is_taken(own):
  own(proper)
  models.check(families.resolve(config()))


def test_numpys_arrays_are_taken(own):
  own(lambda key, items, length: dataclasses.replace(
      proper(key, items, length), targets=np.zeros(items.shape, np.float32)))
  models.check(families.resolve(config()))


def as_phases(items, length):
  """The same as a program: of the items, and of what is asked."""
  task, inside = tasks.get('serial_recall'), tasks.within(length, len(items))
  pad = lambda leaf: jnp.pad(leaf, [(1, 0)] + [(0, 0)] * (leaf.ndim - 1))
  return (tasks.Phase(tasks.with_marker(task, items, 0), 1 + length),
          tasks.Phase(tasks.with_marker(task, items, 1), 1 + length, pad(items), pad(inside),
                      cell=phases.SOLVER))


def with_phase(i, **parts):
  """A program that is proper but for parts of one phase."""
  def ask(key, items, length):
    del key
    program = list(as_phases(items, length))
    program[i] = dataclasses.replace(program[i], **{
        name: make(getattr(program[i], name)) for name, make in parts.items()})
    return program
  return ask


def in_rounds(*counts):
  """Both phases as one repeat, of so many rounds."""
  def ask(key, items, length):
    del key
    return (tasks.Repeat(tuple(
        jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * count), phase)  # noqa: B023
        for phase, count in zip(as_phases(items, length), counts))),)
  return ask


# What a task answers, and what the line says after its name.
WRONG_PROGRAMS = {
    'no phase': (lambda key, items, length: (), r'returns \(\); with 4 items .*or phases\.Phase'),
    'a phase alone': (lambda key, items, length: as_phases(items, length)[0], 'returns Phase'),
    'rounds alone': (lambda *args: in_rounds(2, 2)(*args)[0], 'returns Repeat.* in a tuple'),
    'an array among them': (
        lambda key, items, length: (*as_phases(items, length), items), r'returns \(\.\.\. .* in a'),
    'nothing asked': (with_phase(1, targets=lambda x: None, mask=lambda x: None),
                      'has no phase with targets and a mask'),
    'narrow inputs': (
        with_phase(0, inputs=lambda x: x[:, 1:]),
        r"inputs \[5, 9\] of float32; a phase of 'encoder' must have inputs \[5, 10\] of float, "
        r'steps \[\] of int'),
    'steps as numbers': (with_phase(0, steps=lambda x: x + .5), r'steps \[\] of float32'),
    'steps of each': (with_phase(1, steps=lambda x: x[None]), r"steps \[1\] .* of 'solver' must"),
    'a truth for steps': (with_phase(0, steps=lambda x: True), 'steps True'),
    'narrow targets': (with_phase(1, targets=lambda x: x[:, :3]), r'targets \[5, 3\] .* \[5, 8\]'),
    'no mask': (with_phase(1, mask=lambda x: None), 'mask None'),
    'no targets': (with_phase(1, targets=lambda x: None), 'targets None'),
    'mask of numbers': (with_phase(1, mask=lambda x: 1. * x), r'mask \[5\] of float32'),
    'other numbers of rounds': (
        in_rounds(2, 3), r'inputs \[\[2, 5, 10\], \[3, 5, 10\]\]; all must be \[R, T, X\]'),
}


@pytest.mark.parametrize('ask, line', [
    pytest.param(*wrong, id=name)
    for name, wrong in (*WRONG.items(), *WRONG_PROGRAMS.items())])
def test_what_is_wrong_is_named_and_nothing_is_written(own, tmp_path, ask, line):
  own(ask)
  with pytest.raises(errors.UserError, match=f"task 'mine' .*{line}") as error:
    run.train(config(), tmp_path / 'run')
  assert '\n' not in str(error.value)
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('ask', [
    with_phase(0, start=lambda x: 'resum'),
    lambda *args: dataclasses.replace(proper(*args), start='resum')], ids=['phase', 'question'])
def test_an_unknown_start_names_the_closest(own, ask):
  task = own(ask)
  with pytest.raises(errors.UserError, match=r"unknown start in task 'mine' .*'resume'\?"):
    tasks.sample(task, jax.random.key(0), 2, ITEMS)


@pytest.mark.parametrize('model, line', [
    ('maes', "no solver for task 'odd_recall'; it has one for mine"),
    ('ntm', "no solver for task 'odd_recall'")])
def test_a_solver_that_is_not_there_is_an_error(own, model, line):
  own(with_phase(1, cell=lambda x: 'odd_recall'))
  with pytest.raises(errors.UserError, match=line):
    models.check(families.resolve(dataclasses.replace(config(), model=model)))


def test_a_tied_model_has_no_solver_of_another_task_on_duty(own):
  own(with_phase(1, cell=lambda x: 'odd_recall'))
  both = dataclasses.replace(config(), model='ntm', task=('mine', 'odd_recall'))
  task, model = tasks.get('mine'), models.build(families.resolve(both))
  with pytest.raises(errors.UserError, match=r'no phase can be for odd_recall; .* not tied'):
    models.walk(model, [task], [(ITEMS, ITEMS + 1)])


@pytest.mark.parametrize('ask', [with_phase(0), in_rounds(2, 2), with_phase(0, steps=lambda x: 2)],
                         ids=['two', 'rounds', 'a number of steps that is known'])
def test_a_proper_program_is_taken(own, ask):
  own(ask, reuses_memory=True)
  models.check(families.resolve(config()))


def test_what_is_stored_needs_an_address_each(own):
  """Two rounds of a marker and four items; a memory that they fit into will do."""
  own(in_rounds(2, 2))
  with pytest.raises(errors.UserError, match=r'stores up to 10 items and markers, .* 5 addresses'):
    models.check(families.resolve(config()))
  models.check(families.resolve(dataclasses.replace(config(), memory=10, validation_memory=10)))


@pytest.mark.parametrize('model', ['maes', 'ntm', 'gru'])
@pytest.mark.parametrize('stores, said', [
    (lambda n: min(n, 10), r'fails \(TracerBoolConversionError: .*use jnp\.minimum'),
    (lambda n: 1 // 0, r'fails \(ZeroDivisionError: '),
    (lambda n: 1.5 * n, r'returns stores .*; it must take n, .* return stores \[\] of int'),
    (lambda n: None, 'returns stores None; it must take n')])
def test_stores_that_cannot_be_traced_get_one_line(own, tmp_path, model, stores, said):
  own(proper, stores=stores)
  with pytest.raises(errors.UserError, match=f"task 'mine' {said}") as error:
    run.train(dataclasses.replace(config(), model=model), tmp_path / 'run')
  assert '\n' not in str(error.value) and not any(tmp_path.iterdir())


def test_what_is_known_to_be_needed_is_a_number_whatever_is_traced(own):
  task = own(proper, stores=lambda n: jnp.minimum(n, 3))
  asked = []
  jax.eval_shape(lambda n: asked.extend([task.needs(2), task.needs(9), task.needs(n)]), 5)
  assert asked[:2] == [2, 3] and isinstance(asked[2], jax.core.Tracer)
  assert f'{task.needs(9):,}' == '3'


def test_numpys_arrays_are_taken_in_a_program(own):
  """In the types that NumPy likes best."""
  def ask(key, items, length):
    del key, length
    store = np.eye(len(items) + 1, 10)
    return [tasks.Phase(store, np.int64(len(items) + 1)),
            tasks.Phase(store, len(items) + 1, store[:, :8], np.arange(len(items) + 1) > 0,
                        cell=phases.SOLVER)]
  task = own(ask)
  models.check(families.resolve(config()))
  episode = tasks.sample(task, jax.random.key(0), 2, ITEMS)
  np.testing.assert_array_equal(episode.targets, np.eye(ITEMS + 1, 10)[:, :8])
  model = models.build(families.resolve(config()))
  logits = model.answer(model.init(jax.random.key(0)), {'mine': episode}, 8)['mine']
  assert jnp.isfinite(logits).all()


@pytest.mark.parametrize('model', ['maes', 'lstm'])
@pytest.mark.parametrize('steps, done', [(-2, 0), (7, ITEMS + 1)])
def test_steps_out_of_bounds_are_refused_where_known_and_else_the_nearest(own, model, steps, done):
  """One cell would write over what came before, or read a gap, where cells in turns would not."""
  three = lambda count: lambda key, items, length: (
      as_phases(items, length)[0], tasks.Phase(jnp.ones((ITEMS + 1, 10)), count(length),
                                               cell=phases.SOLVER), as_phases(items, length)[1])
  task = own(three(lambda n: n - 3 + steps))
  same = tasks.Task('mine', 8, three(lambda n: 0 * n + done))
  with pytest.raises(errors.UserError, match=f'5 items and steps={steps}; use 0 to 5'):
    tasks.sample(task, jax.random.key(0), 3, ITEMS)
  draw = lambda task: jax.jit(lambda n: tasks.sample(task, jax.random.key(0), n, ITEMS))(3)
  assert int(draw(task).program[1].steps) == done
  model = models.build(families.resolve(dataclasses.replace(config(), model=model)))
  params = model.init(jax.random.key(0))
  answers = [model.answer(params, {'mine': draw(each)}, 20)['mine'] for each in (task, same)]
  np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize('bit, control_bits', [(2, 2), (-1, 2), (1, 1), (10, 2)])
def test_a_marker_is_one_of_the_control_bits(bit, control_bits):
  """Others would be data, or nothing at all."""
  task = tasks.Task('mine', 8, proper, control_bits=control_bits)
  with pytest.raises(errors.UserError, match=f'control bit {bit} and there are {control_bits}; '):
    tasks.with_marker(task, jnp.zeros((3, 8)), bit)


def test_a_question_takes_two_control_bits():
  task = tasks.Task('mine', 8, proper, control_bits=1)
  with pytest.raises(errors.UserError, match='is control bit 1 and there are 1; use 0 to 0, or a '):
    tasks.sample(task, jax.random.key(0), 3, ITEMS)


@pytest.mark.parametrize('drawn, found', [
    (lambda count: jnp.zeros(8), r'\[8\] of float32'),
    (lambda count: jnp.zeros((1, 8)), r'\[1, 8\] of float32'),
    (lambda count: jnp.zeros((count + 1, 8)), r'\[5, 8\] of float32'),
    (lambda count: jnp.zeros((count, 8), jnp.int32), r'\[4, 8\] of int32')])
def test_what_a_kind_draws_is_an_item_each(own, drawn, found):
  """One that is spread over all of them would be each of them."""
  class Drawn(items_lib.Bits):
    def draw(self, key, count):
      return drawn(count)
  task = own(proper, items=Drawn(8))
  with pytest.raises(errors.UserError, match=(
      rf"of task 'mine' returns items {found}; draw\(key, 4\) must give items \[4, 8\] of float")):
    tasks.sample(task, jax.random.key(0), 2, ITEMS)


def test_as_many_keys_as_lengths():
  with pytest.raises(errors.UserError, match=r'keys are \[3\] and lengths \[2\]; give one of each'):
    tasks.sample_batch(tasks.get('serial_recall'), jax.random.split(jax.random.key(0), 3),
                       jnp.array([2, 3]), ITEMS)


@pytest.mark.parametrize('outputs', [0, -1, 2.5, None, True])
def test_a_task_has_an_answer(outputs):
  with pytest.raises(errors.UserError, match=r"outputs of task 'mine' is .*; .* whole number of 1"):
    tasks.Task('mine', outputs, proper)


@pytest.mark.parametrize('wrong', [
    {'name': ''}, {'name': 3}, {'name': 'encoder'}, {'name': 'solver'}, {'ask': None},
    {'at_least': 0}, {'at_least': 1.5}], ids=str)
def test_a_task_has_a_name_a_function_and_items(wrong):
  with pytest.raises(errors.UserError, match=(
      r'it must be text|give a function|is no name of a task|at_least .* whole number of 1 to')):
    tasks.Task(**{'name': 'mine', 'outputs': 1, 'ask': proper, **wrong})


@pytest.mark.parametrize('what', ['items', 'answers'])
@pytest.mark.parametrize('given', [8, 'bits', np.zeros(3)], ids=str)
@pytest.mark.parametrize('make', [
    lambda **kinds: tasks.Task('mine', 8, proper, **kinds),
    lambda **kinds: tasks.from_arrays('mine', np.eye(8)[None], np.eye(8)[None], **kinds)],
    ids=['made', 'arrays'])
def test_items_and_answers_are_kinds_of_item(make, what, given):
  with pytest.raises(errors.UserError, match=f"{what} of task 'mine': .* has no .*; give a kind"):
    make(**{what: given})


class Deaf(maes.Maes):
  """A cell of one's own that answers one bit too many."""

  def answer(self, z_t, hidden=0):
    del z_t, hidden
    return None if not self.outputs else jnp.zeros(self.outputs + 1)


class Broken(tiny.Tiny):
  """A cell of one's own whose state is of another length than it says."""

  def initial_state(self, addresses):
    return tiny.State(jnp.zeros(2))


@pytest.mark.parametrize('cell, line', [
    (Deaf, r"model 'own' answers \[5, 9\] where task 'serial_recall' has targets \[5, 8\]"),
    (Broken, "model 'own': ")])
def test_a_model_that_does_not_fit_is_refused(monkeypatch, cell, line):
  monkeypatch.setattr(families, 'FAMILIES', {'own': families.Family(cell, tied=False)})
  wrong = Config(model='own', max_length=ITEMS, min_length=2, memory=9, validation_length=5)
  with pytest.raises(errors.UserError, match=line) as error:
    models.check(families.resolve(wrong))
  assert '\n' not in str(error.value)
