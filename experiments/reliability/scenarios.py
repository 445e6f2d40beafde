"""Runs small enough to be killed many times over; together they use every way of training."""

from collections.abc import Sequence
import dataclasses
import pathlib

from .. import programs

SMALL = ('--hold=0', '--grow=300', '--start_length=3', '--max_length=5', '--memory=8',
         '--validation_length=6', '--validation_memory=8', '--validation_sequences=16',
         '--stop_loss=0', '--save_seconds=0')
PAPER = ('--length=40', '--memory=64', '--batches=1', '--save_seconds=0')


@dataclasses.dataclass(frozen=True)
class Scenario:
  """A command; `{here}` stands for a folder of its own, `{encoder}` for a run it may build on."""
  name: str
  iterations: int
  words: Sequence[str]

  def command(self, here: pathlib.Path, encoder: pathlib.Path) -> list[str]:
    """The words of the command, less the Python interpreter and `-m`."""
    filled = [word.format(here=here, encoder=encoder) for word in self.words]
    return [*filled, f'--max_iterations={self.iterations}']


def train(name: str, *flags: str, iterations: int = 2000) -> Scenario:
  """A small training run with these flags."""
  words = (f'{programs.PACKAGE}.train', '--workdir={here}/run', *SMALL, *flags)
  return Scenario(name, iterations, words)


def transfer(name: str, *flags: str, iterations: int = 2000) -> Scenario:
  """A small run on the encoder."""
  words = (f'{programs.PACKAGE}.transfer', '--encoder={encoder}', '--workdir={here}/run', *SMALL,
           *flags)
  return Scenario(name, iterations, words)


def _reproduce(name, *flags, iterations=1000):
  words = (f'{programs.PACKAGE}.reproduce', '--workdir={here}/runs', '--results={here}/results',
           *PAPER, *flags)
  return Scenario(name, iterations, words)


def encoder(seed: int = 0) -> Scenario:
  """A short run on two tasks."""
  return train('encoder', '--task=serial_recall,reverse_recall', f'--seed={seed}', iterations=300)


def soak(iterations: int) -> Scenario:
  """One model that is not done before all its iterations are."""
  return train('soak', '--task=serial_recall', '--save_seconds=1', iterations=iterations)


def endless() -> Scenario:
  """Two models that are not done before they are asked to stop."""
  return train('endless', '--task=serial_recall', '--seeds=2', iterations=100_000_000)


SCENARIOS = (
    train('one model', '--task=serial_recall'),
    train('population', '--task=reverse_recall', '--seeds=3'),
    train('two tasks', '--task=serial_recall,reverse_recall', '--seeds=2'),
    train('other line 3', '--task=odd_recall', '--line3=move_first', '--recipe=plain',
           '--warmup=0'),
    train('batches', '--task=sequence_comparison', '--batch_size=4', '--seeds=2'),
    train('models that end apart', '--task=serial_recall', '--seeds=4', '--stop_loss=0.01'),
    train('LSTM', '--model=lstm', '--task=serial_recall', '--seeds=2', '--units=8', '--layers=1'),
    train('NTM', '--model=ntm', '--task=serial_recall', '--units=8'),
    transfer('frozen encoder', '--task=odd_recall', '--seeds=2'),
    transfer('encoder fine-tuned', '--task=sequence_equality', '--batch_size=2', '--unfreeze'),
    _reproduce('reproduce', '--only=plain/E_S', '--seeds=2'),
    _reproduce('reproduce with two jobs', '--only=E_S,E_R', '--seeds=1', '--jobs=2'),
)
