"""One time step of each model, a file each; `base.Cell` says what a cell of one's own needs."""

from maes_jax import xla
xla.ask()  # Before any cell is compiled.
from maes_jax.cells import base
from maes_jax.cells import dnc
from maes_jax.cells import heads
from maes_jax.cells import lstm
from maes_jax.cells import maes
from maes_jax.cells import ntm
