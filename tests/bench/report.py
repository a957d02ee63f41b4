"""The figures for people: a table in the terminal, Markdown and a plot for the README."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.bench.requirements import REQUIREMENTS, Figures, Requirement
from tests.bench.runs import Run
from tests.bench.runs import figures as all_figures

PEERS = {
    "nn": "nn, in the page's worker",
    "torch_1t": "PyTorch 2.13, native",
    "ort_web_1t": "ONNX Runtime Web 1.19",
    "tfjs_wasm_1t": "TensorFlow.js 4.22 wasm",
    "numpy_native": "NumPy + OpenBLAS, native",
    "nn_numpy": "nn without kernels",
    "numpy_pyodide": "naive NumPy in Pyodide",
}
TASKS = {
    "train128": "Train the seed network, batch 128",
    "train512": "Train the seed network, batch 512",
    "epoch": "One epoch of `fit`, all included",
    "predict1000": "Predict, 1,000 images at a time",
    "lenet": "Train LeNet-5",
    "cnn_bn": "Train a 32-64-128 CNN with batch norm",
    "mlp": "Train the 784-500-10 MLP",
    "lstm": "Train an LSTM (64 units) on rows",
}
NOTE = (
    "Images per second, one thread each, median of interleaved rounds, each row in one run. "
    "TensorFlow.js as shipped cannot train a convolution on wasm (`Conv2DBackpropFilter` is not "
    "registered)."
)

# The products that a sample's step of training cannot do without, in operations.
_STEP = 2 * 64 * 64  # of a recurrent layer of 64 units: one gate of one row
_BLOCK = 2 * 64 * 64 * 64  # of the transformer: 64 tokens times a matrix of 64 x 64
PRODUCTS = {
    # Recurrent ones alone: h U forward, dz U' and h' dz backward, 28 rows.
    "lstm": 3 * 28 * 4 * _STEP,
    "gru": 3 * 28 * 3 * _STEP,
    "bidirectional": 2 * 3 * 28 * 4 * _STEP,
    # Forward four projections, two products of attention and eight of the feed-forward part;
    # backward twice as many, without those that only the input would need.
    "transformer": 3 * (4 + 2 + 8) * _BLOCK - 3 * _BLOCK,
}


def ceilings(figures: Figures) -> Figures:
    """Return what the measured peak (GFLOP/s) allows networks of sequences: samples/s with their
    products alone, by the direct method."""
    peak = figures.get("gemm512.fma_peak")
    return {f"{name}.ceiling": peak * 1e9 / work for name, work in PRODUCTS.items()} if peak else {}


def shown(value: float) -> str:
    """Return a figure as people read it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def table(figures: Figures) -> str:
    """Return every figure, one a line."""
    width = max(map(len, figures), default=0)
    return "\n".join(f"{key:<{width}}  {shown(value):>10}" for key, value in figures.items())


def verdicts(figures: Figures, *, complete: bool) -> tuple[str, bool]:
    """Judge the requirements; return the lines and whether all hold.

    Args:
        figures: what was measured.
        complete: whether a missing figure is a failure, or was not asked for.
    """
    judged = [
        (each, each.holds(figures))
        for each in REQUIREMENTS
        if complete or each.measured(figures) is not None
    ]
    lines = [_verdict(each, figures, holds) for each, holds in judged]
    return "\n".join(lines), all(holds for _, holds in judged)


def _verdict(requirement: Requirement, figures: Figures, holds: bool) -> str:
    value = requirement.measured(figures)
    measured = "not measured" if value is None else f"{value:.3f}"
    bound = f"{requirement.sign} {requirement.bound:.3g}"
    return f"{'PASS' if holds else 'FAIL'}  {requirement.text:<62} {measured:>12}  {bound}"


def markdown(runs: list[Run]) -> str:
    """Return the README's table: a row a task, its nearest peers, and where it was measured."""
    figures = all_figures(runs)
    heads = " | ".join(PEERS[peer] for peer in PLOTTED_PEERS)
    lines = [f"| Images/s | {heads} |", f"|---|{'---:|' * len(PLOTTED_PEERS)}"]
    rows = {f"{task}.nn": title for task, title in TASKS.items() if f"{task}.nn" in figures}
    lines += [_row(figures, key.removesuffix(".nn"), title) for key, title in rows.items()]
    notes = [NOTE]
    if ceiling := figures.get("lstm.ceiling"):
        notes.append(
            "Even if only its recurrent matrix products ran, an LSTM could not exceed "
            f"{shown(ceiling)} images/s in WebAssembly here."
        )
    return "\n".join([*lines, "", " ".join(notes), "", places(runs, rows)])


def _row(figures: Figures, task: str, title: str) -> str:
    keys = [f"{task}.{peer}" for peer in PLOTTED_PEERS]
    cells = [shown(figures[key]) if key in figures else "–" for key in keys]
    return f"| {title} | **{cells[0]}** | {' | '.join(cells[1:])} |"


def places(runs: list[Run], rows: dict[str, str]) -> str:
    """Say where the rows of a table were measured: a line for each run that has some.

    Args:
        runs: newest first.
        rows: the titles of the rows, each by its first figure.
    """
    of = [([title for key, title in rows.items() if key in run.figures], run) for run in runs]
    lines = [(titles, _place(run.place)) for titles, run in of if titles]
    if len(lines) < 2:
        return "".join(place for _, place in lines)
    return "\n".join(f"- {'; '.join(titles)}: {place}" for titles, place in lines)


def _place(machine: dict[str, Any]) -> str:
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['chromium']}, kernels: {machine.get('kernels', 'unknown')}, "
        f"{machine['date'][:10]}, commit {machine.get('commit', 'unknown')}, "
        f"load average {machine.get('load_before', 0):.0f} at the start."
    )


def shown_figures() -> set[str]:
    """Return the names of the figures that the documents' tables show."""
    images = {f"{task}.{peer}" for task in TASKS for peer in PLOTTED_PEERS}
    photographs = {key for _, keys in _photograph_rows() for key in keys}
    trips = {f"rpc.{p}_ms.{name}" for p in PERCENTILES for name in CALLERS}
    return images | photographs | trips | {"lstm.ceiling"}


MARKS = ("<!-- figures -->", "<!-- /figures -->")


def between_marks(text: str, tables: str) -> str:
    """Replace what stands between the marks in a Markdown text.

    Raises:
        ValueError: the marks are not there.
    """
    before, opening, rest = text.partition(MARKS[0])
    _, closing, after = rest.partition(MARKS[1])
    if not (opening and closing):
        raise ValueError(f"expected {MARKS[0]} ... {MARKS[1]}, found {opening or 'neither'}")
    return f"{before}{opening}\n{tables.strip()}\n{closing}{after}"


PHOTOGRAPHS = {
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "resnet50_v2": "ResNet50V2",
}
PHOTOGRAPH_PEERS = {
    "nn": "nn, in the page's worker",
    "tfjs_wasm_1t": "TensorFlow.js 4.22 wasm",
    "ort_web_now_1t": "ONNX Runtime Web 1.30",
    "torch_1t": "PyTorch 2.13, native",
}


def _photograph_rows() -> Iterator[tuple[str, list[str]]]:
    """Yield the title of each row of photographs, and its figures."""
    for network, title in PHOTOGRAPHS.items():
        for batch, images in ((1, "one image"), (16, "16 images")):
            keys = [f"{network}.predict{batch}_ms.{peer}" for peer in PHOTOGRAPH_PEERS]
            yield f"{title}, {images}", keys


def photographs_markdown(runs: list[Run]) -> str:
    """Return the predictions for photographs as a table, in ms; empty where none were measured."""
    figures = all_figures(runs)
    rows = [(title, keys) for title, keys in _photograph_rows() if keys[0] in figures]
    if not rows:
        return ""
    heads = f"| Photographs of 224 x 224, ms | {' | '.join(PHOTOGRAPH_PEERS.values())} |"
    lines = [heads, f"|---|{'---:|' * len(PHOTOGRAPH_PEERS)}"]
    for title, keys in rows:
        cells = [shown(figures[key]) if key in figures else "–" for key in keys]
        lines.append(f"| {title} | **{cells[0]}** | {' | '.join(cells[1:])} |")
    return "\n".join([*lines, "", places(runs, {keys[0]: title for title, keys in rows})])


CALLERS = {
    "raw_js": "raw `postMessage`, JavaScript to JavaScript",
    "comlink": "Comlink 4.4, JavaScript to JavaScript",
    "raw_mpy_py": "raw JSON messages, MicroPython to Pyodide",
    "farcall_mpy_py": "**farcall, MicroPython to Pyodide**",
    "pyscript_workers": "PyScript `workers`, MicroPython to Pyodide",
    "raw_py_py": "raw JSON messages, Pyodide to Pyodide",
    "farcall_py_py": "**farcall, Pyodide to Pyodide**",
    "pyscript_workers_py_py": "PyScript `workers`, Pyodide to Pyodide",
}
PERCENTILES = ("p50", "p95", "p99")


def remote_markdown(runs: list[Run]) -> str:
    """Return the round trips as a table, in ms; empty where none were measured."""
    figures = all_figures(runs)
    named = {f"rpc.p50_ms.{name}": title for name, title in CALLERS.items()}
    rows = {key: title for key, title in named.items() if key in figures}
    if not rows:
        return ""
    lines = ["| Round trip of `add(i, 1)`, ms | p50 | p95 | p99 |", "|---|---:|---:|---:|"]
    for key, title in rows.items():
        cells = [shown(figures[key.replace("p50", p)]) for p in PERCENTILES]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", places(runs, rows)])


PLOTTED = ("train128", "predict1000", "lenet", "cnn_bn", "mlp", "lstm")
PLOTTED_PEERS = ("nn", "torch_1t", "ort_web_1t", "tfjs_wasm_1t")
COLOURS = {
    "nn": "#2563eb",
    "torch_1t": "#d97706",
    "ort_web_1t": "#6b7280",
    "tfjs_wasm_1t": "#a8a29e",
}
WIDTH, BAR, LEFT = 760, 15, 300


def plot(figures: Figures) -> str:
    """Return an SVG of bars: every peer's rate as a share of the fastest at that task."""
    shapes: list[str] = []
    y = 34
    for task in PLOTTED:
        rates = {p: figures[f"{task}.{p}"] for p in PLOTTED_PEERS if f"{task}.{p}" in figures}
        if not rates:
            continue
        shapes += _group(TASKS[task], rates, y)
        y += BAR * len(rates) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        'aria-label="Images per second of each engine" font-family="system-ui, sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{_legend()}{''.join(shapes)}</svg>\n"
    )


def _group(title: str, rates: Figures, y: int) -> Iterable[str]:
    yield f'<text x="{LEFT - 12}" y="{y + 11}" text-anchor="end" fill="#111">{title}</text>'
    room = WIDTH - LEFT - 70
    for index, (peer, rate) in enumerate(rates.items()):
        top, length = y + index * BAR, max(1, round(room * rate / max(rates.values())))
        yield (
            f'<rect x="{LEFT}" y="{top}" width="{length}" height="{BAR - 2}" '
            f'fill="{COLOURS[peer]}"/><text x="{LEFT + length + 6}" y="{top + 11}" '
            f'fill="#444">{shown(rate)}</text>'
        )


def _legend() -> str:
    step = (WIDTH - 20) // len(PLOTTED_PEERS)
    return "".join(
        f'<rect x="{12 + i * step}" y="8" width="11" height="11" fill="{COLOURS[peer]}"/>'
        f'<text x="{28 + i * step}" y="18" fill="#111">{PEERS[peer]}</text>'
        for i, peer in enumerate(PLOTTED_PEERS)
    )
