"""DQN with returns over several steps, uncorrected for the actions taken since.

Paper: Sutton and Barto (2018), equation 7.1; as a part of Rainbow, Hessel et al. (2018), section "Multi-step learning".

Differs from the paper: in nothing but what DQN does.
"""

from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config

CONFIG = Config(algorithm=DQN(), n_step=3)
