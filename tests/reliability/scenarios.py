"""Runs small enough to be killed many times over; together they use every way of training."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ('--hold=0', '--grow=300', '--start_length=3', '--max_length=5', '--memory=8',
         '--validation_length=6', '--validation_memory=8', '--validation_sequences=16',
         '--stop_loss=0', '--save_seconds=0')
PAPER = ('--length=40', '--memory=64', '--batches=1', '--save_seconds=0')
_POLL = 0.005  # Seconds.


@dataclasses.dataclass(frozen=True)
class Scenario:
  """A command; `{here}` stands for a folder of its own, `{encoder}` for a run it may build on."""
  name: str
  iterations: int
  words: Sequence[str]

  def command(self, here: pathlib.Path, encoder: pathlib.Path) -> list[str]:
    """All words of the command."""
    filled = [word.format(here=here, encoder=encoder) for word in self.words]
    return [sys.executable, '-m', *filled, f'--max_iterations={self.iterations}']


@contextlib.contextmanager
def started(
    scenario: Scenario, here: pathlib.Path, encoder: pathlib.Path | None = None,
) -> Iterator[subprocess.Popen]:
  """Starts the command as a session of its own, so that all its processes can be killed at once."""
  process = subprocess.Popen(
      scenario.command(here, encoder or here), cwd=ROOT, start_new_session=True,
      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
  with process:
    try:
      yield process
    finally:
      if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def poll(process: subprocess.Popen, condition: Callable[[], bool | int]):
  """Waits for a condition, or the end of the process."""
  while not condition() and process.poll() is None:
    time.sleep(_POLL)


def finish(scenario: Scenario, here: pathlib.Path, encoder: pathlib.Path | None = None):
  """Lets the run come to its end."""
  with started(scenario, here, encoder) as process:
    _, printed = process.communicate()
  if process.returncode:
    raise RuntimeError(f'{scenario.name}: {printed}')


@dataclasses.dataclass(frozen=True)
class Made:
  """Workdirs of two runs that are done, each with two steps saved; their seeds differ."""
  run: pathlib.Path
  other: pathlib.Path


def make(folder: pathlib.Path) -> Made:
  """Trains both."""
  for name, seed in (('one', 0), ('other', 1)):
    finish(encoder(seed), folder / name)
  return Made(folder / 'one' / 'run', folder / 'other' / 'run')


def _small(flags):
  """What makes a run small, but for what these flags say."""
  said = {flag.partition('=')[0] for flag in flags}
  return [flag for flag in SMALL if flag.partition('=')[0] not in said]


def train(name: str, *flags: str, iterations: int = 2000) -> Scenario:
  """A small training run with these flags."""
  words = ('experiments.train', '--workdir={here}/run', *_small(flags), *flags)
  return Scenario(name, iterations, words)


def transfer(name: str, *flags: str, iterations: int = 2000) -> Scenario:
  """A small run on the encoder."""
  words = ('experiments.transfer', '--encoder={encoder}', '--workdir={here}/run', *_small(flags),
           *flags)
  return Scenario(name, iterations, words)


def _reproduce(name, *flags, iterations=1000):
  words = ('experiments.reproduce', '--workdir={here}/runs', '--results={here}/results', *PAPER,
           *flags)
  return Scenario(name, iterations, words)


def encoder(seed: int = 0) -> Scenario:
  """A short run on two tasks."""
  return train('encoder', '--task=serial_recall,reverse_recall', f'--seed={seed}', iterations=300)


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
