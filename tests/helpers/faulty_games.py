"""gymnasium environments, each with one fault or one liberty, such as `faulty_games:OldApi-v0`."""

import os
import sys
from typing import ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Sound(gymnasium.Env):
    """Ten steps of random observations; the reward is the action. The other classes change one thing each."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)
    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.observation(), self.info()

    def observation(self):
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)

    def info(self):
        return {}

    def reward(self, action):
        return float(action)

    def flags(self):
        return self.time >= 10, False

    def step(self, action):
        self.time += 1
        return self.observation(), self.reward(action), *self.flags(), self.info()

    def render(self):
        return np.full((40, 60, 3), self.time, np.uint8)


def changed(**parts):
    """Returns the class `Sound` with these attributes or methods."""
    return type("Changed", (Sound,), parts)


def late(value, usual):
    """Returns a method that returns the usual value, and another one at step 5."""
    return lambda self, *arguments: value if getattr(self, "time", 0) == 5 else usual(self, *arguments)


class Unreadable(Exception):
    """An error that pickle writes, and cannot read again."""

    def __init__(self, code, text):
        super().__init__(f"{text} {code}")


class EndsItsProcess(Sound):
    """Action 1 ends the process without an error, as a crash of native code does."""

    def reward(self, action):
        return os._exit(3) if action else 0.0


class FailsToClose(Sound):
    """`close` raises an error."""

    def close(self):
        raise RuntimeError("no window")


def leave(self):
    """Ends the process, as hobby games do."""
    sys.exit()


class OldApi(Sound):
    """The interface of gym 0.21."""

    def reset(self):
        self.time = 0
        return np.zeros(2, np.float32)


class OldStep(Sound):
    """`step` returns four values."""

    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, info


class BareReset(Sound):
    """`reset` returns only the observation, which has two numbers."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class NeedsArgument(Sound):
    """Its constructor needs an argument."""

    def __init__(self, table):
        self.table = table


class NoFile(Sound):
    """Its constructor raises an error."""

    def __init__(self):
        raise FileNotFoundError("no such table: prices.csv")


class Leaves(Sound):
    """Its constructor ends the process."""

    def __init__(self):
        sys.exit(3)


class NoModes(Sound):
    """Declares a render mode that its constructor does not take."""

    def __init__(self):
        pass


class NotGymnasium:
    """No environment of gymnasium."""


class RaisesLate(Sound):
    """Raises an error in step 5 of an episode."""

    def step(self, action):
        if self.time == 4:
            raise ConnectionResetError("the simulator went away")
        return super().step(action)


FAULTY = (
    OldApi,
    OldStep,
    BareReset,
    NeedsArgument,
    NoFile,
    Leaves,
    NoModes,
    NotGymnasium,
    RaisesLate,
    FailsToClose,
    Sound,
)
for _class in FAULTY:
    gymnasium.register(f"{_class.__name__}-v0", _class)
