"""What decorators of Assay say and decides no result: it is no part of the code that counts.

Options of `@assay.step(...)` are taken out, `@assay.feature_view(...)` as a whole, and so are statements that declare a
view: a declaration counts by its values, and not for what else stands in its file.
"""

import ast

__all__ = ["without_options"]

_OWN = "assay"
_VIEW = "feature_view"
_NO_PART = frozenset({"backoff", "fresh_for", "reads", "resources", "retries", "retry_on", "timeout"})


def without_options(tree: ast.Module) -> None:
    """Take those options out of the decorators of a module, where `step` is Assay's; `@assay.step()` is `@assay.step`.

    `reads` counts by the values that it gives, and not by how it is written.
    """
    modules, steps, views = _names_of_own(tree)
    if not modules and not steps and not views:
        return
    tree.body = [node for node in tree.body if not _declares_view(node, modules, views)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            kept = [one for one in node.decorator_list if not _is_view(one, modules, views)]
            node.decorator_list = [_plain(one, modules, steps) for one in kept]


def _declares_view(node: ast.stmt, modules: set[str], views: set[str]) -> bool:
    """`view = assay.feature_view(...)`, with or without a name for it."""
    value = node.value if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Call) and _is_view(value, modules, views)


def _is_view(decorator: ast.expr, modules: set[str], views: set[str]) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Name):
        return called.id in views
    if not isinstance(called, ast.Attribute) or called.attr != _VIEW:
        return False
    owner = called.value  # assay.feature_view, assay.features.feature_view
    owner = owner.value if isinstance(owner, ast.Attribute) and owner.attr == "features" else owner
    return isinstance(owner, ast.Name) and owner.id in modules


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


def _names_of_own(tree: ast.Module) -> tuple[set[str], set[str], set[str]]:
    """What the file calls Assay, and what it calls `step` and `feature_view`."""
    modules: set[str] = set()
    steps: set[str] = set()
    views: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known = (_OWN, f"{_OWN}.features")
            modules |= {alias.asname or _OWN for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == _OWN:
            steps |= {alias.asname or alias.name for alias in node.names if alias.name == "step"}
            views |= {alias.asname or alias.name for alias in node.names if alias.name == _VIEW}
            modules |= {alias.asname or alias.name for alias in node.names if alias.name in ("build", "features")}
    return modules, steps, views
