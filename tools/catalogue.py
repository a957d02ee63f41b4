"""Collect the page's texts, and check that each language has all of them.

    python -m tools.catalogue           writes static/languages/*.json: sorted, and with an empty
                                        text for each that is new
    python -m tools.catalogue --check   says what is not wrapped, missing, or not used any more

The key of a text is the English text: the argument of `tr`, `key` and `plural` of app/language.py
and of `tr` in JavaScript; a text or an attribute that a reader meets in index.html, playground.html
and in HTML that Python puts. A text that looks like words and is none of these must be among the
exceptions below.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("static/languages")
PAGES = ("index.html", "playground.html")
SCRIPTS = ("static/*.js", "py/app/**/*.js")
MODULES = "py/app/**/*.py"
WRAPPERS = ("tr", "key", "plural")

# -- exceptions ---------------------------------------------------------------------------------

# Modules and scripts that put no text on the page.
NOT_READ = {
    "py/app/embedding/demo.py": "errors for the program of a framing page",
    "py/app/embedding/frame.py": "messages for the console",
    "py/app/state/embed_code.py": "HTML for another page",
    "py/app/state/generated_code.py": "a program in Python, whose comments are English",
    "py/app/state/keras_code.py": "likewise, and a notebook",
    "static/embed.js": "runs in another page, and holds its own texts in every language",
    "static/resilience.js": "errors that are thrown at programs",
    "static/language.js": "puts texts, and has none",
    "static/focus.js": "selectors and keys, and no text",
}
# Names, and words that are the same in every language.
VERBATIM = {
    "Adam", "BatchNormalization", "Conv2D", "Dense", "Dropout", "Farcall", "Flatten", "Keras",
    "Keras 3 .keras", "LeNet-5", "LeNet-5 (1998)", "MNIST", "NumPy", "ONNX", "Rescaling",
    "TensorFlow.js (zip)", "safetensors", "CSV", "JSON", "PNG", "EN", "DE", "F1", "SGD", "L1", "L2",
    "tanh", "relu", "sigmoid", "linear", "Softmax", "Pooling", "AdamW", "RMSprop", "CPU", "GPU",
    "Fashion-MNIST", "Iris", "MicroPython", "English", "Deutsch",
}  # fmt: skip
# Calls whose texts are code: selectors, names, other programs.
CODE = {
    "new", "eval", "find", "on", "click", "querySelector", "querySelectorAll", "closest", "matches",
    "getAttribute", "enable", "output", "next_frame", "unpack", "startswith", "endswith", "exposed",
    "split", "replace", "evaluate", "step", "setProperty", "getattr", "hasattr", "matchMedia",
}  # fmt: skip
# Texts with words in them that are code, by a pattern.
PATTERNS = (
    r"[-./\w]+\.(css|ipynb|js|json|npz|png|py|tgz|toml|txt|zip|html|so)",  # a file
    r"(?s)\s*<.*",  # HTML: its texts are collected from it
    r".*(px|=\x00|=\"|\bminmax\().*",  # CSS and attributes
)
EXCEPTIONS = {
    "Home": "a key of the keyboard",
    "End": "likewise",
    "failure notice": "classes of elements, as the next ones",
    "field check": "",
    "digit none": "",
    "drawn row": "",
    "number note": "",
    "own-only live-head row spread": "",
    "own-only row": "",
    "own-steps voice": "",
    "row spread": "",
    "switch row": "",
    "tiles note row": "",
    "bar \0": "the name of a text that is written often",
    "output, #total-params, th.number, .figures > div": "a selector",
    "input, select, textarea, summary, button, a, [role=application]": "likewise",
    "\0 ms": "a unit",
    "\0.so: \0": "a file",
    "\0 to \0": "a part of an error",
    "cpu: \0": "what the worker says of a device",
    "no IndexedDB": "a part of a reason",
    "nn.activations.further": "a part of the engine, as the next ones",
    "nn.applications": "",
    "nn.gpu": "",
    "nn.io.onnx": "",
    "Message": "names of Flower's",
    "Context": "",
    "Activation": "layers of Keras",
    "Add": "",
    "ih,hwc,jw->ijc": "NumPy's einsum",
    "sin x": "a formula",
    "sin y": "likewise",
}
# Classes of published data sets, which are data.
EXCEPTIONS |= dict.fromkeys(
    ("Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"), "data"
)
# Functions that put a text on the page, and which arguments they put: numbers, or names.
PUT = {
    "say": (0,),
    "notice": (0, 1, 2),
    "notice_once": (1, 2, 3),
    "failure": (0, 1, 2),
    "set_text": (1,),
    "write": (1,),
    "make": (1, "title", "aria_label", "placeholder", "alt"),
    "heading": (0, 1, 2, 3, 4, 5),
    "setAttribute": (1,),
    "_field": (1,),
    "_group": (0,),
    "copy": (2,),
    "_deleted": (0,),
}
# Of `setAttribute`, the attributes that a reader meets.
SHOWN = ("title", "aria-label", "placeholder", "alt", "aria-valuetext")

WORDS = re.compile(
    r"[A-Za-z]{2,}[ ,.:;…!?]+[(“]?[A-Za-z{\x00]|^[A-Z][a-z]+[.…!?]?$"
    r"|\x00[%°]? [a-z]{2,}|[a-z]{2,} \x00"
)


def looks_read(text: str) -> bool:
    """Whether a text looks like words for a reader, and is no exception."""
    if text in VERBATIM or text in EXCEPTIONS or not WORDS.search(text):
        return False
    return not any(re.fullmatch(pattern, text) for pattern in PATTERNS)


# -- Python -------------------------------------------------------------------------------------


class Texts(ast.NodeVisitor):
    """The texts of a module.

    Attributes:
        found: those that are wrapped.
        bare: (line, text) of those that a reader meets and that are not.
        early: lines on which a text is asked for while the module is imported.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.found: set[str] = set()
        self.bare: list[tuple[int, str]] = []
        self.early: list[int] = []
        self._depth = 0
        self._code = 0
        for node in tree.body:
            self.visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._depth += 1
        for part in (*node.args.defaults, *node.args.kw_defaults, *node.body):
            if part is not None:
                self.visit(part)
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._depth += 1
        self.visit(node.body)
        self._depth -= 1

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """An error's text may be English: only what is wrapped in it is a text of the page."""
        self._code += 1
        self.generic_visit(node)
        self._code -= 1

    def visit_Compare(self, node: ast.Compare) -> None:
        self._code += 1
        self.generic_visit(node)
        self._code -= 1

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node.func)
        if name in WRAPPERS:
            self._wrapped(node, name)
            return
        for line, text in _put(node, name):
            if re.search("[A-Za-z]{2}", text) and text not in VERBATIM and not _is_code(text):
                self._bare(line, text)
        self._code += name in CODE
        self.generic_visit(node)
        self._code -= name in CODE

    def _wrapped(self, node: ast.Call, name: str) -> None:
        if name == "tr" and not self._depth:
            self.early.append(node.lineno)
        for argument in node.args[1:] if name == "plural" else node.args:
            texts = _branches(argument)
            self.found.update(text for _, text in texts)
            if not texts:
                self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._text(node.lineno, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._text(node.lineno, _joined(node))
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)

    def _text(self, line: int, text: str) -> None:
        if text.lstrip().startswith("<"):
            self.found.update(of_html(text.replace("\0", "")))
        elif not self._code and looks_read(text):
            self._bare(line, text)

    def _bare(self, line: int, text: str) -> None:
        if (line, text) not in self.bare and text not in EXCEPTIONS:
            self.bare.append((line, text))


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _branches(node: ast.expr) -> list[tuple[int, str]]:
    """Return line and text of each text that an expression may be: itself, or those of an `if`."""
    if isinstance(node, ast.IfExp):
        return _branches(node.body) + _branches(node.orelse)
    if isinstance(node, ast.BinOp):
        return _branches(node.left) + _branches(node.right)
    if isinstance(node, ast.JoinedStr):
        return [(node.lineno, _joined(node))]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [(node.lineno, node.value)]
    return []


def _joined(node: ast.JoinedStr) -> str:
    """Return an f-string with a NUL for each value."""
    parts = [v.value if isinstance(v, ast.Constant) else "\0" for v in node.values]
    return "".join(map(str, parts))


def _put(node: ast.Call, name: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of the constant texts among what a call puts on the page."""
    places = PUT.get(name, ())
    if name == "setAttribute" and not (
        node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value in SHOWN
    ):
        return
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    for place in places:
        if isinstance(place, str):
            argument = named.get(place)
        else:
            argument = node.args[place] if place < len(node.args) else None
        if argument is not None:
            yield from _branches(argument)


# -- HTML ---------------------------------------------------------------------------------------


class _Parser(HTMLParser):
    """Collects the texts that static/language.js puts: by the same rule."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "noscript"):
            self._open.append(tag)
        named = dict(attrs)
        shown = [named.get(name) for name in (*SHOWN, "label", "data-further")]
        if tag == "meta" and named.get("name") == "description":
            shown.append(named.get("content"))
        for text in shown:
            self._add(text or "")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open:
            self._add(data)

    def _add(self, text: str) -> None:
        text = " ".join(text.split())
        if re.search("[A-Za-z]{2}", text) and text not in VERBATIM and not _is_code(text):
            self.found.add(text)


def _is_code(text: str) -> bool:
    return bool(re.match(r"<|\{|https?:", text))


def of_html(text: str) -> set[str]:
    """Return the texts of HTML that a reader meets; JavaScript is needed to see another language,
    so what stands in `noscript` is English."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return parser.found


# -- JavaScript ---------------------------------------------------------------------------------

COMMENT = re.compile(r"(?m)^\s*//.*$|(?<=[;{}),]) // .*$")
STRING = re.compile(r'(tr\()?("(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)')


def of_script(text: str) -> tuple[set[str], list[str]]:
    """Return the texts of JavaScript that are wrapped, and those that look as if they should be."""
    found, bare = set(), []
    for wrapped, literal in STRING.findall(COMMENT.sub("", text)):
        value = re.sub(r"\$\{[^}]*\}", "\0", literal[1:-1]).replace('\\"', '"')
        if wrapped:
            found.add(value)
        elif looks_read(value) and "{ " not in value and value not in SCRIPT_EXCEPTIONS:
            bare.append(value)
    return found, bare


SCRIPT_EXCEPTIONS = {
    "draw,training": "names of panels",
    "farcall:failed": "kinds of messages, as the next ones",
    "farcall:others": "",
    "farcall:update": "",
    "#offline-notice p": "a selector",
    "path:not(.neck)": "likewise",
    '"use strict"; (\0)(\0, \0);': "a program",
    "(prefers-color-scheme: dark)": "a media query",
    "use strict": "JavaScript's own",
    "Escape": "a key of the keyboard",
}


# -- all ----------------------------------------------------------------------------------------


def modules(root: Path = ROOT) -> Iterator[tuple[str, Texts]]:
    """Yield path and texts of each module of the page that has any."""
    for path in sorted(root.glob(MODULES)):
        name = path.relative_to(root).as_posix()
        if name not in NOT_READ:
            yield name, Texts(ast.parse(path.read_text()))


def scripts(root: Path = ROOT) -> Iterator[tuple[str, set[str], list[str]]]:
    """Yield path, wrapped texts and others of each script of the page."""
    for pattern in SCRIPTS:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            if name not in NOT_READ:
                yield name, *of_script(path.read_text())


def collected(root: Path = ROOT) -> set[str]:
    """Return the English texts of the page."""
    found = {text for name in PAGES for text in of_html((root / name).read_text())}
    found |= {text for _, texts in modules(root) for text in texts.found}
    return found | {text for _, texts, _ in scripts(root) for text in texts}


def unwrapped(root: Path = ROOT) -> list[str]:
    """Return a line for each text that a reader meets in English, whatever the language."""
    lines = [
        f"{name}:{line}: wrap this text in tr(...): {text!r}"
        for name, texts in modules(root)
        for line, text in texts.bare
    ]
    return lines + [
        f"{name}: wrap this text in tr(...): {text!r}"
        for name, _, bare in scripts(root)
        for text in bare
    ]


def read(language: str, root: Path = ROOT) -> dict[str, str]:
    """Return the texts of a language by their English texts."""
    path = root / FOLDER / f"{language}.json"
    texts: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return texts


def placeholders(text: str) -> list[tuple[str, str, str]]:
    """Return the sorted placeholders of a text: name, format and conversion of each."""
    parts = Formatter().parse(text)
    return sorted(
        (name, form or "", sign or "") for _, name, form, sign in parts if name is not None
    )


def wrong(texts: dict[str, str], wanted: Iterable[str]) -> list[str]:
    """Return a line for each text that a language lacks, has in excess, or has with other
    placeholders."""
    known = set(wanted)
    lines = [f"missing: {text!r}" for text in sorted(known) if not texts.get(text)]
    lines += [f"not on the page any more: {text!r}" for text in sorted(set(texts) - known)]
    for text in sorted(known & set(texts)):
        if texts[text] and placeholders(texts[text]) != placeholders(text):
            lines.append(f"other placeholders than {text!r}: {texts[text]!r}")
    return lines


def languages(root: Path = ROOT) -> list[str]:
    """Return the languages besides English, by their files."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.json"))


def written(texts: dict[str, str], wanted: Iterable[str]) -> str:
    """Return a language's file: what the page has, sorted, one text a line."""
    rows = {text: texts.get(text, "") for text in sorted(wanted)}
    return json.dumps(rows, ensure_ascii=False, indent=0) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check: bool = parser.parse_args(arguments).check
    texts, lines = collected(), unwrapped()
    for language in languages():
        if not check:
            (ROOT / FOLDER / f"{language}.json").write_text(written(read(language), texts))
        lines += [f"{language}: {line}" for line in wrong(read(language), texts)]
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"catalogue: {len(texts)} texts, {', '.join(languages())}\n")
    if lines:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
