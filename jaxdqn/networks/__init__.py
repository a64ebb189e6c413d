"""Networks: configurations whose `make` returns an `interfaces.Network`, a record of pure functions.

`network.QNetwork` is torso + memory + head; `ensemble.Ensemble` holds several of them; `value_table.Table` is a table.
"""
