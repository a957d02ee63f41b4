"""One program in two worlds: Python runs it on objects here, farcall on proxies of such objects.

A statement is written as for a local object. `Awaiting` writes it as docs/farcall.md says that one
writes it for a proxy: `len(x)` becomes `await farcall.len(x)`, `with x:` becomes `async with x:`.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import operator
from collections.abc import AsyncIterator, Callable
from typing import Any

import farcall

ASKING = ("len", "bool", "int", "float", "str", "repr")
GATHERING = (
    "all",
    "any",
    "bytes",
    "dict",
    "enumerate",
    "frozenset",
    "list",
    "max",
    "min",
    "reversed",
    "set",
    "sorted",
    "sum",
    "tuple",
    "zip",
)
DRIVING = ("send", "throw", "close")
BINARY = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "Div": "truediv", "FloorDiv": "floordiv",
    "Mod": "mod", "Pow": "pow", "MatMult": "matmul", "BitAnd": "and_", "BitOr": "or_",
    "BitXor": "xor", "LShift": "lshift", "RShift": "rshift",
}  # fmt: skip


class Awaiting(ast.NodeTransformer):
    """Writes a program for proxies."""

    def _call(self, name: str, *args: ast.expr) -> ast.expr:
        call = ast.Call(ast.Name(f"_{name}", ast.Load()), list(args), [])
        return ast.Await(call)

    def path(self, node: ast.expr) -> ast.expr:
        """An attribute or item that is not fetched: what it is of is."""
        if isinstance(node, ast.Attribute) and node.attr in DRIVING:
            name = ast.Constant(node.attr)
            return ast.Call(ast.Name("_driven", ast.Load()), [self.path(node.value), name], [])
        if isinstance(node, ast.Attribute):
            return ast.Attribute(self.path(node.value), node.attr, ast.Load())
        if isinstance(node, ast.Subscript):
            return ast.Subscript(self.path(node.value), self.visit(node.slice), ast.Load())
        found: ast.expr = self.visit(node)
        return found

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self._call("value", self.path(node))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self._call("value", self.path(node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        args = [self.visit(a) for a in node.args]
        keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            call = ast.Call(ast.Name(f"_{node.func.id}", ast.Load()), args, keywords)
            return ast.Await(call)
        return self._call("value", ast.Call(self.path(node.func), args, keywords))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return self._call(
            "value", ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))
        )

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self._call("bool", operand))
        return self._call("value", ast.UnaryOp(node.op, operand))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        (op,), (right,) = node.ops, node.comparators
        left, right = self.visit(node.left), self.visit(right)
        if isinstance(op, (ast.In, ast.NotIn)):
            found = self._call("contains", right, left)
        elif isinstance(op, (ast.Eq, ast.NotEq)):
            found = self._call("equals", left, right)
        else:
            return self._call("value", ast.Compare(left, [op], [right]))
        return ast.UnaryOp(ast.Not(), found) if isinstance(op, (ast.NotIn, ast.NotEq)) else found

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                name = "str" if part.format_spec is None else "copy"
                part.value = self._call(name, self.visit(part.value))
        return node

    def _many(self, node: Any) -> ast.expr:
        self.generic_visit(node)
        for loop in node.generators:
            loop.is_async, loop.iter = 1, ast.Call(ast.Name("_each", ast.Load()), [loop.iter], [])
        if isinstance(node, ast.GeneratorExp):
            return ast.ListComp(node.elt, node.generators)
        return node  # type: ignore[no-any-return]

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _many  # noqa: N815

    def visit_Await(self, node: ast.Await) -> ast.expr:
        found: ast.expr = self.visit(node.value)
        return found

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return node  # a callback runs here

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return node

    # -- statements

    def visit_For(self, node: ast.For) -> ast.stmt:
        self.generic_visit(node)
        around = ast.Call(ast.Name("_each", ast.Load()), [node.iter], [])
        return ast.AsyncFor(node.target, around, node.body, node.orelse)

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        for item in node.items:
            item.context_expr = ast.Call(ast.Name("_entered", ast.Load()), [item.context_expr], [])
        return ast.AsyncWith(node.items, node.body)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        (target,) = node.targets
        value = self.visit(node.value)
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            return ast.Expr(self._change("set", target, value))
        return ast.Assign([target], value)

    def _change(self, name: str, target: Any, *more: ast.expr) -> ast.expr:
        item = isinstance(target, ast.Subscript)
        key = self.visit(target.slice) if item else ast.Constant(target.attr)
        return self._call(name + "item" * item, self.path(target.value), key, *more)

    def visit_Delete(self, node: ast.Delete) -> ast.stmt:
        return ast.Expr(self._change("delete", node.targets[0]))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        assert isinstance(node.target, ast.Name)
        name = node.target.id
        call = self._call(
            "inplace",
            ast.Constant("i" + BINARY[type(node.op).__name__].rstrip("_")),
            ast.Name(name, ast.Load()),
            self.visit(node.value),
        )
        return ast.Assign([ast.Name(name, ast.Store())], call)


async def value(found: Any) -> Any:
    """A path's value, a call's result, what an awaitable gives."""
    if isinstance(found, farcall.Remote) or inspect.isawaitable(found):
        return await found
    return found


def driven(obj: Any, name: str) -> Any:
    """A generator's method."""
    return getattr(obj, f"a{name}" if isinstance(obj, farcall.Stream) else name)


async def each(found: Any) -> AsyncIterator[Any]:
    if hasattr(found, "__aiter__"):
        async for item in found:
            yield item
    else:
        for item in found:
            yield item


async def gathered(found: Any) -> Any:
    """A local list of what a proxy iterates over."""
    return [i async for i in found] if isinstance(found, farcall.Remote) else found


class Entered:
    """`async with` over anything."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager

    async def __aenter__(self) -> Any:
        if hasattr(self.manager, "__aenter__"):
            return await self.manager.__aenter__()
        return self.manager.__enter__()

    async def __aexit__(self, *exc: Any) -> Any:
        if hasattr(self.manager, "__aexit__"):
            return await self.manager.__aexit__(*exc)
        return self.manager.__exit__(*exc)


def _asking(name: str) -> Callable[..., Any]:
    async def ask(obj: Any, *args: Any) -> Any:
        if isinstance(obj, farcall.Remote):
            return await getattr(farcall, name)(obj, *args)
        return getattr(builtins, name)(obj, *args)

    return ask


def _gathering(name: str) -> Callable[..., Any]:
    async def gather(*args: Any, **kwargs: Any) -> Any:
        return getattr(builtins, name)(*[await gathered(a) for a in args], **kwargs)

    return gather


async def contains(box: Any, item: Any) -> Any:
    remote = isinstance(box, farcall.Remote)
    return await farcall.contains(box, item) if remote else item in box


async def equals(left: Any, right: Any) -> Any:
    if isinstance(left, farcall.Remote):
        return await farcall.equals(left, right)
    return await farcall.equals(right, left) if isinstance(right, farcall.Remote) else left == right


async def copied(obj: Any) -> Any:
    return await farcall.copy(obj) if isinstance(obj, farcall.Remote) else obj


async def set_(obj: Any, name: str, new: Any) -> None:
    if isinstance(obj, farcall.Remote):
        await farcall.set(getattr(obj, name), new)
    else:
        setattr(obj, name, new)


async def setitem(obj: Any, key: Any, new: Any) -> None:
    if isinstance(obj, farcall.Remote):
        await farcall.set(obj[key], new)
    else:
        obj[key] = new


async def delete(obj: Any, name: str) -> None:
    if isinstance(obj, farcall.Remote):
        await farcall.delete(getattr(obj, name))
    else:
        delattr(obj, name)


async def deleteitem(obj: Any, key: Any) -> None:
    if isinstance(obj, farcall.Remote):
        await farcall.delete(obj[key])
    else:
        del obj[key]


async def inplace(name: str, left: Any, right: Any) -> Any:
    return await value(getattr(operator, name)(left, right))


async def hash_(obj: Any) -> Any:
    return hash(obj)


async def iter_(obj: Any) -> Any:
    return obj.__aiter__() if isinstance(obj, farcall.Remote) else iter(obj)


async def next_(obj: Any, *default: Any) -> Any:
    if hasattr(obj, "__anext__"):
        return await anext(obj, *default)
    return next(obj, *default)


NAMES: dict[str, Callable[..., Any]] = {name: _asking(name) for name in ASKING}
NAMES |= {name: _gathering(name) for name in GATHERING}
NAMES |= {"copy": copied, "iter": iter_, "next": next_}
GIVEN = {f"_{name}": function for name, function in NAMES.items()} | {
    "_value": value, "_each": each, "_entered": Entered, "_contains": contains, "_equals": equals,
    "_set": set_, "_setitem": setitem, "_delete": delete, "_deleteitem": deleteitem,
    "_inplace": inplace,
    "_driven": driven,
}  # fmt: skip


def compiled(text: str, remote: bool) -> tuple[Any, Any]:
    """Code of the statements, and of the expression that is last; None where there is none."""
    tree = ast.parse(text)
    if remote:
        tree = ast.fix_missing_locations(Awaiting().visit(tree))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        return compile(tree, text, "exec", flags), None
    tree.body.pop()
    expression = compile(ast.Expression(last.value), text, "eval", flags)
    return compile(tree, text, "exec", flags), expression


async def run(text: str, scope: dict[str, Any], remote: bool) -> Any:
    """What a program's last expression gives."""
    for code in compiled(text, remote):
        if code is None:
            return None
        found = eval(code, scope)
        if inspect.iscoroutine(found) and code.co_flags & inspect.CO_COROUTINE:
            found = await found
    return found
