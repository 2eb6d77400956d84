"""What is said in `@assay.step(...)` and decides no result: it is no part of the code that counts."""

import ast

__all__ = ["without_options"]

_OWN = "assay"
_NO_PART = frozenset({"backoff", "fresh_for", "reads", "resources", "retries", "retry_on", "timeout"})


def without_options(tree: ast.Module) -> None:
    """Take those options out of the decorators of a module, where `step` is Assay's; `@assay.step()` is `@assay.step`.

    `reads` counts by the values that it gives, and not by how it is written.
    """
    modules, steps = _names_of_own(tree)
    if not modules and not steps:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [_plain(one, modules, steps) for one in node.decorator_list]


def _plain(decorator: ast.expr, modules: set[str], steps: set[str]) -> ast.expr:
    if not isinstance(decorator, ast.Call) or not _is_step(decorator.func, modules, steps):
        return decorator
    decorator.keywords = [one for one in decorator.keywords if one.arg not in _NO_PART]
    return decorator if decorator.args or decorator.keywords else decorator.func


def _is_step(called: ast.expr, modules: set[str], steps: set[str]) -> bool:
    if isinstance(called, ast.Name):
        return called.id in steps
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "step"
        and isinstance(called.value, ast.Name)
        and called.value.id in modules
    )


def _names_of_own(tree: ast.Module) -> tuple[set[str], set[str]]:
    """What the file calls Assay, and what it calls `step`."""
    modules, steps = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == _OWN}
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == _OWN:
            steps |= {alias.asname or alias.name for alias in node.names if alias.name == "step"}
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "build"}
    return modules, steps
