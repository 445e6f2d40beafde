"""The matrix of models and tasks: cells run once, go on, are said to be impossible; its page."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from experiments.matrix import cells
from experiments.matrix import document
from experiments.matrix import execute
from experiments.matrix import page
from experiments.matrix import protocol
from experiments.matrix import published
from experiments.matrix import scores
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import families
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.training import metrics

ROOT = pathlib.Path(__file__).parents[2]
SMALL = protocol.Protocol(2, (protocol.Test('4', 4),), (1, 2), 'trained on 1 to 2 items')
OWN = '''
from experiments.matrix import protocol
from maes_jax import families, items, tasks
from maes_jax.cells import gru
from maes_jax.tasks import recall
families.register('my_model', families.Family(gru.Gru, tied=True))
tasks.register(tasks.Task('my_task', outputs=4, ask=recall.serial, items=items.Bits(4)))
protocol.OWN['my_task'] = protocol.Protocol(
    2, (protocol.Test('4', 4),), (1, 2), 'trained on 1 to 2 items', scored=(1, 2))
'''
FLAGS = ('--workdir=runs', '--plugins=own', '--models=my_model,maes_frozen', '--tasks=my_task',
         '--seeds=2', '--max_iterations=100', '--jobs=2')
OURS, IMPOSSIBLE = cells.Cell('my_model', 'my_task'), cells.Cell('maes_frozen', 'my_task')
STRINGS = cells.Cell('gru', 'parity_check')


def launch(folder, *flags):
  """Runs the program in a folder with a module of a user's own."""
  (folder / 'own.py').write_text(OWN)
  return subprocess.run(
      [sys.executable, '-m', 'experiments.suite', *flags], cwd=folder, capture_output=True,
      text=True, check=False, env=os.environ | {
          'PYTHONPATH': f'{ROOT}:{folder}', 'JAX_PLATFORMS': 'cpu',
          'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'})


@pytest.fixture(scope='module')
def launched(tmp_path_factory):
  """A model and a task of a user's own beside one of ours: a process each."""
  folder = tmp_path_factory.mktemp('suite')
  return folder, launch(folder, *FLAGS)


@pytest.fixture(scope='module')
def results(launched):
  """Its records, and the same as if they were of a string."""
  folder = launched[0] / 'results'
  copy = execute.read(folder, OURS) | {'model': STRINGS.model, 'task': STRINGS.task}
  path = folder / execute.FOLDER / f'{STRINGS.name}.json'
  path.parent.mkdir()
  path.write_text(json.dumps(copy))
  return folder


def test_a_users_own_side_by_side_from_the_command_line(launched):
  """Both processes import the user's module; then nothing is left to do."""
  folder, done = launched
  assert done.returncode == 0, done.stderr
  assert done.stderr.startswith('0 of 2 cells ended, about ')
  assert '\n2 of 2 cells ended\n' in done.stderr
  assert f'{OURS.name}: 0 of 2 seeds converged, 0 right throughout, ended by max_it' in done.stderr
  before = {file: file.read_bytes() for file in (folder / 'results').rglob('*.json')}
  assert len(before) >= 2
  again = launch(folder, *FLAGS)
  assert (again.returncode, again.stderr) == (0, '2 of 2 cells ended\n')
  assert {file: file.read_bytes() for file in before} == before


def test_a_record_holds_what_was_asked_and_what_came_out(results):
  found = execute.read(results, OURS)
  assert found['budget'] == {'minutes': 3., 'max_iterations': 100, 'sequences': 1}
  assert (found['ended'], found['trained_to'], found['unit']) == ('max_iterations', 2, 'bit')
  assert {'machine', 'versions', 'config', 'seconds', 'devices'} <= found.keys()
  for k, seed in enumerate(found['seeds']):
    assert (seed['seed'], seed['converged'], seed['iterations']) == (k, None, 100)
    test = seed['tests']['4']
    assert (test['length'], test['sequences'], test['units']) == (4, 32, 4 * 4 * 32)
    assert list(seed['curve']) == list(seed['whole']) == ['1', '2', '4']
    assert seed['curve']['4'] == test['units_right'] / test['units']
    assert seed['score'] == pytest.approx((seed['curve']['1'] + seed['curve']['2']) / 2)


def test_an_impossible_cell_is_said_and_recorded(launched, results):
  folder, done = launched
  reason = 'E_J reads 10 numbers an item, control bits included; here there are 6'
  assert f'maes_frozen/my_task: not possible, {reason}\n' in done.stderr
  found = execute.read(results, IMPOSSIBLE)
  assert (found['impossible'], found['seeds']) == (reason, [])
  assert not (folder / 'runs' / IMPOSSIBLE.name).exists()


def test_an_encoder_that_is_not_there_is_no_property_of_a_cell(tmp_path, monkeypatch):
  lost = {'maes_frozen': {'model': 'maes', 'encoder': 'E_X'}}
  monkeypatch.setattr(cells, 'VARIANTS', lost)
  with pytest.raises(errors.UserError, match='no training run in E_X'):
    execute.execute(cells.Cell('maes_frozen', 'serial_recall'), execute.Settings(
        tmp_path / 'w', tmp_path / 'r'))
  assert not any(tmp_path.iterdir())


def preset_otherwise():
  """Variants, and cells of tasks that have by themselves what the variant has otherwise."""
  for variant, options in cells.VARIANTS.items():
    for cell, preset in families.get(options['model']).solvers.items():
      if preset.keys() & options.get('cell', {}).keys():
        yield variant, cell


@pytest.mark.parametrize('variant, cell', [*preset_otherwise()])
def test_solvers_of_a_variant_have_its_options_on_every_task(variant, cell):
  config = cells.Cell(variant, phases.owner(cell)).config(seeds=1, max_iterations=1)
  for name, value in cells.VARIANTS[variant]['cell'].items():
    assert getattr(models.build(config).solvers[cell], name) == value


@pytest.fixture
def own(monkeypatch):
  """The user's model and task in this process, for the time of a test."""
  for module, table in ((families, 'FAMILIES'), (tasks, 'TASKS'), (protocol, 'OWN')):
    monkeypatch.setattr(module, table, dict(getattr(module, table)))
  exec(OWN, {})


def asked(results, **changes):
  return execute.Settings(results, results, **{'seeds': 2, 'max_iterations': 100, **changes})


@pytest.mark.parametrize('changes, done', [
    ({}, True), ({'seeds': 3}, False), ({'minutes': 60.}, True), ({'max_iterations': 101}, False),
    ({'sequences': 33}, False)])
def test_what_is_done_depends_on_seeds_and_on_what_it_ran_out_of(own, results, changes, done):
  assert execute.done(OURS, asked(results, **changes)) == done
  assert execute.done(IMPOSSIBLE, asked(results, **changes))
  assert not execute.done(cells.Cell('my_model', 'carry'), asked(results))


def rewritten(results, folder, cell, **changes):
  """A folder of one record, changed."""
  file = folder / execute.FOLDER / f'{cell.name}.json'
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_text(json.dumps({**execute.read(results, cell), **changes}))
  return folder


@pytest.mark.parametrize('ended, changes, done', [
    ('minutes', {'minutes': 3.}, True), ('minutes', {'minutes': 3.1}, False),
    ('minutes', {'max_iterations': 101}, True), ('converged', {'max_iterations': 101}, True),
    ('not finite', {'minutes': 60.}, True)])
def test_more_of_what_did_not_end_it_makes_no_difference(
    own, results, tmp_path, ended, changes, done):
  folder = rewritten(results, tmp_path, OURS, ended=ended)
  assert execute.done(OURS, asked(folder, **changes)) == done


@pytest.mark.parametrize('changes, same', [
    ({'stop_loss': None}, True),  # The recipe fills it in.
    ({'learning_rate': 1.}, False), ({'cell': {'units': 9}}, False)])
def test_what_was_trained_by_another_recipe_is_not_done(own, results, tmp_path, changes, same):
  config = {**execute.read(results, OURS)['config'], **changes}
  assert execute.done(OURS, asked(rewritten(results, tmp_path, OURS, config=config))) == same


def test_what_was_trained_on_another_encoder_is_not_done(own, results, tmp_path):
  assert not execute.done(OURS, asked(rewritten(results, tmp_path, OURS, encoder='E_J')))


@pytest.mark.parametrize('cell', [OURS, IMPOSSIBLE])
@pytest.mark.parametrize('changes', [{'protocol': 'trained on 1 item'}, {'trained_to': 3}])
def test_what_was_trained_otherwise_is_not_done(own, results, tmp_path, cell, changes):
  folder = rewritten(results, tmp_path, cell, **changes)
  assert not execute.done(cell, asked(folder))


def test_what_was_once_impossible_is_tried_again(own, results, tmp_path):
  """A mistake in a user's module, since mended; and one that has come since."""
  folder = rewritten(results, tmp_path, IMPOSSIBLE, impossible="task 'my_task' fails (NameError)")
  assert not execute.done(IMPOSSIBLE, asked(folder))
  del tasks.TASKS['my_task']
  assert not execute.done(IMPOSSIBLE, asked(results))


def test_what_is_impossible_now_leaves_the_record_of_when_it_was_possible(
    own, results, tmp_path, monkeypatch):
  folder = rewritten(results, tmp_path, OURS)
  before = execute.read(folder, OURS)
  monkeypatch.setattr(cells.Cell, 'obstacle', lambda cell, config: 'a bug since')
  with pytest.raises(errors.UserError, match=r'^a bug since; the record has 2 seeds of when'):
    execute.execute(OURS, dataclasses.replace(asked(folder), seeds=3))
  assert execute.read(folder, OURS) == before


@pytest.mark.parametrize('length, reason', [
    (4, ''), (3, "length is 3 and task 'data' has no held-out example of so .* is 2, or .*"),
    (5, "length is 5 and task 'data' has no held-out example of so .* is 4, or .*")])
def test_a_task_from_data_is_tested_on_lengths_that_it_has(own, length, reason):
  words = [np.ones((n, 8)) for n in (1, 2, 3, 4)]
  tasks.register(tasks.from_arrays('data', words, words, validation=[1, 3]))
  protocol.OWN['data'] = protocol.Protocol(
      4, (protocol.Test('4', 4),), (1, 2, 3, 4, 8), 'trained on 1 to 4 items', scored=(2, length))
  cell = cells.Cell('gru', 'data')
  assert re.fullmatch(reason, cell.obstacle(cell.config(1, 100)))
  assert protocol.of('data').lengths(tasks.get('data')) == (2, 4)


def counted(tests):
  """A seed whose tests have so many sequences, and so many right."""
  return {'tests': {name: dict(zip(('sequences', 'sequences_right'), counts))
                    for name, counts in tests.items()}}


@pytest.mark.parametrize('tests, right', [
    ({}, False), ({'a': (4, 4)}, True), ({'a': (4, 4), 'b': (4, 3)}, False),
    ({'a': (0, 0)}, False)])
def test_right_throughout_is_of_something(tests, right):
  assert execute.succeeded(counted(tests)) == right


@pytest.mark.parametrize('wrong, sequences, tried', [
    (0, 1, [4]), (0, 8, [4]), (0, 9, [4, 5]), (1, 9, [4])])
def test_more_sequences_are_for_those_who_are_right_in_the_first(wrong, sequences, tried):
  batches = []

  class Tester:
    batch_size = 2

    def test(self, params, length, count):
      batches.append(count)
      return evaluation.Counts(*[2 * count] * 5, 2 * count - wrong)

  found = execute._test(Tester(), None, 5, 4, sequences)
  assert batches == tried
  assert found.sequences == 2 * tried[-1]


@pytest.mark.parametrize('seeds, marked', [
    ([[(3200, 3200), (128, 128)]], True), ([[(3200, 3200), (128, 128)], [(128, 127)]], True),
    ([[(128, 128), (3200, 3200)]], False), ([[(3200, 3200)], [(128, 128)]], False),
    ([[(3200, 3199)]], False)])
def test_a_cell_is_marked_where_every_seed_that_is_right_is_so_in_many(seeds, marked):
  record = {'seeds': [counted(dict(zip('ab', tests))) for tests in seeds]}
  assert scores.on_many(record) == marked


def test_proved_seeds_are_counted_and_the_reasons_of_the_others():
  said = [{'still_open': ''}, {'still_open': 'loose'}, {}, {'still_open': ''}]
  rows = document._proved({'lstm/own': {'seeds': [{}]}, 'maes/own': {'seeds': said}})
  assert rows[-2] == '| maes/own | 2 of 4 | 1 × loose |'
  assert 'lstm' not in '\n'.join(rows)
  assert not document._proved({'lstm/own': {'seeds': [{}]}})


@pytest.fixture
def untested(monkeypatch):
  """Cells of few sequences that are only trained."""
  monkeypatch.setattr(protocol, 'of', lambda task: SMALL)
  monkeypatch.setattr(execute, '_testers', lambda cell, config: {})
  monkeypatch.setattr(execute, '_tested', lambda *args: {'tests': {}})


@pytest.mark.usefixtures('untested')
def test_a_cell_out_of_time_goes_on_where_it_was(tmp_path):
  """A window at first; with more minutes the rest, and no row of the log twice."""
  short, long = (execute.Settings(tmp_path / 'w', tmp_path / 'r', seeds=1, minutes=minutes,
                                  max_iterations=300) for minutes in (1e-12, 5.))
  assert execute.execute(STRINGS, short).endswith('ended by minutes')
  first = execute.read(short.results, STRINGS)
  assert (first['ended'], first['seeds'][0]['iterations']) == ('minutes', 100)
  assert execute.done(STRINGS, short) and not execute.done(STRINGS, long)
  execute.execute(STRINGS, long)
  last = execute.read(long.results, STRINGS)
  assert (last['ended'], last['seeds'][0]['iterations']) == ('max_iterations', 300)
  assert last['train_seconds'] > first['train_seconds'] >= 0
  rows = metrics.read(tmp_path / 'w' / STRINGS.name / 'metrics.jsonl')
  assert [row['iteration'] for row in rows] == [100, 200, 300]
  assert execute.done(STRINGS, long)


@pytest.mark.usefixtures('untested')
def test_a_cell_that_was_cut_off_in_its_tests_trains_no_more(tmp_path):
  settings = execute.Settings(tmp_path / 'w', tmp_path / 'r', seeds=1, minutes=.01)
  execute.execute(STRINGS, settings)
  whole = execute.read(settings.results, STRINGS)
  (tmp_path / 'r' / 'suite' / f'{STRINGS.name}.json').unlink()
  execute.execute(STRINGS, settings)
  again = execute.read(settings.results, STRINGS)
  assert again['seeds'] == whole['seeds']
  assert again['seconds'] >= again['train_seconds'] - .1 >= .5


@pytest.mark.usefixtures('untested')
def test_less_does_not_replace_a_record_of_more(tmp_path):
  more = execute.Settings(tmp_path / 'w', tmp_path / 'r', seeds=2, minutes=1e-6)
  execute.execute(STRINGS, more)
  record = execute.read(more.results, STRINGS)
  less = dataclasses.replace(more, seeds=1, minutes=5., workdir=tmp_path / 'other')
  assert not execute.done(STRINGS, less)
  with pytest.raises(errors.UserError, match='json is of --seeds=2, --minutes=1e-06'):
    execute.execute(STRINGS, less)
  assert execute.read(more.results, STRINGS) == record
  assert not (tmp_path / 'other').exists()


@pytest.mark.parametrize('said', ['', 'null', '[1]', 'NaN', '-1000'])
def test_a_damaged_clock_is_named(tmp_path, said):
  (tmp_path / 'seconds').write_text(said)
  with pytest.raises(errors.UserError, match=r'seconds is damaged'):
    execute._Clock(tmp_path / 'seconds')


def test_one_that_fails_leaves_the_others_be(tmp_path, monkeypatch, capfd):
  failing = {
      'carry': errors.UserError('no room'), 'ignore': RuntimeError('RESOURCE_EXHAUSTED: x'),
      'n_back': TypeError('a tracer'), 'forget': KeyError('x'), 'odd_recall': AssertionError()}

  def run(cell, settings):
    if cell.task in failing:
      raise failing[cell.task]
    return cell.name
  monkeypatch.setattr(execute, 'execute', run)
  ended = []
  with pytest.raises(errors.UserError, match=(
      r'not finished: gru/carry \(no room\), gru/ignore \(out of memory .*\), gru/n_back \(/.*'
      r'test_suite\.py:\d+: TypeError: a tracer\), gru/forget \(.* KeyError: .*\), '
      r'gru/odd_recall \(.*AssertionError:\); run the same')):
    execute.execute_all(cells.select(['gru'], [*failing, 'parity_check']), None, ended.append)
  assert ended == [1, 2, 3, 4, 5, 6] and 'gru/parity_check' in capfd.readouterr().err


def test_parts_of_the_matrix_name_every_task_once():
  members = [task for part in protocol.GROUPS.values() for task in part]
  assert sorted(members) == sorted(tasks.TASKS)
  assert [cell.name for cell in cells.select(['gru', 'maes'], ['dual', 'carry'])][:3] == [
      'gru/ignore', 'maes/ignore', 'gru/carry']
  assert len(cells.select(cells.MODELS, [cells.ALL])) == len(tasks.TASKS) * len(cells.MODELS)
  assert set(published.STRINGS) == set(protocol.GROUPS['strings'])


@pytest.mark.parametrize('task', tasks.TASKS)
def test_every_task_has_lengths_and_memories_that_go_together(task):
  for model in cells.MODELS:
    config = cells.Cell(model, task).config(1, 100)  # Refuses what does not.
    assert config.validation_length == 2 * config.max_length
    assert min(config.min_length, config.start_min_length) >= tasks.get(task).shortest
  assert protocol.of(task).lengths(tasks.get(task))


@pytest.mark.parametrize('task', ['carry', 'repeat_copy', 'duplicate_string', 'serial_recall'])
def test_a_model_that_keeps_every_step_has_room_for_all(task):
  """A Transformer in the memory of the others would forget what came first."""
  cell, config = cells.Cell('transformer', task), cells.Cell('ntm', task).config(5, 100)
  assert not cell.obstacle(cell.config(5, 100))
  in_theirs = dataclasses.replace(
      cell.config(5, 100), memory=config.memory, validation_memory=config.validation_memory)
  forgets = 'Transformer forgets the first with' in cell.obstacle(in_theirs)
  assert forgets == (task != 'serial_recall')


def test_models_that_are_slow_at_length_are_tested_on_less():
  effort = {name: cells.Cell(*name.split('/')).effort for name in (
      'maes/forget', 'dnc/forget', 'dnc/carry', 'dnc/n_back', 'lstm/even_pairs', 'my_model/mine')}
  assert effort['maes/forget'] == effort['my_model/mine'] == cells.Effort()
  assert effort['dnc/forget'] == effort['dnc/carry'] != effort['dnc/n_back']
  assert all(each.row <= 8 and each.batch <= 8 for name, each in effort.items()
             if name.startswith(('dnc', 'lstm')))


def test_a_question_about_pictures_is_asked_of_many():
  effort = {name: cells.Cell(name, 'picture_match').effort for name in ('maes', 'gru', 'dnc')}
  assert effort['maes'] == effort['gru'] != cells.Effort()
  assert effort['maes'].row == effort['maes'].others * effort['maes'].batch == 256
  assert effort['dnc'] == cells.Cell('dnc', 'serial_recall').effort


def test_dual_tasks_are_cut_as_published():
  (test, whole) = protocol.of('forget').tests
  made = test.made('forget')
  assert (made.name, test.length, whole.length) == ('forget', 1000, 1000)
  assert made.ask.keywords['cuts'] == tasks.dual.Cuts(20, 50)


@pytest.mark.parametrize('models, names, words', [
    (['maess'], ['carry'], "unknown model 'maess': .* did you mean 'maes'"),
    (['maes'], ['carri'], "unknown task 'carri': .* did you mean 'carry'")])
def test_unknown_names(models, names, words):
  with pytest.raises(errors.UserError, match=words) as error:
    cells.select(models, names)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('flags, words', [
    ((), 'no folder for the runs; give --workdir'),
    (('--workdir=',), 'name a folder'),
    (('--workdir=runs', '--minutes=0'), 'minutes is 0.0; it must be more than 0'),
    (('--workdir=runs', '--output=S.md'), '--output is of no use without --render'),
    (('--render',), '--models is of no use with --render, which writes about all records')])
def test_wrong_flags_get_one_line_and_write_nothing(tmp_path, flags, words):
  done = launch(tmp_path, '--models=gru', '--tasks=carry', *flags)
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()[-1:]
  assert words in line and 'Traceback' not in done.stderr
  assert [path.name for path in tmp_path.iterdir()] == ['own.py']


@pytest.mark.parametrize('every, iterations, starts', [
    (0, 5000, 1), (2000, 100, 1), (2000, 2000, 1), (2000, 2100, 2), (2000, 5000, 3),
    (2000, 8000, 3), (9000, 8000, 1)])
def test_starts_are_counted_from_iterations(every, iterations, starts):
  seed = {'iterations': iterations}
  config = {'restart_every': every, 'max_iterations': 7900}
  assert scores.starts({'config': config}, seed) == starts
  assert scores.starts({'config': {}}, seed) == 1  # Of a record from before.


class TestDocument:

  def test_it_is_what_the_records_give(self):
    found = scores.found(ROOT / 'results')
    assert (ROOT / 'SUITE.md').read_text() == document.render(found)
    assert (ROOT / 'results' / 'suite.html').read_text() == page.render(found)

  def test_each_record_is_of_what_would_be_trained_and_tested_today(self):
    here = [cells.Cell(path.parent.name, path.stem)
            for path in (ROOT / 'results' / execute.FOLDER).glob('*/*.json')]
    stale = [cell.name for cell in here
             if not execute.as_today(execute.read(ROOT / 'results', cell), cell)]
    assert len(here) > 200 and not stale

  def test_a_users_own_have_a_row_and_a_column(self, results):
    text = document.render(scores.found(results))
    head, row = re.search(r"## Users' own\n\n(.*)\n.*\n(.*)\n", text).groups()
    assert (head, row) == ('| task | maes_frozen | my_model |', '| my_task | × | 0 of 2 |')

  def test_tasks_without_a_record_are_named(self):
    text = document.render({})
    for part in protocol.GROUPS.values():
      assert f'\nNot measured yet: {", ".join(part)}.\n' in text

  def test_what_is_not_possible_stands_there_with_its_reason(self, results):
    assert '| maes_frozen | my_task | E_J reads 10 numbers an item' in document.render(
        scores.found(results))

  def test_a_score_stands_beside_those_that_were_published(self, results):
    score = max(seed['score'] for seed in execute.read(results, STRINGS)['seeds'])
    assert f'| {100 * score:.0f} | 100 | 100 | 100 | 52 | 100 |\n' in document.render(
        scores.found(results))

  @pytest.mark.parametrize('text', ['{', '{"name": "gru/carry"}'])
  def test_a_damaged_record_is_named(self, tmp_path, text):
    file = tmp_path / 'suite' / 'gru' / 'carry.json'
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(errors.UserError, match=r'carry\.json is damaged.* run this cell again'):
      scores.found(tmp_path)


  @pytest.mark.parametrize('key', sorted(execute._KEYS))
  def test_a_record_without_one_of_its_parts_is_damaged(self, results, tmp_path, key):
    folder = rewritten(results, tmp_path, OURS)
    file = folder / execute.FOLDER / f'{OURS.name}.json'
    record = json.loads(file.read_text())
    del record[key]
    file.write_text(json.dumps(record))
    with pytest.raises(errors.UserError, match=r'my_task\.json is damaged.* run this cell again'):
      scores.found(folder)

  @pytest.mark.parametrize('changes', [{'model': 'gru'}, {'task': 'carry'}])
  def test_a_record_of_another_cell_is_none_of_this(self, results, tmp_path, changes):
    folder = rewritten(results, tmp_path, OURS, **changes)
    with pytest.raises(errors.UserError, match=r'my_task\.json is of .*; put it where it belongs'):
      scores.found(folder)

  @pytest.mark.parametrize('part', ['tests', 'curve', 'iterations'])
  def test_what_is_wrong_deep_within_is_told_in_a_line(self, results, tmp_path, part):
    record = execute.read(results, STRINGS)
    del record['seeds'][1][part]
    path = tmp_path / 'results' / execute.FOLDER / f'{STRINGS.name}.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    done = launch(tmp_path, '--render')
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "a record in results is damaged: one of its parts is missing or of another kind " in (
        done.stderr) and f"(KeyError: '{part}')" in done.stderr
    assert not (tmp_path / 'SUITE.md').exists()

  def test_a_folder_without_records_leaves_the_document_be(self, tmp_path):
    (tmp_path / 'SUITE.md').write_text('mine')
    done = launch(tmp_path, '--render', '--results=reslts')
    assert done.stderr == ('error: no records of the matrix in reslts/suite; give the folder above '
                           'theirs as --results\n')
    assert (tmp_path / 'SUITE.md').read_text() == 'mine' and not (tmp_path / 'reslts').exists()

  def test_protocols_are_those_that_were_trained_by(self, results, tmp_path):
    """Not those of today; where one task has two, the models of each are named."""
    found = scores.found(rewritten(results, tmp_path, STRINGS, protocol='trained on 3 items'))
    text = document.render(found)
    assert '| parity_check | trained on 3 items |' in text
    both = found | {'lstm/parity_check': found[STRINGS.name] | {
        'model': 'lstm', 'protocol': 'trained on 4 items'}}
    text = document.render(both)
    assert '| parity_check (gru) | trained on 3 items |' in text
    assert '| parity_check (lstm) | trained on 4 items |' in text


def seed(curve, right):
  test = {'sequences': 4, 'sequences_right': right}
  return {'curve': curve, 'tests': {'a': {**test, 'sequences_right': 4}, 'b': test}}


@pytest.mark.parametrize('seeds, level, reach', [
    ([seed({'10': 1., '100': 1.}, 4)] * 2, scores.ALL, 100),
    ([seed({'10': 1., '100': 1.}, 4), seed({'10': .5, '100': .5}, 0)], scores.SOME, 100),
    ([seed({'10': 1., '100': 1.}, 3)], scores.BEYOND, 100),
    ([seed({'100': 1., '10': .5}, 0), seed({'100': .98, '10': .99}, 0)], scores.TRAINED, 10),
    ([seed({'10': .98, '100': 1.}, 0)], scores.NOTHING, 0)])
def test_how_far_a_cell_got(seeds, level, reach):
  found = {'impossible': '', 'task': 'carry', 'trained_to': 10, 'seeds': seeds}
  assert (scores.level(found), scores.reach(found)) == (level, reach)


def test_pictures_never_seen_are_allowed_some_errors():
  seeds = [seed({'10': .95, '100': .91, '1000': .89}, 0), seed({'10': .96, '100': .5}, 0)]
  found = {'impossible': '', 'task': 'picture_match', 'trained_to': 10, 'seeds': seeds}
  assert (scores.level(found), scores.reach(found)) == (scores.BEYOND, 100)
  others = {**found, 'task': 'carry'}
  assert document._pictures({'maes/picture_match': found, 'maes/carry': others})[-3:] == [
      '|---|---|---|---|', '| maes/picture_match | 95; 96 | 91; 50 | 89; · |', '']
  assert not document._pictures({'maes/picture_match': {**found, 'seeds': []}})


def test_how_far_models_are_right_is_told_seed_by_seed():
  cell = lambda model, task, *seeds: (f'{model}/{task}', {
      'model': model, 'task': task, 'seeds': [{'curve': {'5': share}} for share in seeds]})
  found = dict([cell('lru', 'odd_recall', .5, 1.), cell('maes', 'odd_recall', .9),
                cell('dwm', 'odd_recall'), cell('gru', 'carry', 1.)])
  shares = scores.shares(found)
  assert shares == {'odd_recall': {'maes': {5: [.9]}, 'lru': {5: [.5, 1.]}}}
  assert [*shares['odd_recall']] == ['maes', 'lru']  # Those of the matrix first.


def test_the_page_of_a_seed_that_diverged_is_json(results):
  """What JSON has no word for would leave the whole page empty."""
  record = execute.read(results, STRINGS)
  record['seeds'][1]['loss'] = float('inf')
  text = page.render({STRINGS.name: record})
  (said,) = re.findall(r'id="matrix">(.*?)</script>', text)
  cell = json.loads(said, parse_constant=pytest.fail)['cells'][STRINGS.name]
  assert [seed['loss'] for seed in cell['seeds']] == [record['seeds'][0]['loss'], None]


@pytest.fixture(scope='module')
def opened(browser, results, tmp_path_factory):
  """The page, in a browser without a network, and all that the browser complained."""
  path = tmp_path_factory.mktemp('page') / 'suite.html'
  path.write_text(page.render(scores.found(results)))
  context = browser.new_context(
      offline=True, color_scheme='dark', viewport={'width': 1280, 'height': 900})
  tab, complaints = context.new_page(), []
  tab.on('pageerror', lambda error: complaints.append(str(error)))
  tab.on('console', lambda message: complaints.append(message.text))
  tab.on('request', lambda request: complaints.append(request.url)
         if request.url != path.as_uri() and not request.url.startswith('data:') else None)
  tab.goto(path.as_uri())
  yield tab, complaints
  context.close()


class TestPage:

  def test_every_cell_with_a_record_is_there_and_no_other(self, opened):
    tab, complaints = opened
    names = tab.locator('button[data-cell]').evaluate_all('all => all.map(b => b.dataset.cell)')
    assert sorted(names) == sorted(cell.name for cell in (OURS, IMPOSSIBLE, STRINGS))
    for cell in (OURS, STRINGS):
      part = tab.locator('.part', has=tab.locator(f'button[data-cell="{cell.name}"]'))
      assert part.locator('tbody tr').count() == 1
    todo = [name for name in tasks.TASKS if name not in (OURS.task, STRINGS.task)]
    assert sorted(re.findall(r'[a-z_0-9]+(?=[,.])', ' '.join(
        tab.locator('.part .note').all_inner_texts()))) == sorted(todo)
    assert complaints == []

  def test_a_click_opens_curves_and_seeds(self, opened, results):
    tab, complaints = opened
    tab.locator(f'button[data-cell="{STRINGS.name}"]').click()
    assert tab.locator('#cell h2').inner_text() == 'gru on parity_check'
    assert tab.locator('#cell polyline.seed').count() == 2 * 2
    rows = tab.locator('#cell tbody tr').all_inner_texts()
    assert [row.split()[:5] for row in rows] == [
        [str(k), 'never', '100', '1', 'max_iterations'] for k in range(2)]
    test = execute.read(results, STRINGS)['seeds'][1]['tests']['4']
    assert f'{100 * test["units_right"] / test["units"]:.1f} %' in rows[1]
    assert f'{test["sequences_right"]} of 32' in rows[1]
    assert 'Delétang et al., ICLR 2023, in percent: RNN 100' in tab.locator('#cell').inner_text()
    assert complaints == []

  def test_what_was_tested_on_many_and_what_is_proved(self, browser, results, tmp_path):
    record = execute.read(results, STRINGS)
    for seed, proof in zip(record['seeds'], ({'still_open': ''}, {'still_open': 'too wide'})):
      for test in seed['tests'].values():
        test.update(sequences=3200, sequences_right=3200)
      seed.update(proof)
    (tmp_path / 'suite.html').write_text(page.render({STRINGS.name: record}))
    tab = browser.new_page()
    tab.goto((tmp_path / 'suite.html').as_uri())
    tab.locator('button[data-cell]').click()
    assert tab.locator('button[data-cell]').inner_text() == '2/2†'
    assert tab.locator('#cell thead th').last.inner_text() == 'proved at every length'
    assert tab.locator('#cell tbody td:last-child').all_inner_texts() == ['yes', 'open: too wide']
    tab.close()

  def test_an_impossible_one_says_why(self, opened):
    tab, _ = opened
    tab.locator(f'button[data-cell="{IMPOSSIBLE.name}"]').click()
    assert 'E_J reads 10 numbers' in tab.locator('#cell .why').inner_text()
    assert tab.evaluate('location.hash') == f'#{IMPOSSIBLE.name}'

  def test_all_of_it_is_on_one_screen(self, opened):
    tab, _ = opened
    tab.locator(f'button[data-cell="{STRINGS.name}"]').click()
    assert tab.evaluate('document.documentElement.scrollWidth') <= 1280
    assert tab.evaluate('document.documentElement.scrollHeight') <= 960


def test_records_are_json_of_numbers(results):
  """No NaN, which JSON does not have."""
  for file in results.rglob('*.json'):
    json.loads(file.read_text(), parse_constant=pytest.fail)
