"""The binaries of this package as processes of their own, in a checkout and once installed."""

import pathlib

PACKAGE = __package__  # `experiments` in a checkout, `maes_jax.experiments` once installed.
# The folder that this package is imported from.
ROOT = pathlib.Path(__file__).parents[len(PACKAGE.split('.'))]
