"""The config: what it refuses, that it survives a file, that nothing in it is for show."""

import ast
import dataclasses
import functools
import json
import pathlib
import re
import typing

import numpy as np
import pytest

import maes_jax
from maes_jax import config as config_lib
from maes_jax import errors
from maes_jax import families
from maes_jax import models
from maes_jax import options
from maes_jax import recipes
from maes_jax.cells import lstm
from maes_jax.config import Config

FIELDS = dataclasses.fields(Config)
ROOT = pathlib.Path(maes_jax.__file__).parents[1]
OTHER = Config(
    model='ntm', task=('odd_recall', 'serial_recall'), task_weights=(.25, .75), seeds=3, width=7,
    learning_rate=.03, line3='move_first', encoder='/some/where', unfreeze=True, stop_loss=1e-4)


@pytest.mark.parametrize('config', [Config(), OTHER, families.resolve(OTHER)])
def test_survives_json(config):
  assert Config.from_dict(json.loads(config.to_json())) == config


def test_unknown_key_names_the_closest():
  with pytest.raises(errors.UserError, match="'batchsize'; did you mean 'batch_size'"):
    Config.from_dict({'batchsize': 2})
  with pytest.raises(errors.UserError, match=r"unknown config key 'xyzzy'$"):
    Config.from_dict({'xyzzy': 2})


@pytest.mark.parametrize('wrong', [
    {'seeds': 'two'}, {'seeds': 2.5}, {'seeds': True}, {'unfreeze': 1}, {'task': 'serial_recall'},
    {'task': (3,)}, {'learning_rate': '1e-3'}, {'memory': None}, {'cell': 3}, {'solver': 'units=3'},
    {'cell': {'units': None}}, {'cell': {3: 3}}, {'cell': {'units': (3,)}}])
def test_a_value_of_another_type_is_refused(wrong):
  (name,) = wrong
  with pytest.raises(errors.UserError, match=f'^{name} is .*; it must be '):
    Config(**wrong)


@pytest.mark.parametrize('field, wrong, right', [
    ('task', 'odd_recall', "('odd_recall',)"), ('task_weights', 0.5, '(0.5,)')])
def test_one_where_several_may_be_is_told_how_to_be_written(field, wrong, right):
  with pytest.raises(errors.UserError, match=f'^{field} is .* e.g. {re.escape(right)}$'):
    Config(**{field: wrong})


def test_numpys_numbers_and_text_are_pythons():
  numpys = Config(
      seeds=np.int64(3), learning_rate=np.float32(.5), unfreeze=np.bool_(True), encoder='E_J',
      line3=np.str_('move_first'), task=(np.str_('odd_recall'),), task_weights=(np.float64(2),))
  plain = Config(seeds=3, learning_rate=.5, unfreeze=True, encoder='E_J', line3='move_first',
                 task=('odd_recall',), task_weights=(2.,))
  assert numpys == plain
  assert numpys.to_json() == plain.to_json()
  assert {type(value) for value in dataclasses.asdict(numpys).values()} == {
      type(value) for value in dataclasses.asdict(plain).values()}


@pytest.mark.parametrize('wrong', [
    {'seeds': np.float64(2.5)}, {'seeds': np.bool_(True)}, {'seeds': np.int64(0)},
    {'seed': np.uint64(2**63)}, {'task': (np.int64(3),)}, {'seeds': np.array([1, 2])}])
def test_numpys_are_checked_like_pythons(wrong):
  (name,) = wrong
  with pytest.raises(errors.UserError, match=f'^{name} is .*; it must be '):
    Config(**wrong)


def test_a_whole_number_does_for_a_float():
  assert Config(learning_rate=1).learning_rate == 1


def test_differences_name_the_fields_and_both_values():
  assert config_lib.differences(Config(seeds=2), Config(seeds=3)) == ['seeds: 2, not 3']
  assert not config_lib.differences(Config(), Config())


def test_is_frozen():
  with pytest.raises(dataclasses.FrozenInstanceError):
    Config().seeds = 2


def each_field(condition=lambda field: True):
  return pytest.mark.parametrize(
      'field', [field for field in FIELDS if condition(field)], ids=lambda field: field.name)


def is_number(field):
  return {int, float} & set(typing.get_args(field.type) or (field.type,)) and not isinstance(
      field.default, tuple)


@each_field()
def test_every_field_has_help(field):
  """One sentence that a flag can show."""
  text = field.metadata['help']
  assert text.endswith('.')
  assert text[0].isupper()


@each_field(is_number)
def test_every_number_has_a_bound(field):
  """Whatever is a count or a rate is checked."""
  assert field.metadata['minimum'] is not None


@each_field(lambda field: field.metadata['minimum'] is not None)
def test_bounds_hold(field):
  minimum = field.metadata['minimum']
  with pytest.raises(errors.UserError, match=f'{field.name} is .*at least {minimum}'):
    Config(**{field.name: minimum - 1})


@each_field(lambda field: field.metadata['choices'])
def test_choices_hold(field):
  choices = field.metadata['choices']
  for choice in choices:
    assert getattr(Config(**{field.name: choice}), field.name) == choice
  with pytest.raises(errors.UserError, match=f"unknown {field.name} 'x': .*{choices[0]}"):
    Config(**{field.name: 'x'})


@each_field()
def test_somebody_reads_every_field(field):
  assert field.name in names_read_from_configs()


@functools.cache
def names_read_from_configs():
  """Attributes of anything called config."""
  names = set()
  for folder in ('maes_jax', 'experiments'):
    for path in (ROOT / folder).rglob('*.py'):
      if path.name != 'config.py':
        names |= {node.attr for node in ast.walk(ast.parse(path.read_text()))
                  if isinstance(node, ast.Attribute) and _name(node.value).endswith('config')}
  properties = {'full_range_from': {'hold', 'grow'}}
  for name in names & properties.keys():
    names = names | properties[name]
  return names


def _name(node):
  return getattr(node, 'id', None) or getattr(node, 'attr', '')


@pytest.mark.parametrize('values, message', [
    ({'learning_rate': float('nan')}, 'learning_rate is nan'),
    ({'min_length': 5, 'max_length': 4}, 'min_length is 5 and max_length 4'),
    ({'start_length': 21}, 'start_length is 21 and max_length 20'),
    ({'start_min_length': 3, 'start_length': 2}, 'start_min_length is 3 and start_length 2'),
    ({'task': ()}, 'one task or more'),
    ({'task': ('serial_recall', 'serial_recall')}, 'each once'),
    ({'task_weights': (1., 2.)}, '2 values for 1 tasks'),
    ({'task_weights': (0.,)}, 'must be positive'),
    ({'task_weights': (float('nan'),)}, 'must be positive'),
    ({'max_length': 20, 'memory': 20}, 'memory of at least 21'),
    ({'validation_length': 80, 'validation_memory': 80}, 'validation_memory of at least 81'),
    ({'restart_every': 150}, 'restart_every is 150; it must be a multiple of 100, or 0'),
    ({'restart_every': 1000, 'hold': 300, 'grow': 700}, 'full only from iteration 1000'),
    ({'restart_every': 2000, 'encoder': 'E_J', 'unfreeze': True}, 'is not frozen'),
    ({'unfreeze': True}, 'no encoder is taken over'),
])
def test_what_does_not_fit_together_is_an_error(values, message):
  with pytest.raises(errors.UserError, match=message):
    Config(**values)


def test_memory_for_each_item_and_the_marker_is_enough():
  assert Config(max_length=20, memory=21).memory == 21


class TestOptions:

  @pytest.mark.parametrize('name', options.NAMED)
  def test_a_name_of_its_own_is_short_for_an_option(self, name):
    named = options.NAMED[name]
    config = Config(**{name: 1})
    assert getattr(config, named.whose) == {named.name or name: 1}
    assert config == Config(**{named.whose: {named.name or name: 1}})
    assert Config(**{name: None}) == Config()

  @pytest.mark.parametrize(('name', 'whose', 'option'), [
      ('units', 'cell', 'units'), ('output_hidden', 'solver', 'output_hidden'),
      ('solver_shift_range', 'solver', 'shift_range')])
  def test_an_option_given_both_ways_is_given_as_the_same(self, name, whose, option):
    with pytest.raises(errors.UserError, match=f'{name} is 9, and {whose} has {option}=7; give'):
      Config(**{name: 9, whose: {option: 7}})
    assert Config(**{name: 7, whose: {option: 7}}) == Config(**{name: 7})

  def test_every_name_is_an_option_of_some_model(self):
    known = {option for family in families.FAMILIES.values() for option in options.of(family.cell)}
    assert {named.name or name for name, named in options.NAMED.items()} <= known

  def test_what_is_given_wins_over_the_recipe(self):
    config = families.resolve(Config(gamma_bias=.5, cell={'units': 3}))
    assert config.cell == {'write_bias': -3., 'gamma_bias': .5, 'units': 3}

  def test_configs_of_before_are_read(self):
    """Options were keys of their own, None for the model's default."""
    config = Config.from_dict({'units': 7, 'width': None, 'latch': 3., 'solver_shift_range': 2})
    assert (config.cell, config.solver) == ({'units': 7}, {'latch': 3., 'shift_range': 2})

  @pytest.mark.parametrize('given, line', [
      ({'cell': {'unts': 3}}, "model 'maes' has no option 'unts' .*did you mean 'units'"),
      ({'layers': 3}, "model 'maes' has no option 'layers' .*its options are add_activation"),
      ({'units': 0}, 'units is 0; it must be at least 1'),
      ({'units': 2**40}, 'units is .*; it must be at most 1073741824'),
      ({'units': 2.5}, 'units is 2.5; it must be int'),
      ({'units': True}, 'units is True; it must be int'),
      ({'shift_range': 101}, 'shift_range is 101; it must be at most 100'),
      ({'latch': float('nan')}, 'latch is nan; it must be a finite number'),
      ({'line3': 'x'}, "unknown line3 'x': it must be one of move_first, write_first"),
      ({'solver': {'line3': 'x'}}, "unknown line3 'x'"),
      ({'solvers': {'serial_recall': {'latsh': 1.}}}, "no option 'latsh' .*did you mean 'latch'"),
      ({'solvers': {'serial_recall': {'units': 0}}}, 'units is 0; it must be at least 1'),
      ({'solvers': {'serial_recal': {}}}, "unknown cell 'serial_recal': .*'serial_recall'"),
      ({'model': 'ntm', 'latch': 1.}, "shares one cell .* solver option 'latch' out"),
      ({'model': 'ntm', 'solvers': {'serial_recall': {}}}, "leave options of 'serial_recall' out")])
  def test_what_a_model_does_not_have_is_refused_in_a_line(self, given, line):
    with pytest.raises(errors.UserError, match=line) as error:
      models.build(Config(**given))
    assert '\n' not in str(error.value)

  def test_a_model_without_a_recipe_gets_a_neutral_one(self, monkeypatch):
    monkeypatch.setitem(families.FAMILIES, 'own', families.Family(lstm.Lstm, tied=True))
    config = families.resolve(Config(model='own'))
    assert (config.stop_on, config.cell, config.solver) == ('validation', {}, {})
    assert (config.validation_length, config.validation_memory) == (20, 30)

  @pytest.mark.parametrize('model, task', [
      ('lru', 'serial_recall'), ('gru', 'cycle_navigation'), ('stack_rnn', 'even_pairs')])
  def test_a_recipe_that_is_named_is_that(self, model, task):
    """Whatever the family has for such tasks otherwise."""
    config = families.resolve(Config(model=model, task=(task,), recipe='plain'))
    schedule = ('learning_rate', 'half_life', 'b2', 'warmup', 'start_length', 'hold', 'grow')
    assert {name: getattr(config, name) for name in schedule} == {
        name: recipes.SCHEDULES['plain'][name] for name in schedule}
    assert (config.batch_size, config.restart_every, config.cell) == (16, 0, {})


@pytest.mark.parametrize('recipe', ['plain', 'short_first'])
@pytest.mark.parametrize('task', ['serial_recall', 'sequence_equality'])
def test_recipes_leave_nothing_about_training_open(recipe, task):
  config = families.resolve(Config(recipe=recipe, task=(task,)))
  still_open = {f.name for f in FIELDS if getattr(config, f.name) is None}
  assert still_open == {'encoder', 'encoder_model'}
  assert families.resolve(config) == config


@pytest.mark.parametrize('task, longest, written', [
    ('reverse_string', 8, 0.), ('stack_manipulation', 8, 0.), ('duplicate_string', 6, 0.),
    ('odds_first', 6, 0.)])
def test_strings_start_longer_than_one_address_can_hold(task, longest, written):
  config = families.resolve(Config(task=(task,)))
  assert (config.start_length, config.cell['write_bias']) == (longest, written)
  assert config.cell['gamma_bias'] == -3.
  config = families.resolve(Config(task=(task,), start_length=4, write_bias=-2.))
  assert (config.start_length, config.cell['write_bias']) == (4, -2.)


NOISY = {'duplicate_string': 1., 'odds_first': 1., 'reverse_string': 1., 'parity_check': 1.,
         'even_pairs': 1.5, 'missing_duplicate': 2.}


@pytest.mark.parametrize('task', NOISY)
def test_strings_are_learnt_against_noise_until_the_loss_against_it_is_small(task):
  config = families.resolve(Config(task=(task,)))
  assert (config.cell['head_noise'], config.cell['erase_bias']) == (NOISY[task], 3.)
  assert config.stop_on == 'training'


def test_five_states_bear_less_noise_and_are_validated():
  config = families.resolve(Config(task=('cycle_navigation',)))
  assert (config.cell['head_noise'], config.cell['erase_bias']) == (.4, 3.)
  assert config.stop_on == 'validation'


def test_the_gru_learns_five_places_with_more_units_and_slowly_and_the_rest_as_it_is():
  config = families.resolve(Config(model='gru', task=('cycle_navigation',)))
  assert (config.cell['units'], config.learning_rate, config.batch_size) == (64, .002, 8)
  assert config.full_range_from + 3000 <= config.restart_every == 40_000
  assert not families.resolve(dataclasses.replace(config, recipe=None, restart_every=None,
                                                  grow=50_000)).restart_every
  other = families.resolve(Config(model='gru', task=('parity_check',)))
  assert (other.cell, other.batch_size, other.restart_every) == ({}, 16, 0)


@pytest.mark.parametrize('task', NOISY)
def test_who_does_not_learn_a_string_soon_starts_anew_with_time_at_full_lengths(task):
  config = families.resolve(Config(task=(task,)))
  assert config.full_range_from + 3000 <= config.restart_every <= config.max_iterations / 2
  assert families.resolve(Config(task=(task,), encoder='E_J')).restart_every
  assert not families.resolve(Config(task=(task,), encoder='E_J', unfreeze=True)).restart_every
  assert not families.resolve(Config(task=(task,), restart_every=0)).restart_every
  assert not families.resolve(Config(task=(task,), grow=50_000)).restart_every


def test_on_an_encoder_that_is_there_n_back_has_the_recipe_of_comparing_pairs():
  of = lambda task: families.resolve(Config(task=(task,), encoder='E_J'))
  for option in ('hard_batches', 'half_life', 'learning_rate', 'batch_size', 'solver'):
    assert getattr(of('n_back'), option) == getattr(of('sequence_comparison'), option)


def test_what_must_leave_the_memory_alone_does_not_start_out_erasing_it():
  config = families.resolve(Config(task=('duplicate_string',)))
  cells = models.build(config).solvers
  assert {name: cell.erase_bias for name, cell in cells.items()} == {
      'duplicate_string': 0., 'duplicate_string/end': 0.}


def test_who_counts_to_the_middle_goes_on_and_who_marks_the_end_goes_back():
  cells = models.build(families.resolve(Config(task=('temporal_rotation',)))).solvers
  assert {name: (cell.head, cell.walk_bias, cell.clock) for name, cell in cells.items()} == {
      'temporal_rotation': ('sharp_jump', 0., 0.), 'temporal_rotation/end': ('sharp', -4., 0.),
      'temporal_rotation/halfway': ('sharp', 2., 12.)}


def test_what_is_between_two_sequences_lies_the_other_way():
  cells = models.build(families.resolve(Config(task=('interruption_swap',)))).solvers
  ways = {name: (cell.head, np.sign(cell.walk_bias)) for name, cell in cells.items()}
  assert ways == {
      'interruption_swap': ('shift', 0), 'interruption_swap/y_encoder': ('sharp', -1),
      'interruption_swap/y_end': ('sharp', 1), 'interruption_swap/y_halfway': ('sharp', -1),
      'interruption_swap/y_solver': ('sharp_jump', 0)}
  assert {name for name, cell in cells.items() if cell.blind} == {
      f'interruption_swap/y_{name}' for name in ('encoder', 'end', 'halfway')}
  assert {name for name, cell in cells.items() if cell.overwrite} == {'interruption_swap/y_encoder'}


class TestOptionsOfCells:

  TASK = 'temporal_rotation'

  def test_the_plain_recipe_leaves_a_task_the_heads_that_it_needs(self):
    config = families.resolve(Config(task=(self.TASK,), recipe='plain'))
    assert config.solvers == {self.TASK: {'head': 'sharp_jump'}, f'{self.TASK}/end': {
        'head': 'sharp'}, f'{self.TASK}/halfway': {'head': 'sharp'}}

  def test_a_cell_that_is_named_has_what_is_given_and_nothing_of_the_task(self):
    config = families.resolve(Config(task=(self.TASK,), solvers={f'{self.TASK}/end': {'units': 7}}))
    cells = models.build(config).solvers
    assert {name: (cell.head, cell.units) for name, cell in cells.items()} == {
        self.TASK: ('shift', 5), f'{self.TASK}/end': ('shift', 7),
        f'{self.TASK}/halfway': ('shift', 5)}

  def test_options_of_all_solvers_go_before_those_of_one(self):
    config = Config(task=('odd_recall',), solver={'shift_range': 3},
                    solvers={'odd_recall': {'shift_range': 2, 'units': 7}})
    solver = models.build(config).solvers['odd_recall']
    assert (solver.shift_range, solver.units) == (3, 7)

  def test_a_run_keeps_its_own_whatever_a_task_is_given_later(self, monkeypatch):
    config = Config.from_dict(json.loads(families.resolve(Config(task=(self.TASK,))).to_json()))
    before = models.build(config)
    monkeypatch.setitem(families.FAMILIES, 'maes', dataclasses.replace(
        families.get('maes'), solvers={self.TASK: {'head': 'jump'}}))
    assert models.build(families.resolve(config)) == before
    assert models.build(Config(task=(self.TASK,))) != before

  def test_who_asks_a_resolved_config_another_task_is_told_to_resolve_it_anew(self):
    config = dataclasses.replace(families.resolve(Config()), task=('odd_recall',))
    with pytest.raises(errors.UserError, match=r"unknown cell 'serial_recall'.* odd_recall"):
      models.build(config)

  @pytest.mark.parametrize(
      'given', [{'odd_recall': 3}, {'odd_recall': {'units': [3]}}, 'odd_recall'])
  def test_what_is_no_mapping_of_cells_is_refused(self, given):
    with pytest.raises(errors.UserError, match=r'solvers is .*; it must be a mapping of cells'):
      Config(solvers=given)

  @pytest.mark.parametrize('text', ['units=3', 'odd_recall', ':units=3', 'a:units=3;a:units=4'])
  def test_a_flag_that_names_no_cell_or_one_twice_is_refused(self, text):
    with pytest.raises(errors.UserError, match=r'write them as cell:name=value.*each cell once'):
      options.parse_of_cells(text)


def test_recipes_do_not_touch_what_was_given():
  given = Config(recipe='plain', learning_rate=.5, b2=.5, batch_size=7)
  config = families.resolve(given)
  assert (config.learning_rate, config.b2, config.batch_size) == (.5, .5, 7)


@pytest.mark.parametrize('given', [{'start_length': 2}, {'max_length': 2, 'min_length': 1}])
def test_recipes_fit_round_what_was_given(given):
  config = families.resolve(Config(**given))
  assert (config.start_min_length, config.start_length) == (2, 2)


@pytest.mark.parametrize('task, solver', [
    (('sequence_equality', 'hard_equality'), {
        'latch': 3., 'output_centre': .5, 'output_start': .5}),
    (('prefix_equality',), {'latch': 6., 'noise': 1.}),
    (('hard_equality', 'prefix_equality'), {'start_scale': 0.}),
    (('serial_recall', 'prefix_equality'), {'start_scale': 0.})])
def test_equality_alone_has_a_recipe_of_its_own(task, solver):
  assert families.resolve(Config(task=task)).solver == solver


@pytest.mark.parametrize('task, given, solver', [
    (('serial_recall',), {}, {}),
    (('serial_recall', 'reverse_recall'), {}, {'start_scale': 0.}),
    (('serial_recall', 'reverse_recall', 'scratch_pad'), {}, {'start_scale': 0.}),
    (('serial_recall', 'reverse_recall'), {'encoder': 'E_J'}, {'start_scale': 0.}),
    (('odd_recall',), {'encoder': 'E_J'}, {'start_scale': 0.}),
    (('prefix_equality',), {'encoder': 'E_J'}, {'latch': 6., 'noise': 1.}),
    (('odd_recall',), {'encoder': 'E_J', 'recipe': 'plain'}, {}),
    (('serial_recall', 'reverse_recall'), {'recipe': 'plain'}, {}),
    (('serial_recall', 'reverse_recall'), {'solver': {'start_scale': .5}}, {'start_scale': .5})])
def test_solvers_of_one_encoder_or_on_one_that_is_there_start_in_no_direction(task, given, solver):
  assert families.resolve(Config(task=task, **given)).solver == solver


def test_equality_on_an_encoder_that_is_there_starts_even_and_has_time_to_learn_what_is_rare():
  config = families.resolve(Config(task=('sequence_equality',), encoder='E_J'))
  assert config.solver == {
      'latch': 3., 'output_centre': .5, 'output_start': .5, 'start_scale': 0.}
  assert (config.b2, config.half_life) == (.99, 4000)


def test_prefixes_start_with_two_items_and_a_rate_that_falls():
  config = families.resolve(Config(task=('prefix_equality',), max_length=10))
  assert (config.start_min_length, config.start_length) == (1, 2)
  assert (config.hold, config.grow, config.half_life, config.batch_size) == (2000, 10_000, 1000, 64)


def test_the_papers_batch_sizes():
  """64 for comparison and equality, 1 for the others (sections 4.1 and 5.3)."""
  sizes = {task: families.resolve(Config(task=(task,))).batch_size
           for task in ('serial_recall', 'odd_recall', 'sequence_comparison', 'sequence_equality')}
  assert list(sizes.values()) == [1, 1, 64, 64]


def test_options_that_are_none_are_told_beside_others():
  with pytest.raises(errors.UserError, match='cell'):
    Config(cell='width=3', units=7)


@pytest.mark.parametrize(('task', 'said'), [
    ('even_pairs', {'walk_bias': 3., 'gamma_bias': 2.}),
    ('temporal_rotation', {'head_noise': 0.}),
    ('sequence_comparison', {'start_scale': 1.})])
def test_what_is_said_of_all_cells_goes_before_what_a_recipe_has_for_some(task, said):
  config = families.resolve(Config(task=(task,), cell=said))
  model = models.build(config)
  for cell in (model.encoder, *model.solvers.values()):
    assert {name: getattr(cell, name) for name in said} == said
  assert families.resolve(config) == config
  name = next(iter(said))
  config = families.resolve(Config(task=(task,), cell=said, solver={name: .5}))
  model = models.build(config)
  assert getattr(model.encoder, name) == said[name]
  assert getattr(model.solvers[task], name) == .5
  assert families.resolve(config) == config
