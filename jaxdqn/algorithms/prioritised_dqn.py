"""DQN with prioritised replay: transitions are drawn the more often, the larger their error was when last seen.

Paper: Schaul et al., "Prioritized Experience Replay", ICLR 2016, algorithm 1, the proportional variant.
Differs from the paper: DQN's target, so that replay is all that changes (the paper: double DQN's); what the sampling
itself leaves open is said in `jaxdqn.replay.prioritised`. The paper divides the learning rate by 4; here it stays.
"""

from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config
from jaxdqn.replay.prioritised import Prioritised

CONFIG = Config(algorithm=DQN(), replay=Prioritised())
