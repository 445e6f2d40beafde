"""The memory page in a real browser: it loads, moves, and shows the numbers of the arrays."""

import jax
import numpy as np
from playwright import sync_api
import pytest

from maes_jax import models
from maes_jax import page
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.config import Config

LENGTH, ADDRESSES = 6, 60  # More addresses than are shown round a head.
STEPS = 2 * LENGTH + 2
PHONE = {'width': 390, 'height': 844}


@pytest.fixture(scope='module', params=['maes', 'ntm', 'dnc'])
def made(request, tmp_path_factory):
  """A recording of a model with random parameters, and the file of its page."""
  model = models.build(Config(model=request.param, units=4))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(1)
  params = jax.tree.map(lambda leaf: np.float32(rng.normal(size=leaf.shape)), shapes)
  recording = recordings.record(
      model, params, tasks.get('serial_recall'), LENGTH, ADDRESSES)
  path = tmp_path_factory.mktemp('page') / 'page.html'
  path.write_text(page.render(recording, 'A <model> & its memory'))
  return recording, path


@pytest.fixture(scope='module')
def opened(browser, made):
  """The recording, its page in a browser without network, and all that the browser complained."""
  context = browser.new_context(offline=True)
  tab, complaints = context.new_page(), []
  tab.on('pageerror', lambda error: complaints.append(str(error)))
  tab.on('console', lambda message: complaints.append(message.text)
         if message.type in ('error', 'warning') else None)
  tab.on('request', lambda request: complaints.append(request.url)
         if request.url != made[1].as_uri() and not request.url.startswith('data:') else None)
  tab.goto(made[1].as_uri())
  wait_for(tab, 0)
  yield made[0], tab, complaints
  context.close()


def wait_for(tab, step):
  tab.wait_for_function(
      f'document.getElementById("place").textContent === "{step} of {STEPS - 1}"')


def go(tab, step):
  tab.locator('#time').fill(str(step))
  wait_for(tab, step)


def texts(tab, selector):
  return tab.locator(selector).all_inner_texts()


def numbers(tab, selector):
  return [float(text.split()[0]) for text in texts(tab, selector) if text]


def test_loads_without_complaints_or_requests(opened):
  _, tab, complaints = opened
  assert tab.title() == 'A <model> & its memory'
  assert tab.locator('canvas').count() >= 5
  assert complaints == []


@pytest.mark.parametrize('step', [3, LENGTH + 4, STEPS - 1])
def test_numbers_are_those_of_the_arrays(opened, step):
  recording, tab, _ = opened
  go(tab, step)
  solving = step >= recording.solving
  for kind in ('write', 'read'):
    (heads,) = getattr(recording, kind)[step]
    where, weight = texts(tab, f'#heads td.{kind}')
    address = int(where.removeprefix('address '))
    assert float(weight) == round(float(heads[address]), 3) == round(float(heads.max()), 3)
    if solving == (kind == 'read'):
      assert tab.locator('#address').inner_text() == str(address)
      np.testing.assert_allclose(numbers(tab, '#word span'), recording.memory[step, :, address],
                                 rtol=0, atol=.5001e-3)
  rows = '#bits tr:nth-child({}) td:not(.blank)'
  assert numbers(tab, rows.format(1)) == recording.inputs[step].tolist()
  if solving:
    assert numbers(tab, rows.format(2)) == recording.targets[step].tolist()
    np.testing.assert_allclose(numbers(tab, rows.format(3)), recording.answers[step],
                               rtol=0, atol=.5001e-3)


def test_pictures_show_the_step(opened):
  recording, tab, _ = opened
  go(tab, 5)
  drawn = tab.evaluate('''() => ({
      memory: Array.from(page.pictures.memory.data.image[0]),
      write: Array.from(page.pictures.weights.data.write),
      read: Array.from(page.pictures.weights.data.read),
      line: page.pictures.now.location})''')
  np.testing.assert_allclose(drawn['memory'], recording.memory[5].T.ravel(), rtol=0, atol=.5001e-3)
  np.testing.assert_allclose(drawn['write'], recording.write[5].max(0), rtol=0, atol=.5001e-3)
  np.testing.assert_allclose(drawn['read'], recording.read[5].max(0), rtol=0, atol=.5001e-3)
  assert drawn['line'] == 5


def test_wrong_bits_are_marked_and_counted(opened):
  recording, tab, _ = opened
  step = int(np.flatnonzero(recording.wrong.any(axis=1))[0])
  go(tab, step)
  marked = tab.locator('#bits tr:nth-child(3) td:not(.blank)').evaluate_all(
      'cells => cells.map(cell => cell.classList.contains("wrong"))')
  assert marked == recording.wrong[step].tolist()
  assert f'{recording.wrong.sum()} of {recording.units} bits are wrong' in ' '.join(
      tab.locator('.lead').inner_text().split())


def test_keys_move_through_time(opened):
  _, tab, _ = opened
  go(tab, 4)
  for key, step in (('ArrowRight', 5), ('ArrowLeft', 4), ('PageDown', STEPS - 1),
                    ('ArrowRight', STEPS - 1), ('PageUp', STEPS - 11), ('Home', 0),
                    ('ArrowLeft', 0), ('End', STEPS - 1)):
    tab.keyboard.press(key)
    wait_for(tab, step)
    assert tab.locator('#time').input_value() == str(step)


def test_plays_to_the_end_and_pauses(opened):
  _, tab, _ = opened
  go(tab, STEPS - 3)
  tab.keyboard.press(' ')
  assert tab.locator('#play').inner_text() == '❚❚'
  wait_for(tab, STEPS - 1)
  tab.wait_for_function('document.getElementById("play").textContent === "▶"')
  tab.locator('#play').click()  # Once more, from the start.
  wait_for(tab, 1)
  tab.locator('#play').click()
  assert tab.locator('#play').inner_text() == '▶'


def test_follows_the_head_or_shows_all(opened):
  recording, tab, _ = opened
  go(tab, 2)
  shown = lambda: tab.evaluate('[page.pictures.addresses.start, page.pictures.addresses.end]')
  head = recording.write[2].max(0).argmax()
  assert shown()[0] < head < shown()[1]
  assert shown()[1] - shown()[0] == 33
  tab.keyboard.press('f')
  # Either end may have been where it is now.
  tab.wait_for_function('page.pictures.addresses.start === -.5 && '
                        f'page.pictures.addresses.end === {ADDRESSES - .5}')
  tab.keyboard.press('f')


def test_fits_a_phone(opened):
  """Nothing is wider than the screen, and a thumb hits the buttons."""
  _, tab, _ = opened
  tab.set_viewport_size(PHONE)
  go(tab, LENGTH + 3)
  assert tab.evaluate('document.documentElement.scrollWidth') == PHONE['width']
  assert min(tab.locator('#play').bounding_box()[side] for side in ('width', 'height')) >= 44
  tab.set_viewport_size({'width': 1280, 'height': 720})


def test_nothing_went_wrong_in_between(opened):
  assert opened[2] == []


def test_nothing_lies_behind_the_bar_at_900_pixels(opened):
  _, tab, _ = opened
  tab.set_viewport_size({'width': 1280, 'height': 900})
  bar = tab.locator('footer').bounding_box()['y']
  ends = [box['y'] + box['height'] for box in map(
      sync_api.Locator.bounding_box, tab.locator('section').all())]
  assert max(ends) <= bar


def test_dark_where_the_reader_has_it_so(browser, made):
  context = browser.new_context(offline=True, color_scheme='dark')
  tab = context.new_page()
  tab.goto(made[1].as_uri())
  wait_for(tab, 0)
  style = tab.evaluate('(({color, backgroundColor}) => [color, backgroundColor])'
                       '(getComputedStyle(document.body))')
  assert style == ['rgb(228, 231, 235)', 'rgb(20, 25, 31)']
  pictures = tab.evaluate('Bokeh.documents[0].roots().map(root => root.border_fill_color)')
  assert set(pictures) == {None}
  context.close()


def test_a_cell_of_a_tasks_own_is_told_by_its_name(browser, tmp_path):
  """Words after a marker are none, and control bits are as many as the task has."""
  model = models.build(Config(task=('forget',)))
  recording = recordings.record(
      model, model.init(jax.random.key(0)), tasks.get('forget'), LENGTH, ADDRESSES)
  path = tmp_path / 'page.html'
  path.write_text(page.render(recording, 'forget'))
  tab = browser.new_page()
  tab.goto(path.as_uri())
  tab.wait_for_function('document.getElementById("place").textContent.startsWith("0 of")')
  own = recording.starts[recording.cells.index('y_encoder')]
  tab.locator('#time').fill(str(own + 1))
  tab.wait_for_function('document.getElementById("sentence").textContent.includes("y_encoder")')
  assert tab.locator('#sentence').inner_text().startswith(
      'Step 1 of its phase; the cell y_encoder reads most at address')
  asked = int(np.flatnonzero(recording.asked)[0])
  tab.locator('#time').fill(str(asked))
  tab.wait_for_function('document.querySelectorAll("#bits tr").length === 3')
  blank = tab.locator('#bits tr').nth(1).locator('.blank').count()
  assert blank == recording.control_bits == 4
  tab.close()


def test_what_is_counted_has_its_name():
  model = models.build(Config(task=('reverse_string',)))
  recording = recordings.record(model, model.init(jax.random.key(0)), tasks.get('reverse_string'),
                                length=3, addresses=8)
  asked = f'{recording.units} tokens are'
  assert recording.units == 3
  assert asked in ' '.join(page.render(recording, 'title').split())


def test_all_numbers_of_a_wrong_token_are_marked(browser, tmp_path):
  model = models.build(Config(task=('reverse_string',)))
  recording = recordings.record(model, model.init(jax.random.key(0)), tasks.get('reverse_string'),
                                length=3, addresses=8)
  step = int(np.flatnonzero(recording.wrong[:, 0])[0])
  (tmp_path / 'page.html').write_text(page.render(recording, 'title'))
  tab = browser.new_page()
  tab.goto((tmp_path / 'page.html').as_uri())
  tab.wait_for_function('document.getElementById("place").textContent.startsWith("0 of")')
  tab.locator('#time').fill(str(step))
  tab.wait_for_function(f'document.getElementById("place").textContent.startsWith("{step} of")')
  assert tab.locator('#bits tr:nth-child(3) td.wrong').count() == recording.answers.shape[1] == 2
  tab.close()
