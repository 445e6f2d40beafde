"""What XLA is asked for when it reads its options, which it does once a process."""

from collections.abc import Iterator
import contextlib
import functools
import importlib.metadata
import importlib.util
import os

import jaxlib

# XLA:CPU dispatches the operations of a loop one by one, which takes longer than small operations
# themselves. A loop that touches fewer bytes than this it compiles as one function instead. Loops
# of large batches or layers stay as they are: in one function there are no library calls, and its
# own matrix products are slow where matrices are large.
_SMALL_LOOP = 'xla_cpu_small_while_loop_byte_threshold=3000000'
# LLVM computes what is left after the last full vector, 6 of 30 addresses, number by number, unless
# asked to mask the rest of a vector: MAES trains 1.2 to 1.3 times as fast.
_MASKED_REST = '--tail-folding-policy=prefer-fold-tail'
# LLVM ends the process at an option that it does not know, so no other version is asked.
_KNOWN_TO_MASK = ('0.10.2',)


@functools.cache
def ask():
  """Has XLA read its options, ours among them, from an environment that then is as it was.

  Child processes, whose XLA may be another one, see nothing of it. Where XLA has read its options
  before, or is one that cannot be made to, it goes on without ours.
  """
  try:
    from jaxlib import xla_client  # Here, as it takes longer than all else that is imported first.
    with _added(os.environ.get('XLA_FLAGS')):
      options = xla_client.CompileOptions()  # Its parts live as long as it does.
      options.executable_build_options.debug_options  # noqa: B018 - reads XLA_FLAGS
  except (ImportError, AttributeError):
    pass


@contextlib.contextmanager
def _added(before: str | None) -> Iterator[None]:
  """Ours added to the variable XLA_FLAGS, unless it decides about extra options already."""
  flags = before or ''
  if 'xla_backend_extra_options' not in flags:
    os.environ['XLA_FLAGS'] = f'{flags} --xla_backend_extra_options={",".join(_options())}'.strip()
  try:
    yield
  finally:
    os.environ.pop('XLA_FLAGS', None)
    if before is not None:
      os.environ['XLA_FLAGS'] = before


def _options():
  masks = jaxlib.__version__ in _KNOWN_TO_MASK and not _plugins()
  return [_SMALL_LOOP, _MASKED_REST] if masks else [_SMALL_LOOP]


def _plugins():
  """Whether JAX may find an accelerator, whose compiler is another one."""
  return (any(importlib.util.find_spec(name) for name in ('jax_plugins', 'libtpu')) or
          bool(importlib.metadata.entry_points(group='jax_plugins')))
