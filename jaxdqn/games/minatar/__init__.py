"""MinAtar: five small games with the main features of Atari games, on boards of 10 x 10 cells.

Source: Young and Tian (2019), "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
Experiments" (arXiv:1903.03176). Steps equal those of the package `MinAtar` 1.0.15, of which no code was read or copied;
`tests/games/test_minatar_oracle.py` compares them.

Each game is one file. `rules.py` has what all share: actions, sticky actions, the time limit. `board.py` draws boards.
"""
