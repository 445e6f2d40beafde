"""Memory-augmented neural networks in JAX: MAES, NTM, DNC and LSTM on working-memory tasks."""
