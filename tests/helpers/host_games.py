"""Small gymnasium environments for tests, such as `host_games:Counter-v0`. Importing this module registers them."""

import functools
import json
import os
import random
from typing import ClassVar

import gymnasium
import jax
import numpy as np
from gymnasium import spaces

from tests.helpers import trap


class Counter(gymnasium.Env):
    """Observes its episode number and step; the reward is the step; episodes have different lengths.

    An episode has `3 + episode % 3` steps. It is terminated if its number is even, else truncated. The first episode of
    a copy has the number `seed % 3`, so that the copies end their episodes at different steps.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1 if seed is None else seed % 3, 0
        return self._observation(), {}

    def step(self, action):
        self.time += 1
        is_over, is_even = self.time >= 3 + self.episode % 3, self.episode % 2 == 0
        return self._observation(), float(self.time), is_over and is_even, is_over and not is_even, {}

    def _observation(self):
        return np.array([self.episode, self.time], np.float32)


class Lives(gymnasium.Env):
    """Observes its time and 1; the reward is 1; a game has three lives of two steps each."""

    observation_space = spaces.Box(0, 6, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.array([0, 1], np.float32), {}

    def step(self, action):
        self.time += 1
        is_over = self.time == 6
        info = {"life_lost": self.time % 2 == 0 and not is_over}
        return np.array([self.time, 1], np.float32), 1.0, is_over, False, info


class Saves(Counter):
    """Counter with a number that no seed determines, and that its saved state has."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.secret = random.SystemRandom().randrange(1_000)
        return super().reset(seed=seed)

    def get_state(self):
        return json.dumps([self.secret, self.episode, self.time]).encode()

    def set_state(self, state):
        self.secret, self.episode, self.time = json.loads(state)

    def _observation(self):
        return np.array([self.secret, self.episode, self.time], np.float32)


class Flaky(Counter):
    """Counter whose second copy fails in its 180th step, unless the file `JAXDQN_TEST_LINK` exists."""

    made = 0

    def __init__(self):
        Flaky.made += 1
        self.number, self.steps = Flaky.made, 0

    def step(self, action):
        self.steps += 1
        if self.number % 2 == 0 and self.steps == 180 and not os.path.exists(os.environ["JAXDQN_TEST_LINK"]):
            raise ConnectionError("the simulator went away")
        return super().step(action)


class OneState(gymnasium.Env):
    """One state, reward 1 in each step, and a time limit: with a discount of 0.9 every value is 10."""

    observation_space = spaces.Box(0, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        return np.ones(1, np.float32), 1.0, False, False, {}


class TwoSteps(gymnasium.Env):
    """The observation is the step. The first reward is 0, the second is 1 for action 1; then the episode terminates."""

    observation_space = spaces.Box(0, 2, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        is_over = self.time == 2
        return np.full(1, self.time, np.float32), float(is_over and action == 1), is_over, False, {}


class Trap(gymnasium.Env):
    """Three places in a circle, with the legal actions and costs of `tests.helpers.trap`, and an action mask.

    A time limit of three steps cuts episodes. With a discount of 1/2 the exact values are -2 and, of the dearer of two
    legal actions, -3.
    """

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(3, start=4)
    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(3))
        return np.array([self.place - 1], np.float32), self._info()

    def step(self, action):
        legal = trap.LEGAL[self.place]
        cost = 1.0 if action - 4 == legal.argmax() else 2.0
        reward = -cost if legal[action - 4] else trap.FORBIDDEN
        self.place = (self.place + 1) % 3
        return np.array([self.place - 1], np.float32), reward, False, False, self._info()

    def _info(self):
        return {"action_mask": trap.LEGAL[self.place].astype(np.int8), "other": object()}

    def render(self):
        return np.full((4, 4, 3), self.place, np.uint8)


class RandomObservation(OneState):
    """Its observations are random and cannot be reproduced."""

    observation_space = spaces.Box(0, 2**32, (1,), np.float32)

    def step(self, action):
        _, *rest = super().step(action)
        return np.array([int.from_bytes(os.urandom(3))], np.float32), *rest


class RandomReward(OneState):
    """Its observations are constant, its rewards cannot be reproduced, and its episodes are longer than a test."""

    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, float(int.from_bytes(os.urandom(3))), *rest


class ProcessReporter(OneState):
    """The reward is the number of cores that its process may use.

    It is larger by 100 if JAX is limited to the CPU, and by 1,000 if it multiplies matrices with the highest precision.
    """

    def step(self, action):
        observation, _, *rest = super().step(action)
        reward = len(os.sched_getaffinity(0)) + 100.0 * (jax.config.jax_platforms == "cpu")
        return observation, reward + 1_000.0 * (jax.config.jax_default_matmul_precision == "highest"), *rest


class FailsAfterReset(OneState):
    """Raises an error in the third step after its second seeded reset, and at no other time."""

    num_seeded_resets, steps_left = 0, -1

    def reset(self, *, seed=None, options=None):
        self.num_seeded_resets += seed is not None
        self.steps_left = 3 if seed is not None and self.num_seeded_resets == 2 else -1
        return super().reset(seed=seed)

    def step(self, action):
        self.steps_left -= 1
        if self.steps_left == 0:
            raise ValueError("against the rules")
        return super().step(action)


class Failing(OneState):
    """Fails after a given number of steps: with an error, or by ending its process."""

    def __init__(self, steps=150, kills=False):
        self.steps_left, self.kills = steps, kills

    def step(self, action):
        self.steps_left -= 1
        if self.steps_left < 0 and self.kills:
            os._exit(7)
        if self.steps_left < 0:
            raise RuntimeError("the engine exploded")

        return super().step(action)


class TwoActions(OneState):
    """Takes two actions at once; the reward is ten times the first plus the second."""

    action_space = spaces.MultiDiscrete([2, 3])

    def step(self, action):
        observation, _, *rest = super().step(0)
        return observation, float(10 * action[0] + action[1]), *rest


class Argument(OneState):
    """The reward is an argument."""

    def __init__(self, reward=1.0, render_mode=None):
        self.reward, self.render_mode = reward, render_mode

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012

    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, self.reward, *rest

    def render(self):
        return np.full((4, 4, 3), self.reward, np.uint8)


class RewardPlusOne(gymnasium.RewardWrapper):
    """Adds 1 to the reward."""

    def reward(self, reward):
        return float(reward) + 1.0


doubled = functools.partial(gymnasium.wrappers.TransformReward, func=lambda reward: 2.0 * reward)  # as a wrapper


class RewardPlus(gymnasium.RewardWrapper):
    """Adds numbers to the reward."""

    def __init__(self, env, *, much, more=0):
        super().__init__(env)
        self.added = much + more

    def reward(self, reward):
        return float(reward) + self.added


class RewardTimesTen(gymnasium.RewardWrapper):
    """Multiplies the reward by 10."""

    def reward(self, reward):
        return float(reward) * 10.0


class SpaceSampler(gymnasium.Env):
    """Observes samples of any space and takes any action; the reward is the action."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return self.observation_space.sample(), float(action), False, False, {}


TWO = spaces.Discrete(2)
DICTIONARY = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(-1, 1, (2,), np.float64)})
SPACES = {
    "Image": (spaces.Box(0, 255, (4, 4, 3), np.uint8), TWO),
    "Int16": (spaces.Box(-9, 9, (2,), np.int16), TWO),
    "Float64": (spaces.Box(-1, 1, (2,), np.float64), TWO),
    "OneHot": (spaces.Discrete(3, start=4), TWO),
    "Dictionary": (DICTIONARY, TWO),
    "Bits": (spaces.MultiBinary(3), TWO),
    "Digits": (spaces.MultiDiscrete([2, 3]), TWO),
    "ActionsFromFive": (spaces.Box(0, 1, (1,)), spaces.Discrete(3, start=5)),
    "Pair": (spaces.Box(-1, 1, (2,), np.float32), TWO),
    "Words": (spaces.Text(4), TWO),
    "Continuous": (spaces.Box(0, 1, (1,)), spaces.Box(-1, 1, (1,))),
}

gymnasium.register("Counter-v0", Counter, disable_env_checker=True)
gymnasium.register("Lives-v0", Lives, disable_env_checker=True)
gymnasium.register("OneState-v0", OneState, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("RandomObservation-v0", RandomObservation, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("RandomReward-v0", RandomReward, max_episode_steps=1000, disable_env_checker=True)
gymnasium.register("ProcessReporter-v0", ProcessReporter, max_episode_steps=1, disable_env_checker=True)
gymnasium.register("FailsAfterReset-v0", FailsAfterReset, max_episode_steps=1000, disable_env_checker=True)
gymnasium.register("TwoSteps-v0", TwoSteps, disable_env_checker=True)
gymnasium.register("TwoActions-v0", TwoActions, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("Argument-v0", Argument, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("Trap-v0", Trap, max_episode_steps=3, disable_env_checker=True)
gymnasium.register("Saves-v0", Saves, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("Flaky-v0", Flaky, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("Endless-v0", OneState, disable_env_checker=True)
gymnasium.register("Crash-v0", Failing, max_episode_steps=4, disable_env_checker=True)
gymnasium.register("Die-v0", Failing, max_episode_steps=4, disable_env_checker=True, kwargs={"kills": True})
for _name, (_observations, _actions) in SPACES.items():
    _spaces = {"observation_space": _observations, "action_space": _actions}
    gymnasium.register(f"{_name}-v0", SpaceSampler, max_episode_steps=9, disable_env_checker=True, kwargs=_spaces)
