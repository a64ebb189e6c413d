"""One copy of an Atari game over ale-py's `ALEInterface`, whose state can be saved and continued exactly.

A step plays `SKIP` frames of the emulator. The observation is the maximum of the last two grey screens, shrunk to
84 x 84, without a stack. Where a game ends within a step, its last frames are missing; the screens of the step before
stand in for them, as in ale-py's own `AtariVectorEnv`. (That one does so at the limit of frames, too. Here the last
picture of a truncated episode is a true one, since its value is bootstrapped.)

Sticky actions (Machado et al., *Revisiting the Arcade Learning Environment*, 2018): in each frame the emulator repeats
the action of the frame before with a given probability. They are drawn here, because ale-py does not save the action
that its own sticky actions repeat.
"""

import json
import zlib
from typing import Any

import ale_py
import gymnasium
import numpy as np
from ale_py import roms
from gymnasium import spaces

from jaxdqn.games import area_resize

SKIP = 4  # frames of a step
SIZE = 84  # height and width of an observation, in pixels
_FRAMES_PER_SECOND = 60  # of the console


class AtariEnvironment(gymnasium.Env[Any, Any]):
    """One copy of an Atari game.

    All its random numbers come from the seed of `reset`. After the end of an episode, `step` ignores the action and
    begins the next one, so that a copy whose state is restored needs no vector environment that knows of the end.

    Args:
      rom: name of the game in ale-py, such as `pong`.
      sticky: probability of repeating the action of the frame before, in [0, 1].
      noops: an episode begins with 1 to this many frames without an action, drawn uniformly; 0 is none.
      life_loss: whether `info` says `life_lost` where a life was lost and the game goes on.
      actions: `minimal` for those that the game uses, `full` for all 18.
      limit: frames, after which an episode is truncated at the end of the step.
    """

    observation_space: spaces.Box
    action_space: spaces.Discrete

    def __init__(self, rom: str, *, sticky: float, noops: int, life_loss: bool, actions: str, limit: int) -> None:
        self._sticky, self._noops, self._life_loss, self._limit = sticky, noops, life_loss, limit
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.setInt("random_seed", 0)  # otherwise the time
        path = roms.get_rom_path(rom)
        assert path is not None, rom
        self._ale.loadROM(path)
        self._actions = self._ale.getMinimalActionSet() if actions == "minimal" else self._ale.getLegalActionSet()
        height, width = self._ale.getScreenDims()
        self._screens = np.zeros((2, height, width), np.uint8)
        self._shrink = area_resize.make(height, width, SIZE)
        self._held, self._frames, self._has_ended = 0, 0, False
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": _FRAMES_PER_SECOND / SKIP}
        self.render_mode = "rgb_array"
        self.observation_space = spaces.Box(0, 255, (SIZE, SIZE, 1), np.uint8)
        self.action_space = spaces.Discrete(len(self._actions))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode."""
        super().reset(seed=seed, options=options)
        self._ale.reset_game()
        self._held, self._frames, self._has_ended = 0, 0, False
        if self._noops:
            for _ in range(int(self.np_random.integers(1, self._noops + 1))):
                self._play()
        self._screens[0] = 0
        self._ale.getScreenGrayscale(self._screens[1])
        return self._observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays a step, or begins the next episode if the last one has ended."""
        if self._has_ended:
            observation, info = self.reset()
            return observation, 0.0, False, False, info
        before, reward = self._ale.lives(), 0
        is_repeated = (self.np_random.random(SKIP) < self._sticky).tolist()
        for frame in range(SKIP):
            if not is_repeated[frame]:
                self._held = int(action)
            reward += self._play()
            if self._ale.game_over(with_truncation=False):
                break
            if frame >= SKIP - 2:
                self._ale.getScreenGrayscale(self._screens[frame - (SKIP - 2)])
        terminated = self._ale.game_over(with_truncation=False)
        truncated = not terminated and self._frames >= self._limit
        self._has_ended = terminated or truncated
        info = {"life_lost": not terminated and 0 < self._ale.lives() < before} if self._life_loss else {}
        return self._observation(), float(reward), terminated, truncated, info

    def render(self) -> np.ndarray:
        """Returns the screen in colour, uint8 `[height, width, 3]`."""
        return self._ale.getScreenRGB()

    @property
    def saved_state(self) -> bytes:
        """The whole state: setting it in another copy, also of another process, continues the episode exactly."""
        counts = {"held": self._held, "frames": self._frames, "has_ended": self._has_ended}
        known = json.dumps(counts | {"generator": self.np_random.bit_generator.state})
        emulator = self._ale.cloneState(include_rng=True).serialize()
        return zlib.compress(b"\n".join((known.encode(), self._screens.tobytes() + emulator)))

    @saved_state.setter
    def saved_state(self, state: bytes) -> None:
        text, _, rest = zlib.decompress(state).partition(b"\n")  # JSON of one line has no line break
        known = json.loads(text)
        self._held, self._frames, self._has_ended = known["held"], known["frames"], known["has_ended"]
        self.np_random.bit_generator.state = known["generator"]
        number = self._screens.nbytes
        self._screens[:] = np.frombuffer(rest[:number], np.uint8).reshape(self._screens.shape)
        self._ale.restoreState(ale_py.ALEState(rest[number:]))

    def _play(self) -> int:
        """Plays a frame with the action that is held, and returns the reward."""
        self._frames += 1
        return self._ale.act(self._actions[self._held])

    def _observation(self) -> np.ndarray:
        return self._shrink(np.maximum(*self._screens))[..., None]
