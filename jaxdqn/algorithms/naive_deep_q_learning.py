"""Naive deep Q-learning: Q-learning with a network that learns from the newest transition only.

Tutorials begin with it. Mnih et al. (2015), extended data table 3, call it DQN without replay and without a target
network. It uses the loss of DQN; its replay holds one transition, and it has no target network.
The target is blended with the present value (`SquaredError.blend`), as in tabular Q-learning.
"""

from jaxdqn import losses, schedules, target_network
from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.replay.uniform import Uniform

CONFIG = Config(
    algorithm=DQN(error=losses.SquaredError(blend=0.1)),
    batch_size=1,
    train_every=1,
    num_environments=1,
    learning_starts=0,
    exploration=EpsilonGreedy(schedules.Constant(0.3)),
    target_update=target_network.Online(),
    replay=Uniform(capacity=1),
)
