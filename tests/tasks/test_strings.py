"""The tasks on strings against plain Python, short and long, and the odds they promise."""

import collections
import re

import jax
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import phases
from maes_jax import tasks
from maes_jax.tasks import strings
from tests.oracles import strings as oracle
from tests.tasks import stream

NAMES = [task.name for task in strings.TASKS]
PADDED = 12


def tokens_and_answers(task, episode):
  """The string, and what is due after it, as lists of tokens."""
  string, slots = _halves(stream.steps(task, episode))
  assert all(answer is None for _, _, answer in string)
  assert not any(any(item) for _, item, _ in slots)
  return ([item.index(1) for _, item, _ in string],
          [answer.index(1) for _, _, answer in slots])


def _halves(steps):
  markers = [i for i, (control, _, _) in enumerate(steps) if any(control)]
  assert [steps[i][0] for i in markers] == [(1, 0), (0, 1)] and markers[0] == 0
  assert not any(any(steps[i][1]) or steps[i][2] for i in markers)
  return steps[1:markers[1]], steps[markers[1] + 1:]


def drawn(task, count=256, padded=PADDED):
  return [(tokens_and_answers(task, episode), episode)
          for episode in stream.episodes(task, count, padded)]


@pytest.mark.parametrize('name', NAMES)
class TestEveryTask:

  def test_answers_are_the_definition(self, name):
    for (tokens, answers), episode in drawn(tasks.get(name)):
      odd = name == 'modular_arithmetic' and episode.length % 2 == 0
      assert len(tokens) == episode.length - odd
      assert answers == getattr(oracle, name)(tokens), tokens

  def test_long_strings(self, name):
    """Numbers of hundreds of bits, expressions of hundreds of tokens."""
    task = tasks.get(name)
    draw = jax.jit(lambda key: tasks.sample(task, key, 300, 301))
    for seed in range(3):
      tokens, answers = tokens_and_answers(task, jax.device_get(draw(jax.random.key(seed))))
      assert len(tokens) == 300 - (name == 'modular_arithmetic')
      assert answers == getattr(oracle, name)(tokens)

  def test_nothing_lies_in_the_padding(self, name):
    for episode in stream.episodes(tasks.get(name), 256, PADDED)[:32]:
      stream.assert_nothing_in_padding(episode)

  def test_one_program_serves_every_length(self, name):
    task = tasks.get(name)
    draw = jax.jit(lambda key, n: tasks.sample(task, key, n, PADDED))
    for length in range(task.shortest, PADDED + 1):
      draw(jax.random.key(0), length)
    assert draw._cache_size() == 1

  def test_a_solver_begins_anew_or_where_the_string_ended(self, name):
    store, *_, recall = tasks.dry_run(tasks.get(name), PADDED).program
    assert (store.cell, recall.cell) == (phases.ENCODER, phases.SOLVER)
    anew = name in ('duplicate_string', 'odds_first', 'binary_addition', 'binary_multiplication',
                    'compute_sqrt', 'bucket_sort')
    assert recall.start == (phases.RESTART if anew else phases.HANDOVER)

  def test_a_cell_goes_back_to_the_end_where_who_reads_it_must_know(self, name):
    """It reads the solver's marker and empty items, so many as it must go back to and one."""
    marked = {'duplicate_string': 1, 'odds_first': 2}.get(name, 0)
    _, *between, recall = tasks.sample(tasks.get(name), jax.random.key(0), 5, PADDED).program
    assert [(phase.cell, phase.start, int(phase.steps), phase.again, phase.asked)
            for phase in between] == (
                [('/end', phases.HANDOVER, 1 + marked, True, False)] if marked else [])
    for phase in between:
      np.testing.assert_array_equal(phase.inputs[0], recall.inputs[0])
      assert not phase.inputs[1:].any()


def of_length(name, length, count=600):
  task = tasks.get(name)
  draw = jax.jit(jax.vmap(lambda key: tasks.sample(task, key, length, PADDED)))
  batch = jax.device_get(draw(jax.random.split(jax.random.key(1), count)))
  return [tokens_and_answers(task, jax.tree.map(lambda leaf: leaf[i], batch))  # noqa: B023
          for i in range(count)]


def assert_as_likely(found, count):
  """All outcomes within five standard deviations."""
  share, total = 1 / count, sum(found.values())
  assert len(found) == count
  for hits in found.values():
    assert abs(hits / total - share) < 5 * np.sqrt(share * (1 - share) / total)


class TestOdds:

  def test_numbers_are_as_likely_but_0(self):
    found = collections.Counter(tuple(tokens) for tokens, _ in of_length('compute_sqrt', 3))
    assert_as_likely(found, 7)

  def test_where_a_sum_is_cut(self):
    found = collections.Counter(tokens.index(2) for tokens, _ in of_length('binary_addition', 6))
    assert_as_likely(found, 4)

  def test_where_an_expression_is_cut(self):
    """Of 8 tokens left has 1, 2, 3 or 4, in forms that tell how many."""
    forms = {1: r'\(\d[+-](\(-\d\))\)', 2: r'\(-\d[+-]\(\d\)\)', 3: r'\(\(\d\)[+-]-\d\)',
             4: r'\(\(-\d\)[+-]\d\)'}
    found = collections.Counter()
    for tokens, _ in of_length('modular_arithmetic_brackets', 8):
      text = ''.join('01234+-()'[token] for token in tokens)
      found[next(left for left, form in forms.items() if re.fullmatch(form, text))] += 1
    assert_as_likely(found, 4)

  def test_any_digit_may_be_x(self):
    found = collections.Counter()
    for tokens, _ in of_length('solve_equation', 7):  # (d+d)=d
      found[tokens.index(9)] += 1
    assert set(found) == {1, 3}

  def test_where_a_bit_is_missing(self):
    found = collections.Counter(tokens.index(2) for tokens, _ in of_length('missing_duplicate', 6))
    assert_as_likely(found, 6)

  def test_how_much_of_a_string_is_the_stack(self):
    found = collections.Counter(
        sum(token < 2 for token in tokens) for tokens, _ in of_length('stack_manipulation', 5))
    assert_as_likely(found, 4)

  @pytest.mark.parametrize('name', ['modular_arithmetic', 'solve_equation', 'cycle_navigation'])
  def test_answers_are_about_as_likely(self, name):
    found = collections.Counter(answers[0] for _, answers in of_length(name, 11))
    assert set(found) == set(range(5))


@pytest.mark.parametrize('make, words', [
    (lambda: strings.cycle_navigation(cycle=1), 'places on the cycle: 1; .* of 2 to 1,073,741,824'),
    (lambda: strings.modular_arithmetic(modulus=2.5), 'modulus: 2.5; .* whole number'),
    (lambda: strings.bucket_sort(vocabulary=0), 'tokens of a vocabulary: 0; '),
    (lambda: tasks.sample(tasks.get('solve_equation'), jax.random.key(0), 2, 5),
     "length is 2 and task 'solve_equation' needs 3 items or more")])
def test_wrong_sizes_get_one_line(make, words):
  with pytest.raises(errors.UserError, match=words):
    make()
