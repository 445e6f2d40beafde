"""What `certify` and `recheck` say, and to whom they say that nothing is known."""

import base64
import copy
import dataclasses
import json
import pathlib
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.shared import proofs
import maes_jax
from maes_jax import errors
from maes_jax import tasks
from maes_jax.certificates import claims
from maes_jax.certificates import seals
from maes_jax.certificates import verdict
from maes_jax.certificates.attention import Refused
from maes_jax.items import Bits
from tests.certificates import machines
from tests.certificates import test_checker

class Demanding(Bits):
  """Words whose bits are right only if the logit is far from 0."""

  def right(self, outputs, targets):
    return super().right(outputs, targets) & (jnp.abs(outputs) > 3)


SHIPPED = pathlib.Path(__file__).parents[2] / 'checkpoints'


@pytest.fixture(scope='module')
def certified():
  trained = maes_jax.load('E_S')
  return trained, verdict.certify(trained, effort=0)


def one_line(call, *args):
  with pytest.raises(maes_jax.UserError) as error:
    call(*args)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 500
  return str(error.value)


def test_a_shipped_model_is_certified(certified):
  trained, found = certified
  assert (found.status, found.reason, found.witness) == (verdict.CERTIFIED, '', None)
  assert 'right on every sequence of n items' in found.statement
  assert found.radius >= verdict.ETA
  read = json.loads(json.dumps(found.to_json()))['certificate']
  assert verdict.recheck(trained, read) >= read['margin']


@pytest.mark.parametrize('damage', [
    [], {}, None, 'x', 3, {'task': 'serial_recall'}, {'task': None}, {'task': 'none such'},
    {'task': 'reverse_recall'}], ids=repr)
def test_what_is_no_certificate_proves_nothing(certified, damage):
  one_line(verdict.recheck, certified[0], damage)


@pytest.mark.parametrize('effort', [-1, 1.5, 'x', True, None, 2**31], ids=repr)
def test_an_effort_that_is_no_number_of_sequences_is_said(certified, effort):
  for call in (verdict.certify, verdict.falsify_trained):
    assert 'effort is' in one_line(call, certified[0], 'serial_recall', effort)


VALUES = (None, 'x', [], {}, float('nan'), 10**400, -1, [[[]]], [1, 'x'], [['x'] * 10] * 2)


def test_damage_to_any_part_is_said_in_one_line(certified):
  trained, found = certified
  branches = [(key,) for key in found.certificate if key != 'seal'] + [
      (cell, key) for cell in ('encoder', 'solver') for key in found.certificate[cell]] + [
          ('encoder', 'attention', key) for key in found.certificate['encoder']['attention']]
  for path in branches:
    for value in VALUES:
      other = test_checker.changed(found.certificate, path, value)
      if path in (('task',), ('margin',)) and value in (-1, 'x'):
        continue  # See below.
      one_line(verdict.recheck, trained, test_checker.sealed(other))
    gone = copy.deepcopy(dict(found.certificate))
    inner = gone
    for key in path[:-1]:
      inner = inner[key]
    del inner[path[-1]]
    one_line(verdict.recheck, trained, gone)
    one_line(verdict.recheck, trained, test_checker.sealed(gone))
  for path, value in ((('task',), 'x'), (('margin',), -1)):
    one_line(verdict.recheck, trained, test_checker.sealed(
        test_checker.changed(found.certificate, path, value)))


@pytest.mark.parametrize('part, value', [
    ('right', lambda bits: 1 - bits), ('after', lambda states: states + 1)])
def test_another_claim_is_refused(certified, part, value):
  trained, found = certified
  packed = seals.packed(value(seals.unpacked(found.certificate['claim'][part])))
  other = test_checker.changed(found.certificate, ('claim', part), packed)
  assert 'it says claim' in one_line(verdict.recheck, trained, test_checker.sealed(other))


@pytest.mark.parametrize('part, value', [('line3', 'move_first'), ('add_activation', 'linear'),
                                         ('width', 9), ('control_bits', 3)])
def test_another_form_is_refused(certified, part, value):
  trained, found = certified
  other = test_checker.changed(found.certificate, ('form', part), value)
  assert 'it says form' in one_line(verdict.recheck, trained, test_checker.sealed(other))


def test_a_certificate_of_another_model_is_refused(certified):
  assert 'other parameters' in one_line(
      verdict.recheck, maes_jax.load('E_J-serial_recall'), certified[1].certificate)


def test_less_than_single_precision_is_not_certified(certified):
  """Its numbers are known exactly, but not what is computed from them."""
  trained, _ = certified
  half = maes_jax.trained.Trained(trained.config, trained.model, trained.index, {
      **trained.saved, 'params': machines.plain(trained.params)})
  low = lambda tree: {name: low(leaf) if isinstance(leaf, dict) else jnp.bfloat16(leaf)
                      for name, leaf in tree.items()}
  half.saved['params'] = low(half.params)
  found = verdict.certify(half, effort=0)
  assert (found.status, found.certificate) == (verdict.OPEN, None)
  assert 'single precision' in found.reason


def test_untrained_models_are_refuted():
  config = maes_jax.Config(task=('serial_recall',))
  model = maes_jax.build(config)
  trained = maes_jax.trained.Trained(config, model, 0, {
      'params': model.init(jax.random.key(0))})
  found = verdict.certify(trained, effort=1)
  assert found.status == verdict.REFUTED
  assert found.witness.wrong.any()
  assert len(found.witness.items) == 1
  json.dumps(found.to_json())
  assert verdict.certify(trained, effort=0).status == verdict.OPEN


@pytest.mark.parametrize('model', ['lstm', 'ntm', 'dnc'])
def test_other_models_are_told_that_no_proof_is_known(model):
  config = maes_jax.Config(model=model, task=('serial_recall',))
  built = maes_jax.build(config)
  trained = maes_jax.trained.Trained(config, built, 0, {'params': {}})
  assert 'no proof is known' in one_line(verdict.certify, trained)


def test_a_task_without_a_solver_is_said(certified):
  assert 'no solver' in one_line(verdict.certify, certified[0], 'odd_recall')
  assert 'none such' in one_line(verdict.certify, certified[0], 'none such')


@pytest.mark.parametrize('change, line', [
    ({'ask': tasks.get('reverse_recall').ask}, 'asks something else'),
    ({'items': Bits(7), 'outputs': 7, 'answers': Bits(7)}, 'items of 7 numbers'),
    ({'items': Bits(7), 'control_bits': 3, 'outputs': 7, 'answers': Bits(7)}, '1 x 3 control bits'),
    ({'answers': Demanding(8)}, 'about Demanding'),
    ({'name': 'odd_recall'}, 'no solver')], ids=['question', 'width', 'bits', 'answers', 'name'])
def test_it_is_about_the_task_that_was_given(certified, change, line):
  """Not about the one that is registered under its name."""
  trained, found = certified
  task = dataclasses.replace(tasks.get('serial_recall'), **change)
  said = found.to_json()
  for call, args in ((verdict.certify, (trained, task)), (verdict.falsify_trained, (trained, task)),
                     (verdict.recheck, (trained, found.certificate, task)),
                     (verdict.confirmed, (trained, task, said))):
    assert line in one_line(call, *args)


def test_a_task_that_is_the_same_is_certified_as_such(certified):
  trained, found = certified
  task = dataclasses.replace(tasks.get('serial_recall'), reuses_memory=True)
  assert verdict.recheck(trained, found.certificate, task) >= found.certificate['margin']


ZEROS = '0' * 8


@pytest.mark.parametrize('change, line', [
    ({'certificate': None}, "'certified' and has what makes a model open"),
    ({'status': 'refuted'}, "'refuted' and has what makes a model certified"),
    ({'witness': 'x'}, 'certified and refuted'), ({'status': ['certified']}, 'and has what makes'),
    ({'radius': 5.}, 'off by 5.0'),
    ({'radius': 'abc'}, "off by 'abc'"), ({'radius': [1.]}, 'none that is tried'),
    *(({'status': 'refuted', 'certificate': None, 'witness': witness}, line) for witness, line in (
        ('x', 'damaged'), ({'items': ['01']}, 'damaged'),
        ({'items': ['01', '1'], 'shown': ['00', '0']}, 'damaged'),
        ({'items': ['01'], 'shown': ['00']}, 'words of 8 bits'),
        ({'items': [], 'shown': []}, 'damaged'),
        ({'items': ['0200' + '0' * 4], 'shown': [ZEROS]}, 'not of bits'),
        ({'items': [ZEROS], 'shown': ['1' * 8]}, 'the task shows no words')))])
def test_what_a_file_says_is_held_against_the_model(certified, change, line):
  trained, found = certified
  said, task = found.to_json(), tasks.get('serial_recall')
  assert verdict.confirmed(trained, task, said) == found
  assert line in one_line(verdict.confirmed, trained, task, {**said, **change})


def test_a_claim_is_the_same_whatever_has_packed_it(certified):
  """Another zlib, e.g. of a later Python, packs the same numbers in other bytes."""
  trained, found = certified
  packed = found.certificate['claim']['right']
  data = zlib.compress(zlib.decompress(base64.b64decode(packed['data'])), 1)
  other = {**packed, 'data': base64.b64encode(data).decode()}
  assert other != packed
  other = test_checker.sealed(test_checker.changed(found.certificate, ('claim', 'right'), other))
  assert verdict.recheck(trained, other) >= found.certificate['margin']


def test_a_proof_that_needs_more_room_stays_right_by_as_much():
  """Answers by small margins, attention so sharp that single precision is off by more."""
  trained = maes_jax.load('E_J')
  params = machines.plain(trained.params)
  solver = params['solvers']['serial_recall']
  solver['interface']['bias'][-1] += 1600
  for part in solver['output']:
    solver['output'][part] /= np.float32(1000)
  found = verdict.certify(dataclasses.replace(trained, saved={'params': params}),
                          'serial_recall', effort=0)
  assert found.radius >= found.certificate['eta'] > verdict.ETA


def own(monkeypatch, trained, **options):
  """Serial Recall as a task of one's own, and a model for it as it comes from `init`."""
  serial = tasks.get('serial_recall')
  task = tasks.Task('own', outputs=8, **{'ask': serial.ask, **options})
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  tasks.register(task)
  monkeypatch.setitem(claims.CLAIMS, 'own', claims.CLAIMS['serial_recall'])
  config = dataclasses.replace(trained.config, task=('own',), solvers={})
  model = maes_jax.build(config)
  return dataclasses.replace(trained, config=config, model=model, saved={
      'params': model.init(jax.random.key(0))}), task


def test_cells_that_read_the_same_marker_have_no_proof(certified, monkeypatch):
  """A MAES reads bits of several sequences as those of one, and there is one bit of each."""
  trained, task = own(monkeypatch, certified[0], control_bits=1, sequences=2)
  line = "'own' has one control bit a sequence"
  assert line in one_line(verdict.certify, trained)
  assert line in one_line(verdict.recheck, trained, {**certified[1].certificate, 'task': 'own'})
  assert verdict.falsify_trained(trained, task, effort=1).status == verdict.REFUTED
  form = {**certified[1].certificate['form'], 'control_bits': 1}
  says = {'task': 'own', 'claim': certified[1].certificate['claim'], 'form': form}
  with pytest.raises(Refused, match='fewer control bits than markers'):
    verdict.prove(verdict.of(trained.params, 'own'), says)


def test_no_sequence_of_fewer_items_than_a_task_has_is_tried(certified, monkeypatch):
  trained, task = own(monkeypatch, certified[0], at_least=5)
  found = verdict.certify(trained, effort=1)
  assert (found.status, len(found.witness.items)) == (verdict.REFUTED, 5)
  assert verdict.confirmed(trained, task, found.to_json()).statement == found.statement
  said = found.to_json()
  said['witness'] = {name: said['witness'][name][:4] for name in ('items', 'shown')}
  assert 'at least 5 words of 8 bits' in one_line(verdict.confirmed, trained, task, said)


def test_what_was_not_compared_was_not_tried(certified, monkeypatch):
  """Which answers count is drawn, so that none counts always."""
  ask = lambda key, items, length: tasks.Question(
      0 * items, items, tasks.within(length, len(items)) & jax.random.bernoulli(key, .5))
  trained, _ = own(monkeypatch, certified[0], ask=ask)
  found = verdict.certify(trained, effort=1)
  assert (found.status, found.tried) == (verdict.OPEN, 0)
  assert found.reason.endswith(
      '; no sequence was tried, as of up to 1,000 items none has an answer that always counts')


def test_several_tasks_need_a_choice():
  assert 'give one' in one_line(verdict.certify, maes_jax.load('E_J'))


def test_numbers_that_are_none_are_never_certified(certified):
  trained, _ = certified
  params = machines.plain(trained.params)
  params['encoder']['interface']['kernel'][3, 5] = np.nan
  other = maes_jax.trained.Trained(trained.config, trained.model, 0, {'params': params})
  assert verdict.certify(other, effort=0).status == verdict.OPEN


class TestFilesOfVerdicts:
  """As shipped models have them beside them."""

  def of(self, name, task, path=None):
    loaded = maes_jax.load(name)
    return proofs.of(loaded, tasks.get(task), path or SHIPPED / name / f'proof-{task}.json')

  def test_a_certificate_is_checked_and_told(self):
    assert 'certified: right on every sequence' in self.of('E_J', 'serial_recall').statement

  def test_a_sequence_that_is_answered_wrong_is_run_again(self):
    found = self.of('E_J-sequence_equality', 'sequence_equality')
    assert found.statement == 'refuted: 1 bit is wrong of a sequence of 1 item'
    said = found.witness.first_error
    items, shown = found.witness.items[0, 0], found.witness.shown[0, 0]
    assert 'answer 1, shown' in said
    assert said.endswith('is 1 and should be 0')
    assert ''.join(map(str, found.witness.shown[0].astype(int))) in said
    assert items.shape == shown.shape

  def test_a_sequence_that_is_answered_right_is_said(self, tmp_path):
    path = SHIPPED / 'E_J-sequence_equality/proof-sequence_equality.json'
    said = json.loads(path.read_text())
    said['verdicts'][0]['witness']['shown'] = said['verdicts'][0]['witness']['items']
    (tmp_path / 'x.json').write_text(json.dumps(said))
    with pytest.raises(errors.UserError, match='answered right by this model'):
      self.of('E_J-sequence_equality', 'sequence_equality', tmp_path / 'x.json')

  @pytest.mark.parametrize('name, task, line', [
      ('E_R', 'reverse_recall', 'it is of other parameters'),
      ('E_J', 'serial_recall', 'says nothing about model 0')])
  def test_a_file_about_something_else_is_said(self, name, task, line):
    with pytest.raises(errors.UserError, match=line):
      self.of(name, task, SHIPPED / 'E_J/proof-reverse_recall.json')

  @pytest.mark.parametrize('content', ['', '[]', '{"verdicts": [{}], "task": "x"}'])
  def test_what_is_no_such_file_is_said(self, tmp_path, content):
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(errors.UserError, match='holds no certificates'):
      self.of('E_J', 'serial_recall', tmp_path / 'x.json')
