"""What a piece of syntax refers to outside itself: names of its module, imports of its own, and what nobody can follow.

A name is a chain: `np.linalg.norm` is ("np", "linalg", "norm"). Names that a function binds itself do not count.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["References", "Widening", "absolute", "executed", "names_main", "names_type_checking", "references_of"]

Chain = tuple[str, ...]
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_COMPUTED = {"getattr", "setattr", "delattr", "attrgetter", "methodcaller"}
_WHOLE_MODULE = {"globals", "vars", "locals", "dir"}
_ANYTHING = {"eval", "exec", "compile", "__import__", "import_module"}


@dataclass(frozen=True, slots=True)
class Widening:
    """A reference that the syntax does not settle: what it is, its line, and whether it may reach any module."""

    what: str
    line: int
    anywhere: bool


@dataclass(slots=True)
class References:
    """`chains` start at a name of the module; `imported` are (module, attributes) of local imports."""

    chains: set[Chain] = field(default_factory=set)
    imported: set[tuple[str, Chain]] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    widenings: list[Widening] = field(default_factory=list)


def references_of(nodes: list[ast.stmt], module: str, is_package: bool) -> References:
    """Of statements of a module; relative imports are made absolute by its name."""
    found = References()
    walker = _Walker(found, module, is_package)
    for node in nodes:
        walker.visit(node, frozenset(), {})
    return found


def absolute(name: str, importer: str, is_package: bool) -> str:
    """`..name` as the module `importer` means it."""
    if not name.startswith("."):
        return name
    level = len(name) - len(name.lstrip("."))
    package = importer if is_package else importer.rpartition(".")[0]
    base = package.split(".")[: len(package.split(".")) - (level - 1)]
    return ".".join([*base, name.lstrip(".")]).rstrip(".")


def names_type_checking(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`, whose body no program runs."""
    return isinstance(node, ast.If) and getattr(node.test, "attr", getattr(node.test, "id", "")) == "TYPE_CHECKING"


def names_main(node: ast.AST) -> bool:
    """Whether this is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """The direct children of a node, without what stands under `if TYPE_CHECKING:`."""
    if isinstance(node, ast.If) and names_type_checking(node):
        yield from node.orelse
    else:
        yield from ast.iter_child_nodes(node)


class _Walker:
    """Walks statements with the names bound around them, and what local imports made of some of them."""

    def __init__(self, found: References, module: str, is_package: bool) -> None:
        self.found = found
        self.module = module
        self.is_package = is_package

    def visit(self, node: ast.AST, bound: frozenset[str], aliases: dict[str, tuple[str, Chain]]) -> None:
        if isinstance(node, ast.Call):
            self._called(node)
        chain = _chain(node)
        if chain is not None:
            self._refer(chain, node, bound, aliases)
            return
        if isinstance(node, _SCOPES):
            self._enter(node, bound, aliases)
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.found.modules |= self.run_by(node)
            return
        for child in executed(node):
            self.visit(child, bound, aliases)

    def run_by(self, node: ast.Import | ast.ImportFrom) -> set[str]:
        """The modules that an import statement runs; a name imported from one may be a module as well."""
        if isinstance(node, ast.Import):
            return {alias.name for alias in node.names}
        base = self._base(node)
        return {base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")}

    def _base(self, node: ast.ImportFrom) -> str:
        return absolute("." * node.level + (node.module or ""), self.module, self.is_package)

    def _enter(self, node: ast.AST, bound: frozenset[str], aliases: dict[str, tuple[str, Chain]]) -> None:
        """A scope: what is evaluated outside of it first, then its inside with the names that it binds."""
        outside: list[ast.AST] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            outside = [*node.decorator_list, *_annotations(node)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            outside += [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
        for part in outside:
            self.visit(part, bound, aliases)
        names, declared, imports = _bound_in(node)
        inside = dict(aliases)
        for name in names:
            inside.pop(name, None)
        for imported in imports:
            inside.update(self._aliases(imported))
        bound = (bound | names) - declared
        if isinstance(node, ast.Lambda):
            self.visit(node.body, bound, inside)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                self.visit(statement, bound, inside)
        else:
            for child in ast.iter_child_nodes(node):
                self.visit(child, bound, inside)

    def _aliases(self, node: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, Chain]]:
        if isinstance(node, ast.ImportFrom):
            base = self._base(node)
            return {alias.asname or alias.name: (base, (alias.name,)) for alias in node.names}
        made: dict[str, tuple[str, Chain]] = {}
        for alias in node.names:
            top = alias.name.partition(".")[0]
            made[alias.asname or top] = (alias.name if alias.asname else top, ())
        return made

    def _refer(self, chain: Chain, node: ast.AST, bound: frozenset[str], aliases: dict[str, tuple[str, Chain]]) -> None:
        root = chain[0]
        if root in aliases:
            module, attributes = aliases[root]
            self.found.imported.add((module, attributes + chain[1:]))
        elif root not in bound:
            self.found.chains.add(chain)
        if chain == ("sys", "modules"):
            self._widen("sys.modules", node, anywhere=True)

    def _called(self, node: ast.Call) -> None:
        chain = _chain(node.func)
        name = chain[-1] if chain else ""
        if chain is None or (len(chain) > 1 and name not in {"attrgetter", "methodcaller", "import_module"}):
            return
        texts = [isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in node.args]
        if name in _COMPUTED and not (all(texts[1:2]) if name.endswith("attr") else all(texts)):
            self._widen(f"computed {name}", node, anywhere=False)
        elif name in _WHOLE_MODULE and not (name in ("vars", "dir") and node.args):
            self._widen(f"{name}()", node, anywhere=False)
        elif name in _ANYTHING:
            first = node.args[0] if node.args else None
            if name == "import_module" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                self.found.modules.add(absolute(first.value, self.module, self.is_package))
            self._widen(f"{name}()", node, anywhere=True)

    def _widen(self, what: str, node: ast.AST, *, anywhere: bool) -> None:
        self.found.widenings.append(Widening(what, getattr(node, "lineno", 0), anywhere))


def _chain(node: ast.AST) -> Chain | None:
    """("a", "b", "c") for `a.b.c`; None for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else None


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.AST]:
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [*(arg.annotation for arg in every if arg and arg.annotation), *([node.returns] if node.returns else [])]


def _bound_in(scope: ast.AST) -> tuple[frozenset[str], frozenset[str], list[ast.Import | ast.ImportFrom]]:
    """The names that a scope binds itself, those it declares as another's, and its own imports."""
    if isinstance(scope, _COMPREHENSIONS):
        targets = [part for loop in scope.generators for part in ast.walk(loop.target)]
        return frozenset(part.id for part in targets if isinstance(part, ast.Name)), frozenset(), []
    assert isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    args = scope.args
    names = {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg) if arg}
    declared: set[str] = set()
    imports: list[ast.Import | ast.ImportFrom] = []
    waiting: list[tuple[ast.AST, bool]] = [
        (part, False) for part in (scope.body if isinstance(scope.body, list) else [scope.body])
    ]
    while waiting:
        node, inner = waiting.pop()  # in a comprehension only `:=` binds a name of the function around it
        if isinstance(node, ast.NamedExpr):
            names.add(node.target.id)
        elif not inner:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.Global):
                declared |= set(node.names)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                imports.append(node)
                names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, (*_NAMED, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
                names.add(node.name)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                names.add(node.rest)
        if isinstance(node, (*_NAMED, ast.Lambda)):
            continue
        waiting += [(child, inner or isinstance(node, _COMPREHENSIONS)) for child in executed(node)]
    return frozenset(names), frozenset(declared), imports
