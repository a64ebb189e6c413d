"""The configuration of a run: everything that determines it but the game, the seed and the budget.

Counts are in environment steps unless the name says otherwise. Numbers are traced, structure is static
(`jaxdqn.fields`): a grid over numbers costs one compilation.
"""

from jaxdqn import exploration, optimizers, target_network
from jaxdqn.exploration import Exploration
from jaxdqn.fields import configuration, number, part, paths, static
from jaxdqn.interfaces import Algorithm
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.table import Table
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform

Network = QNetwork | Table | Ensemble
Optimizer = optimizers.Adam | optimizers.RAdam | optimizers.RMSProp | optimizers.SGD
Replay = Uniform | Prioritised | Sequences
TargetUpdate = target_network.Periodic | target_network.Polyak | target_network.Online | target_network.LastCopies


@configuration
class Config:
    """An agent and how it is trained.

    Attributes:
      algorithm: which loss; one of the configurations in `jaxdqn.algorithms`.
      learning_rate: step size of the optimizer.
      discount: gamma for one step.
      n_step: steps that a sampled transition spans.
      batch_size: transitions drawn from replay at once.
      num_minibatches: gradient steps that a batch is shared out among; divides batch_size.
      train_every: steps between trainings; a multiple of num_environments.
      train_at: whether every `train_every` steps there is a training ("steps"), or only after those in which an episode
        ended ("episode_end").
      num_updates: batches learned from at each training.
      num_environments: games played side by side.
      learning_starts: steps of uniformly random play, part of the budget. Learning begins at the end of the next
        iteration; with a replay of sequences not before it holds a whole one.
      max_gradient_norm: gradients longer than this are shortened to it; None leaves them.
      reward_clip: rewards are learned from as if clipped to `[-reward_clip, reward_clip]`; None leaves them. Reported
        returns are always the game's own.
      terminal_reward: learned from in place of the reward of the step with which a game terminates, and of that at its
        time limit where `bootstrap_time_limits` is False; None leaves it.
      bootstrap_time_limits: whether what follows a time limit counts; False learns from it as from a termination.
      network: from observations to action values.
      optimizer: what a gradient does.
      exploration: how actions are chosen while training.
      target_update: how the target network follows.
      replay: what is remembered.
    """

    algorithm: Algorithm = part()
    learning_rate: float = number(1e-3, above=0)
    discount: float = number(0.99, at_least=0, at_most=1)
    n_step: int = static(1, at_least=1, at_most=100)
    batch_size: int = static(128, at_least=1)
    num_minibatches: int = static(1, at_least=1)
    train_every: int = static(10, at_least=1)
    train_at: str = static("steps", choices=("steps", "episode_end"))
    num_updates: int = static(1, at_least=1)
    num_environments: int = static(10, at_least=1)
    learning_starts: int = static(1_000, at_least=0)
    max_gradient_norm: float | None = number(None, above=0)
    reward_clip: float | None = number(None, above=0)
    terminal_reward: float | None = number(None)
    bootstrap_time_limits: bool = static(True)
    network: Network = part(QNetwork())
    optimizer: Optimizer = part(optimizers.Adam())
    exploration: Exploration = part(exploration.EpsilonGreedy())
    target_update: TargetUpdate = part(target_network.Periodic())
    replay: Replay = part(Uniform())


def part_versions(config: Config) -> dict[str, int]:
    """Returns the versions of parts that train otherwise than they once did, by type, for the name of a result.

    A part says `version`, as an algorithm does, whose own is not among these; of all others it is 1.
    """
    parts = [value for value in paths(config).values() if value is not config.algorithm]
    found = {type(one).__name__: getattr(one, "version", 1) for one in parts}
    return {name: version for name, version in found.items() if version > 1}
