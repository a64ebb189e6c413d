"""Statistics of stored runs: NumPy only."""
