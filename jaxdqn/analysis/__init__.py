"""Analysis of stored runs, with NumPy only: arms, scores, statistics, intervals and tables."""
