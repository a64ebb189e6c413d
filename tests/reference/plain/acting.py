"""Choosing actions while training, and whole episodes of an evaluation."""

from tests.reference.plain import exploration, frames, networks
from tests.reference.plain.losses import noise_of


def answer(settings, num_actions, parameters, observation, memory, noise):
    """Returns what the network says of one observation, and its memory afterwards, None where it has none."""
    if memory is None:
        return networks.apply(settings["network"], num_actions, parameters, observation, noise), None
    return networks.step(settings["network"], num_actions, parameters, observation, memory)


class Acting:
    """What is carried from one choice of an episode to the next, of each environment.

    Attributes:
      memory: of the network, None if it remembers nothing.
      seen: the observations of the episode so far.
      intent: what the exploration rule keeps to for the episode, None if nothing.
      is_first: whether the next observation is the first of an episode.
    """

    def __init__(self, settings, num_actions):
        """Starts before the first observations."""
        self.settings, self.num_actions = settings, num_actions
        number = settings["num_environments"]
        self.memory, self.intent, self.is_first = [None] * number, [None] * number, [True] * number
        self.seen = [[] for _ in range(number)]

    def choose(self, parameters, observations, explore, noise, steps, episodes):
        """Returns the actions `[E]`, and the memories `[E]` that the network had before the observations.

        Args:
          parameters: of the network.
          observations: `[E, S]`.
          explore: the random numbers of these choices, arrays `[E, ...]`.
          noise: of one pass of the network for all of them, or None.
          steps: environment steps so far.
          episodes: episodes ended so far.
        """
        rule, actions, memories = self.settings["exploration"], [], []
        for e, observation in enumerate(observations):
            own = {name: array[e] for name, array in explore.items()}
            if self.is_first[e]:
                self.memory[e] = networks.initial_memory(self.settings["network"])
                self.intent[e] = exploration.intent(rule, own)
                self.seen[e] = []
            memories.append(self.memory[e])
            self.seen[e].append(observation)
            stack = frames.stack(self.seen[e], frames.number_of(self.settings["network"]))
            output, self.memory[e] = answer(
                self.settings, self.num_actions, parameters, stack, self.memory[e], noise_of(noise, e)
            )
            if steps < self.settings["learning_starts"]:
                actions.append(exploration.random_action(rule, own))
            else:
                actions.append(exploration.choose(rule, output, own, self.intent[e], steps, episodes))
        return actions, memories


def episode_return(settings, game, parameters, start, draws, epsilon):
    """Returns the undiscounted return of one episode, greedy but for random actions with probability epsilon.

    Args:
      settings: a configuration.
      game: to be played.
      parameters: of the network, which has no noise here.
      start: where the episode starts.
      draws: for each step a uniform number and a random action.
      epsilon: of the evaluation.
    """
    state, memory, total = game.start(start), networks.initial_memory(settings["network"]), 0.0
    seen = []
    for uniform, random_action in draws:
        seen.append(game.observe(state))
        stack = frames.stack(seen, frames.number_of(settings["network"]))
        output, memory = answer(settings, game.num_actions, parameters, stack, memory, None)
        explore = {"uniform": uniform, "random_action": random_action}
        action = exploration.epsilon_greedy([float(q) for q in output["q_values"]], epsilon, explore)
        state, reward, terminated, truncated = game.step(state, action)
        total += reward
        if terminated or truncated:
            return total
    raise AssertionError(f"the draws of {len(draws)} steps do not suffice for an episode of the evaluation")


def evaluate(settings, game, parameters, evaluation, epsilon):
    """Returns the mean return of the evaluation's episodes, each of which has its own column of draws."""
    returns = []
    for n, start in enumerate(evaluation["starts"]):
        pairs = zip(evaluation["uniform"], evaluation["random_action"], strict=True)
        draws = [(uniform[n], action[n]) for uniform, action in pairs]
        returns.append(episode_return(settings, game, parameters, start, draws, epsilon))
    return sum(returns) / len(returns)
