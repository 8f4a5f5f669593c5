"""What a notebook's cell does where the study cannot answer its question: it says so, and the rest goes on.

A study may be small or partial: one network, no annotations, twelve photographs. A call that needs more
raises `CannotAnswerError`, whose sentence says what is missing and what would help. A script stops there, as
with any exception. In a notebook, a student who runs all cells would lose everything below. So `open_study`
asks IPython to run each cell's statements in the following way:

- A statement that raises `CannotAnswerError` shows the sentence, instead of a traceback. Another cell that
  fails for the same reason shows nothing, so that a reader meets each reason once.
- The names that the statement would have assigned hold the reason. A later statement that uses one of them
  is passed over, for the same reason.

All other errors, typing errors among them, stop a notebook as always.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from scenelens.errors import CannotAnswerError
from scenelens.sentences import Sentences

#: The name under which a notebook's statements find the object that watches them.
_NAME = "__scenelens_cells__"


def answer_in_cells() -> None:
    """Let the running notebook go on where a study cannot answer; elsewhere nothing happens."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and not any(isinstance(one, _Cells) for one in shell.ast_transformers):
        shell.ast_transformers.append(_Cells(shell))


class _Missing:
    """What a name holds whose value cannot be had; using it raises the reason."""

    def __init__(self, reason: CannotAnswerError) -> None:
        self._reason = reason

    def __repr__(self) -> str:
        return str(self._reason)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what Python and IPython look for in any object
            raise AttributeError(name)
        raise self._reason

    def __getitem__(self, key: object) -> Any:
        raise self._reason


class _Cells(ast.NodeTransformer):
    """Rewrites a cell so that `CannotAnswerError` is shown, and watches its statements.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The notebook's shell.
    """

    Error = CannotAnswerError

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._cell = ""
        self._said: dict[str, str] = {}  # sentence -> the cell that said it
        self._now: set[str] = set()  # what the present run of a cell has said

    # ---- before a cell runs

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite the statements of a cell; IPython calls this method."""
        if not isinstance(node, ast.Module) or not node.body:
            return node
        self._shell.user_ns[_NAME] = self
        self._cell, self._now = ast.dump(node), set()
        *first, last = node.body
        shown = self._shown(last) if isinstance(last, ast.Expr) else self._tried(last)
        node.body = [*map(self._tried, first), shown]
        return ast.fix_missing_locations(node)

    def _tried(self, statement: ast.stmt) -> ast.stmt:
        """``try: statement``, which gives up on the names it would assign."""
        if isinstance(statement, _DEFINITIONS) or _waits(statement):
            return statement
        tried = _template(
            f"try:\n    {_NAME}.need({_read(statement)})\n    pass\n"
            f"except {_NAME}.Error as __why__:\n    {_NAME}.give_up(__why__, {_assigned(statement)})",
            statement,
        )
        tried.body[1] = statement
        return tried

    def _shown(self, last: ast.Expr) -> ast.stmt:
        """The last expression, whose value the notebook shows."""
        if _waits(last) or _assigned(last):  # a lambda can hold neither
            return last
        shown = _template(f"{_NAME}.value(lambda: 0, {_read(last)})", last)
        shown.value.args[0].body = last.value
        return shown

    # ---- while a cell runs

    def need(self, names: list[str]) -> None:
        """Raise the reason why one of these names has no value."""
        for name in names:
            value = self._shell.user_ns.get(name)
            if isinstance(value, _Missing):
                raise value._reason

    def value(self, expression: Callable[[], Any], names: list[str]) -> Any:
        """The value of an expression that reads these names; None where it cannot be had."""
        try:
            self.need(names)
            return expression()
        except CannotAnswerError as why:
            return self.give_up(why, [])

    def give_up(self, why: CannotAnswerError, names: list[str]) -> None:
        """Say why, unless another cell has said so; remember it for the names that get no value."""
        for name in names:
            self._shell.user_ns[name] = _Missing(why)
        sentence = str(why)
        if self._said.setdefault(sentence, self._cell) == self._cell and sentence not in self._now:
            self._now.add(sentence)
            from IPython.display import display

            display(Sentences(f"**This study cannot answer that:** {sentence}"))


#: Statements that compute nothing yet.
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _assigned(node: ast.AST) -> list[str]:
    """The names that a statement gives a value; variables within a comprehension are not among them.

    >>> _assigned(ast.parse("a, b = [c for c in d]"))
    ['a', 'b']
    """
    inner = (one.target for one in ast.walk(node) if isinstance(one, ast.comprehension))
    own = {id(name) for target in inner for name in ast.walk(target)}
    return _names(node, ast.Store, own)


def _read(statement: ast.stmt) -> list[str]:
    """The names whose values a statement needs. What a loop assigns before it reads is not among them."""
    found = _names(statement, ast.Load, set())
    if isinstance(statement, ast.For | ast.With):
        found = [name for name in found if name not in _assigned(statement)]
    return found


def _names(node: ast.AST, context: type[ast.expr_context], without: set[int]) -> list[str]:
    found = (one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, context))
    return sorted({one.id for one in found if id(one) not in without})


def _waits(node: ast.AST) -> bool:
    """Whether a statement awaits something, which works only where it stands."""
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    return any(isinstance(one, waiting) for one in ast.walk(node))


def _template(code: str, statement: ast.stmt) -> Any:
    """One statement of code, placed where another one stands: tracebacks show that line."""
    new = ast.parse(code).body[0]
    for node in ast.walk(new):
        if "lineno" in node._attributes:
            ast.copy_location(node, statement)
    return new
