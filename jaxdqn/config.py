"""The configuration of a run: everything that determines it but the game, the seed and the budget.

Counts are in environment steps unless the name says otherwise. Numbers are traced, structure is static
(`jaxdqn.configuration`): a grid over numbers costs one compilation.
"""

from jaxdqn import exploration, optimizers, target_network
from jaxdqn.configuration import configuration, number, part, static
from jaxdqn.interfaces import Algorithm
from jaxdqn.networks.mlp import MLP
from jaxdqn.replay.uniform import Uniform

Optimizer = optimizers.Adam | optimizers.RMSProp | optimizers.SGD
Exploration = (
    exploration.Constant | exploration.Linear | exploration.ExponentialPerStep | exploration.MultiplicativePerEpisode
)
TargetUpdate = target_network.Periodic | target_network.Polyak


@configuration
class Config:
    """An agent and how it is trained.

    Attributes:
      algorithm: which loss; one of the configurations in `jaxdqn.algorithms`.
      learning_rate: step size of the optimizer.
      discount: gamma for one step.
      n_step: steps that a sampled transition spans.
      batch_size: transitions an update learns from.
      train_every: steps between trainings; a multiple of num_environments.
      num_updates: updates at each training.
      num_environments: games played side by side.
      learning_starts: steps of uniformly random play before the first update; part of the budget.
      max_gradient_norm: gradients longer than this are shortened to it; None leaves them.
      reward_clip: rewards are learned from as if clipped to `[-reward_clip, reward_clip]`; None leaves them. Reported
        returns are always the game's own.
      network: from observations to action values.
      optimizer: what a gradient does.
      exploration: epsilon over time.
      target_update: how the target network follows.
      replay: what is remembered.
    """

    algorithm: Algorithm = part(None)
    learning_rate: float = number(1e-3, above=0)
    discount: float = number(0.99, at_least=0, at_most=1)
    n_step: int = static(1, at_least=1, at_most=100)
    batch_size: int = static(128, at_least=1)
    train_every: int = static(10, at_least=1)
    num_updates: int = static(1, at_least=1)
    num_environments: int = static(10, at_least=1)
    learning_starts: int = static(1_000, at_least=0)
    max_gradient_norm: float | None = number(None, above=0)
    reward_clip: float | None = number(None, above=0)
    network: MLP = part(MLP())
    optimizer: Optimizer = part(optimizers.Adam())
    exploration: Exploration = part(exploration.Linear())
    target_update: TargetUpdate = part(target_network.Periodic())
    replay: Uniform = part(Uniform())
