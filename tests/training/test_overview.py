"""What TensorBoard shows: all numbers, the config, medians over models, attention as it is."""

import json

import jax
import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from maes_jax import models
from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import overview as overviews
from maes_jax.training.trainer import Trainer
from maes_jax.training.workdir import Workdir


def events(folder):
  """The values in the only event file: records of [8 bytes length][4 crc][data][4 crc]."""
  (file,) = folder.iterdir()
  data, values = file.read_bytes(), []
  while data:
    size = int.from_bytes(data[:8], 'little')
    event = event_pb2.Event.FromString(data[12:12 + size])
    values += [(event.step, value) for value in event.summary.value]
    data = data[16 + size:]
  return values


def written(folder, config, rows):
  trainer = Trainer(config, models.build(config))
  state = jax.device_get(trainer.init())
  overview = overviews.Overview(Workdir(folder), trainer, iteration=0)
  overview.write(state, rows)
  overview.close()
  return events(folder / 'tensorboard' / 'population')


@pytest.fixture(scope='module')
def config():
  return families.resolve(Config(seeds=3, max_length=4, start_length=4, memory=6))


def scalars(folder, config, iteration, rows):
  shown = overviews.Scalars(Workdir(folder), config, iteration)
  shown.write(None, rows)
  shown.close()
  return events(folder / 'tensorboard')


def test_every_number_of_every_model_is_shown(tmp_path, config):
  rows = [{'iteration': 300, 'model': 0, 'loss': .5},
          {'iteration': 300, 'model': 1, 'loss': .25, 'bit_accuracy/x': .75}]
  shown = scalars(tmp_path, config, 200, rows)
  assert {(step, value.tag, value.simple_value) for step, value in shown} == {
      (300, 'loss/model_0', .5), (300, 'loss/model_1', .25), (300, 'bit_accuracy/x/model_1', .75)}


def test_a_run_begins_with_its_config(tmp_path, config):
  ((step, value),) = scalars(tmp_path, config, 0, [])
  assert (step, value.metadata.plugin_data.plugin_name) == (0, 'text')
  text = value.tensor.string_val[0].decode()
  assert Config.from_dict(json.loads(text.removeprefix('```json').removesuffix('```'))) == config


def test_medians_are_over_the_rows_that_have_the_number(tmp_path, config):
  rows = [{'iteration': 100, 'model': 0, 'loss': .5},
          {'iteration': 100, 'model': 1, 'loss': .1},
          {'iteration': 100, 'model': 2, 'loss': .2, 'bit_accuracy/x': .75}]
  values = {value.tag: (step, value.simple_value)
            for step, value in written(tmp_path / 'a', config, rows)}
  assert values == {'loss/median': (100, np.float32(.2)),
                    'bit_accuracy/x/median': (100, np.float32(.75))}


def test_pictures_at_validation_alone(tmp_path, config):
  rows = [{'iteration': 100, 'model': 1, 'loss': .1, 'validation_loss': .3}]
  pictures = {value.tag: value.image for _, value in written(tmp_path / 'a', config, rows)
              if value.HasField('image')}
  assert pictures.keys() == {'write/serial_recall', 'read/serial_recall'}
  for picture in pictures.values():  # 2 (4 + 1) steps and 6 addresses.
    assert (picture.width, picture.height) == (10 * overviews.PIXELS, 6 * overviews.PIXELS)
    assert picture.encoded_image_string.startswith(b'\x89PNG')


def test_a_model_without_memory_has_no_pictures(tmp_path):
  config = families.resolve(Config(model='lstm', layers=1, units=2))
  rows = [{'iteration': 100, 'model': 0, 'loss': .1, 'validation_loss': .3}]
  assert not any(value.HasField('image') for _, value in written(tmp_path / 'a', config, rows))


def test_a_picture_has_time_to_the_right_and_addresses_upwards():
  attention = np.zeros((3, 2, 4))
  attention[2, 1, 0] = 1  # At the last step a head looks at address 0: bottom right.
  attention[0, :, 3] = .4, .2  # The larger of two heads.
  grey = overviews.picture(attention)[::overviews.PIXELS, ::overviews.PIXELS]
  assert grey.tolist() == [[153, 255, 255], [255, 255, 255], [255, 255, 255], [255, 255, 0]]
