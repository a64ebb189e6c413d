"""Provenance in the caption of a figure: study, seeds, protocol, code and machine, from the facts of its runs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxdqn.analysis import by_arm, divergence
from jaxdqn.store.record import Run
from jaxdqn.store.search_trials import Trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMED = 3  # values of one fact that are named; with more, the rarer ones are only counted


def provenance(runs: Iterable[Run]) -> str:
    """Returns study, seeds, protocol, code, packages and machine of runs, with numbers of runs if these differ.

    Raises:
      ValueError: if there are no runs, or they do not form arms.
    """
    runs = list(runs)
    if not runs:
        raise ValueError("No runs to describe: run the study first, or choose other runs.")
    sentences = (
        f"{_agreed('Study', runs, lambda facts: facts['study'])}: {_number(len(runs), 'run')}, {_seeds(runs)}",
        _agreed("Evaluated", runs, lambda facts: _protocol(facts["evaluation"])),
        _agreed("jaxdqn", runs, lambda facts: f"{facts['code']['jaxdqn']}, {_commit(facts['code'])}"),
        _agreed(
            "jax", runs, lambda facts: f"{facts['versions'].get('jax', 'of unknown version')} on {_machine(facts)}"
        ),
        _counted(sum(map(divergence.diverged, runs)), runs, "diverged"),
    )
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


class Drawn(NamedTuple):
    """A figure of some runs of a study, and the provenance of these runs."""

    figure: "Figure"
    provenance: str


def of_search(trials: Trials) -> str:
    """Returns the name, seeds, protocol and code of the search that made the points of a figure."""
    seeds = trials.facts["tuning_seeds"]
    return (
        f"Search {trials.name}: {_number(len(trials.points), 'point')}, {_number(len(seeds), 'tuning seed')} "
        f"({_ranges(sorted(seeds))}), sampler seed {trials.facts['seed']}. Evaluated "
        f"{_protocol(trials.facts['evaluation'])}. jaxdqn {trials.code['jaxdqn']}, {_commit(trials.code)}."
    )


def _agreed(name: str, runs: Sequence[Run], fact: Callable[[dict[str, Any]], str]) -> str:
    """Returns the name and the fact of all runs, or the most frequent facts with their numbers of runs."""
    counts = Counter(fact(run.facts) for run in runs)
    if len(counts) == 1:
        return f"{name} {next(iter(counts))}"
    named = counts.most_common(_MOST_NAMED if len(counts) <= _MOST_NAMED else _MOST_NAMED - 1)
    listed = [f"{value} ({_number(count, 'run')})" for value, count in named]
    if len(named) < len(counts):
        rest = len(runs) - sum(count for _, count in named)
        listed.append(f"{len(counts) - len(named)} others ({_number(rest, 'run')}), named in the records")
    return f"{name} differs: {'; '.join(listed)}"


def _seeds(runs: Sequence[Run]) -> str:
    """Returns the number of seeds of an arm, and the seeds."""
    of_arms = [tuple(run.facts["seed"] for run in members) for members in by_arm.arms(runs).values()]
    if len(set(of_arms)) == 1:
        return f"{_number(len(of_arms[0]), 'seed')} each ({_ranges(of_arms[0])})"
    fewest, most = min(map(len, of_arms)), max(map(len, of_arms))
    count = _number(most, "seed") if fewest == most else f"{fewest} to {_number(most, 'seed')}"
    every = sorted({seed for seeds in of_arms for seed in seeds})
    return f"{count} each, different in some arms ({_ranges(every)} in all)"


def _ranges(seeds: Sequence[int]) -> str:
    """Returns sorted seeds with neighbours as ranges: `0-3, 7`."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _protocol(evaluation: dict[str, Any]) -> str:
    episodes = _number(evaluation["episodes"], "episode")
    return f"every {evaluation['every']:,} steps over {episodes} with epsilon {evaluation['epsilon']:g}"


def _commit(code: dict[str, Any]) -> str:
    """Returns the commit with ten digits, `with changes` if the code differs from it, and a script that is in none."""
    is_in_none = code.get("script") and code.get("script_commit") is None
    no_script = f", from {code['script']}, which no commit holds" if is_in_none else ""
    if code["commit"] is None:
        return f"no commit{no_script}"
    return f"commit {code['commit'][:10]}" + (" with changes" if code.get("modified") else "") + no_script


def _machine(facts: dict[str, Any]) -> str:
    hardware = facts["hardware"]
    known = [str(hardware[key]) for key in ("platform", "device") if hardware.get(key)]
    return ", ".join(dict.fromkeys(known)) or "an unknown machine"  # on a CPU both are equal


def _counted(count: int, runs: Sequence[Run], what: str) -> str:
    return f"{count} of {_number(len(runs), 'run')} {what}" if count else ""


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
