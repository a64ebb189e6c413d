"""Names that other libraries have for fields, options, algorithms and games, and the names of this package for them.

Error messages about unknown names suggest the names on the right.
"""

import re

# The name in lower case, with `_` for `-`, and the name here: a field of a configuration or an option of `train`, or an
# algorithm.
MEANINGS = {
    "lr": "learning_rate",
    "alpha": "learning_rate",
    "step_size": "learning_rate",
    "gamma": "discount",
    "discount_factor": "discount",
    "buffer_size": "replay.capacity",
    "buffer": "replay.capacity",
    "memory_size": "replay.capacity",
    "replay_size": "replay.capacity",
    "replay_buffer_size": "replay.capacity",
    "replay_capacity": "replay.capacity",
    "batch": "batch_size",
    "bs": "batch_size",
    "minibatch_size": "batch_size",
    "n_envs": "num_environments",
    "num_envs": "num_environments",
    "nstep": "n_step",
    "n_steps": "n_step",
    "multi_step": "n_step",
    "update_horizon": "n_step",
    "train_freq": "train_every",
    "train_frequency": "train_every",
    "update_every": "train_every",
    "update_period": "train_every",
    "gradient_steps": "num_updates",
    "learning_start": "learning_starts",
    "warmup": "learning_starts",
    "warmup_steps": "learning_starts",
    "min_replay_size": "learning_starts",
    "min_replay_history": "learning_starts",
    "target_update_interval": "target_update.every",
    "target_update_freq": "target_update.every",
    "target_update_frequency": "target_update.every",
    "target_update_period": "target_update.every",
    "target_network_frequency": "target_update.every",
    "max_grad_norm": "max_gradient_norm",
    "grad_clip": "max_gradient_norm",
    "clip_grad": "max_gradient_norm",
    "clip_reward": "reward_clip",
    "clip_rewards": "reward_clip",
    "epsilon": "exploration.epsilon.end",
    "epsilon_end": "exploration.epsilon.end",
    "eps_end": "exploration.epsilon.end",
    "end_e": "exploration.epsilon.end",
    "epsilon_train": "exploration.epsilon.end",
    "exploration_final_eps": "exploration.epsilon.end",
    "epsilon_start": "exploration.epsilon.start",
    "eps_start": "exploration.epsilon.start",
    "start_e": "exploration.epsilon.start",
    "exploration_initial_eps": "exploration.epsilon.start",
    "epsilon_decay": "exploration.epsilon.steps",
    "epsilon_decay_period": "exploration.epsilon.steps",
    "eps_decay": "exploration.epsilon.steps",
    "exploration_fraction": "exploration.epsilon.steps",
    "hidden": "network.torso.hidden",
    "hidden_size": "network.torso.hidden",
    "hidden_sizes": "network.torso.hidden",
    "net_arch": "network.torso.hidden",
    "frame_stack": "network.frames",
    "adam_eps": "optimizer.eps",
    "total_timesteps": "steps",
    "timesteps": "steps",
    "num_timesteps": "steps",
    "total_steps": "steps",
    "num_steps": "steps",
    "max_steps": "steps",
    "num_frames": "steps",
    "eval_freq": "evaluation.every",
    "eval_every": "evaluation.every",
    "eval_interval": "evaluation.every",
    "eval_episodes": "evaluation.episodes",
    "n_eval_episodes": "evaluation.episodes",
    "num_seeds": "seeds",
    "n_seeds": "seeds",
    "num_runs": "seeds",
    "log_dir": "out",
    "logdir": "out",
    "save_dir": "out",
    "output": "out",
    "output_dir": "out",
    "exp_name": "name",
    "run_name": "name",
    "q_learning": "tabular_q_learning",
    "ddqn": "double_dqn",
    "dueling": "dueling_dqn",
    "duelling_dqn": "dueling_dqn",
    "per": "prioritised_dqn",
    "prioritized_dqn": "prioritised_dqn",
    "noisynet": "noisy_dqn",
    "categorical_dqn": "c51",
    "qrdqn": "qr_dqn",
    "drqn": "r2d2",
}

# Options of other programs that are no option here, and what to write instead.
OPTIONS = {
    "seed": "--seeds 3 trains three runs, with the seeds 0, 1 and 2.",
    "tau": "Write target-update:polyak --target-update.rate 0.005 for a target network that follows slowly.",
    "env": "The game is the first word: jaxdqn train GAME ALGORITHM.",
    "env_id": "The game is the first word: jaxdqn train GAME ALGORITHM.",
    "env_name": "The game is the first word: jaxdqn train GAME ALGORITHM.",
    "game": "The game is the first word: jaxdqn train GAME ALGORITHM.",
    "algo": "Algorithms follow the game: jaxdqn train GAME ALGORITHM [ALGORITHM ...].",
    "agent": "Algorithms follow the game: jaxdqn train GAME ALGORITHM [ALGORITHM ...].",
    "policy": "network.torso:dense and network.torso:conv choose the network.",
    "optim": "optimizer:adam and optimizer:rms-prop choose the optimizer.",
    "device": "JAX chooses the device: set JAX_PLATFORMS=cpu or JAX_PLATFORMS=cuda in the environment.",
    "cuda": "JAX chooses the device: set JAX_PLATFORMS=cpu or JAX_PLATFORMS=cuda in the environment.",
    "gpu": "JAX chooses the device: set JAX_PLATFORMS=cpu or JAX_PLATFORMS=cuda in the environment.",
    "render": "`jaxdqn play` shows trained weights play.",
    "track": "Write --wandb DIR or --tensorboard DIR for live curves.",
}

GAMES = {
    "cartpole-v1": "cartpole",
    "cartpole-v0": "cartpole_200",
    "mountaincar-v0": "mountain_car",
    "acrobot-v1": "acrobot",
}
# Patterns of other games' names, and the beginning of their names here.
_KINDS = {
    r"minatar/(\w+)-v\d+": "minatar_",
    r"ale/(\w+)-v\d+": "atari:",
    r"(\w+)noframeskip-v\d+": "atari:",
}


def game(name: str) -> str:
    """Returns a question with the name here of a game of gymnasium, ALE or MinAtar, with a leading space; or ""."""
    names = [GAMES[name.lower()]] if name.lower() in GAMES else []
    for pattern, beginning in _KINDS.items():
        if found := re.fullmatch(pattern, name, re.IGNORECASE):
            names.append(beginning + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", found[1]).lower())
            break
    else:
        if re.fullmatch(r"[\w./:-]+-v\d+", name):
            names.append(f"gymnasium:{name}")
    return f" Did you mean {' or '.join(map(repr, names))}?" if names else ""


def option(word: str) -> str:
    """Returns a sentence with a leading space about an option of other programs that is no option here; or ""."""
    sentence = OPTIONS.get(key(word.partition("=")[0].removeprefix("--")))
    return f" {sentence}" if sentence else ""


def key(name: str) -> str:
    """Returns a name in the form in which names are compared: lower case, with `_` for `-`."""
    return name.lower().replace("-", "_")
