"""Rewards and terminations as the agent learns from them: clipped rewards, a terminal reward, time limits as ends."""

import dataclasses

import jax.numpy as jnp

from jaxdqn import returns
from jaxdqn.interfaces import Array, Number
from jaxdqn.returns import NStepReturn


@dataclasses.dataclass(frozen=True)
class ConfiguredReturn:
    """The n-step return of one window, with the options of a configuration. Reported returns are always the game's own.

    Attributes:
      discount: gamma for one step.
      reward_clip: each reward is clipped to `[-reward_clip, reward_clip]`; None leaves them.
      terminal_reward: replaces the reward of a step that ends the episode as it is learned from, after clipping; None
        leaves it.
      bootstrap_time_limits: whether the value of what follows a time limit counts; if not, a time limit is learned
        from as a termination, as with a single flag `done` (Pardo et al. 2018 explain why not to).
    """

    discount: Number
    reward_clip: Number | None = None
    terminal_reward: Number | None = None
    bootstrap_time_limits: bool = True

    def __call__(
        self, rewards: Array, terminated: Array, truncated: Array, available: Array, cut: Array | None = None
    ) -> NStepReturn:
        """Returns the n-step return of one window.

        Args:
          rewards, terminated, truncated, available: as in `returns.n_step`.
          cut: bool `[n]`, as in `Step`: the window ends there, and the bootstrap is kept; None if nothing was cut.
        """
        if not self.bootstrap_time_limits:
            terminated = terminated | truncated
        if self.reward_clip is not None:
            rewards = jnp.clip(rewards, -self.reward_clip, self.reward_clip)
        if self.terminal_reward is not None:
            rewards = jnp.where(terminated, self.terminal_reward, rewards)
        if cut is not None:  # after the lines above: an interruption is not a time limit of the game
            truncated = truncated | cut
        return returns.n_step(rewards, terminated, truncated, available, self.discount)
