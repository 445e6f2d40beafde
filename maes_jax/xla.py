"""What XLA is asked for through the environment; read when JAX compiles for the first time."""

import os

# XLA:CPU dispatches the operations of a loop one by one, which takes longer than small operations
# themselves. A loop that touches fewer bytes than this it compiles as one function instead. Loops
# of large batches or layers stay as they are: in one function there are no library calls, and its
# own matrix products are slow where matrices are large.
_SMALL_LOOP = 'xla_cpu_small_while_loop_byte_threshold'
_BYTES = 3_000_000


def ask():
  """Adds to the variable XLA_FLAGS, unless it decides about extra options already."""
  flags = os.environ.get('XLA_FLAGS', '')
  if 'xla_backend_extra_options' not in flags:
    asked = f'--xla_backend_extra_options={_SMALL_LOOP}={_BYTES}'
    os.environ['XLA_FLAGS'] = f'{flags} {asked}'.strip()
