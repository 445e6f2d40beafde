"""What others measured on the same tasks, as they published it."""

from collections.abc import Mapping

# Delétang et al., "Neural Networks and the Chomsky Hierarchy", ICLR 2023: mean accuracy in percent
# over lengths 41 to 500, rounded, of the best of 10 seeds and 3 learning rates, each trained for a
# million steps of batch 128. Its Tape-RNN jumps by the length of the input, which it is given.
STRINGS_SOURCE = ('Delétang et al., [*Neural Networks and the Chomsky Hierarchy*]'
                  '(https://arxiv.org/abs/2207.02098), ICLR 2023')
STRINGS_COLUMNS = ('RNN', 'Stack-RNN', 'Tape-RNN', 'Transformer', 'LSTM')
STRINGS: Mapping[str, tuple[int, ...]] = {
    'even_pairs': (100, 100, 100, 96, 100),
    'modular_arithmetic': (100, 100, 100, 24, 100),
    'parity_check': (100, 100, 100, 52, 100),
    'cycle_navigation': (100, 100, 100, 62, 100),
    'stack_manipulation': (56, 100, 100, 58, 59),
    'reverse_string': (62, 100, 100, 62, 61),
    'modular_arithmetic_brackets': (41, 96, 95, 33, 59),
    'solve_equation': (51, 56, 64, 26, 68),
    'duplicate_string': (50, 53, 100, 53, 58),
    'missing_duplicate': (52, 55, 100, 56, 54),
    'odds_first': (51, 52, 100, 53, 56),
    'binary_addition': (50, 53, 100, 54, 56),
    'binary_multiplication': (50, 53, 59, 52, 53),
    'compute_sqrt': (54, 57, 58, 52, 58),
    'bucket_sort': (28, 78, 71, 92, 99)}
