"""Every binary run for real, as a user would, right and wrong."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

from PIL import Image
import pytest

from maes_jax.config import Config

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ('--hold=0', '--grow=0', '--start_length=5', '--max_length=5', '--memory=8',
         '--validation_length=5', '--validation_memory=8', '--max_iterations=100')


@pytest.fixture(scope='module')
def launch(tmp_path_factory):
  """Runs a binary; compiled programs are shared by the tests of this file."""
  environment = os.environ | {'XDG_CACHE_HOME': str(tmp_path_factory.mktemp('cache')),
                              'JAX_PLATFORMS': 'cpu', 'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}

  def run(binary, *flags, **more):
    return subprocess.run([sys.executable, '-m', f'experiments.{binary}', *flags], cwd=ROOT,
                          env=environment | more, capture_output=True, text=True, check=False)
  return run


@pytest.fixture(scope='module')
def joint(launch, tmp_path_factory):
  """A trained run of two tasks on one encoder, with the other reading of line 3."""
  path = tmp_path_factory.mktemp('runs') / 'joint'
  flags = ('--task=serial_recall,reverse_recall', '--line3=move_first', *SMALL)
  done = launch('train', *flags, '--seeds=2', f'--workdir={path}')
  assert done.returncode == 0, done.stderr
  return path, flags, done.stdout


def contents(path):
  return {file: file.read_bytes() for file in sorted(path.rglob('*')) if file.is_file()}


def assert_one_line(result, *words):
  assert result.returncode == 1
  assert 'Traceback' not in result.stderr
  assert len(result.stderr.strip().splitlines()) == 1, result.stderr
  for word in words:
    assert word in result.stderr


def test_the_same_command_again_trains_nothing_more(launch, joint):
  path, flags, printed = joint
  metrics = (path / 'metrics.jsonl').read_bytes()
  again = launch('train', *flags, '--seeds=2', f'--workdir={path}')
  assert again.stdout == printed
  assert (path / 'metrics.jsonl').read_bytes() == metrics
  assert [json.loads(line)['model'] for line in metrics.splitlines()] == [0, 1]


def test_another_config_on_a_workdir_names_the_fields_and_harms_nothing(launch, joint):
  path, flags, _ = joint
  before = contents(path)
  assert_one_line(launch('train', *flags, f'--workdir={path}', '--seeds=3', '--clip=1'),
                  'seeds', 'clip')
  assert contents(path) == before


def test_evaluation_counts_every_bit_and_draws(launch, joint, tmp_path):
  path, _, _ = joint
  result = launch('evaluate', f'--checkpoint={path}', '--task=reverse_recall', '--length=7',
                  '--memory=40', '--batches=3', '--batch_size=5', f'--json={tmp_path}/r.json',
                  '--figure_length=6', f'--figure={tmp_path}/a.png')
  assert result.returncode == 0, result.stderr
  counted = json.loads((tmp_path / 'r.json').read_text())
  assert (counted['sequences'], counted['bits']) == (15, 15 * 7 * 8)
  assert counted['bit_accuracy'] == counted['bits_right'] / counted['bits']
  # Of bits there is no interval: those of one sequence go wrong together.
  assert [name for name in counted if 'interval' in name] == ['sequence_interval_95']
  assert counted['solver'] == counted['task'] == 'reverse_recall'
  assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')


def test_inspection_writes_a_page_a_picture_and_a_film(launch, joint, tmp_path):
  path, _, _ = joint
  files = [tmp_path / 'new' / f'memory.{kind}' for kind in ('html', 'png', 'gif')]
  result = launch('inspect', f'--checkpoint={path}', '--task=reverse_recall', '--length=3',
                  *(f'--{file.suffix[1:]}={file}' for file in files))
  assert result.returncode == 0, result.stderr
  assert 'of 24 bits wrong' in result.stdout
  starts = [file.read_bytes()[:15] for file in files]
  assert [b'<!DOCTYPE html>'.startswith(starts[0]), starts[1][:4], starts[2][:6]] == [
      True, b'\x89PNG', b'GIF89a']
  with Image.open(files[2]) as film:
    assert film.n_frames == 8


@pytest.mark.parametrize(('flags', 'words'), [
    ((), ('nothing to write', '--html=FILE')),
    (('--html=/proc/memory.html',), ('cannot write /proc/memory.html',)),
    (('--html=x.html', '--length=5000'), ('25,000,000', 'use a length of at most 248 ')),
    (('--html=x.html', '--length=20', '--memory=20'), ('at least 21',)),
])
def test_wrong_inspections_get_one_line(launch, joint, flags, words):
  assert_one_line(
      launch('inspect', f'--checkpoint={joint[0]}', '--task=reverse_recall', *flags), *words)


def test_a_shipped_model_goes_by_its_name(launch, tmp_path):
  result = launch('inspect', '--checkpoint=E_J', '--task=serial_recall', f'--png={tmp_path}/a.png')
  assert result.returncode == 0, result.stderr
  assert ': 0 of 160 bits wrong' in result.stdout


def test_transfer_trains_a_solver_of_another_task(launch, joint, tmp_path):
  path, _, _ = joint
  small = [flag for flag in SMALL if 'start' not in flag]
  result = launch('transfer', f'--encoder={path}', '--task=sequence_comparison',
                  '--line3=move_first', '--batch_size=2', f'--workdir={tmp_path}/run', *small,
                  '--start_length=5')
  assert result.returncode == 0, result.stderr
  tested = launch('evaluate', f'--checkpoint={tmp_path}/run', '--length=5', '--memory=8',
                  '--batches=1')
  assert tested.returncode == 0, tested.stderr
  assert 'sequence_comparison' in tested.stdout


def test_an_encoder_of_other_sizes_is_refused(launch, joint, tmp_path):
  path, _, _ = joint
  result = launch('transfer', f'--encoder={path}', '--task=odd_recall', '--units=4',
                  f'--workdir={tmp_path}/run')
  assert_one_line(result, 'units=5', 'units=4')
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(('flag', 'words'), [
    ('--task=serial_recal', ('sequence_equality', "did you mean 'serial_recall'")),
    ('--model=maess', ("did you mean 'maes'",)),
    ('--max_length=40', ('at least 41',)),
    ('--shift_range=15', ('31 taps', 'at least 31')),
    ('--batch_size=-1', ('--batch_size=-1',)),
    ('--learning_rate=nan', ('learning_rate',)),
    ('--tsk=odd_recall', ('tsk',)),
    ('--plugins=no_such_module', ('no_such_module',)),
    ('--save_seconds=nan', ('--save_seconds=nan', 'a number of 0 or more')),
])
def test_wrong_flags_get_one_line_and_write_nothing(launch, tmp_path, flag, words):
  assert_one_line(launch('train', f'--workdir={tmp_path}/run', flag), *words)
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(('text', 'words'), [
    ('def f():\n  1 / 0\nf()', ('my_plugin.py:2: ZeroDivisionError: division by zero',)),
    ('import no_such', ("No module named 'no_such'",)),
    ('import sys; sys.exit(3)', ('my_plugin.py:1: SystemExit: 3',)),
    ('raise GeneratorExit', ('my_plugin.py:1: GeneratorExit',)),
    ('def', ('SyntaxError: invalid syntax (my_plugin.py, line 1)',)),
    ('assert False', ('AssertionError',))])
def test_a_plugin_that_raises_gets_one_line(launch, tmp_path, text, words):
  (tmp_path / 'my_plugin.py').write_text(text)
  path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get('PYTHONPATH')])])
  result = launch('train', f'--workdir={tmp_path}/run', '--plugins=my_plugin', PYTHONPATH=path)
  assert_one_line(result, "plugin 'my_plugin' cannot be imported", *words)
  assert not (tmp_path / 'run').exists()


def test_an_installed_program_finds_plugins_in_the_current_folder(tmp_path):
  (tmp_path / 'my_plugin.py').write_text('raise ValueError("found")')
  program = 'from experiments.train import program; program()'
  result = subprocess.run(  # -P: as where another folder than this is the first of the path.
      [sys.executable, '-P', '-c', program, '--workdir=run', '--plugins=my_plugin'], cwd=tmp_path,
      env=os.environ | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}, capture_output=True,
      text=True, check=False)
  assert_one_line(result, 'my_plugin.py:1: ValueError: found')


@pytest.mark.parametrize('flags', [
    ('train', '--workdir={here}/run'), ('evaluate', '--checkpoint=E_J', '--task=serial_recall'),
    ('inspect', '--checkpoint=E_J', '--task=serial_recall', '--png={here}/a.png')])
@pytest.mark.parametrize('platform', ['nonsense', 'cpu,nonsense'])
def test_a_platform_that_is_not_there(launch, tmp_path, flags, platform):
  binary, *flags = [flag.format(here=tmp_path) for flag in flags]
  assert_one_line(launch(binary, *flags, JAX_PLATFORMS=platform),
                  f'no device of the platform {platform!r} that JAX_PLATFORMS names', 'unset it')
  assert not any(tmp_path.iterdir())


def test_a_run_whose_reader_has_gone_goes_on(launch, joint, tmp_path):
  """The reader of its progress, e.g. `head` or a terminal that was closed."""
  _, flags, printed = joint
  reader, writer = os.pipe()
  os.close(reader)
  words = [sys.executable, '-m', 'experiments.train', *flags, '--seeds=2',
           f'--workdir={tmp_path}/run']
  done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=writer, text=True,
                        env=os.environ | {'JAX_PLATFORMS': 'cpu'}, check=False)
  os.close(writer)
  assert (done.returncode, done.stdout) == (0, printed)
  assert_one_line(launch('train', *flags, f'--workdir={tmp_path}/run', '--seeds=3'), 'seeds')


@pytest.mark.parametrize('to', ['/dev/full', None])
def test_a_result_is_written_though_it_cannot_be_printed(joint, tmp_path, to):
  path, _, _ = joint
  reader, writer = os.pipe()
  os.close(reader)
  words = [sys.executable, '-m', 'experiments.evaluate', f'--checkpoint={path}', '--length=5',
           '--task=serial_recall', '--memory=8', '--batches=1', f'--json={tmp_path}/r.json']
  with open(to, 'wb') if to else open(writer, 'wb') as stdout:
    done = subprocess.run(words, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          env=os.environ | {'JAX_PLATFORMS': 'cpu'}, check=False)
  assert json.loads((tmp_path / 'r.json').read_text())['length'] == 5
  if to:
    assert_one_line(done, 'cannot write to stdout: No space left on device')
  else:
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('environment', [
    {'PYTHONIOENCODING': 'ascii'},
    {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}])
def test_a_locale_that_knows_ascii_alone(launch, joint, tmp_path, environment):
  path, _, _ = joint
  here = tmp_path / 'Gedächtnis'
  result = launch('inspect', f'--checkpoint={path}', '--task=reverse_recall', '--length=3',
                  f'--html={here}/memory.html', f'--png={here}/memory.png', **environment)
  assert result.returncode == 0, result.stderr
  assert {file.name for file in here.iterdir()} == {'memory.html', 'memory.png'}
  (here / 'memory.html').read_text(encoding='utf-8')
  assert_one_line(launch('evaluate', f'--checkpoint={here}/none', **environment),
                  'no training run in', 'Ged')


def test_a_workdir_that_cannot_be_written(launch, tmp_path):
  (tmp_path / 'file').write_text('mine')
  assert_one_line(launch('train', f'--workdir={tmp_path}/file/run'), 'cannot be used')
  assert (tmp_path / 'file').read_text() == 'mine'


@pytest.mark.parametrize(('flags', 'words'), [
    (('--length=1024',), ('at least 1025',)),
    (('--task=odd_recall', '--length=5'), ('serial_recall, reverse_recall',)),
    (('--length=0',), ('--length=0',)),
    (('--task=serial_recall', '--length=5', '--model_index=2'), ('0 to 1',)),
])
def test_wrong_tests_get_one_line(launch, joint, flags, words):
  assert_one_line(launch('evaluate', f'--checkpoint={joint[0]}', *flags), *words)


def test_a_missing_checkpoint(launch, tmp_path):
  assert_one_line(launch('evaluate', f'--checkpoint={tmp_path}/none'), 'no training run')


def test_a_truncated_checkpoint(launch, joint, tmp_path):
  broken = tmp_path / 'broken'
  for file, content in contents(joint[0]).items():
    copy = broken / file.relative_to(joint[0])
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content[:len(content) // 2] if 'checkpoints' in file.parts else content)
  result = launch('evaluate', f'--checkpoint={broken}', '--task=serial_recall', '--length=5')
  assert result.returncode == 1
  assert 'Traceback' not in result.stderr
  assert 'no intact checkpoint' in result.stderr.splitlines()[-1]


def test_a_part_of_the_paper_from_nothing_to_its_record(launch, tmp_path):
  """The record is written once; a second launch finds it and does nothing."""
  flags = ('--only=plain/E_S', f'--workdir={tmp_path}/w', f'--results={tmp_path}/r', '--seeds=1')
  small = ('--length=40', '--memory=64', '--batches=1', '--max_iterations=100')
  first = launch('reproduce', *flags, *small)
  assert first.returncode == 0, first.stderr
  record = (tmp_path / 'r' / 'plain' / 'E_S.json').read_bytes()
  assert json.loads(record)['seeds'][0]['iterations'] == 100
  again = launch('reproduce', *flags, *small)
  assert again.stderr.startswith('nothing to run: all records are in ')
  assert (tmp_path / 'r' / 'plain' / 'E_S.json').read_bytes() == record


@pytest.mark.parametrize(('binary', 'part'), [
    ('reproduce', '--only=plain/E_S'), ('suite', '--tasks=carry')])
def test_records_that_cannot_be_written_are_refused_before_any_training(
    launch, tmp_path, binary, part):
  (tmp_path / 'file').write_text('mine')
  result = launch(binary, part, f'--workdir={tmp_path}/runs', f'--results={tmp_path}/file')
  assert_one_line(result, f'cannot write {tmp_path}/file: Not a directory; choose a folder')
  assert not (tmp_path / 'runs').exists()


@pytest.mark.parametrize(('seeds', 'words'), [
    (None, 'no records of the paper in {results}; give their folder'),
    ([], 'a record in {results} is damaged: one of its parts is missing or of another kind'),
    ([{'converged': 100}], "(KeyError: 'test'); restore the one that was changed")])
def test_documents_are_left_be_where_records_do_not_give_them(launch, tmp_path, seeds, words):
  results = tmp_path / 'results'
  if seeds is not None:
    results.mkdir()
    record = json.loads((ROOT / 'results' / 'E_S.json').read_text())
    (results / 'E_S.json').write_text(json.dumps(record | {'seeds': seeds}))
  (tmp_path / 'R.md').write_text('mine')
  result = launch('ledger', f'--results={results}', f'--output={tmp_path}/R.md', '--readme=',
                  f'--benchmarks={tmp_path}/B.md', '--nofigures')
  assert_one_line(result, words.format(results=results))
  assert (tmp_path / 'R.md').read_text() == 'mine'


def test_a_benchmark_writes_its_record(launch, tmp_path):
  """In the place of one of before, also where a link leads to that."""
  (tmp_path / 'there').write_text(json.dumps({'machine': '', 'limits': {}}))
  (tmp_path / 'b.json').symlink_to(tmp_path / 'there')
  result = launch('benchmark', '--only=limits', f'--json={tmp_path}/b.json')
  assert result.returncode == 0, result.stderr
  record = json.loads((tmp_path / 'b.json').read_text())
  assert record['limits']['one_core']['cores'] == 1 and record['rows'] == {}
  assert all(look['seconds'] > 0 for look in record['quiet']) and len(record['quiet']) == 2
  assert sorted(path.name for path in tmp_path.iterdir()) == ['b.json', 'there']
  assert (tmp_path / 'b.json').is_symlink()


def test_a_benchmark_of_a_part_leaves_a_record_of_more(launch, tmp_path):
  (tmp_path / 'b.json').write_text(had := json.dumps({'machine': '', 'rows': {'lstm': {}}}))
  result = launch('benchmark', '--only=limits', f'--json={tmp_path}/b.json')
  assert_one_line(result, 'b.json has lstm, too, of another run; give another file')
  assert (tmp_path / 'b.json').read_text() == had


@pytest.mark.parametrize('flags, words', [
    (('--only=limit',), "did you mean 'limits'"),
    (('--only=card_1_1',), 'card_1_1 is measured on an accelerator'),
    (('--only=limits', '--choices'), "unknown choice 'limits': it must be one of alone, ")])
def test_an_unknown_part_of_the_benchmark(launch, tmp_path, flags, words):
  result = launch('benchmark', *flags, f'--json={tmp_path}/b.json')
  assert_one_line(result, words)


@pytest.mark.parametrize('binary', [
    'train', 'transfer', 'evaluate', 'inspect', 'show_task', 'reproduce', 'suite'])
def test_help_fits_a_screen(launch, binary):
  result = launch(binary, '--help')
  assert result.returncode == 0, result.stderr
  lines = result.stdout.splitlines()
  assert len(lines) <= 40
  assert max(map(len, lines)) <= 100
  assert f'python -m experiments.{binary} --' in result.stdout
  if binary == 'transfer':  # It has a flag for every field.
    words = result.stdout.replace('=', ' ').split()
    assert all(words.count(f'--{field.name}') >= 1 for field in dataclasses.fields(Config))


class TestShowTask:

  def test_an_episode_in_words(self, launch):
    """The answers are the words that were read, in the order of the task."""
    done = launch('show_task', '--task=forget,bucket_sort', '--length=4', '--seed=6')
    assert done.returncode == 0, done.stderr
    forget, tokens = done.stdout.strip().split('\n\n')
    title, *lines = forget.splitlines()
    assert title.startswith('forget: length 4, ') and title.endswith('8 answers count')
    steps = [line.split() for line in lines if line.startswith(' ')]
    assert [int(step[0]) for step in steps] == list(range(len(steps)))
    read = [step[1] for step in steps if len(step) == 2]
    due = [step[-1] for step in steps if '->' in step]
    assert sorted(read) == sorted(due) and len(due) == 8
    assert {'encoder goes on where it was', 'forget/y_encoder begins anew', 'solver begins anew',
            'forget/y_solver begins anew'} == {line.split(',')[0] for line in lines
                                               if not line.startswith(' ')}
    assert [line.split()[-1] for line in tokens.splitlines() if '->' in line] == sorted(
        line.split()[-1] for line in tokens.splitlines()[3:7])

  def test_a_picture_of_several(self, launch, tmp_path):
    done = launch('show_task', '--task=n_back,serial_recall', f'--figure={tmp_path}/tasks.png')
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    with Image.open(tmp_path / 'tasks.png') as picture:
      assert picture.format == 'PNG'
      width, height = picture.size
    assert width > height  # Side by side.

  @pytest.mark.parametrize('flags, words', [
      (('--task=',), ('name at least one',)),
      (('--task=n_back', '--length=2'), ("'n_back' needs 3 items or more",)),
      (('--task=forget', '--length=1001'), ('length is 1,001; it must be at most 1,000',)),
      (('--task=forget', '--figure=/proc/x/y.png'), ('cannot write', '/proc/x/y.png')),
      ((), ('--task',))])
  def test_wrong_flags_get_one_line(self, launch, flags, words):
    assert_one_line(launch('show_task', *flags), *words)


class TestCertify:

  def test_a_shipped_model_is_certified_and_its_certificate_checked(self, launch, tmp_path):
    path = tmp_path / 'proof.json'
    done = launch('certify', '--checkpoint=E_J', '--task=reverse_recall', f'--json={path}')
    assert done.returncode == 0, done.stderr
    assert 'certified: right on every sequence of n items' in done.stdout
    checked = launch('certify', '--checkpoint=E_J', f'--check={path}')
    assert checked.returncode == 0, checked.stderr
    assert 'reverse_recall, model 0: the certificate holds; certified: right' in checked.stdout
    said = json.loads(path.read_text())
    said['verdicts'].append({**said['verdicts'][0], 'model_index': 7})
    path.write_text(json.dumps(said))
    checked = launch('certify', '--checkpoint=E_J', f'--check={path}')
    assert checked.stdout.endswith('not looked at: 1 more, of other models; give --model_index\n')
    path.write_text(json.dumps({**said, 'verdicts': said['verdicts'][1:]}))
    assert_one_line(launch('certify', '--checkpoint=E_J', f'--check={path}'),
                    'says nothing about this model')

  def test_a_certificate_of_another_model_or_a_damaged_one_is_refused(self, launch, tmp_path):
    path = tmp_path / 'proof.json'
    launch('certify', '--checkpoint=E_J', '--task=reverse_recall', f'--json={path}')
    other = launch('certify', '--checkpoint=E_J-reverse_recall', f'--check={path}')
    assert_one_line(other, 'of other parameters')
    path.write_text(path.read_text().replace('"eta": 0.0001', '"eta": 0.0002'))
    changed = launch('certify', '--checkpoint=E_J', f'--check={path}')
    assert_one_line(changed, 'changed')
    path.write_text('{')
    assert_one_line(launch('certify', '--checkpoint=E_J', f'--check={path}'), 'no certificates')
    assert_one_line(launch('certify', '--checkpoint=E_J', f'--check={path}', '--falsify'),
                    'which say what they are about; leave --falsify out')

  def test_what_is_refuted_ends_with_status_2(self, launch, joint, tmp_path):
    path, _, _ = joint
    result = launch('certify', f'--checkpoint={path}', '--task=serial_recall',
                    '--model_index=all', '--effort=10', f'--json={tmp_path}/verdicts.json')
    assert result.returncode == 2, result.stderr
    assert '0 of 2 certified' in result.stdout
    verdicts = json.loads((tmp_path / 'verdicts.json').read_text())['verdicts']
    assert [verdict['status'] for verdict in verdicts] == ['refuted', 'refuted']
    assert all(verdict['witness']['items'] for verdict in verdicts)
    unsearched = launch('certify', f'--checkpoint={path}', '--task=serial_recall', '--effort=0')
    assert (unsearched.returncode, unsearched.stderr) == (2, '')
    assert ': open: ' in unsearched.stdout

  def test_one_number_of_a_model_only_where_one_is_needed(self, launch):
    assert_one_line(launch('evaluate', '--checkpoint=E_J', '--task=serial_recall',
                           '--model_index=all'), 'give the number of one')
    assert_one_line(launch('evaluate', '--checkpoint=E_J', '--task=serial_recall',
                           '--model_index=first'), 'give the number of a model')

  def test_whose_solver_is_asked_is_said(self, launch, tmp_path):
    """That of Serial Recall repeats forwards; what is proved of the task's own is not of it."""
    asked = ('--checkpoint=E_J', '--task=reverse_recall', '--solver=serial_recall')
    shown = launch('inspect', *asked, '--length=5', f'--png={tmp_path}/a.png')
    assert shown.returncode == 0, shown.stderr
    assert ' random items, by its solver of serial_recall: ' in shown.stdout
    assert 'On all sequences' not in shown.stdout
    done = launch('certify', *asked, '--effort=10', f'--json={tmp_path}/verdict.json')
    assert 'model 0, by its solver of serial_recall: refuted' in done.stdout
    assert json.loads((tmp_path / 'verdict.json').read_text())['solver'] == 'serial_recall'
    checked = launch('certify', '--checkpoint=E_J', f'--check={tmp_path}/verdict.json')
    assert checked.returncode == 2, checked.stderr
    assert 'reverse_recall, model 0: it is wrong again; refuted: ' in checked.stdout

  def test_a_solver_is_asked_another_task(self, launch, tmp_path):
    done = launch('evaluate', '--checkpoint=E_J-sequence_comparison', '--task=hard_equality',
                  '--solver=sequence_comparison', '--length=1', '--memory=8', '--batches=1',
                  f'--json={tmp_path}/result.json')
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / 'result.json').read_text())['bit_accuracy'] == 1
