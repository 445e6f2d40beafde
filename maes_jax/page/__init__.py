"""The memory page: one HTML file that shows a recording step by step, without a network."""

from collections.abc import Sequence
import pathlib

from maes_jax import extras
extras.need('pages', 'a page')
import jinja2

from maes_jax.page import packing
from maes_jax.page import plots
from maes_jax.recording import Recording

_PARTS = pathlib.Path(__file__).parent


def render(recording: Recording, title: str, proof: Sequence[str] = ()) -> str:
  """The page of a recording as HTML.

  Args:
    recording: of one sequence.
    title: of the page.
    proof: lines on whether the model is proved right at every length.

  Raises:
    UserError: the recording holds numbers that are not finite.
  """
  environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_PARTS), autoescape=False)
  numbers = {name: packing.pack(name, array) for name, array in _numbers(recording).items()}
  return environment.get_template('page.html').render(
      title=title, proof=proof, recording=recording, colours=plots.COLOURS, palette=plots.CONTENT,
      content=plots.content_range(recording),
      asked=recording.units, wrong=recording.wrong.sum(),
      numbers=numbers, facts=_facts(recording), **plots.embed(recording))


def _facts(recording):
  return {'control': recording.control_bits, 'cells': recording.cells, 'unit': recording.unit,
          'tied': recording.tied}


def _numbers(recording):
  """What the page's script needs; a word of memory lies in one piece."""
  return {
      'inputs': recording.inputs, 'targets': recording.targets, 'answers': recording.answers,
      'asked': recording.asked, 'wrong': recording.wrong, 'marked': recording.marked,
      'memory': recording.memory.transpose(0, 2, 1),
      'write': recording.write, 'read': recording.read,
      # Where a thousand weights are alike their three decimals do not tell which is the largest.
      'write_at': recording.write.argmax(2), 'read_at': recording.read.argmax(2),
      'solves': recording.solves, 'place': recording.place, 'phase': recording.phase}
