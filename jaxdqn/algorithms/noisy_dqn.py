"""NoisyNet-DQN: weights with noise whose size is learned explore in place of random actions.

Paper: Fortunato et al., "Noisy Networks for Exploration", ICLR 2018, sections 3 and 3.1, factorised noise.
The noise is drawn apart for each step of acting (one for all environments), for the learning and for the target
network at each update; all transitions of a batch share it. Evaluation is without noise.
Differs from the paper: all layers are noisy, there being no convolutions.
"""

from jaxdqn import schedules
from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy

CONFIG = Config(algorithm=DQN(), network=QNetwork(noisy=Noisy()), exploration=EpsilonGreedy(schedules.Constant(0.0)))
