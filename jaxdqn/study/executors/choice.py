"""Which function runs a study, by the options of the command line."""

import argparse
import functools
from collections.abc import Callable

from jaxdqn.study import execute
from jaxdqn.study.executors import on_ray, on_slurm
from jaxdqn.study.executors.tasks import Asked


def executor(options: argparse.Namespace) -> Callable[..., execute.Report]:
    """Returns `execute.run`, or one like it that runs the study elsewhere.

    Args:
      options: those of `jaxdqn.commands.options.add_executor`.
    """
    asked = Asked(options.tasks, options.cpus_per_task, options.gpus_per_task)
    if options.executor == "ray":
        return functools.partial(on_ray.run, address=options.address, asked=asked)
    if options.executor == "slurm":
        return functools.partial(on_slurm.run, settings=dict(options.slurm), asked=asked)
    return execute.run
