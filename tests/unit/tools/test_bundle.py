"""The Python bundles: complete, up to date, with errors that name the module."""

import ast
import functools
import gzip
import importlib.util
import io
import json
import random
import shutil
import subprocess
import tarfile
import tokenize
import zipfile

import pytest

from tests.support import naming
from tools import archive_order, bundle, lessons
from tools.bundle import ROOT


@pytest.fixture
def root(tmp_path):
    return sources(tmp_path)


PREDICTION = '''
from __future__ import annotations
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nn.models import Checker

MICROPYTHON = False
if MICROPYTHON:
    def small(): ...
else:
    def usual(): ...

kinds = ["tiny" if MICROPYTHON else "plain", "odd" if not (platform.PYODIDE or MICROPYTHON) else 1]
if BROWSER and not MICROPYTHON and usual:
    kinds.append("shown")
elif MICROPYTHON or platform.MICROPYTHON:
    kinds.append("little")
if not platform.BROWSER and usual:
    kinds.append("bigger")

def predict(x: Batch) -> None:
    """Predict."""
    def inner_name(y: Inside) -> None:
        """Of inner."""
        return y

def _loop(n: Count) -> None:
    """Loop."""
    return n

@checked
def load(x: Model) -> Made:
    return x

class Public:
    def method(self, x: Start) -> None:
        """Its method."""
        return x

class Layer:
    numbers: Numbered = ()
    later: Later

    def __init__(self, rate: float | None, dims: Sequence[int], sizes: Wide) -> None:
        self.rate = rate

    def build(self) -> None:
        """Build nothing."""

class Draw(NamedTuple):
    seed: Seed

class _Private:
    def method(self, x: Count) -> None:
        """Hidden."""
        return x
'''


def sources(folder):
    """Write a small page and its worker; return their folder."""
    files = {
        "py/farcall/__init__.py": "from .calls import call\n",
        "py/farcall/connection/calls.py": "def call():\n    return 1\n",
        "py/farcall/comlink/__init__.py": "",
        "py/farcall/stubs.py": "",
        "py/nn/__init__.py": '"""Networks."""\n',
        "py/nn/io/__main__.py": "",
        "py/nn/kernels/build.py": "",
        "py/nn/compiler.py": "",
        "py/nn/models/prediction.py": PREDICTION,
        **{
            p if p.endswith((".py", ".js")) else f"{p}/__init__.py": ""
            for p in (
                *bundle.TRAINING,
                *bundle.SELDOM,
                *bundle.FORMATS,
                *bundle.APPLICATIONS,
                bundle.GPU,
                "py/federation",
                bundle.MODS,
                "py/federation/server",
                "py/federation/platform/cpython.py",
                *bundle.SEVERAL,
                bundle.ODD_ARRAYS,
                *bundle.STARTED,
                *bundle.LATER,
                *bundle.HARDWARE,
                *bundle.SEARCH,
                *bundle.TEACHING,
                *bundle.OWN,
                *bundle.PLAYGROUND,
                bundle.PLAYGROUND_WORKER,
            )
        },
        "py/app/__init__.py": "",
        "py/app/endings.py": "",
        "py/app/language.py": "",
        "py/app/main.py": "unpack()\n",
        "py/app/worker.py": "serve()\n",
        "py/app/panel.py": "shown = True\n",
        "py/app/embedding/frame.py": "",
        "py/app/embedding/demo.py": "",
        "py/app/embedding/demo.js": "",
        "py/app/lab/__init__.py": "",
        "py/app/lab/bench.py": "import struct\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def site(root):
    return equipped(root)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A site built once, beside an archive of former days, and what was written: for looking at."""
    site = equipped(sources(tmp_path_factory.mktemp("built")))
    former = site / "static/vendor/python/worker.zip"
    former.parent.mkdir()
    former.write_bytes(b"")
    return site, bundle.build(site)


def equipped(root):
    """`root` with what compiling needs: the tools, Pyodide as installed and as vendored, of whose
    modules there are some of each kind."""
    shutil.copytree(ROOT / "tools", root / "tools")
    shutil.copytree(ROOT / "static/vendor/pyodide", root / "static/vendor/pyodide")
    for kind in ("*.zip", "*.whl"):
        for path in (root / "static/vendor/pyodide").glob(kind):
            thin(path)
    shutil.copy(ROOT / "package-lock.json", root)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    return root


# Of 2,000 modules of Python and NumPy, which take five seconds to compile and pack.
SOME = (
    "asyncio/", "struct.py", "unittest/", "xml/dom/", "numpy/_core/numeric.py",
    "numpy/_core/include/numpy/arrayobject.h", "numpy/__init__.pyi",
)  # fmt: skip


def thin(path):
    """Leave some modules in an archive."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name.startswith(SOME)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in kept.items():
            archive.writestr(name, body)


def unpacked(body):
    parts = body.decode().split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_main_thread_gets_the_panels_first_and_then_the_rpc(root):
    assert sorted(bundle.modules(bundle.MAIN, root)) == [
        "app/__init__.py",
        "app/embedding/frame.py",
        "app/endings.py",
        "app/language.py",
        "app/panel.py",
    ]
    assert sorted(bundle.modules(bundle.RPC, root)) == [
        "farcall/__init__.py",
        "farcall/connection/calls.py",
        "farcall/connection/concurrency.py",
        "farcall/connection/sizes.py",
        "farcall/connection/takes_part.py",
        "farcall/connection/trace.py",
        "farcall/in_memory.py",
        "farcall/values/odd_arrays.py",
        "farcall/workers/pool.py",
        "farcall/workers/rooms.py",
        "farcall/workers/started.py",
    ]


def imported(source):
    """The names that a module imports as it is loaded."""
    for node in ast.parse(bundle.bare(source)).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_controls_wait_for_little_python_and_for_no_other_text():
    found = bundle.modules(bundle.MAIN, ROOT)
    # 161 kB without indentation: what a press asks for belongs in a text of its own.
    assert len(bundle.text(found)) <= 170_000
    others = {
        path: name
        for name, patterns in bundle.TEXTS.items()
        if name != "main.txt"
        for path in bundle.modules(patterns, ROOT)
    }
    for path, source in found.items():
        for name in imported(source) if path.endswith(".py") else ():
            place = name.replace(".", "/")
            for module in (place + ".py", place + "/__init__.py"):
                assert module not in others, f"{path} imports {name} of {others.get(module)}"


def test_what_only_a_framed_page_needs_is_a_text_of_its_own(built):
    site, _ = built
    body = (site / "static/vendor/python/embedding.txt").read_bytes()
    assert sorted(unpacked(body)) == [
        "app/embedding/demo.js", "app/embedding/demo.py", "farcall/comlink/__init__.py",
    ]  # fmt: skip


def test_a_worker_that_predicts_gets_no_training(root):
    assert sorted(bundle.modules(bundle.WORKER["predict.zip"], root)) == [
        "farcall/__init__.py",
        "farcall/connection/calls.py",
        "nn/__init__.py",
        "nn/models/prediction.py",
    ]


def test_every_module_of_a_worker_is_in_one_of_its_zips():
    packs = [bundle.modules(patterns, ROOT) for patterns in bundle.WORKER.values()]
    whole = bundle.modules(
        (
            "py/farcall",
            bundle.STUBS,
            "py/nn",
            f"!{bundle.COMLINK}",
            "!py/nn/io/__main__.py",
            "!py/nn/kernels/build.py",
            "!py/nn/compiler.py",
            f"!{bundle.GPU}",
            "py/app/__init__.py",
            "py/app/endings.py",
            "py/app/language.py",
            "py/app/lab",
            f"!{bundle.PLAYGROUND_WORKER}",
        ),
        ROOT,
    )
    assert sorted(name for pack in packs for name in pack) == sorted(whole)


def test_a_room_that_is_gone_is_named(root):
    shutil.rmtree(root / "py/nn")
    with pytest.raises(FileNotFoundError, match="py/nn"):
        bundle.modules(bundle.WORKER["predict.zip"], root)


def test_text_gives_back_every_source():
    sources = {"a.py": "x = 'é'\n", "b/c.py": ""}
    assert unpacked(bundle.text(sources)) == sources


class Running(ast.NodeTransformer):
    """What of a source runs: no docstrings, no annotations, nothing for checkers of types."""

    def visit(self, node):
        node = super().generic_visit(node)
        if bundle.is_text(node):
            return None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            if node.value is None:
                return None
            place = {"lineno": node.lineno, "col_offset": node.col_offset}
            return ast.Assign([node.target], node.value, **place)
        elif isinstance(node, ast.If) and not node.orelse:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node
        return node


def running(source):
    """(line, what it is) of every node that runs, but `pass`."""
    tree = Running().visit(ast.parse(source))
    found = [(getattr(node, "lineno", 0), type(node).__name__) for node in ast.walk(tree)]
    return sorted(pair for pair in found if pair[1] != "Pass")


def test_what_the_page_gets_is_what_runs_with_every_line_where_it_was():
    texts = [bundle.modules(patterns, ROOT) for patterns in bundle.TEXTS.values()]
    sources = {path: source for found in texts for path, source in found.items()}
    assert len(sources) == sum(map(len, texts))
    assert {"farcall/platform/farcall.js", "app/panels/picture.js"} <= set(sources)
    for path, source in sources.items():
        if not path.endswith(".py"):
            continue
        bare = bundle.thin(bundle.bare(source))
        assert running(bare) == running(source), path
        assert bare.count("\n") == source.count("\n"), path
        for node in ast.walk(ast.parse(bare)):
            assert not isinstance(node, ast.AnnAssign), path
            assert getattr(node, "annotation", getattr(node, "returns", None)) is None, path
            assert not bundle.is_text(node), path
        tokens = tokenize.generate_tokens(io.StringIO(bare).readline)
        assert [token for token in tokens if token.type == tokenize.COMMENT] == [], path


def test_what_only_looks_like_a_comment_stays():
    source = 'def f():\n    """é"""  # why\n\n\nx = "# é"  # no\n'
    assert bundle.bare(source) == 'def f():\n    pass\n\n\nx = "# é"\n'


def test_docstrings_of_every_form_go():
    source = (
        "'Module.'\nN = 1\n'Of\\\nN.'\nclass C:\n    'Class.'\n    x = 'kept'\n    'Of x.'\n"
        "class Lone:\n    'Class.'\n    'More.'\nif N:\n    'é'\nelse:\n    N = 2\n"
    )
    bare = bundle.bare(source)
    assert running(bare) == running(source)
    left = "N = 1 class C: x = 'kept' class Lone: pass if N: pass else: N = 2"
    assert " ".join(bare.split()) == left
    assert bare.count("\n") == source.count("\n")


def test_annotations_of_every_form_go():
    source = (
        "class C:\n    x: 'A'\n    y: 'é' = 'é->'\n"
        "    def f(self, a: 'dict[str, ->]', *b: B, c: int = 1, **d: 'D') -> 'R':\n"
        "        self.z: 'Z' = lambda: 1\n"
        "if TYPE_CHECKING:\n    class P:\n        'Text.'\n        def g(self) -> int: ...\n"
        "if TYPE_CHECKING:\n    a = 1\nelse:\n    a = 2\n"
    )
    bare = bundle.bare(source)
    assert running(bare) == running(source)
    assert "int" not in bare.replace("'é->'", "")
    assert "->" not in bare.replace("'é->'", "")


def test_fields_of_classes_stay_for_dataclasses_without_what_their_types_import():
    source = (
        "from __future__ import annotations\nfrom typing import Any, ClassVar, cast\n"
        "from nn.types import (\n    Array,\n)\n"
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: 'A'\n    y: int = 2\n"
        "    held: ClassVar[Any] = cast(int, 3)\n    z: Array = None\n"
        "    def f(self, a: 'B') -> 'R':\n        z: int = a\n        return z + self.y\n"
    )
    bare, there = bundle.bare(source, annotated=True), {}
    exec(compile(bare, "bare", "exec"), there)
    made = there["C"](1)
    assert (repr(made), made.f(3)) == ("C(x=1, y=2, z=None)", 5)
    assert bare.count("\n") == source.count("\n")
    assert [line for line in bare.splitlines() if "import" in line] == [
        "from typing import Any, ClassVar, cast",
        "from dataclasses import dataclass",
    ]
    assert "'B'" not in bare
    assert "'R'" not in bare
    assert "z: int" not in bare


def test_a_source_with_the_separator_is_refused():
    with pytest.raises(ValueError, match=r"b/c\.py"):
        bundle.text({"b/c.py": "x = '\0'"})


def test_the_worker_gets_bytecode_without_sources(built):
    site, _ = built
    assert not (site / "static/vendor/python/worker.zip").exists()
    with zipfile.ZipFile(site / "static/vendor/python/predict.zip") as archive:
        names = archive.namelist()
        magic = archive.read("nn/__init__.pyc")[:4]
    with zipfile.ZipFile(site / "static/vendor/python/training.zip") as archive:
        rest = archive.namelist()
    with zipfile.ZipFile(site / "static/vendor/python/formats.zip") as archive:
        further = archive.namelist()
    assert "nn/io/onnx/__init__.pyc" in further
    assert {name.rsplit(".", 1)[1] for name in names + rest + further} == {"pyc"}
    assert "farcall/connection/calls.pyc" in names
    assert "nn/losses/__init__.pyc" in rest
    assert magic != importlib.util.MAGIC_NUMBER, "compiled by this Python, not by Pyodide's"


def test_a_script_of_a_worker_has_no_comments():
    name = "farcall/platform/farcall.js"
    with zipfile.ZipFile(ROOT / "static/vendor/python/predict.zip") as archive:
        script = archive.read(name).decode()
    assert script == bundle.uncommented((ROOT / "py" / name).read_text())


def test_bytecode_lacks_what_nothing_reads_in_a_page(built):
    site, _ = built
    with zipfile.ZipFile(site / "static/vendor/python/predict.zip") as archive:
        code = archive.read("nn/models/prediction.pyc")
    for kept in (
        b"_loop",
        b"_Private",
        b"float | None",
        b"Sequence[int]",
        b"usual",
        b"plain",
        b"shown",
        b"Seed",
        b"Model",
    ):
        assert kept in code
    for gone in (
        b"Predict.",
        b"Its method.",
        b"Loop.",
        b"Wide",
        b"Made",
        b"Count",
        b"Batch",
        b"Start",
        b"inner",
        b"Inside",
        b"Hidden.",
        b"Checker",
        b"small",
        b"tiny",
        b"odd",
        b"little",
        b"bigger",
        b"Numbered",
        b"Later",
        b"nothing",
    ):
        assert gone not in code.replace(b"inner_name", b"")


def test_the_runtime_is_the_one_its_lock_names(built):
    site, _ = built
    for root in (site, ROOT):
        runtime = root / "static/vendor/runtime"
        entry = json.loads((runtime / "pyodide-lock.json").read_text())["packages"]["numpy"]
        assert bundle.sha256((runtime / entry["file_name"]).read_bytes()) == entry["sha256"]
        with zipfile.ZipFile(runtime / entry["file_name"]) as wheel:
            names = wheel.namelist()
        assert "numpy/_core/numeric.pyc" in names
        assert not [name for name in names if name.endswith((".h", ".pyi"))]
        with zipfile.ZipFile(runtime / "python_stdlib.zip") as library:
            names = library.namelist()
        assert {"asyncio/events.pyc", "struct.pyc"} <= set(names)
        assert not [name for name in names if name.startswith(("unittest/", "xml/"))]


def test_each_library_is_one_archive_of_its_sources(built):
    site, _ = built
    for name, module in (
        ("farcall.zip", "connection/calls.py"),
        ("nn.zip", "models/prediction.py"),
    ):
        package = name.removesuffix(".zip")
        with zipfile.ZipFile(site / "static/vendor/python" / name) as archive:
            names = archive.namelist()
            source = archive.read(f"{package}/{module}").decode()
        assert {path.split("/")[0] for path in names} == {package}
        assert source == (site / "py" / package / module).read_text()


def test_what_trains_on_a_gpu_is_one_archive_of_text_without_comments(built):
    site, _ = built
    with tarfile.open(site / "static/vendor/python/gpu.tgz") as archive:
        assert archive.getnames() == ["nn/gpu/__init__.py"]
    sources = bundle.modules(bundle.TARRED["gpu.tgz"], ROOT)
    with tarfile.open(fileobj=io.BytesIO(tarred("gpu.tgz")), mode="r:") as archive:
        for path, source in sources.items():
            found = archive.extractfile(path).read().decode()
            if not path.endswith(".py"):
                assert found == bundle.close(source)
                assert "=>{" in found
                assert "\n//" not in found
                continue
            whole = bundle.bare(source, annotated=True)
            trees = ast.parse(found), ast.parse(whole)
            naming.compare(*trees)
            dumped = [ast.dump(tree, include_attributes=False) for tree in trees]
            if bundle.SHADERS in path:  # WGSL needs few spaces: see test_shaders
                dumped = [text.replace(" ", "") for text in dumped]
            assert dumped[0] == dumped[1], path
            assert found.count("\n") == whole.count("\n"), "tracebacks name the lines"
            assert (
                bundle.thin(
                    "def f():\n    if 1:\n        return (\n            2,\n        '''\\n    ''')"
                )
                == "def f():\n if 1:\n  return (\n2,\n'''\\n    ''')"
            )


# Writes whether acorn makes the same tree of both of each two programs.
COMPARE = """
const { parse } = require("acorn");
const bare = (key, value) =>
    key === "start" || key === "end" ? undefined : typeof value === "bigint" ? `${value}` : value;
const tree = (text) => JSON.stringify(parse(text, { ecmaVersion: "latest" }), bare);
const pairs = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(pairs.map(([a, b]) => tree(a) === tree(b))));
"""


def test_javascript_without_comments_and_spaces_is_the_same_program():
    packed = [bundle.modules(patterns, ROOT) for patterns in bundle.TARRED.values()]
    scripts = [text for sources in packed for path, text in sources.items() if path.endswith("js")]
    scripts.append("a = b ? .5 : `x = ${ c , d }` ; e ( ' = ' , \" , \" ) ; f ++ + ++ g ;\n// h\ni")
    pairs = [(text, bundle.close(text)) for text in scripts]
    assert pairs[-1][1] == "a=b?.5:`x = ${ c , d }`;e(' = ',\" , \");f ++ + ++ g;\ni"
    texts = [bundle.modules(patterns, ROOT) for patterns in bundle.TEXTS.values()]
    scripts = [text for sources in texts for path, text in sources.items() if path.endswith("js")]
    pairs += [(text, bundle.uncommented(text)) for text in scripts]
    assert len(pairs) > len(scripts) + 2 > 12
    run = subprocess.run(
        ["node", "-e", COMPARE],
        input=json.dumps(pairs), capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert not run.returncode, run.stderr
    assert json.loads(run.stdout) == [True] * len(pairs)


SPACED = {
    "a = f( 1 , * b ) [ 0 ]": "a=f(1,*b)[0]",
    "x = 'a' 'b' if not a else 1 .real": "x='a''b'if not a else 1 .real",
    'y = f\'{x = } {x !r}\' """ b """': 'y=f\'{x = } {x !r}\'""" b """',
    "z = 1 if b else - - 0x1 or a is not None": "z=1 if b else--0x1 or a is not None",
    "def f ( a : int = 3 ) -> int : return a ; pass": "def f(a:int=3)->int:return a;pass",
    "if a :\n    b = (1 ,\n         2)": "if a:\n    b=(1,\n         2)",
    "from .. import a": "from ..import a",
    "w = lambda : r'\\ '": "w=lambda:r'\\ '",
}


@pytest.mark.parametrize("source", SPACED)
def test_spaces_stay_where_words_would_be_one_without_them_and_in_texts(source):
    assert bundle.tight(source) == SPACED[source]


@pytest.mark.parametrize("folder", ["py/app", "py/farcall", "py/federation", "py/nn/gpu", "tools"])
def test_a_module_without_spaces_is_the_same_program_in_the_same_lines(folder):
    for path in (ROOT / folder).rglob("*.py"):
        source = path.read_text()
        found = bundle.tight(source)
        assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(source)), path
        assert found.count("\n") == source.count("\n"), path


def test_the_order_of_an_archive_is_the_one_that_was_found_and_what_is_new_comes_last():
    known = bundle.ORDER.read_text().split()
    sources = bundle.modules(bundle.TARRED["gpu.tgz"], ROOT)
    assert set(known) <= set(sources)
    sources = {path: sources[path] for path in sorted(known)}
    new = {"nn/gpu/a_new_one.py": "", **sources}
    assert list(bundle.ordered(new)) == [*known, "nn/gpu/a_new_one.py"]


def test_an_order_is_exchanged_for_one_in_which_files_that_are_alike_are_near():
    rng = random.Random(1)
    first, second = (rng.randbytes(9000).hex() for _ in range(2))
    sources = {"a.js": first, "b.js": second, "c.js": second, "d.js": first}
    found = archive_order.better(sources, 1.0, random.Random(0))
    assert sorted(found) == sorted(sources)
    before, after = (
        len(bundle.compressed(bundle.archive(bundle.packed(path, sources[path]) for path in order)))
        for order in (sources, found)
    )
    assert after < before


@functools.cache
def tarred(name):
    return bundle.tarred(bundle.modules(bundle.TARRED[name], ROOT))


@pytest.mark.parametrize("name", bundle.TARRED)
def test_an_archive_is_what_it_was_after_unpacking_and_smaller_than_zlib_makes_it(name):
    body = tarred(name)
    packed = bundle.compressed(body)
    assert packed == (ROOT / bundle.FOLDER / name).read_bytes(), "made before, by another process"
    assert gzip.decompress(packed) == body
    assert len(packed) < 0.99 * len(gzip.compress(body, 9))


MAKERS = {
    "a.txt": bundle.text, "a.zip": bundle.zipped,
    "a.tgz": lambda sources: bundle.compressed(bundle.tarred(sources)),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("damage", [None, b"", b"\x1f\x8b", "cut", "other"])
def test_a_file_is_written_again_only_if_it_does_not_hold_its_modules(tmp_path, damage, name):
    sources, make = {"a.py": "a = 1\n", "b.py": "b = 2\n"}, MAKERS[name]
    path = tmp_path / bundle.FOLDER / name
    assert bundle.keep(name, sources, make, tmp_path)
    whole = path.read_bytes()
    assert whole == make(sources)
    assert not bundle.keep(name, sources, None, tmp_path)
    if damage is None:
        path.unlink()
    elif damage == "other":
        assert bundle.keep(name, {"a.py": "a = 2\n"}, make, tmp_path)
    else:
        path.write_bytes(whole[:-9] if damage == "cut" else damage)
    assert bundle.keep(name, sources, make, tmp_path)
    assert path.read_bytes() == whole


def test_what_joins_a_federation_is_one_small_archive_without_its_server(built):
    site, _ = built
    with tarfile.open(site / "static/vendor/python/federation.tgz") as archive:
        assert archive.getnames() == ["federation/__init__.py", "nn/io/protobuf.py"]
    with tarfile.open(site / "static/vendor/python/federation_mods.tgz") as archive:
        assert archive.getnames() == ["federation/mods.py"]
    assert (ROOT / bundle.FOLDER / "federation.tgz").stat().st_size <= 15_000


def test_a_list_of_names_stays_in_an_archive_where_another_module_reads_it():
    source = '"""Text."""\n\n__all__ = [\n    "a",\n]\na = 1\n'
    for name, kept in (("__init__", True), ("records", True), ("wire", False)):
        member = bundle.packed(f"federation/{name}.py", source)
        assert (b"__all__" in member) == kept
        assert b"\na=1" in member
    read = {
        node.value.id
        for text in bundle.modules(
            ("py/federation", "py/nn/gpu", bundle.PLAYGROUND_WORKER), ROOT
        ).values()
        if not text.startswith("//")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "__all__"
    }
    assert read == {*bundle.LISTED} - {"__init__"}


def test_what_the_playground_alone_needs_is_fetched_by_no_other_page(built):
    site, _ = built
    with tarfile.open(site / "static/vendor/python/playground.tgz") as archive:
        assert archive.getnames() == ["app/lab/playground/__init__.py"]
    text = unpacked((site / "static/vendor/python/playground.txt").read_bytes())
    assert sorted(text) == ["app/panels/playground/__init__.py", "app/state/toys.py"]
    for name in ("main.txt", "later.txt"):
        assert (
            not text.keys() & unpacked((site / f"static/vendor/python/{name}").read_bytes()).keys()
        )


def test_only_what_changed_is_written_again(built, tmp_path):
    first, written = built
    every = (bundle.TEXTS, bundle.LIBRARIES, bundle.TARRED, bundle.WORKER)
    assert len(written) == sum(map(len, every)) + len([*lessons.SECTIONS, "runtime"])
    site = shutil.copytree(first, tmp_path / "site", symlinks=True)
    assert bundle.build(site) == []
    (site / "py/app/panel.py").write_text("shown = False\n")
    assert bundle.build(site) == ["static/vendor/python/main.txt"]


@pytest.mark.soak
def test_a_module_that_does_not_compile_is_named_and_tried_again(site):
    (site / "py/nn/__init__.py").write_text("def broken(:\n")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"(?s)line 1.*SyntaxError"):
            bundle.build(site)
