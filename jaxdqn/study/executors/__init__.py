"""Where a study runs when not here: its missing cells as tasks of a Ray cluster, or as jobs of Slurm.

`tasks` splits, `work` is what a task does where it runs, `driver` sees a study through from here, and `on_ray` and
`on_slurm` are the places. Each task is `jaxdqn.study.execute.run` on some of the cells.
"""
