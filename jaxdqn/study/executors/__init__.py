"""Executors run a study elsewhere: its missing cells as tasks of a Ray cluster, or as jobs of Slurm.

`tasks` splits a study, `work` runs one task on its machine, `driver` runs the study from here, and `on_ray` and
`on_slurm` open the cluster. Each task calls `jaxdqn.study.execute.run` on some of the cells.
"""
