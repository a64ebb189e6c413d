"""One training: batches from the memory, gradient steps for their minibatches, new priorities."""

import numpy as np

from tests.reference.plain import exploration, losses, networks, optimizers, target_network


class Learner:
    """The parameters, those of the target network, and the optimizer.

    Attributes:
      num_updates: gradient steps so far.
    """

    def __init__(self, settings, num_actions, parameters):
        """Starts from the initial parameters."""
        self.settings, self.num_actions = settings, num_actions
        self.parameters = target_network.copied(parameters)
        self.target_parameters = target_network.init(settings["target_update"], self.parameters)
        self.optimizer_state = optimizers.init(settings["optimizer"], self.parameters)
        self.num_updates = 0

    def value(self, observation):
        """Returns the largest value of an observation by the target network, without noise."""
        network, parameters = self.settings["network"], self.target_parameters
        return float(np.max(networks.apply(network, self.num_actions, parameters, observation, None)["q_values"]))

    def learning_rate(self, steps, episodes):
        """Returns the learning rate after a number of environment steps and episodes."""
        schedule = self.settings["learning_rate_schedule"]
        factor = 1.0 if schedule is None else exploration.scheduled(schedule, steps, episodes)
        return factor * self.settings["learning_rate"]

    def minibatch(self, batch, weight, noises, steps_before, steps_after, episodes):
        """Makes one gradient step, and returns its record and the weighted mean of its losses."""
        settings = self.settings
        loss, examples, gradient = losses.gradient(
            settings, self.num_actions, self.parameters, self.target_parameters, batch, noises, weight
        )
        clipped = optimizers.clip(settings["max_gradient_norm"], gradient)
        changes, self.optimizer_state = optimizers.update(
            settings["optimizer"], clipped, self.optimizer_state, self.learning_rate(steps_before, episodes)
        )
        self.parameters = {path: array + changes[path] for path, array in self.parameters.items()}
        self.target_parameters = target_network.update(
            settings["target_update"], self.parameters, self.target_parameters, steps_before, steps_after
        )
        self.num_updates += 1
        record = {
            **examples,
            "td_error": abs(examples["td_error"]),
            "gradient": gradient,
            "clipped": clipped,
            "parameters": target_network.copied(self.parameters),
            "target_parameters": target_network.copied(self.target_parameters),
        }
        return record, loss

    def change(self, fresh):
        """Resets, or shrinks and perturbs, layers of both networks if that is due, and forgets their running means."""
        settings = self.settings.get("after_update")
        if settings is None or self.num_updates % settings["every"]:
            return
        fresh_target = target_network.init(self.settings["target_update"], fresh)
        for path in self.parameters:
            if settings["layers"] and not any(f"/{name}/" in f"/{path}/" for name in settings["layers"]):
                continue
            self.parameters[path] = changed(settings, self.parameters[path], fresh[path])
            self.target_parameters[path] = changed(settings, self.target_parameters[path], fresh_target[path])
            for mean in ("mean", "square"):
                self.optimizer_state[mean][path] = np.zeros_like(self.optimizer_state[mean][path])

    def update(self, batch, weight, noises, steps_before, steps_after, episodes):
        """Makes a gradient step for each minibatch of a batch, and returns their records and what curves show.

        Minibatches are pieces of the batch in order. The steps of the game are shared out among them.
        """
        number = self.settings["num_minibatches"]
        size, span = len(weight) // number, steps_after - steps_before
        records, mean_losses = [], []
        for m in range(number):
            piece = slice(m * size, (m + 1) * size)
            part = {name: None if array is None else array[piece] for name, array in batch.items()}
            before, after = steps_before + span * m // number, steps_before + span * (m + 1) // number
            record, loss = self.minibatch(part, weight[piece], noises[m], before, after, episodes)
            records.append(record)
            mean_losses.append(loss)
        return records, diagnostics(records, mean_losses)


def changed(settings, old, new):
    """Returns an array after a reset (Nikishin et al. 2022), or after shrink and perturb (Ash and Adams 2020)."""
    if settings["type"] == "Reset":
        return np.array(new)
    return settings["shrink"] * np.asarray(old) + settings["perturb"] * np.asarray(new)


def diagnostics(records, mean_losses):
    """Returns what curves show of one update, means over its minibatches, which are all of one size."""
    number = len(records)
    return {
        "loss": sum(mean_losses) / number,
        "td_error": sum(record["td_error"].mean() for record in records) / number,
        "max_q": sum(record["max_q"].mean() for record in records) / number,
        "gradient_norm": sum(optimizers.norm(record["gradient"]) for record in records) / number,
    }


def learn(settings, learner, memory, iteration, learned_at, step, episodes):
    """Makes the updates of one training, and returns the records of batches and steps, and what curves show.

    Args:
      settings: a configuration.
      learner: changed.
      memory: whose priorities change.
      iteration: what the run drew.
      learned_at: environment steps at the last training.
      step: environment steps now; those since the last training are shared out among the updates.
      episodes: episodes ended so far.
    """
    number, updates, steps, shown = settings["num_updates"], [], [], []
    memory.begin_training(learner.value)
    for u in range(number):
        positions = iteration["positions"][u]
        assert len(positions) == settings["batch_size"], f"a batch of {len(positions)} was drawn"
        memory.check_positions(iteration["bits"][u], positions)
        batch, weight = memory.read(positions), memory.weights(positions, step, episodes)
        before = learned_at + (step - learned_at) * u // number
        after = learned_at + (step - learned_at) * (u + 1) // number
        records, curves = learner.update(batch, weight, iteration["update"][u], before, after, episodes)
        memory.update(positions, [priority for record in records for priority in record["priority"]])
        updates.append({"transition": batch, "weight": weight})
        steps += records
        shown.append(curves)
    learner.change(iteration["fresh"])
    steps[-1]["parameters"] = target_network.copied(learner.parameters)
    steps[-1]["target_parameters"] = target_network.copied(learner.target_parameters)
    return updates, steps, shown
