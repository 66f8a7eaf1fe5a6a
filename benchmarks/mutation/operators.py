"""The mutation operators: the possible replacements of a node of a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
_SILENT = ("logger", "warnings")
"""Functions whose calls are not arithmetic."""


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The possible replacements of a node, each with the name of the operator. The node itself is not changed."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARED[type(node.ops[0])]:
            yield "comparison", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "and/or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield "arithmetic", ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _COMPUTED:
        yield "arithmetic", ast.AugAssign(node.target, _COMPUTED[type(node.op)](), node.value)
        yield "assignment", ast.Assign([node.target], node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        yield "constant", ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Call) and node.keywords:
        for at, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                kept = [*node.keywords[:at], *node.keywords[at + 1 :]]
                yield f"without {keyword.arg}", ast.Call(node.func, node.args, kept)
    elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or (
        isinstance(node, ast.Assign) and _is_update(node)
    ):
        yield "statement left out", ast.Pass()
    elif isinstance(node, (ast.If, ast.IfExp)) and isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
        opposite = ast.UnaryOp(ast.Not(), node.test)
        if isinstance(node, ast.If):
            yield "condition", ast.If(opposite, node.body, node.orelse)
        else:
            yield "condition", ast.IfExp(opposite, node.body, node.orelse)
    elif isinstance(node, ast.Break):
        yield "break left out", ast.Pass()


def is_skipped(node: ast.AST) -> bool:
    """Whether a node must not be changed: texts, annotations, errors, logs."""
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.arguments, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    call = node.value if isinstance(node, ast.Expr) else node
    while isinstance(call, (ast.Call, ast.Attribute)):
        call = call.func if isinstance(call, ast.Call) else call.value
    return isinstance(node, ast.Expr) and isinstance(call, ast.Name) and call.id in _SILENT


def _is_step(node: ast.AST) -> bool:
    """Whether a statement has an effect by itself: a call or an update."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.Assign) and _is_update(node)


def _is_update(node: ast.Assign) -> bool:
    """Whether a variable gets a new value computed from its old one, as in ``loss = loss / k``."""
    (target, *more) = node.targets
    read = {ast.unparse(one) for one in ast.walk(node.value) if isinstance(one, (ast.Name, ast.Attribute))}
    return not more and isinstance(target, (ast.Name, ast.Attribute)) and ast.unparse(target) in read
