"""Bundle the page's Python into thirteen files and each library into one: a request per file.

    static/vendor/python/main.txt      for MicroPython: path, NUL, source, NUL, path ...
    static/vendor/python/farcall.txt   likewise: the RPC, which its controls do not wait for
    static/vendor/python/embedding.txt  likewise: what only a page in another page's frame needs
    static/vendor/python/later.txt     likewise: what a page needs when it can train already
    static/vendor/python/hardware.txt  likewise: what trains on a GPU or by several workers
    static/vendor/python/search.txt    likewise: the search over options
    static/vendor/python/teaching.txt  likewise: lessons, and what a reader takes home
    static/vendor/python/own.txt       likewise: classes that a user makes on the page, and tables
    static/vendor/python/playground.txt  likewise: what playground.html needs beside these
    static/vendor/python/predict.zip   for Pyodide: the RPC and the prediction part of the engine
    static/vendor/python/training.zip  the rest of the engine, the lab
    static/vendor/python/formats.zip   the engine's files of Keras and ONNX
    static/vendor/python/applications.zip  trained networks for photographs
    static/vendor/python/gpu.tgz       training on a GPU, for workers that list it: text without
                                       comments, a third of the size of bytecode
    static/vendor/python/federation.tgz  a node of a Flower federation, likewise for those that join
    static/vendor/python/federation_mods.tgz  its modifiers for privacy, for other pages
    static/vendor/python/playground.tgz  the playground's half in its worker, likewise
    static/vendor/runtime/             Pyodide and NumPy with bytecode of the modules used at start
    static/vendor/python/farcall.zip   sources of the RPC, for the `[files]` of other pages
    static/vendor/python/nn.zip        sources of the engine, likewise; this page uses neither

A worker that only predicts lists predict.zip under `[files]`; the page's worker lists training.zip
as well, and adds formats.zip when a visitor asks for such a file. They hold bytecode, so that
nothing is compiled at start; they and the runtime are made inside Pyodide (tools/bytecode.py).
MicroPython gets its modules as text, without comments, annotations and most of the indentation:
compiling them takes 0.08 s, and text is copied from JavaScript immediately, while bytes take 0.3 s
per megabyte.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tokenize
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import joining, lessons, naming, shaders
from tools.vendor import write

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("static/vendor/python")
KINDS = ("*.py", "*.js")  # modules, and the JavaScript that they evaluate
STUBS = "!py/farcall/stubs.py"  # a command for CPython
COMLINK = "py/farcall/comlink"
TEAM = "py/farcall/workers/teams"
ODD_ARRAYS = "py/farcall/values/odd_arrays.py"  # those of a worker that predicts are plain
# Only pages start workers; few workers trace their calls, serve a class with `concurrency`, are
# asked for operators, or have values use instances of a class that lists its names.
STARTED = (
    "py/farcall/in_memory.py",
    *(
        f"py/farcall/connection/{name}.py"
        for name in ("concurrency", "sizes", "takes_part", "trace")
    ),
    *(f"py/farcall/workers/{name}.py" for name in ("pool", "rooms", "started")),
)
EMBEDDING = (COMLINK, "py/app/embedding/demo.py", "py/app/embedding/demo.js")
HARDWARE = (TEAM + "/__init__.py", TEAM + "/team.py", "py/app/panels/hardware.py")
SEARCH = ("py/app/panels/search.py",)
TEACHING = (
    "py/app/teaching",
    "py/app/state/embed_code.py",
    "py/app/state/generated_code.py",
    "py/app/state/keras_code.py",
    "py/app/state/web_page.py",
    "py/app/state/what_is.py",
)
OWN = ("py/app/panels/own.py", "py/app/panels/own.js", "py/app/panels/table.py")
PLAYGROUND = ("py/app/panels/playground", "py/app/state/toys.py")
LATER = (
    "py/app/page/precisions.py",
    "py/app/page/selection.py",
    "py/app/panels/environment.py",
    "py/app/panels/federation.py",
    "py/app/panels/federation.js",
    "py/app/panels/lens.py",
    "py/app/panels/lens.js",
    "py/app/panels/picture.py",
    "py/app/panels/picture.js",
    "py/app/panels/speed.py",
)
RPC = ("py/farcall", STUBS, f"!{COMLINK}", f"!{TEAM}")
MAIN = (
    "py/app",
    "!py/app/main.py",
    "!py/app/*worker.py",
    "!py/app/lab",
    *(
        f"!{name}"
        for name in (*EMBEDDING, *LATER, *HARDWARE, *SEARCH, *TEACHING, *OWN, *PLAYGROUND)
        if name.startswith("py/app")
    ),
)
# Texts for MicroPython: app/main.py fetches the first, and another when the page needs it.
TEXTS = {
    "main.txt": MAIN,
    "farcall.txt": RPC,
    "embedding.txt": EMBEDDING,
    "later.txt": LATER,
    "hardware.txt": HARDWARE,
    "search.txt": SEARCH,
    "teaching.txt": TEACHING,
    "own.txt": OWN,
    "playground.txt": PLAYGROUND,
}
# Inputs of the bytecode besides the sources; the lock names Pyodide's version.
RECIPE = ("tools/bytecode.py", "tools/compile.mjs", "tools/vendor.lock", "package-lock.json")
# The part of the engine that only training and writing other formats import.
TRAINING = (
    "py/nn/artifacts.py",
    "py/nn/callbacks",
    "py/nn/data/loading",
    "py/nn/federated.py",
    "py/nn/fitting.py",
    "py/nn/io/*/write_c*.py",  # write_config of keras, write_checks of tfjs
    "py/nn/io/**/checkpoint.py",
    "py/nn/io/tfjs/masks.py",
    "py/nn/io/tfjs/write.py",
    "py/nn/kernels/optimizer.py",
    "py/nn/losses",
    "py/nn/metrics",
    "py/nn/optimizers",
    "py/nn/ort",
    "py/nn/parameters.py",
    "py/nn/schedules.py",
    "py/nn/training",
)
# What few models need, in the same archive: the error of a model that needs it names the line.
SELDOM = (
    "py/nn/absent.py",
    "py/nn/activations/further.py",
    "py/nn/backend.py",
    "py/nn/data/adapting.py",
    "py/nn/data/filters.py",
    "py/nn/data/idx.py",
    "py/nn/data/sampling.py",
    "py/nn/datasets",
    "py/nn/differentiate.py",
    "py/nn/functions.py",
    "py/nn/io/file.py",
    "py/nn/layers/arithmetic.py",
    "py/nn/layers/attention.py",
    "py/nn/layers/category_encoding.py",
    "py/nn/layers/cells.py",
    "py/nn/layers/constant.py",
    "py/nn/layers/conv_lstm.py",
    "py/nn/layers/conv_lstm_cell.py",
    "py/nn/layers/discretization.py",
    "py/nn/layers/dot_product.py",
    "py/nn/layers/encoding.py",
    "py/nn/layers/fingerprints.py",
    "py/nn/layers/gaussian.py",
    "py/nn/layers/hashing.py",
    "py/nn/layers/lookup.py",
    "py/nn/layers/masking.py",
    "py/nn/layers/random_images.py",
    "py/nn/layers/simple_rnn.py",
    "py/nn/layers/text.py",
    "py/nn/layers/transposed.py",
    "py/nn/layers/unit_length.py",
    "py/nn/layers/volumes.py",
    "py/nn/layers/wrappers.py",
    "py/nn/models/saving.py",
    "py/nn/ops.py",
    "py/nn/preprocessing",
    "py/nn/saving.py",
    "py/nn/utils",
)
PROTOBUF = "py/nn/io/protobuf.py"  # ONNX and the federation need it
# The files of Keras and ONNX: their names are in nn/lazy.py too, for the error of a page without.
FORMATS = (
    "py/nn/io/hdf5",
    "py/nn/io/keras/arrays.py",
    "py/nn/io/keras/assets.py",
    "py/nn/io/keras/groups.py",
    "py/nn/io/keras/keras3.py",
    "py/nn/io/keras/legacy_h5.py",
    "py/nn/io/keras/masks.py",
    "py/nn/io/keras/operations.py",
    "py/nn/io/keras/steps.py",
    "py/nn/io/keras/stores.py",
    "py/nn/io/onnx",
    PROTOBUF,
    "py/nn/io/weights.py",
)
# Networks for photographs: an archive of its own, which this page asks for when one is chosen.
APPLICATIONS = ("py/nn/applications",)
GPU = "py/nn/gpu"
SHADERS = "/gpu/wgsl/"
ON_CPYTHON = ("!py/federation/platform/cpython.py", "!py/federation/server")
MODS = "py/federation/mods.py"  # of a client app that protects privacy by them; not this page's
FEDERATION = ("py/federation", *ON_CPYTHON, f"!{MODS}", PROTOBUF)
# Archives of text without comments, for the workers that list them.
PLAYGROUND_WORKER = "py/app/lab/playground"
TARRED: dict[str, tuple[str, ...]] = {
    "gpu.tgz": (GPU,),
    "federation.tgz": FEDERATION,
    "federation_mods.tgz": (MODS,),
    "playground.tgz": (PLAYGROUND_WORKER,),
}
# Several workers for a network, or several networks, in training.zip: imported where it is used.
SEVERAL = ("py/nn/distribution", "py/nn/tuner.py")
# One line under `[files]`, `".../farcall.zip" = "./*"`, gives a page the whole library.
LIBRARIES: dict[str, tuple[str, ...]] = {"farcall.zip": ("py/farcall",), "nn.zip": ("py/nn",)}
WORKER = {
    "predict.zip": (
        "py/farcall",
        STUBS,
        f"!{COMLINK}",
        f"!{TEAM}",
        *(f"!{name}" for name in (ODD_ARRAYS, *STARTED)),
        "py/nn",
        "!py/nn/io/__main__.py",  # commands for CPython
        "!py/nn/kernels/build.py",
        "!py/nn/compiler.py",
        *(f"!{name}" for name in (*TRAINING, *SELDOM, *FORMATS, *APPLICATIONS, GPU, *SEVERAL)),
    ),
    "training.zip": (
        TEAM,
        ODD_ARRAYS,
        *STARTED,
        *TRAINING,
        *SELDOM,
        *SEVERAL,
        "py/app/__init__.py",
        "py/app/endings.py",
        "py/app/language.py",
        "py/app/lab",
        f"!{PLAYGROUND_WORKER}",
    ),
    "formats.zip": FORMATS,
    "applications.zip": APPLICATIONS,
}


def modules(patterns: Iterable[str], root: Path) -> dict[str, str]:
    """Return sources by path below py/: files of KINDS in the patterns, except those after `!`.

    Raises:
        FileNotFoundError: a pattern matches nothing.
    """
    found: set[Path] = set()
    refused: set[Path] = set()
    for pattern in patterns:
        places = list(root.glob(pattern.removeprefix("!")))
        if not places:
            raise FileNotFoundError(f"bundle: {pattern}: there is nothing at {root / pattern}")
        for place in places:
            files = (f for kind in KINDS for f in place.rglob(kind))
            below = set(files) if place.is_dir() else {place}
            (refused if pattern.startswith("!") else found).update(below)
    base = root / "py"
    return {path.relative_to(base).as_posix(): path.read_text() for path in sorted(found - refused)}


def text(sources: dict[str, str]) -> bytes:
    """Return the text that main.py unpacks."""
    parts = []
    for path, source in sources.items():
        if "\0" in source:
            raise ValueError(f"bundle: {path} holds a NUL character, which separates the files")
        parts += [path, thin(bare(source)) if path.endswith(".py") else uncommented(source)]
    return "\0".join(parts).encode()


Place = tuple[int, int]  # line from 1, column


def bare(source: str, *, annotated: bool = False) -> str:
    """Return the source as MicroPython needs it, with unchanged line numbers.

    Comments, docstrings, annotations and what only type checkers read stay behind. This saves
    nearly half of the size, and tracebacks stay correct.

    Args:
        source: a module.
        annotated: leave an annotation at fields, 0, as CPython's dataclasses are made from them.
    """
    lines = source.splitlines(keepends=True)
    inside: Place = (0, 0)
    found = []
    # Once for all that look at it: the longest part of a bundle in which nothing changed.
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    nodes = list(ast.walk(ast.parse(source)))
    words = (
        *_words(tokens, nodes, lines),
        *_annotations(tokens, nodes, lines, fields=not annotated),
    )
    for start, stop, instead in sorted(words, key=lambda word: (word[0], -word[1][0])):
        if start >= inside:  # else it is in what goes anyway
            found.append((start, stop, instead))
            inside = stop
    for start, stop, instead in reversed(found):
        cut(lines, start, stop, instead)
    text = "".join(line.rstrip() + "\n" for line in lines)
    return imported(text) if annotated else text


TYPES = ("__future__", "collections.abc", "typing", "nn.types")


def imported(text: str) -> str:
    """Return a module without annotations, but for 0, without what it imports for them alone."""
    tree, lines = ast.parse(text), text.splitlines(keepends=True)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in reversed(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module in TYPES:
            kept = ", ".join(name.name for name in node.names if name.name in used)
            instead = f"from {node.module} import {kept}" if kept else ""
            cut(lines, _start(node, lines), _end(node, lines), instead)
    return "".join(lines)


def _words(
    tokens: list[tokenize.TokenInfo], nodes: list[ast.AST], lines: list[str]
) -> Iterable[tuple[Place, Place, str]]:
    """Yield start and end of each comment and docstring, also of constants and fields, and its
    replacement."""
    for token in tokens:
        if token.type == tokenize.COMMENT:
            yield token.start, token.end, ""
    for node in nodes:
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list):
                texts = [part for part in block if is_text(part)]
                empty = len(texts) == len(block) and not isinstance(node, ast.Module)
                for part in texts:
                    instead = "pass" if empty and part is texts[0] else ""
                    yield _start(part, lines), _end(part, lines), instead


def is_text(node: ast.AST) -> bool:
    """Whether a statement is nothing but a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _annotations(
    tokens: list[tokenize.TokenInfo], nodes: list[ast.AST], lines: list[str], *, fields: bool
) -> Iterable[tuple[Place, Place, str]]:
    """Yield the same of each annotation, and of what stands there for type checkers alone.

    Args:
        tokens: of a module.
        nodes: of its tree.
        lines: of its text.
        fields: of classes' fields too.
    """
    arrows = [token.start for token in tokens if token.string == "->"]
    classes = [] if fields else [node for node in nodes if isinstance(node, ast.ClassDef)]
    kept = {part for node in classes for part in node.body if isinstance(part, ast.AnnAssign)}
    for node in nodes:
        if node in kept:
            if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
                yield _start(node.annotation, lines), _end(node.annotation, lines), "0"
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            arrow = max(at for at in arrows if at < _start(node.returns, lines))
            yield arrow, _end(node.returns, lines), ""
        elif isinstance(node, ast.arg) and node.annotation is not None:
            line, column = _start(node, lines)
            yield (line, column + len(node.arg)), _end(node.annotation, lines), ""
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield _end(node.target, lines), _end(node.annotation, lines), ""
        elif isinstance(node, ast.AnnAssign | ast.If) and _is_for_checkers(node):
            yield _start(node, lines), _end(node, lines), "pass"


def _is_for_checkers(node: ast.AnnAssign | ast.If) -> bool:
    """Whether a statement does nothing but while types are checked."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse


def _start(node: ast.expr | ast.stmt | ast.arg, lines: list[str]) -> Place:
    return node.lineno, _column(lines[node.lineno - 1], node.col_offset)


def _end(node: ast.expr | ast.stmt | ast.arg, lines: list[str]) -> Place:
    line = node.end_lineno or 0
    return line, _column(lines[line - 1], node.end_col_offset or 0)


def _column(line: str, offset: int) -> int:
    """The column of a place: ast counts bytes."""
    return len(line.encode()[:offset].decode())


def cut(lines: list[str], start: tuple[int, int], stop: tuple[int, int], instead: str) -> None:
    """Replace the text between two positions (line from 1, column), keeping the lines."""
    first, last = start[0] - 1, stop[0] - 1
    tail = lines[last][stop[1] :]
    lines[first] = lines[first][: start[1]] + instead + (tail if first == last else "\n")
    for index in range(first + 1, last + 1):
        lines[index] = "\n"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def build(root: Path = ROOT) -> list[str]:
    """Write the files that changed and return their paths."""
    plan: list[tuple[dict[str, tuple[str, ...]], Make]] = [
        (TEXTS, text), (LIBRARIES, zipped), (TARRED, lambda sources: compressed(tarred(sources))),
    ]  # fmt: skip
    written = [
        f"{FOLDER}/{name}"
        for files, make in plan
        for name, patterns in files.items()
        if keep(name, modules(patterns, root), make, root)
    ]
    written += lessons.build(root)
    if compile_worker(root):
        written += [f"{FOLDER}/{name}" for name in WORKER]
        written.append("static/vendor/runtime/python_stdlib.zip")
    return written


def zipped(sources: dict[str, str]) -> bytes:
    """Return modules as a zip; the same at any hour."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, source in sources.items():
            entry = zipfile.ZipInfo(path)  # dated 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source)
    return body.getvalue()


Make = Callable[[dict[str, str]], bytes]
PACKERS = "bundle", "joining", "naming", "shaders"


def keep(name: str, sources: dict[str, str], make: Make, root: Path) -> bool:
    """Write a file of modules, unless this program has made it of them already: to make them all
    takes 1.2 s, to see that nothing changed 0.2."""
    path, stamp = root / FOLDER / name, root / FOLDER / f".{name}"
    tools = (Path(__file__).with_name(f"{name}.py") for name in PACKERS)
    recipe = (*(path.read_text() for path in (*tools, ORDER)), json.dumps(sources))
    wanted, held = sha256("\0".join(recipe).encode()), content(path)
    if held is not None and content(stamp) == f"{wanted} {sha256(held)}".encode():
        return False
    body = make(sources)
    write(stamp, f"{wanted} {sha256(body)}".encode())
    if held == body:
        return False
    write(path, body)
    return True


# A string that lies in one line, or the spaces around a sign.
STRING_OR_SIGN = re.compile(r"""("[^"\n]*"|'[^'\n]*'|`[^`]*`)| *([=(){},;:?<>&|*]+) *""")


def uncommented(script: str) -> str:
    """Return JavaScript without the lines that are comments and without indentation."""
    lines = (line.strip() for line in script.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def close(script: str) -> str:
    """Return JavaScript likewise, without the spaces around signs; no pattern in it has any."""
    return STRING_OR_SIGN.sub(lambda found: found[1] or found[2], uncommented(script))


def thin(source: str, *, strings: bool = False) -> str:
    """Return Python with one space for each four that a statement begins with, and none where it
    goes on inside of brackets; line numbers stay.

    Args:
        source: the module.
        strings: none inside of strings, which are the text of a language that needs none.
    """
    lines = source.split("\n")
    kept: set[int] = set()
    inside: set[int] = set()
    begun = []
    depth = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if depth and token.start[0] > last:
            inside.add(token.start[0] - 1)
        last = token.end[0]
        if kind == "STRING":
            kept.update(range(token.start[0], token.end[0]))
        elif kind == "FSTRING_START":
            begun.append(token.start[0])
        elif kind == "FSTRING_END":
            kept.update(range(begun.pop(), token.end[0]))
        elif kind == "OP":
            depth += (token.string in "([{") - (token.string in ")]}")
    for number, line in enumerate(lines):
        if strings or number not in kept:
            text = line.lstrip(" ")
            begins = number not in kept and number not in inside
            lines[number] = " " * ((len(line) - len(text)) // 4 if begins else 0) + text
    return "\n".join(lines)


def tight(source: str) -> str:
    """Return Python without the spaces whose absence joins no two words; lines and
    strings stay."""
    lines = source.split("\n")
    spaces = []
    before = tokenize.TokenInfo(tokenize.ENCODING, "", (0, 0), (0, 0), "")
    within = 0  # an f-string, whose parts are tokens since Python 3.12
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, start = token.start
        if row == before.end[0] and not within and token.string:
            first, last = token.string[0], before.string[-1:]
            word = last.isalnum() or last == "_"
            if not (word and (first.isalnum() or first in "_.'\"")):
                spaces.append((row - 1, before.end[1], start))
        kind = tokenize.tok_name[token.type]
        within += (kind == "FSTRING_START") - (kind == "FSTRING_END")
        if token.string:
            before = token
    for row, start, stop in reversed(spaces):
        lines[row] = lines[row][:start] + lines[row][stop:]
    return "\n".join(lines)


ORDER = ROOT / "tools/archive_order.txt"


def ordered(sources: dict[str, str]) -> dict[str, str]:
    """Return modules in the order of an archive: that of ORDER, then a folder's beside each other.

    Compression looks back 32 kB, and a folder's modules are alike.
    """
    places = {path: place for place, path in enumerate(ORDER.read_text().split())}

    def place(path: str) -> tuple[int, bool, Path, int]:
        return (
            places.get(path, len(places)),
            path.endswith(".py"),
            Path(path).parent,
            len(sources[path]),
        )

    return {path: sources[path] for path in sorted(sources, key=place)}


def tarred(sources: dict[str, str]) -> bytes:
    """Return modules without comments as one archive; the same at any hour."""
    return archive(packed(path, source) for path, source in ordered(sources).items())


def packed(path: str, source: str) -> bytes:
    """Return a module without comments as a member of an archive."""
    if path.endswith(".py"):
        wgsl = SHADERS in path
        text = bare(source if Path(path).stem in LISTED else unlisted(source), annotated=True)
        text = naming.shortened(tight(thin(text, strings=wgsl)))
        text = joining.joined(text)
        text = shaders.spaceless(text) if wgsl else text
    else:
        text = close(source)
    data = text.encode()
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    return entry.tobuf() + data + bytes(-len(data) % tarfile.BLOCKSIZE)


# Modules whose `__all__` others read, or may import all of: that of the rest says to readers alone
# which names are for other modules.
LISTED = ("__init__", "message", "mods", "records")


def unlisted(source: str) -> str:
    """Return a module without its `__all__`, with unchanged line numbers."""
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            cut(lines, _start(node, lines), _end(node, lines), "")
    return "".join(lines)


def archive(members: Iterable[bytes]) -> bytes:
    """Return members of an archive as a whole one."""
    return b"".join((*members, bytes(2 * tarfile.BLOCKSIZE)))


def compressed(body: bytes) -> bytes:
    """Return a file as gzip, by a search for the shortest: 4 % fewer bytes than zlib writes, which
    any reader of gzip opens."""
    import zopfli.gzip

    return bytes(zopfli.gzip.compress(body, numiterations=ITERATIONS))


ITERATIONS = 15
"""Rounds of that search: further ones save few bytes."""


def compile_worker(root: Path) -> bool:
    """Compile the workers' modules, unless they have been compiled from the same sources.

    Raises:
        RuntimeError: a module does not compile; the message names file and line.
    """
    packs = {name: modules(patterns, root) for name, patterns in WORKER.items()}
    for sources in packs.values():
        sources.update({p: uncommented(s) for p, s in sources.items() if p.endswith(".js")})
    stamp = root / FOLDER / ".compiled"
    parts = [(root / name).read_text() for name in RECIPE]
    wanted = sha256("\0".join([json.dumps(packs), *parts]).encode()).encode()
    if content(stamp) == wanted:
        return False
    stamp.unlink(missing_ok=True)
    for former in set((root / FOLDER).glob("[!.]*.zip")) - {
        root / FOLDER / name for name in LIBRARIES
    }:
        former.unlink()
    write(root / "build/bundle.json", json.dumps(packs).encode())
    run = subprocess.run(
        ["node", "tools/compile.mjs"], capture_output=True, text=True, cwd=root, check=False
    )
    if run.returncode:
        raise RuntimeError(f"bundle: the worker's Python does not compile:\n{run.stderr[-2000:]}")
    write(stamp, wanted)
    return True


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main() -> None:
    try:
        for name in build():
            sys.stdout.write(f"bundle: {name}, {(ROOT / name).stat().st_size / 1e3:.0f} kB\n")
    except (FileNotFoundError, RuntimeError, ValueError) as error:  # of a lesson, too
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
