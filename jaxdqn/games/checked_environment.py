"""One copy of an environment that steps in Python, with checks of all that it returns.

Every kind of host game wraps its environments here. An environment gets its actions in the type of its action space,
and returns observations in the form in which they are stored (`environment_values`). A value that is not finite, or
does not belong to its space, is the environment's error: a ValueError that names the value, the step and the copy.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from jaxdqn.games import environment_values
from jaxdqn.games.environment_errors import ended, one_sentence, survived

# The entries of `info` that are read, with their types; all others are dropped. In a game with masks, `ACTION_MASK` is
# read, too.
READ_FROM_INFO: dict[str, type] = {"life_lost": bool}
ACTION_MASK = "action_mask"

_MOST = float(np.finfo(np.float32).max)  # replay stores rewards as float32
_NUMBERS = (float, np.float64, int)
_FLAGS = (bool, np.bool_)


class Checked(gymnasium.Wrapper[Any, Any, Any, Any]):
    """One copy of an environment with checks; its actions are numbered from 0.

    The array of an observation may belong to the environment, which can change it in the next step. Whether an
    observation is finite is checked for all copies together, in `environment_vectors`.

    Args:
      env: the environment; its action space is `Discrete`, and `environment_values.is_supported` its observation space.
      name: for error messages, such as `copy 3 of 8`; empty for a copy alone.
      has_masks: whether `info["action_mask"]` gives the legal actions. It is returned as bool `[A]`.

    Attributes:
      num_steps: steps so far, over all episodes.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str = "", *, has_masks: bool = False) -> None:
        super().__init__(env)
        actions = env.action_space
        assert isinstance(actions, spaces.Discrete)
        self.num_steps, self._name = 0, name
        self.action_space = spaces.Discrete(int(actions.n))
        self.observation_space = stored = environment_values.stored_space(env.observation_space)
        type_, start = actions.dtype.type, int(actions.start)
        self._to_action: Callable[[Any], Any] = (lambda action: type_(int(action) + start)) if start else type_
        self._dtype, self._shape = stored.dtype, stored.shape
        self._is_box = isinstance(env.observation_space, spaces.Box)
        self._masks = spaces.MultiBinary(int(actions.n)) if has_masks else None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode.

        Raises:
          ValueError: the environment returned something else than an observation and `info`.
        """
        with survived():
            result = self.env.reset(seed=seed, options=options)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ValueError(f"reset returned {environment_values.described(result)}: it must return observation, info")
        observation, read = self._stored(result[0]), self._read(result[1])
        return observation, read if self._masks is None else read | self._mask(self._masks, result[1], goes_on=True)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Takes an action, a number from 0 on. What happens here is kept short.

        Raises:
          ValueError: the environment returned a value that cannot be used.
        """
        self.num_steps += 1
        try:
            result: Any = self.env.step(self._to_action(action))
        except SystemExit as error:
            raise ended(error) from error
        if not isinstance(result, (tuple, list)) or len(result) != 5:
            raise ValueError(
                f"step returned {environment_values.described(result)}: it must return observation, reward, "
                f"terminated, truncated, info{self._where()}"
            )
        observation, reward, terminated, truncated, info = result  # of any type
        if type(reward) not in _NUMBERS or not -_MOST <= reward <= _MOST:
            reward = self._reward(reward)
        if type(terminated) not in _FLAGS or type(truncated) not in _FLAGS:
            terminated, truncated = self._flag("terminated", terminated), self._flag("truncated", truncated)
        is_stored = type(observation) is np.ndarray and observation.dtype is self._dtype
        if not is_stored or observation.shape != self._shape or not self._is_box:
            observation = self._stored(observation)
        read = self._read(info) if info else {}
        if self._masks is not None:
            read |= self._mask(self._masks, info, goes_on=not terminated)
        return observation, reward, terminated, truncated, read

    def render(self) -> np.ndarray:
        """Returns a picture, uint8 `[height, width, 3]`, that the environment does not change.

        Raises:
          ValueError: the environment returned no picture.
        """
        with survived():
            return environment_values.picture(self.env.render())

    def _stored(self, observation: Any) -> np.ndarray:
        try:
            return environment_values.stored(self.env.observation_space, observation, self._dtype)
        except ValueError as error:
            raise ValueError(f"{error}{self._where()}") from None

    def _reward(self, reward: Any) -> float:
        number = environment_values.number(reward)
        if number is None or not -_MOST <= number <= _MOST:
            what = environment_values.described(reward)
            raise ValueError(f"reward {what}{self._where()}: it must be a finite number (float32)")
        return number

    def _flag(self, name: str, value: Any) -> bool:
        number = environment_values.number(value)
        if number not in (0, 1):
            what = environment_values.described(value)
            raise ValueError(f"{name} = {what}{self._where()}: it must be True or False")
        return bool(number)

    def _read(self, info: Any) -> dict[str, np.ndarray]:
        """Returns the part of `info` that is read.

        Raises:
          ValueError: it holds an action mask, which the first reset did not return.
        """
        if not isinstance(info, dict):
            return {}
        if self._masks is None and ACTION_MASK in info:
            raise ValueError(f'info["{ACTION_MASK}"]{self._where()}: the first reset must return a mask, too')
        return {name: np.asarray(info[name], type_) for name, type_ in READ_FROM_INFO.items() if name in info}

    def _mask(self, space: spaces.MultiBinary, info: Any, *, goes_on: bool) -> dict[str, np.ndarray]:
        """Returns the mask by its name. After a termination it may be missing: nothing reads it.

        Raises:
          ValueError: the mask is missing, is none of this environment, or allows no action.
        """
        mask = info.get(ACTION_MASK) if isinstance(info, dict) else None
        if mask is None and not goes_on:
            return {ACTION_MASK: np.zeros(space.shape, bool)}
        if mask is None:
            raise ValueError(
                f'info["{ACTION_MASK}"] is missing{self._where()}: the first reset returned a mask, so every reset and '
                "step must return one"
            )
        try:
            legal = environment_values.action_mask(space, mask)
        except ValueError as error:
            raise ValueError(f"{error}{self._where()}") from None
        if goes_on and not legal.any():
            raise ValueError(
                f'info["{ACTION_MASK}"] allows no action{self._where()}: it may only do so where the episode terminated'
            )
        return {ACTION_MASK: legal}

    def _where(self) -> str:
        return f" at step {self.num_steps:,}" + (f" of {self._name}" if self._name else "")


def alone(name: str, make_single: Callable[[], gymnasium.Env[Any, Any]]) -> Checked:
    """Makes one copy that is no part of a vector.

    Raises:
      ValueError: making it raises an error; the message begins with the name of the game.
    """
    with one_sentence(f"{name} cannot be made"):
        return Checked(make_single())
