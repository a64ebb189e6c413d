"""Runs a trial as the project runs it, and records what it drew and what it computed.

Nothing is computed again here: callbacks in the compiled program hand out what passes between the parts of a run. What
was drawn becomes the `tape` from which `plain.training.run` computes the run anew; the rest is compared with that.
"""

import functools
import types
from typing import Any

import jax
import numpy as np

from jaxdqn import config_dicts, config_fields, exploration, games, optimizers
from jaxdqn.replay import sum_tree
from jaxdqn.training import evaluate, host_loop, host_programs, loop, sample_and_learn
from jaxdqn.training import state as states
from jaxdqn.training.evaluate import Evaluation
from tests.reference.corridor import GAME, IN_PICTURES

NUM_LOGGED = 7


class Recorder:
    """What a run hands out, in order: pairs of a name and NumPy arrays."""

    def __init__(self):
        self.events = []

    def __call__(self, name, *values):
        """Hands out values from inside a compiled program."""
        jax.debug.callback(
            lambda *seen: self.events.append((name, jax.tree.map(np.array, seen))), *values, ordered=True
        )

    def taken(self):
        """Returns the events so far, and forgets them."""
        jax.effects_barrier()
        events, self.events = self.events, []
        return events


def tapped(parts, record):
    """Returns the parts of a run with a replay that hands out what is added and sampled."""
    replay = parts.replay

    def add(state, step, is_valid):
        record("row", step, is_valid)
        return replay.add(state, step, is_valid)

    def sample(state, bits, *counts):
        drawn = replay.sample(state, bits, *counts)
        record("sample", bits, drawn)
        return drawn

    def update(state, indices, priority):
        state = replay.update(state, indices, priority)
        if getattr(state, "tree", None) is not None:
            leaves = sum_tree.get(state.tree, np.arange(parts.config.replay.capacity))
            record("priorities", leaves, state.max_priority)
        return state

    return parts._replace(replay=replay._replace(add=add, sample=sample, update=update))


def observe(monkeypatch, config, record):
    """Lets the parts that are looked up by name hand out what they compute."""
    parts, with_clipping = states.parts, optimizers.with_clipping
    algorithm, optimizer = type(config.algorithm), type(config.optimizer)
    loss, make = algorithm.loss, optimizer.make

    def recording_loss(self, network, parameters, target_parameters, sample, key):
        output = loss(self, network, parameters, target_parameters, sample, key)
        record("loss", parameters, target_parameters, output)
        return output

    def recording(name, transformation):
        def update(gradient, state, parameters=None):
            record(name, gradient)
            return transformation.update(gradient, state, parameters)

        return transformation._replace(update=update)

    monkeypatch.setattr(states, "parts", lambda *arguments: tapped(parts(*arguments), record))
    monkeypatch.setattr(algorithm, "loss", recording_loss)
    monkeypatch.setattr(optimizer, "make", lambda self, rate: recording("clipped", make(self, rate)))
    monkeypatch.setattr(
        optimizers, "with_clipping", lambda *arguments: recording("gradient", with_clipping(*arguments))
    )


# ------------------------------------------------------------------------------------------------ the two loops


def game_of(trial):
    """Returns the game in JAX of a trial."""
    return IN_PICTURES if trial.is_in_pictures else GAME


def run_in_jax(monkeypatch, trial, record, evaluation, num_periods):
    """Returns the states after each period, the curves, and what the evaluations drew."""

    def epsilon_greedy(q_values, epsilon, uniform, random_action):
        record("choice", uniform, random_action)
        return exploration.epsilon_greedy(q_values, epsilon, uniform, random_action)

    monkeypatch.setattr(evaluate, "exploration", types.SimpleNamespace(epsilon_greedy=epsilon_greedy))
    config, game = config_fields.to_arrays(trial.config), game_of(trial)
    state = jax.jit(functools.partial(loop.init, game=game, num_logged=NUM_LOGGED))(config, jax.random.key(3))
    advance = jax.jit(functools.partial(loop.advance, game=game, evaluation=evaluation))
    states, curves, drawn = [state], [], []
    for _ in range(num_periods):
        state, point = advance(config, state)
        states.append(state)
        curves.append({name: float(value) for name, value in point.items()})
        reset_key, _ = jax.random.split(jax.random.fold_in(state.evaluation_key, state.step))
        starts = jax.vmap(game.reset)(jax.random.split(reset_key, evaluation.episodes)).position
        drawn.append(np.array(starts))
    return states, curves, drawn


def run_on_host(monkeypatch, trial, record, evaluation, num_periods):
    """Returns the same of a game on the host, and the starts of its copies' episodes."""
    game = games.make("gymnasium:tests.reference.corridor:Corridor-v0")
    programs = host_programs.make(game)
    made = np.random.default_rng

    class Generator:
        """Hands out what the evaluation draws."""

        def __init__(self, seed):
            self.generator = made(seed)

        def integers(self, *arguments, **named):
            self.action = self.generator.integers(*arguments, **named)
            return self.action

        def random(self, *arguments):
            uniform = self.generator.random(*arguments)
            record.events.append(("choice", (uniform, self.action)))
            return uniform

    host = host_loop.init(trial.config, 3, game=game, programs=programs, evaluation=evaluation, num_logged=NUM_LOGGED)
    states, curves, drawn = [jax.tree.map(jax.numpy.copy, host.state._replace(game=None))], [], []
    for _ in range(num_periods):
        with monkeypatch.context() as patch:
            patch.setattr(np.random, "default_rng", Generator)
            host, point = host_loop.advance(host, game=game, programs=programs, evaluation=evaluation)
        states.append(host.state)
        curves.append({name: float(value) for name, value in point.items()})
        drawn.append(np.array([copy.unwrapped.start for copy in host.evaluation_environments.unwrapped.envs]))
    starts = [copy.unwrapped.starts for copy in host.environments.unwrapped.envs]
    host_loop.close(host)
    return states, curves, drawn, starts


def by_path(parameters):
    """Returns parameters by path, float64."""
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    return {"/".join(str(key.key) for key in path): np.array(leaf, np.float64) for path, leaf in leaves}


# ------------------------------------------------------------------------------------------------ the tape


def explore_of(noise):
    """Returns what an exploration rule drew, as arrays `[V, E, ...]` by name."""
    if isinstance(noise, exploration.OneMemberNoise):
        return {**explore_of(noise.epsilon_greedy), "bits": np.array(noise.bits)}
    if isinstance(noise, exploration.EpsilonGreedyNoise):
        return {name: np.array(values) for name, values in noise._asdict().items()}
    name = "noise" if np.issubdtype(noise.dtype, np.floating) else "random_action"
    return {name: np.array(noise)}


def noise_of(network, noise, batch_size):
    """Returns the noise of one pass as the reference takes it.

    Args:
      network: its configuration.
      noise: as `Network.noise` returned it.
      batch_size: examples of the pass.
    """
    if hasattr(network, "member"):
        members = [jax.tree.map(lambda x, k=k: x[k], noise) for k in range(network.num_members)]
        return [noise_of(network.member, member, batch_size) for member in members]
    if noise is None or not jax.tree.leaves(noise):
        return None
    weights = fractions = None
    if noise.weights is not None:
        leaves = jax.tree_util.tree_leaves_with_path(noise.weights)
        weights = {"/".join(str(key.key) for key in path): np.array(leaf, np.float64) for path, leaf in leaves}
    if noise.head_key is not None:
        number = network.head.num_quantiles + network.head.num_policy_quantiles
        fractions = np.array(jax.random.uniform(noise.head_key, (batch_size, number)), np.float64)
    return {"weights": weights, "fractions": fractions}


def noises_of(config, noises):
    """Returns the noise of the passes of one loss."""
    if config.algorithm.requires.passes is None:  # a key, split for each target network; here none has noise
        return [None, [None] * config.target_update.num_copies]
    size = config.batch_size // config.num_minibatches
    return [noise_of(config.network, noise, size) for noise in noises]


def all_noise(trial, training_key, number):
    """Returns what acting and learning draw in a number of iterations, in NumPy but for keys of heads."""
    parts = states.parts(trial.config, game_of(trial), np.float32)
    draw = jax.jit(jax.vmap(lambda i: sample_and_learn.draw(parts, sample_and_learn.keys_of(training_key, i)[0])))
    numbers = draw(np.arange(number))
    return [jax.tree.map(lambda x, i=i: x[i], numbers) for i in range(number)]


def draws_of(config, numbers):
    """Returns what one iteration drew as the reference takes it, but for positions."""
    updates = []
    for u in range(config.num_updates):
        noises = jax.tree.map(lambda x, u=u: x[u], numbers.learning)
        if config.num_minibatches == 1:
            updates.append([noises_of(config, noises)])
        else:
            each = [jax.tree.map(lambda x, m=m: x[m], noises) for m in range(config.num_minibatches)]
            updates.append([noises_of(config, one) for one in each])
    num_rows = config.train_every // config.num_environments
    act = [jax.tree.map(lambda x, v=v: x[v], numbers.acting) for v in range(num_rows)]
    return {
        "explore": explore_of(numbers.exploration),
        "act": [noise_of(config.network, one, config.num_environments) for one in act],
        "bits": np.array(numbers.sampling),
        "update": updates,
    }


# ------------------------------------------------------------------------------------------------ a whole record


def row_of(step, is_valid):
    """Returns a stored row as the reference has it."""
    fields = {name: value for name, value in step._asdict().items() if name != "cut"}
    return {**fields, "is_valid": is_valid}


def split(config, events):
    """Returns the events as one dictionary an iteration, those of the choices of each evaluation, and the rest."""
    num_rows = config.train_every // config.num_environments
    iterations: list[dict[str, Any]] = []
    evaluations: list[list[Any]] = []
    was_choice = False
    for name, values in events:
        if name == "choice":
            if not was_choice:
                evaluations.append([])
            evaluations[-1].append(values)
        elif name == "row":
            if not iterations or len(iterations[-1]["rows"]) == num_rows:
                iterations.append({"rows": [], "samples": [], "loss": [], "gradient": [], "clipped": []})
            iterations[-1]["rows"].append(row_of(*values))
        elif name == "sample":
            iterations[-1]["samples"].append(values)
        elif name == "priorities":
            iterations[-1]["priorities"], iterations[-1]["max_priority"] = values
        else:
            iterations[-1][name].append(values if name == "loss" else values[0])
        was_choice = name == "choice"
    return iterations, evaluations


def unflatten(vector, parameters):
    """Returns a vector of all parameters by path."""
    return by_path(jax.flatten_util.ravel_pytree(parameters)[1](vector))


def iteration_record(events, following):
    """Returns an iteration in the form of the reference.

    Args:
      events: of the iteration, by name.
      following: the parameters and those of the target network after its last update.
    """
    updates, steps = [], []
    for _, drawn in events["samples"]:
        fields = drawn.transition._asdict()
        updates.append({"transition": {**fields, "indices": drawn.indices}, "weight": drawn.weight})
    after = [*events["loss"], following][1:]
    for (parameters, _, output), gradient, clipped, (next_parameters, next_target, *_) in zip(
        events["loss"], events["gradient"], events["clipped"], after, strict=True
    ):
        steps.append(
            {
                "loss": output.loss,
                "priority": output.priority,
                **output.metrics,
                "gradient": by_path(gradient),
                "clipped": unflatten(clipped, parameters),
                "parameters": by_path(next_parameters),
                "target_parameters": by_path(next_target),
            }
        )
    return {
        "rows": events["rows"],
        "updates": updates,
        "steps": steps,
        "priorities": events.get("priorities"),
        "max_priority": events.get("max_priority"),
    }


def starts_of(trial, iterations):
    """Returns for each environment the positions at which its episodes started, from the rows that it stored."""
    starts = []
    for e in range(trial.config.num_environments):
        seen = [row["s_tm1"][e] for i in iterations for row in i["rows"]]
        if trial.is_in_pictures:  # as `corridor.observe_picture` shows position and time in the first cell
            seen = [(picture[0, 0, 0] / 41 / 6, picture[0, 0, 1]) for picture in seen]
        firsts = [position for position, time in seen if time == 0]
        starts.append([round(float(first) * 6) for first in firsts] + [3])  # what follows the last end is not seen
    return starts


def record(monkeypatch, trial, periods):
    """Returns the tape of a trial and what it computed, in the form of `plain.training.run`.

    Args:
      monkeypatch: pytest's.
      trial: of `configurations`.
      periods: iterations of an evaluation period, and how many periods.
    """
    config, recorder = trial.config, Recorder()
    num_iterations, num_periods = periods
    evaluation = Evaluation(every=num_iterations * config.train_every, episodes=3, epsilon=trial.epsilon)
    observe(monkeypatch, config, recorder)
    play = run_on_host if trial.is_host else run_in_jax
    states, curves, eval_starts, *starts = play(monkeypatch, trial, recorder, evaluation, num_periods)
    iterations, choices = split(config, recorder.taken())
    last, records = states[-1].learner, []
    following = (last.parameters, last.target_parameters)
    for events in reversed(iterations):
        records.append(iteration_record(events, following))
        if events["loss"]:
            following = events["loss"][0]
    tape = {
        "settings": config_dicts.to_dict(config),
        "num_actions": 3,
        "observation_shape": game_of(trial).observation_shape,
        "is_host": trial.is_host,
        "num_logged": NUM_LOGGED,
        "evaluation": {"every": evaluation.every, "episodes": 3, "epsilon": trial.epsilon, "exact_values": False},
        "parameters": by_path(states[0].learner.parameters),
        "starts": starts[0] if starts else starts_of(trial, iterations),
        "iterations": [
            {
                **draws_of(config, numbers),
                "positions": [drawn.indices for _, drawn in events["samples"]] or None,
            }
            for events, numbers in zip(
                iterations, all_noise(trial, states[0].training_key, len(iterations)), strict=True
            )
        ],
        "evaluations": [
            {
                "starts": begun,
                "uniform": np.stack([uniform for uniform, _ in drawn]),
                "random_action": np.stack([action for _, action in drawn]),
            }
            for begun, drawn in zip(eval_starts, choices, strict=True)
        ],
    }
    final, log = states[-1], states[-1].log
    num_logged = int((np.asarray(log.end_step) > 0).sum())
    ours = {
        "iterations": records[::-1],
        "curves": curves,
        "log": {name: np.asarray(values)[:num_logged] for name, values in log._asdict().items()},
        "state": {name: int(getattr(final, name)) for name in ("step", "num_episodes", "learned_at")},
    }
    return tape, ours
