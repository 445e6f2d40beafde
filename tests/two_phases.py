"""Episodes as the paper's tasks have them: a main sequence to store, an auxiliary one to answer."""

import dataclasses

from maes_jax import phases

# The paper's tasks and their kin: words of 8 bits, an encoder stores and then a solver answers.
TASKS = ('serial_recall', 'reverse_recall', 'odd_recall', 'sequence_comparison',
         'sequence_equality', 'hard_equality', 'prefix_equality')


def main(episode):
  """[..., T, X] what is stored."""
  return episode.program[0].inputs


def aux(episode):
  """[..., T, X] what is asked."""
  return episode.program[1].inputs


def replaced(episode, main=None, aux=None, **of_answers):
  """The episode with other inputs, `targets` or `mask`."""
  first, second = episode.program
  first = first if main is None else dataclasses.replace(first, inputs=main)
  second = second if aux is None else dataclasses.replace(second, inputs=aux)
  return episode._replace(program=(first, dataclasses.replace(second, **of_answers)))


def of(main, aux, targets, mask, length, start=phases.RESTART):
  """An episode from its arrays."""
  return phases.Episode((
      phases.Phase(main, 1 + length, shared=True),
      phases.Phase(aux, 1 + length, targets, mask, phases.SOLVER, start)), length)
