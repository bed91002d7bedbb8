"""What tests ask of source files."""

import ast


def calls_in(tree: ast.AST) -> set[str]:
    """Return the dotted names of what code calls."""
    return {".".join(_dotted(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _dotted(function: ast.expr) -> list[str]:
    if isinstance(function, ast.Attribute):
        return [*_dotted(function.value), function.attr]
    return [function.id] if isinstance(function, ast.Name) else []
