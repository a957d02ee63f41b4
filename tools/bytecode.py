"""Compile the modules that the worker imports to bytecode, inside Pyodide (tools/compile.mjs).

    static/vendor/python/*.zip   our modules, as bytecode
    static/vendor/runtime/       Pyodide and NumPy as vendored, with bytecode for the modules
                                 imported at start and the hash in the lock adapted

Measured in node 20 on 2 cores, medians of three: loadPyodide 1.27 s -> 0.60 s, `import numpy`
0.30 s -> 0.12 s, `import nn` 0.58 s -> 0.13 s. The rest of the standard library stays source,
because its bytecode would add 1.7 MB to a first visit.
"""

import ast
import hashlib
import importlib.util
import json
import marshal
import shutil
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

SITE = Path("/site")
VENDOR = SITE / "static/vendor"
# Zip -> path -> source; written by tools/bundle.py.
PLAN = json.loads((SITE / "build/bundle.json").read_text())

# Flags and hash of a .pyc that is never compared with its source (PEP 552), because both are
# packed in the same step.
UNCHECKED = (1).to_bytes(4, "little") + bytes(8)

# Not imported in a browser, which has no compiler or type checker. NumPy loads the modules of the
# last two lines only on use, and nothing here uses them (0.45 MB of a first visit).
UNREAD = (
    "numpy/f2py/*", "*.pyi", "*.pxd", "*.h", "*.a", "*.c", "*.pc", "*/_pyinstaller/*",
    "numpy/conftest.py", "numpy/typing/mypy_plugin.py", "numpy-*/RECORD",
    "numpy/ma/*", "numpy/polynomial/*", "numpy/testing/*", "numpy/fft/*",
    "numpy/linalg/lapack_lite*",
)  # fmt: skip
# These need sockets, processes, a terminal or a debugger, which a browser does not have.
UNUSABLE = (
    "_pyrepl/*", "multiprocessing/*", "wsgiref/*", "xmlrpc/*", "doctest.py", "ftplib.py",
    "imaplib.py", "mailbox.py", "pdb.py", "poplib.py", "pydoc.py", "smtplib.py", "socketserver.py",
    "asyncio/proactor_events.py", "asyncio/windows_*.py", "bdb.py", "cProfile.py", "cmd.py",
    "concurrent/futures/process.py", "http/server.py", "logging/handlers.py", "profile.py",
    "pstats.py", "pty.py", "tty.py",
)  # fmt: skip
# Developer tools, readers of other programs' files, and Python versions of modules that Pyodide has
# in C. The page uses none of them (0.3 MB).
UNASKED = (
    "_pydatetime.py", "_pyio.py", "compileall.py", "configparser.py", "http/cookiejar.py",
    "http/cookies.py", "logging/config.py", "modulefinder.py", "optparse.py", "pickletools.py",
    "plistlib.py", "pyclbr.py", "symtable.py", "tabnanny.py", "timeit.py",
    "tomllib/*", "trace.py", "unittest/*", "wave.py", "xml/*", "zipapp.py",
)  # fmt: skip
# Python's files and the page's data are encoded as UTF-8 or Latin-1.
FOREIGN = ("encodings/*",)
KEPT = (
    "encodings/__init__.py", "encodings/aliases.py", "encodings/ascii.py", "encodings/idna.py",
    "encodings/utf_*.py", "encodings/latin_1.py", "encodings/cp437.py", "encodings/cp1252.py",
    "encodings/iso8859_1.py", "encodings/punycode.py", "encodings/raw_unicode_escape.py",
    "encodings/unicode_escape.py", "encodings/undefined.py", "encodings/*_codec.py",
)  # fmt: skip
# Modules that Pyodide's loader, PyScript and NumPy import before any of ours.
STARTING = {
    "html", "hmac", "importlib.metadata", "pickle", "secrets", "shutil", "tarfile", "zipfile",
}  # fmt: skip
# Docstrings of NumPy's C functions: 8,000 lines.
DOCUMENTATION = ("numpy/_core/_add_newdocs.py", "numpy/_core/_add_newdocs_scalars.py")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def compiled(path: str, tree: ast.Module) -> bytes:
    code = compile(tree, path, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + UNCHECKED + marshal.dumps(code)


def member(name: str, body: str) -> tuple[str, bytes]:
    """Name and content in the zip: bytecode of a module, any other file as it is."""
    if name.endswith(".py"):
        return name + "c", compiled(name, lean(name, body))
    return name, body.encode()


def undocumented(path: str, source: bytes) -> ast.Module:
    """Return the module with empty docstrings (not without, as some are extended at import)."""
    tree = ast.parse(b"" if path in DOCUMENTATION else source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False):
            node.body[0] = ast.copy_location(ast.Expr(ast.Constant("")), node.body[0])
    return ast.fix_missing_locations(tree)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# In Pyodide. Its compiler would leave out what runs elsewhere, but not the names and texts in it.
KNOWN = {"TYPE_CHECKING": False, "MICROPYTHON": False, "PYODIDE": True, "BROWSER": True}


class Known(ast.NodeTransformer):
    """Leaves out what other interpreters run: farcall's questions for them are answered."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = isinstance(node.ctx, ast.Load) and node.id in KNOWN
        return ast.copy_location(ast.Constant(KNOWN[node.id]), node) if found else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if ast.unparse(node.value) == "platform" and node.attr in KNOWN:
            return ast.copy_location(ast.Constant(KNOWN[node.attr]), node)
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        found = known(node.operand) if isinstance(node.op, ast.Not) else None
        return node if found is None else ast.copy_location(ast.Constant(not found), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        ends = isinstance(node.op, ast.Or)
        while len(node.values) > 1 and known(node.values[0]) is not None:
            if known(node.values[0]) is ends:
                return node.values[0]
            node.values.pop(0)
        return node if len(node.values) > 1 else node.values[0]

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        found = known(node.test)
        return node if found is None else node.body if found else node.orelse

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        found = known(node.test)
        if found is None:
            return node
        return (node.body if found else node.orelse) or ast.copy_location(ast.Pass(), node)


def known(test: ast.expr) -> bool | None:
    """Whether a condition is always true, or never; None if that depends."""
    found = test.value if isinstance(test, ast.Constant) else None
    return found if isinstance(found, bool) else None


def lean(path: str, source: str) -> ast.Module:
    """Return one of our modules without what nothing reads in the page's own worker: imports for
    type checkers, annotations of functions, and docstrings, which were a tenth of what it is sent,
    and what other interpreters run. Pages of others get farcall.zip and nn.zip, which are sources.
    """
    tree: ast.Module = Known().visit(ast.parse(source, path))
    strip(tree)
    return ast.fix_missing_locations(tree)


def strip(parent: ast.AST) -> None:
    if isinstance(parent, DOCUMENTED):
        drop_docstring(parent)
    if isinstance(parent, ast.Module | ast.ClassDef) and not has_fields(parent):
        parent.body = [plain(node) for node in parent.body]
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FUNCTIONS):
            bare(node)
        strip(node)


def has_fields(node: ast.Module | ast.ClassDef) -> bool:
    """Whether a class is made from the annotations in it."""
    names = [*node.bases, *node.decorator_list] if isinstance(node, ast.ClassDef) else []
    return any(name in ast.unparse(each) for name in ("NamedTuple", "dataclass") for each in names)


def plain(node: ast.stmt) -> ast.stmt:
    """A statement of a module or a class without its annotation."""
    if not isinstance(node, ast.AnnAssign):
        return node
    if node.value is None:
        return ast.copy_location(ast.Pass(), node)
    return ast.copy_location(ast.Assign([node.target], node.value), node)


# `nn.keras_arguments` holds the settings of a file to these annotations of constructors, and
# arguments to all of a function that it decorates.
READ = ("bool", "float", "int", "str", "Sequence[int", "Sequence[int]")


def bare(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    function.returns = None
    if {"checked", "expects"} & {ast.unparse(each) for each in function.decorator_list}:
        return
    for argument in ast.walk(function.args):
        if not isinstance(argument, ast.arg) or argument.annotation is None:
            continue
        kind = ast.unparse(argument.annotation).partition(" | ")[0]
        if function.name != "__init__" or kind not in READ:
            argument.annotation = None


def drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    if ast.get_docstring(node, clean=False):
        former = node.body.pop(0)
        node.body = node.body or [ast.copy_location(ast.Pass(), former)]


def pack(target: Path, members: dict[str, bytes]) -> bytes:
    """Write a reproducible zip and return its bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile("/tmp/packed.zip", "w") as archive:
        for name, body in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, body, zipfile.ZIP_DEFLATED, 9)
    body = Path("/tmp/packed.zip").read_bytes()
    target.write_bytes(body)
    return body


def repack(source: Path, target: Path, imported: set[str]) -> bytes:
    """Copy a zip of modules without those left out; modules in `imported` become bytecode."""
    members = {}
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or left_out(name):
                continue
            body = archive.read(info)
            if name in imported:
                name, body = name + "c", compiled(name, undocumented(name, body))
            members[name] = body
    return pack(target, members)


def left_out(name: str) -> bool:
    if matches(name, UNREAD + UNUSABLE + UNASKED):
        return True
    return matches(name, FOREIGN) and not matches(name, KEPT)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def needed(sources: dict[str, str]) -> set[str]:
    """Return the names of the standard library's modules that the sources import."""
    names = set()
    for source in sources.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
    return {name for name in names if name.split(".")[0] in sys.stdlib_module_names}


def imports(names: set[str]) -> set[str]:
    """Import modules and return the files of all loaded modules, relative to their roots."""
    for name in sorted(names):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # missing in Pyodide's standard library: used by CPython only
    files = set()
    for module in list(sys.modules.values()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        for root in ("/python313.zip/", "/site-packages/"):
            if root in origin and origin.endswith(".py"):
                files.add(origin.split(root)[1])
    return files


def runtime(sources: dict[str, str]) -> None:
    """Write static/vendor/runtime/ from static/vendor/pyodide/."""
    origin, target = VENDOR / "pyodide", VENDOR / "runtime"
    target.mkdir(parents=True, exist_ok=True)
    lock = json.loads((origin / "pyodide-lock.json").read_text())
    wheel = lock["packages"]["numpy"]["file_name"]
    shutil.unpack_archive(str(origin / wheel), "/tmp/packages", "zip")
    sys.path.append("/tmp/packages")
    files = imports(needed(sources) | STARTING) | numpy_files(origin / wheel)
    # nginx sends .mjs files as application/octet-stream; browsers refuse modules of that type.
    shutil.copyfile(origin / "pyodide.mjs", target / "pyodide.js")
    for name in ("pyodide.asm.js", "pyodide.asm.wasm"):
        shutil.copyfile(origin / name, target / name)
    repack(origin / "python_stdlib.zip", target / "python_stdlib.zip", files)
    body = repack(origin / wheel, target / wheel, files)
    lock["packages"]["numpy"]["sha256"] = hashlib.sha256(body).hexdigest()
    (target / "pyodide-lock.json").write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n")


def numpy_files(wheel: Path) -> set[str]:
    """Return NumPy's modules except those that only its tests import (they stay source)."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.endswith(".py")}
    later = ("numpy/testing/*", "numpy/polynomial/*", "*/tests/*")
    return {name for name in names if not matches(name, later)}


for pack_name, sources in PLAN.items():
    pack(
        VENDOR / "python" / pack_name,
        dict(member(name, body) for name, body in sources.items()),
    )
modules = {name: body for sources in PLAN.values() for name, body in sources.items()}
runtime({name: body for name, body in modules.items() if name.endswith(".py")})
