"""Checks in Python, before compilation, that the parts of a run fit each other."""

from jaxdqn import config_fields, learner
from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame
from jaxdqn.interfaces import Network, Requires
from jaxdqn.networks.heads import Categorical
from jaxdqn.outputs import NetworkOutput
from jaxdqn.training.evaluate import Evaluation

_MEMBERS = {
    "algorithm": ("loss", "requires", "version"),
    "network": ("make",),
    "optimizer": ("make",),
    "exploration": ("draw", "episode_policy", "choose", "random_action", "current_value", "requires"),
    "target_update": ("init", "has_copies"),
    "replay": ("make", "capacity", "provides", "requires"),
    "after_update": ("make", "every"),
}


def check(config: Config, game: AnyGame, evaluation: Evaluation, steps: int) -> None:
    """Raises ValueError if the counts, the parts and the game do not fit each other.

    Raises:
      ValueError: the message names the field, its value, and the allowed values.
    """
    _check_members(config)
    _check_counts(config, evaluation, steps)
    network = config.network.make(game.observation_shape, game.num_actions)
    for name, part in (
        ("replay", config.replay),
        ("algorithm", config.algorithm),
        ("exploration", config.exploration),
    ):
        _check_requirements(f"{name} = {type(part).__name__}", part.requires, config, network)
    _check_changes(config, game)
    for path, part in config_fields.paths(config).items():
        if isinstance(part, Categorical) and part.v_min >= part.v_max:
            raise ValueError(f"{path}.v_min = {part.v_min} must be below {path}.v_max = {part.v_max}.")


def _check_members(config: Config) -> None:
    """Raises ValueError if a part lacks a method or an attribute that training uses."""
    for field, members in _MEMBERS.items():
        part = getattr(config, field)
        if part is None:
            continue
        missing = [member for member in members if not hasattr(part, member)]
        if missing:
            raise ValueError(
                f"{field} = {type(part).__name__} has no {' and no '.join(missing)}: a part of your own needs what the "
                "parts of jaxdqn have there."
            )


def _check_counts(config: Config, evaluation: Evaluation, steps: int) -> None:
    """Raises ValueError if a count is out of range or no multiple of what it must be a multiple of."""
    for name, value, unit_name, unit in (
        ("train_every", config.train_every, "num_environments", config.num_environments),
        ("learning_starts", config.learning_starts, "train_every", config.train_every),
        ("batch_size", config.batch_size, "num_minibatches", config.num_minibatches),
        ("replay.capacity", config.replay.capacity, "num_environments", config.num_environments),
        ("evaluation.every", evaluation.every, "train_every", config.train_every),
        ("steps", steps, "evaluation.every", evaluation.every),
    ):
        if value % unit:
            below, above = value // unit * unit, (value // unit + 1) * unit
            nearest = f"{below:_} or {above:_}" if below else f"{above:_}"
            raise ValueError(f"{name} = {value:_} must be a multiple of {unit_name} = {unit:_}, such as {nearest}.")
    if not 0 < steps < 2**31:
        raise ValueError(f"steps = {steps:_} must be at least 1 and below 2^31.")
    trained_at_once = config.train_every if config.train_at == "steps" else steps
    if trained_at_once * config.num_updates * config.num_minibatches >= 2**31:
        raise ValueError(
            f"num_updates = {config.num_updates:_} times num_minibatches = {config.num_minibatches:_} is too much for "
            f"{trained_at_once:_} steps: their product must be below 2^31."
        )
    for name, needed in (("n_step", config.n_step), ("replay.length", config.replay.provides.length)):
        if needed > config.replay.capacity // config.num_environments:
            raise ValueError(
                f"{name} = {needed} is more than replay.capacity = {config.replay.capacity:_} holds of each of "
                f"{config.num_environments} environments."
            )


def _check_changes(config: Config, game: AnyGame) -> None:
    """Raises ValueError if `after_update` does not fit the counts or the network."""
    if config.after_update is None:
        return
    every, unit = config.after_update.every, config.num_updates * config.num_minibatches
    if every % unit:
        nearest = f"{every // unit * unit:_} or " if every > unit else ""
        raise ValueError(
            f"after_update.every = {every:_} must be a multiple of num_updates * num_minibatches = {unit:_}, such as "
            f"{nearest}{(every // unit + 1) * unit:_}."
        )
    learner.make(config, game)


def _check_requirements(name: str, requires: Requires, config: Config, network: Network) -> None:
    """Raises ValueError if the other parts are not what one part requires.

    Args:
      name: of the part, with its field.
      requires: its requirements.
      config: all parts.
      network: that the configuration makes.
    """
    if requires.output not in (NetworkOutput, network.output):
        raise ValueError(
            f"{name} needs a network that returns {requires.output.__name__}, and this one returns "
            f"{network.output.__name__}: choose another network, or another head for it."
        )
    if requires.recurrent is True and network.unroll is None:
        raise ValueError(f"{name} needs a network with a memory: set network.memory to LSTM().")
    if requires.recurrent is False and network.unroll is not None:
        raise ValueError(f"{name} cannot train a memory: set network.memory to None, or algorithm to R2D2.")
    sampled = config.replay.provides
    if requires.sample not in (None, sampled.sample):
        raise ValueError(
            f"{name} learns from {requires.sample.__name__.lower()}s, and replay = {type(config.replay).__name__} "
            f"samples {sampled.sample.__name__.lower()}s: choose another replay."
        )
    if sampled.length < requires.min_length:
        raise ValueError(
            f"{name} needs sequences of at least {requires.min_length} steps: replay.length = {sampled.length}."
        )
    if requires.target_copies not in (None, config.target_update.has_copies):
        needed = "LastCopies" if requires.target_copies else "one target network, such as Periodic"
        raise ValueError(f"target_update = {type(config.target_update).__name__} does not fit {name}: set {needed}.")
    if requires.max_n_step is not None and config.n_step > requires.max_n_step:
        raise ValueError(f"n_step = {config.n_step} is too large for {name}, which allows {requires.max_n_step}.")
    for field, value in (("replay.capacity", config.replay.capacity), ("batch_size", config.batch_size)):
        if requires.one_training and value != config.train_every:
            raise ValueError(
                f"{name} learns from all steps of one training at once: {field} = {value:_} must equal "
                f"train_every = {config.train_every:_}."
            )
