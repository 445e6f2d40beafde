"""One time step of each model, a file each; `base.Cell` says what a cell of one's own needs.

`MAES`, `NTM`, `DNC` and `LSTM` are the same as Flax's recurrent cells, e.g. for `nn.RNN`;
`RNNCell(cell, addresses)` makes any other one.
"""

from maes_jax import xla
xla.ask()  # Before any cell is compiled.
from maes_jax.cells import base
from maes_jax.cells import dnc
from maes_jax.cells import dwm
from maes_jax.cells import gated_deltanet
from maes_jax.cells import gru
from maes_jax.cells import heads
from maes_jax.cells import lru
from maes_jax.cells import lstm
from maes_jax.cells import maes
from maes_jax.cells import maes2018
from maes_jax.cells import mamba2
from maes_jax.cells import mlstm
from maes_jax.cells import ntm
from maes_jax.cells import rnn
from maes_jax.cells import tapes
from maes_jax.cells import transformer
from maes_jax.cells.rnn import DNC
from maes_jax.cells.rnn import LSTM
from maes_jax.cells.rnn import MAES
from maes_jax.cells.rnn import NTM
from maes_jax.cells.rnn import RNNCell
