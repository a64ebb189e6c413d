"""Scenarios of ViZDoom as host games: `doom:basic`.

The engine is vizdoom (Kempka et al., *ViZDoom: A Doom-based AI Research Platform for Visual Reinforcement Learning*,
2016), whose package has the scenarios; it needs no display. An observation is one grey picture, uint8 `[84, 84, 1]`; a
step is four frames. Rewards are the scenario's own.

It is an extra: `pip install "jaxdqn[doom]"`.
"""

import functools
import math

from jaxdqn.game_interfaces import HostGame
from jaxdqn.games import checked_environment, environment_vectors
from jaxdqn.spelling import not_known

PREFIX = "doom:"
VERSION = 1

# Those of gymnasium's table for one player whose actions are buttons.
SCENARIOS = (
    "basic",
    "deadly_corridor",
    "defend_the_center",
    "defend_the_line",
    "health_gathering",
    "health_gathering_supreme",
    "my_way_home",
    "predict_position",
    "take_cover",
)


def make(name: str) -> HostGame:
    """Makes the game with a name such as `doom:basic`.

    Raises:
      ValueError: vizdoom is not installed, or the scenario is not one of `SCENARIOS`. The message is one sentence.
    """
    scenario = name.removeprefix(PREFIX)
    if scenario not in SCENARIOS:
        raise ValueError(not_known("no Doom scenario is called", scenario, SCENARIOS, PREFIX))
    try:
        from jaxdqn.games.doom_environment import SKIP, DoomEnvironment
    except ImportError:
        raise ValueError(f'{name} needs vizdoom, which is not installed: pip install "jaxdqn[doom]".') from None
    make_single = functools.partial(DoomEnvironment, scenario)
    single = make_single()
    return HostGame(
        name=name,
        version=VERSION,
        make_vector=functools.partial(environment_vectors.make, name, make_single),
        make_rendered=functools.partial(checked_environment.alone, name, make_single),
        observation_shape=single.observation_space.shape,
        observation_dtype=single.observation_space.dtype,
        num_actions=int(single.action_space.n),
        max_steps=math.ceil(single.time_limit / SKIP) if single.time_limit else None,
        packages=("vizdoom",),
    )
