"""The cells of the models."""

from maes_jax import xla

xla.ask()  # Before any cell is compiled.
