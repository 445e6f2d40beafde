"""Proofs that a trained MAES answers right on every sequence of every length.

| module | what it is |
|---|---|
| `claims` | what is to be proved of a task: which item each answer is about, and what is right |
| `finder` | finds a certificate |
| `checker` | checks one, with `storing`, `cell`, `attention`, `places`, `seals` and `intervals` |
| `falsify` | searches for a sequence that a model, any model, gets wrong |
| `verdict` | all of it for a trained model: `maes_jax.certify` |

What has to be trusted: docs/certificates.md.
"""
