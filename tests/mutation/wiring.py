"""Two mutation operators of our own, for faults in the connection of equations: a missing step, a missing argument."""

from cosmic_ray.ast import ast_nodes
from cosmic_ray.operators.operator import Example, Operator
from parso import parse


class LeaveOutArgument(Operator):
    """`f(x, y=z)` becomes `f(x)`: the argument `y` is not passed."""

    def mutation_positions(self, node):
        if node.type == "argument" and node.children[1].get_code().strip() == "=":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        call = parse(f"f({node.get_first_leaf().prefix}**{{}})").children[0]
        return call.children[1].children[1]

    @classmethod
    def examples(cls):
        return (Example("f(x, y=z)", "f(x, **{})"),)


class LeaveOutStep(Operator):
    """`x = f(x, y)` becomes `x = x`: the step is skipped."""

    def mutation_positions(self, node):
        if node.type == "expr_stmt" and len(node.children) == 3 and node.children[1].get_code().strip() == "=":
            target, value = node.children[0], node.children[2]
            names = {leaf.value for leaf in ast_nodes(value) if leaf.type == "name"}
            assigned = [leaf.value for leaf in ast_nodes(target) if leaf.type == "name"]
            if target.type in ("name", "testlist_star_expr") and names.issuperset(assigned):
                yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        node.children[2] = parse(" " + node.children[0].get_code(include_prefix=False).strip())
        return node

    @classmethod
    def examples(cls):
        return (Example("x = f(x, y)", "x = x"), Example("x, y = f(x, y)", "x, y = x, y"))


OPERATORS = {operator.__name__: operator for operator in (LeaveOutArgument, LeaveOutStep)}
