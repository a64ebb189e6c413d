"""The function that runs a study, chosen by the options of the command line."""

import argparse
import functools
from collections.abc import Callable

from jaxdqn.study import execute
from jaxdqn.study.executors import on_ray, on_slurm
from jaxdqn.study.executors.tasks import Resources


def executor(options: argparse.Namespace) -> Callable[..., execute.Report]:
    """Returns `execute.run`, or a function with the same arguments that runs the study elsewhere.

    Args:
      options: those of `jaxdqn.commands.options.add_executor`.
    """
    resources = Resources(options.tasks, options.cpus_per_task, options.gpus_per_task)
    if options.executor == "ray":
        return functools.partial(on_ray.run, address=options.address, resources=resources)
    if options.executor == "slurm":
        return functools.partial(on_slurm.run, settings=dict(options.slurm), resources=resources)
    return execute.run
