"""Dueling DQN: the network says apart how good a state is and how much better each action is.

Paper: Wang et al., "Dueling Network Architectures for Deep Reinforcement Learning", ICML 2016, equation 9.
Differs from the paper: DQN's loss, so that the network is all that changes (the paper: double DQN's, with the gradient
that enters the last shared layer scaled by 1/√2 and its norm clipped to 10).
"""

from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense

CONFIG = Config(algorithm=DQN(), network=QNetwork(Dense((64,)), dueling=Dueling((64,))))
