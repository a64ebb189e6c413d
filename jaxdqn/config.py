"""The configuration of a run: everything that determines it except the game, the seed and the number of steps.

Counts are in environment steps unless the name says otherwise. Numbers are traced and structure is static
(`jaxdqn.config_fields`), so a grid over numbers needs one compilation.
"""

import dataclasses

from jaxdqn import code_versions, exploration, optimizers, protocols, target_network
from jaxdqn.after_update import Reset, ShrinkAndPerturb
from jaxdqn.code_versions import CodeVersions
from jaxdqn.config_fields import configuration, number, part, paths, static, version_of
from jaxdqn.exploration import Exploration
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.value_table import Table
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Schedule

Network = QNetwork | Table | Ensemble
Optimizer = optimizers.Adam | optimizers.RAdam | optimizers.RMSProp | optimizers.SGD
Replay = Uniform | Prioritised | Sequences | Rollout
AfterUpdate = Reset | ShrinkAndPerturb | protocols.AfterUpdate
TargetUpdate = target_network.Periodic | target_network.Polyak | target_network.Online | target_network.LastCopies


@configuration
class Config:
    """An agent and its training.

    Attributes:
      algorithm: the loss; a configuration in `jaxdqn.algorithms`.
      learning_rate: step size of the optimizer.
      learning_rate_schedule: factor on the learning rate, such as `Linear(1, 0, steps)`, which lowers it to 0 over that
        number of environment steps; None keeps it constant.
      discount: γ for one step.
      n_step: number of steps in a sampled transition.
      batch_size: number of transitions in a batch from replay.
      num_minibatches: number of minibatches, with one gradient step each, that a batch is split into; divides
        batch_size.
      train_every: steps between trainings; a multiple of num_environments.
      train_at: "steps": train every `train_every` steps. "episode_end": after every `train_every` steps, train only if
        an episode ended in them.
      num_updates: number of batches in each training.
      num_environments: number of environments that run in parallel.
      learning_starts: number of initial steps with uniformly random actions, included in the steps of the run. Learning
        begins at the end of the next iteration. A replay of sequences must also contain a whole sequence.
      max_gradient_norm: gradients with a larger norm are scaled to this norm; None does not clip.
      reward_clip: learning uses rewards clipped to `[-reward_clip, reward_clip]`; None does not clip. Reported returns
        are never clipped.
      terminal_reward: learning uses this value instead of the reward of a step that terminates, and also of a step that
        reaches the time limit if `bootstrap_time_limits` is False; None uses the game's reward.
      bootstrap_time_limits: whether targets bootstrap at a time limit; False treats a time limit as a termination.
      network: maps observations to action values.
      optimizer: maps gradients to parameter updates.
      exploration: selects actions during training.
      target_update: update rule of the target network.
      replay: the replay memory.
      after_update: changes what is learned every so many updates, such as a reset of layers; None changes nothing.
    """

    algorithm: protocols.Algorithm = part()
    learning_rate: float = number(1e-3, above=0)
    learning_rate_schedule: Schedule | None = part(None)
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
    after_update: AfterUpdate | None = part(None, omit_default=True)


def part_code(config: Config) -> CodeVersions:
    """Returns the versions of the code of the parts of a configuration that are not of this package."""
    values = [value for value in paths(config).values() if dataclasses.is_dataclass(value)]
    return code_versions.of(map(type, values))


def part_versions(config: Config) -> dict[str, int]:
    """Returns the versions above 1 of the parts of a configuration, by type, for the identifier of a result.

    The algorithm is not included, because its version is recorded separately.
    """
    parts = [value for value in paths(config).values() if value is not config.algorithm]
    found = {type(one).__name__: version_of(one) for one in parts}
    return {name: version for name, version in found.items() if version > 1}
