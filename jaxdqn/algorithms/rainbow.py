"""Rainbow: double, dueling, prioritised replay, n-step returns, distributions and noisy networks at once.

Paper: Hessel et al., "Rainbow: Combining Improvements in Deep Reinforcement Learning", AAAI 2018, section "The
Integrated Agent". `compose` adds any of the six to DQN: none is DQN itself, one is the algorithm of that part, all are
Rainbow, and all but one its ablation.
Differs from the paper: as those parts here differ from their own; the range of the returns is one for small games.
"""

import dataclasses
from collections.abc import Collection

from jaxdqn import schedules
from jaxdqn.algorithms.c51 import C51
from jaxdqn.algorithms.double_dqn import DoubleDQN
from jaxdqn.algorithms.dqn import DQN
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.heads import Categorical
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Conv, Dense, Impala
from jaxdqn.protocols import Algorithm
from jaxdqn.replay.prioritised import Prioritised

PARTS = ("double", "dueling", "prioritised", "n_step", "distributional", "noisy")
HEAD = Categorical(num_atoms=101, v_min=-100.0, v_max=100.0)


def compose(parts: Collection[str], base: Config, *, head: Categorical = HEAD, n_step: int = 3) -> Config:
    """Returns DQN with parts of Rainbow.

    Args:
      parts: of `PARTS`.
      base: DQN, whose other settings stay; its network is a `QNetwork`. With the dueling part, each stream has the last
        hidden layer of the torso for its own. A torso of yours, and one without a hidden layer, stays as it is, and
        each stream gets the hidden layer of `Dueling()` after it.
      head: of the distributional part; its range must hold the discounted returns of the game.
      n_step: of the part of that name.

    Raises:
      ValueError: if a part is not known, or the base does not fit.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no part of Rainbow, which has {', '.join(PARTS)}.")
    network, exploration, replay = base.network, base.exploration, base.replay
    if not (isinstance(base.algorithm, DQN) and isinstance(network, QNetwork)):
        raise ValueError("Rainbow is composed from DQN with a QNetwork.")
    algorithm: Algorithm = base.algorithm
    if "double" in parts:
        algorithm = DoubleDQN(base.algorithm.error)
    if "distributional" in parts:
        algorithm = C51(selector="online" if "double" in parts else "target")
        network = dataclasses.replace(network, head=head)
    if "dueling" in parts:
        torso, dueling = network.torso, Dueling()
        if isinstance(torso, Dense | Conv | Impala) and torso.hidden:
            *shared, own = torso.hidden
            torso, dueling = dataclasses.replace(torso, hidden=tuple(shared)), Dueling((own,))
        network = dataclasses.replace(network, torso=torso, dueling=dueling)
    if "noisy" in parts:
        network = dataclasses.replace(network, noisy=Noisy())
        exploration = EpsilonGreedy(schedules.Constant(0.0))
    if "prioritised" in parts:
        replay = Prioritised(capacity=replay.capacity, exponent=0.5)
    return dataclasses.replace(
        base,
        algorithm=algorithm,
        network=network,
        exploration=exploration,
        replay=replay,
        n_step=n_step if "n_step" in parts else base.n_step,
    )


CONFIG = compose(PARTS, Config(algorithm=DQN()))
