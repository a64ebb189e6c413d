"""The values that every configuration starts from, and those that it allows, written down once more.

A script that leaves a field out trains with its default, and a stored result leaves it out of its name: a default is
changed on purpose, here too, or not at all.
"""

import dataclasses
import typing

import pytest

from jaxdqn import config_fields
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.config import Config

# Type.field: kind, default, what is allowed
FIELDS = """
Adam.b1: number, 0.9, at least 0 and below 1
Adam.b2: number, 0.999, at least 0 and below 1
Adam.eps: number, 1e-08, above 0
AveragedDQN.error: part, SquaredError(), finite
Boltzmann.temperature: part, Linear(), finite
BootstrappedDQN.error: part, SquaredError(), finite
BootstrappedDQN.share: number, 0.5, above 0 and at most 1
C51.selector: static, 'target', one of 'target', 'online'
CVaR.eta: number, 0.25, above 0 and at most 1
Categorical.num_atoms: static, 51, at least 2
Categorical.v_max: number, 10.0, finite
Categorical.v_min: number, -10.0, finite
ClippedDoubleDQN.error: part, SquaredError(), finite
Config.after_update: part, None, finite
Config.algorithm: part, required, finite
Config.batch_size: static, 128, at least 1
Config.bootstrap_time_limits: static, True, finite
Config.discount: number, 0.99, at least 0 and at most 1
Config.exploration: part, EpsilonGreedy(), finite
Config.learning_rate: number, 0.001, above 0
Config.learning_rate_schedule: part, None, finite
Config.learning_starts: static, 1000, at least 0
Config.max_gradient_norm: number, None, above 0
Config.n_step: static, 1, at least 1 and at most 100
Config.network: part, QNetwork(), finite
Config.num_environments: static, 10, at least 1
Config.num_minibatches: static, 1, at least 1
Config.num_updates: static, 1, at least 1
Config.optimizer: part, Adam(), finite
Config.replay: part, Uniform(), finite
Config.reward_clip: number, None, above 0
Config.target_update: part, Periodic(), finite
Config.terminal_reward: number, None, finite
Config.train_at: static, 'steps', one of 'steps', 'episode_end'
Config.train_every: static, 10, at least 1
Constant.value: number, 0.1, at least 0
Conv.channels: static, (16,), at least 1
Conv.hidden: static, (128,), at least 1
Conv.kernel_sizes: static, (3,), at least 1
Conv.padding: static, 'VALID', one of 'VALID', 'SAME'
Conv.strides: static, (1,), at least 1
DQN.error: part, SquaredError(), finite
Dense.hidden: static, (64, 64), at least 1
DoubleDQN.error: part, SquaredError(), finite
Dueling.hidden: static, (64,), at least 1
Ensemble.member: part, QNetwork(), finite
Ensemble.num_members: static, 10, at least 1
Ensemble.prior_scale: number, None, at least 0
EpsilonGreedy.epsilon: part, Linear(), finite
ExponentialPerStep.end: number, 0.01, at least 0
ExponentialPerStep.rate: number, 0.0001, at least 0
ExponentialPerStep.start: number, 1.0, at least 0
FQF.entropy: number, 0.001, at least 0
FQF.kappa: number, 1.0, at least 0
GaussianNoise.scale: part, HarmonicPerEpisode(), finite
HLGauss.smoothing: number, 0.75, above 0
HarmonicPerEpisode.start: number, 1.0, at least 0
Huber.delta: number, 1.0, above 0
Impala.channels: static, (16, 32, 32), at least 1
Impala.hidden: static, (256,), at least 1
Impala.width: static, 1, at least 1
ImplicitQuantiles.hidden: static, (64,), at least 1
ImplicitQuantiles.num_cosines: static, 64, at least 1
ImplicitQuantiles.num_policy_quantiles: static, 16, at least 1
ImplicitQuantiles.num_quantiles: static, 16, at least 1
ImplicitQuantiles.risk: part, Neutral(), finite
LSTM.units: static, 64, at least 1
LastCopies.every: whole, 500, at least 1
LastCopies.num_copies: static, 10, at least 1
LayerNorm.epsilon: number, 1e-06, above 0
Linear.end: number, 0.05, at least 0
Linear.start: number, 1.0, at least 0
Linear.steps: number, 10000, above 0
MultiplicativePerEpisode.end: number, 0.1, at least 0
MultiplicativePerEpisode.factor: number, 0.995, above 0 and at most 1
MultiplicativePerEpisode.start: number, 1.0, at least 0
MunchausenDQN.clip: number, -1.0, below 0
MunchausenDQN.error: part, SquaredError(), finite
MunchausenDQN.scale: number, 0.9, at least 0 and at most 1
MunchausenDQN.temperature: number, 0.03, above 0
MunchausenIQN.clip: number, -1.0, below 0
MunchausenIQN.kappa: number, 1.0, at least 0
MunchausenIQN.scale: number, 0.9, at least 0 and at most 1
MunchausenIQN.temperature: number, 0.03, above 0
Noisy.scale: number, 0.5, at least 0
OneMember.epsilon: part, Constant(value=0.0), finite
PQN.error: part, HalfSquaredError(), finite
Periodic.every: whole, 500, at least 1
Polyak.rate: number, 0.005, above 0 and at most 1
Power.eta: number, -2.0, finite
Priorities.exponent: number, 0.9, at least 0
Priorities.importance: number, 0.6, at least 0 and at most 1
Prioritised.capacity: static, 10000, at least 1
Prioritised.exponent: number, 0.6, at least 0
Prioritised.importance: part, Linear(start=0.4, end=1.0, steps=100000), finite
Prioritised.uniform_mix: number, 0.001, at least 0 and at most 1
ProposedFractions.hidden: static, (64,), at least 1
ProposedFractions.num_cosines: static, 64, at least 1
ProposedFractions.num_quantiles: static, 16, at least 2
ProposedFractions.pace: number, 0.01, above 0
QNetwork.activation: static, 'relu', one of 'relu', 'tanh'
QNetwork.dueling: part, None, finite
QNetwork.frames: static, 1, at least 1 and at most 100
QNetwork.head: part, None, finite
QNetwork.initializer: static, 'lecun_normal', one of 'lecun_normal', 'he_normal', 'glorot_uniform'
QNetwork.memory: part, None, finite
QNetwork.noisy: part, None, finite
QNetwork.normalisation: part, None, finite
QNetwork.torso: part, Dense(), finite
QuantileRegression.kappa: number, 1.0, at least 0
QuantileRegression.selector: static, 'target', one of 'target', 'online'
Quantiles.num_quantiles: static, 51, at least 1
R2D2.burn_in: static, 4, at least 0
R2D2.eps: number, 0.001, at least 0
R2D2.error: part, SquaredError(), finite
R2D2.eta: number, 0.9, at least 0 and at most 1
RAdam.b1: number, 0.9, at least 0 and below 1
RAdam.b2: number, 0.999, at least 0 and below 1
RAdam.eps: number, 1e-08, above 0
RMSProp.centred: static, False, finite
RMSProp.decay: number, 0.9, at least 0 and below 1
RMSProp.eps: number, 1e-08, above 0
Reset.every: static, 20000, at least 1
Reset.layers: static, ('Dense_2',), finite
Rollout.capacity: static, 4096, at least 1
Rollout.lambda_: number, 0.65, at least 0 and at most 1
Sequences.capacity: static, 10000, at least 1
Sequences.length: static, 20, at least 1
Sequences.priorities: part, None, finite
Sequences.replacement: static, True, finite
SquaredError.blend: number, 1.0, above 0 and at most 1
ShrinkAndPerturb.every: static, 20000, at least 1
ShrinkAndPerturb.layers: static, ('Dense_0',), finite
ShrinkAndPerturb.perturb: number, 0.2, at least 0
ShrinkAndPerturb.shrink: number, 0.8, at least 0 and at most 1
Table.bins: static, (40, 40), at least 1
Table.high: static, (1.0, 1.0), finite
Table.low: static, (-1.0, -1.0), finite
Uniform.capacity: static, 10000, at least 1
Uniform.replacement: static, True, finite
UpperConfidence.bonus: part, Constant(value=1.0), finite
Wang.eta: number, -0.75, finite
"""

# The fields in which an algorithm's configuration differs from the defaults; the version of its loss, and
# the the passes through a network for which it draws.
ALGORITHM_FIELDS = """
tabular_q_learning version 1, passes 0
tabular_q_learning learning_rate = 0.1
tabular_q_learning batch_size = 1
tabular_q_learning train_every = 1
tabular_q_learning num_environments = 1
tabular_q_learning learning_starts = 0
tabular_q_learning network = Table
tabular_q_learning network.bins = (40, 40)
tabular_q_learning network.low = (-1.0, -1.0)
tabular_q_learning network.high = (1.0, 1.0)
tabular_q_learning optimizer = SGD
tabular_q_learning exploration = GaussianNoise
tabular_q_learning exploration.scale = HarmonicPerEpisode
tabular_q_learning exploration.scale.start = 1.0
tabular_q_learning target_update = Online
tabular_q_learning replay.capacity = 1
naive_deep_q_learning version 1, passes 2
naive_deep_q_learning algorithm.error.blend = 0.1
naive_deep_q_learning batch_size = 1
naive_deep_q_learning train_every = 1
naive_deep_q_learning num_environments = 1
naive_deep_q_learning learning_starts = 0
naive_deep_q_learning exploration.epsilon = Constant
naive_deep_q_learning exploration.epsilon.value = 0.3
naive_deep_q_learning target_update = Online
naive_deep_q_learning replay.capacity = 1
dqn version 1, passes 2
double_dqn version 1, passes 3
dueling_dqn version 1, passes 2
dueling_dqn network.torso.hidden = (64,)
dueling_dqn network.dueling = Dueling
dueling_dqn network.dueling.hidden = (64,)
prioritised_dqn version 1, passes 2
prioritised_dqn replay = Prioritised
prioritised_dqn replay.exponent = 0.6
prioritised_dqn replay.importance = Linear
prioritised_dqn replay.importance.start = 0.4
prioritised_dqn replay.importance.end = 1.0
prioritised_dqn replay.importance.steps = 100000
prioritised_dqn replay.uniform_mix = 0.001
n_step_dqn version 1, passes 2
n_step_dqn n_step = 3
noisy_dqn version 1, passes 2
noisy_dqn network.noisy = Noisy
noisy_dqn network.noisy.scale = 0.5
noisy_dqn exploration.epsilon = Constant
noisy_dqn exploration.epsilon.value = 0.0
clipped_double_dqn version 1, passes 3
clipped_double_dqn network = Ensemble
clipped_double_dqn network.member = QNetwork
clipped_double_dqn network.member.torso = Dense
clipped_double_dqn network.member.torso.hidden = (64, 64)
clipped_double_dqn network.member.memory = None
clipped_double_dqn network.member.head = None
clipped_double_dqn network.member.dueling = None
clipped_double_dqn network.member.noisy = None
clipped_double_dqn network.member.normalisation = None
clipped_double_dqn network.member.activation = 'relu'
clipped_double_dqn network.member.initializer = 'lecun_normal'
clipped_double_dqn network.member.frames = 1
clipped_double_dqn network.num_members = 2
clipped_double_dqn network.prior_scale = None
averaged_dqn version 2, passes None
averaged_dqn target_update = LastCopies
averaged_dqn target_update.num_copies = 10
c51 version 1, passes 3
c51 network.head = Categorical
c51 network.head.num_atoms = 101
c51 network.head.v_min = -100.0
c51 network.head.v_max = 100.0
qr_dqn version 1, passes 3
qr_dqn network.head = Quantiles
qr_dqn network.head.num_quantiles = 51
iqn version 1, passes 3
iqn network.torso.hidden = (64,)
iqn network.head = ImplicitQuantiles
iqn network.head.num_quantiles = 16
iqn network.head.num_policy_quantiles = 16
iqn network.head.num_cosines = 64
iqn network.head.hidden = (64,)
iqn network.head.risk = Neutral
fqf version 1, passes 2
fqf network.torso.hidden = (64,)
fqf network.head = ProposedFractions
fqf network.head.num_quantiles = 16
fqf network.head.num_cosines = 64
fqf network.head.hidden = (64,)
fqf network.head.pace = 0.01
hl_gauss version 1, passes 2
hl_gauss network.head = Categorical
hl_gauss network.head.num_atoms = 101
hl_gauss network.head.v_min = -100.0
hl_gauss network.head.v_max = 100.0
munchausen_dqn version 1, passes 3
munchausen_iqn version 1, passes 3
munchausen_iqn network.torso.hidden = (64,)
munchausen_iqn network.head = ImplicitQuantiles
munchausen_iqn network.head.num_quantiles = 16
munchausen_iqn network.head.num_policy_quantiles = 16
munchausen_iqn network.head.num_cosines = 64
munchausen_iqn network.head.hidden = (64,)
munchausen_iqn network.head.risk = Neutral
rainbow version 1, passes 3
rainbow algorithm.selector = 'online'
rainbow n_step = 3
rainbow network.torso.hidden = (64,)
rainbow network.head = Categorical
rainbow network.head.num_atoms = 101
rainbow network.head.v_min = -100.0
rainbow network.head.v_max = 100.0
rainbow network.dueling = Dueling
rainbow network.dueling.hidden = (64,)
rainbow network.noisy = Noisy
rainbow network.noisy.scale = 0.5
rainbow exploration.epsilon = Constant
rainbow exploration.epsilon.value = 0.0
rainbow replay = Prioritised
rainbow replay.exponent = 0.5
rainbow replay.importance = Linear
rainbow replay.importance.start = 0.4
rainbow replay.importance.end = 1.0
rainbow replay.importance.steps = 100000
rainbow replay.uniform_mix = 0.001
bootstrapped_dqn version 1, passes 3
bootstrapped_dqn network = Ensemble
bootstrapped_dqn network.member = QNetwork
bootstrapped_dqn network.member.torso = Dense
bootstrapped_dqn network.member.torso.hidden = (64, 64)
bootstrapped_dqn network.member.memory = None
bootstrapped_dqn network.member.head = None
bootstrapped_dqn network.member.dueling = None
bootstrapped_dqn network.member.noisy = None
bootstrapped_dqn network.member.normalisation = None
bootstrapped_dqn network.member.activation = 'relu'
bootstrapped_dqn network.member.initializer = 'lecun_normal'
bootstrapped_dqn network.member.frames = 1
bootstrapped_dqn network.num_members = 10
bootstrapped_dqn network.prior_scale = 3.0
bootstrapped_dqn exploration = OneMember
bootstrapped_dqn exploration.epsilon = Constant
bootstrapped_dqn exploration.epsilon.value = 0.0
pqn version 3, passes 1
pqn learning_rate_schedule = Linear
pqn learning_rate_schedule.start = 1.0
pqn learning_rate_schedule.end = 0.1
pqn learning_rate_schedule.steps = 500000
pqn batch_size = 2048
pqn num_minibatches = 16
pqn train_every = 2048
pqn num_updates = 4
pqn num_environments = 32
pqn learning_starts = 0
pqn max_gradient_norm = 10.0
pqn network.normalisation = LayerNorm
pqn network.normalisation.epsilon = 1e-06
pqn optimizer = RAdam
pqn exploration.epsilon.end = 0.1
pqn exploration.epsilon.steps = 50000
pqn target_update = Online
pqn replay = Rollout
pqn replay.capacity = 2048
pqn replay.lambda_ = 0.65
r2d2 version 2, passes 0
r2d2 n_step = 3
r2d2 batch_size = 32
r2d2 network.torso.hidden = (64,)
r2d2 network.memory = LSTM
r2d2 network.memory.units = 64
r2d2 replay = Sequences
r2d2 replay.capacity = 50000
r2d2 replay.length = 20
r2d2 replay.priorities = Priorities
r2d2 replay.priorities.exponent = 0.9
r2d2 replay.priorities.importance = 0.6
"""


def plain(value):
    """Returns a part as the name of its type: its own fields have lines of their own."""
    return type(value).__name__ if dataclasses.is_dataclass(value) else repr(value)


def brief(value):
    """Returns a part as it would be written: with those of its fields that have other values than their defaults."""
    if not dataclasses.is_dataclass(value):
        return repr(value)
    changed = [field.name for field in dataclasses.fields(value) if getattr(value, field.name) != field.default]
    return f"{type(value).__name__}({', '.join(f'{name}={getattr(value, name)!r}' for name in changed)})"


def types_within(hint):
    """Yields the configurations that a hint names, and those that their fields name."""
    for member in typing.get_args(hint) or (hint,):
        if dataclasses.is_dataclass(member):
            yield member
            for inner in typing.get_type_hints(member).values():
                yield from types_within(inner)


def declared(cls):
    """Yields a line for each field of a configuration."""
    for field in dataclasses.fields(cls):
        default = "required" if field.default is dataclasses.MISSING else brief(field.default)
        yield f"{cls.__name__}.{field.name}: {field.metadata['kind']}, {default}, {field.metadata['allowed']}"


def test_every_field_has_the_kind_the_default_and_the_range_written_down_here():
    algorithms = {type(entry.config.algorithm) for entry in ALGORITHMS.values()}
    types = {cls for hint in (Config, *algorithms) for cls in types_within(hint)}
    assert sorted(line for cls in types for line in declared(cls)) == sorted(FIELDS.split("\n")[1:-1])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_starts_from_the_values_written_down_here(name):
    config = ALGORITHMS[name].config
    default = Config(algorithm=type(config.algorithm)())
    found = [f"{name} version {config.algorithm.version}, passes {config.algorithm.requires.passes}"]
    for path, value in config_fields.paths(config).items():
        known = config_fields.paths(default).get(path, dataclasses.MISSING)
        if plain(known) != plain(value):
            found.append(f"{name} {path} = {plain(value)}")
    assert found == [line for line in ALGORITHM_FIELDS.split("\n") if line.partition(" ")[0] == name]
