"""Many copies of an Atari game in threads: ale-py's `AtariVectorEnv`, with the observations of `AtariEnvironment`."""

from collections.abc import Sequence
from typing import Any

import ale_py
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import VectorWrapper

from jaxdqn.games.atari_environment import SIZE, SKIP


class AtariThreads(VectorWrapper):
    """Copies of an Atari game with NEXT_STEP autoreset; arguments are those of `AtariEnvironment`.

    Sticky actions and the number of frames without an action are drawn by ale-py; it draws 0 to `noops` - 1 frames.
    """

    def __init__(
        self,
        rom: str,
        num_environments: int,
        *,
        sticky: float,
        noops: int,
        life_loss: bool,
        actions: str,
        limit: int,
    ) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        copies = AtariVectorEnv(
            rom,
            num_environments,
            max_num_frames_per_episode=limit,
            repeat_action_probability=sticky,
            full_action_space=actions == "full",
            img_height=SIZE,
            img_width=SIZE,
            stack_num=1,
            frameskip=SKIP,
            noop_max=noops,
            reward_clipping=False,
            use_fire_reset=False,
        )
        super().__init__(copies)
        self._life_loss, self._lives = life_loss, np.zeros(num_environments, int)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in each copy."""
        seeds: Any = seed
        if seed is not None and not isinstance(seed, int):
            seeds = np.array(seed, np.uint32).view(np.int32)  # the only type of many seeds that ale-py takes
        observation, info = self.env.reset(seed=seeds, options=options)
        self._lives = np.array(info["lives"])
        return _single(observation), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Plays a step in each copy."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        before, self._lives = self._lives, np.array(info["lives"])
        lost = {"life_lost": ~terminated & (self._lives > 0) & (self._lives < before)} if self._life_loss else {}
        return _single(observation), np.array(reward, float), np.array(terminated), np.array(truncated), lost


def _single(stacks: np.ndarray) -> np.ndarray:
    """Returns the pictures `[E, SIZE, SIZE, 1]` of stacks of one, `[E, 1, SIZE, SIZE]`, as a copy."""
    return np.array(stacks).reshape(-1, SIZE, SIZE, 1)
