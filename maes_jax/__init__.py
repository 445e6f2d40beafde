"""Memory-augmented neural networks in JAX: MAES, its rivals and tasks on working memory.

MAES is that of Jayram, Kornuta, McAvoy and Ozcan, "Using Multi-task and Transfer Learning to Solve
Working Memory Tasks", 2018, arXiv:1809.10847; comments call it the paper.

The names below are the public API; what is not listed here or in docs/reference.md may change.
Nothing heavy is imported before it is used.

| name | what it is |
|---|---|
| `Config` | all there is to say about a run; its fields are the flags of the binaries |
| `build(config)` | the model that a config describes, by the name in `config.model` |
| `Model` | what `build` gives: encoder, solvers, and how they answer |
| `train(config, path)` | trains a population in a folder, or goes on with it |
| `load(path)` | a trained model: the best of a folder, or a shipped one by name |
| `shipped()` | the names of the models that come with the library |
| `Tester` | accuracy at any length and memory size |
| `certify(trained, task)` | a proof that it is right at every length, or a sequence it gets wrong |
| `record(...)` | every step of one sequence: memory, attention, answers |
| `tasks.register(task)` | makes one's own task known by name |
| `tasks.from_arrays(name, ...)` | a task from data of one's own |
| `tasks.from_iterator(name, ...)` | the same, of examples that are read one after the other |
| `families.register(name, family)` | makes one's own cell known by name |
| `cells.heads.register(name, head)` | makes one's own addressing known, for the option `head` |
| `cells` | one time step of each model: `cells.maes`, `cells.ntm`, `cells.dnc`, `cells.lstm`, … |
| `cells.MAES`, `NTM`, `DNC`, `LSTM` | the same for `flax.linen.RNN` |
| `items` | what an item is: bits, tokens, vectors |
| `memory` | what all of them do with a memory: read, write, move, sharpen |
| `page.render(recording, title)` | a recording as a page to step through; needs bokeh and jinja2 |
| `figures` | pictures as files; needs matplotlib |
| `UserError` | every error that a user can cause and mend |
| `__version__` | the version, as text |

By an import of their modules, e.g. `from maes_jax.certificates import claims`:

| name | what it is |
|---|---|
| `trained.load_all(path)` | all models of a population |
| `certificates.claims.register(task, claim)` | says what is to be proved of one's own task |
| `certificates.verdict.recheck(trained, certificate)` | holds a certificate against a model again |

Build a model by name and apply it. Arrays have the shapes that the docstrings give in brackets:
B sequences, T time steps, A of which are answered, X numbers of an input, Y of an answer, N memory
addresses of width W.

>>> import jax, maes_jax
>>> model = maes_jax.build(maes_jax.Config(model='ntm', task=('odd_recall',), units=8))
>>> params = model.init(jax.random.key(0))
>>> keys, lengths = jax.random.split(jax.random.key(1), 3), jax.numpy.array([2, 5, 4])
>>> episodes = maes_jax.tasks.sample_batch(
...     maes_jax.tasks.get('odd_recall'), keys, lengths, max_length=5)
>>> logits = model.answer_batch(params, {'odd_recall': episodes}, addresses=12)
>>> logits['odd_recall'].shape  # [B, A, Y]
(3, 6, 8)

Load a shipped model in one line, and test it in a memory of another size than it was trained in.

>>> trained = maes_jax.load('E_J')
>>> tester = maes_jax.Tester(trained.model, maes_jax.tasks.get('reverse_recall'),
...                          max_length=50, addresses=64, batch_size=4)
>>> counts = tester.test(trained.params, length=50, batches=1)
>>> counts.bits_right, counts.bits
(1600, 1600)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from maes_jax import cells as cells
  from maes_jax import families as families
  from maes_jax import figures as figures
  from maes_jax import items as items
  from maes_jax import memory as memory
  from maes_jax import page as page
  from maes_jax import tasks as tasks
  from maes_jax.certificates.verdict import certify as certify
  from maes_jax.config import Config as Config
  from maes_jax.encoder_solver import Model as Model
  from maes_jax.errors import UserError as UserError
  from maes_jax.evaluation import Tester as Tester
  from maes_jax.models import build as build
  from maes_jax.recording import record as record
  from maes_jax.trained import load as load
  from maes_jax.trained import shipped as shipped
  from maes_jax.training.run import train as train

__version__ = '0.1.0'

_MODULES = {
    'Config': 'config', 'Model': 'encoder_solver', 'Tester': 'evaluation', 'UserError': 'errors',
    'build': 'models', 'certify': 'certificates.verdict', 'load': 'trained',
    'record': 'recording', 'shipped': 'trained', 'train': 'training.run'}
_SUBMODULES = ('cells', 'families', 'figures', 'items', 'memory', 'page', 'tasks')

__all__ = ['Config', 'Model', 'Tester', 'UserError', 'build', 'cells', 'certify', 'families',
           'figures', 'items', 'load', 'memory', 'page', 'record', 'shipped', 'tasks', 'train']


def __getattr__(name: str) -> Any:
  """Imports a public name when it is first used."""
  if name in _SUBMODULES:
    return importlib.import_module(f'maes_jax.{name}')
  if name not in _MODULES:
    raise AttributeError(f'maes_jax has no {name!r}; its public names are {", ".join(__all__)}')
  return getattr(importlib.import_module(f'maes_jax.{_MODULES[name]}'), name)


def __dir__() -> list[str]:
  return __all__
