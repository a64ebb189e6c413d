"""Whether the parts of a run fit each other: asked in Python, before anything is compiled."""

from jaxdqn import fields
from jaxdqn.config import Config
from jaxdqn.interfaces import AnyGame, Network, Transition
from jaxdqn.networks.heads import Categorical
from jaxdqn.outputs import NetworkOutput
from jaxdqn.target_network import LastCopies
from jaxdqn.training.evaluate import Evaluation


def check(config: Config, game: AnyGame, evaluation: Evaluation, steps: int) -> None:
    """Returns nothing if all counts fit each other, and so do the parts and the game.

    Raises:
      ValueError: naming the field, its value, and what it must be a multiple of.
    """
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
    if config.n_step > config.replay.capacity // config.num_environments:
        raise ValueError(
            f"n_step = {config.n_step} is more than replay.capacity = {config.replay.capacity:_} holds of each of "
            f"{config.num_environments} environments."
        )
    length = getattr(config.replay, "length", 1)
    if length > config.replay.capacity // config.num_environments:
        raise ValueError(
            f"replay.length = {length} is more than replay.capacity = {config.replay.capacity:_} holds of each of "
            f"{config.num_environments} environments."
        )
    if getattr(config.replay, "only_new", False) and config.replay.capacity != config.train_every:
        raise ValueError(
            f"replay.only_new = True needs a memory of the steps of one training: replay.capacity = "
            f"{config.replay.capacity:_} must equal train_every = {config.train_every:_}."
        )
    _check_fit(config, config.network.make(game.observation_shape, game.num_actions))


def _check_fit(config: Config, network: Network) -> None:
    """Raises ValueError if the parts of a configuration do not understand each other."""
    for name, part in (("algorithm", config.algorithm), ("exploration", config.exploration)):
        reads = getattr(part, "reads", NetworkOutput)
        if reads not in (NetworkOutput, network.output):
            raise ValueError(
                f"{name} = {type(part).__name__} needs a network that answers with {reads.__name__}, and this one "
                f"answers with {network.output.__name__}: choose another network, or another head for it."
            )
    algorithm, replay, target = config.algorithm, config.replay, config.target_update
    name = f"algorithm = {type(algorithm).__name__}"
    wanted, sampled = getattr(algorithm, "learns_from", Transition), getattr(replay, "samples", Transition)
    if wanted is not sampled:
        raise ValueError(
            f"{name} learns from {wanted.__name__.lower()}s, and replay = {type(replay).__name__} samples "
            f"{sampled.__name__.lower()}s: choose another replay."
        )
    judge = getattr(algorithm, "judged_by", None)
    if (judge is LastCopies) != isinstance(target, LastCopies):
        needed = "LastCopies" if judge is LastCopies else "one network, such as Periodic"
        raise ValueError(f"target_update = {type(target).__name__} does not fit {name}, which needs {needed}.")
    most = getattr(algorithm, "max_n_step", config.n_step)
    if config.n_step > most:
        raise ValueError(f"n_step = {config.n_step} is more than {name} allows for, which is {most}.")
    burn_in, length = getattr(algorithm, "burn_in", 0), getattr(replay, "length", 1)
    if burn_in >= length:
        raise ValueError(
            f"algorithm.burn_in = {burn_in} leaves nothing to learn from of sequences of replay.length = {length}."
        )
    needs_memory = getattr(algorithm, "needs_memory", False)
    if network.unroll is None and needs_memory:
        raise ValueError(f"{name} needs a network with a memory: set network.memory to LSTM().")
    if network.unroll is not None and not needs_memory:
        raise ValueError(f"{name} cannot train a memory: set network.memory to None, or algorithm to R2D2.")
    for path, part in fields.paths(config).items():
        if isinstance(part, Categorical) and part.v_min >= part.v_max:
            raise ValueError(f"{path}.v_min = {part.v_min} must be below {path}.v_max = {part.v_max}.")
