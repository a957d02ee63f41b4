"""The command `python -m nn.io model.h5 model.onnx`: convert a model's file to another format.

What is read: any file that `nn.io.load` opens, a folder with `model.json` and its weights, or that
`model.json`. What is written goes by the name: `.npz`, `.keras`, `.safetensors`, `.onnx`, `.zip` (a
layers-model of TensorFlow.js), or a folder, for the files of a layers-model.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nn.io.errors import FormatError
from nn.io.file import write
from nn.io.formats import format_of, load, save
from nn.io.tfjs import save_files

_LONGEST = 2_000_000_000  # bytes of a file beside model.json that may be one of its shards


def main(words: Sequence[str] | None = None) -> int:
    """Convert; return the exit status, 0 if a file was written."""
    options = _parser().parse_args(words)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say
            model = load(_read(options.source), compile=not options.without_training)
            size = _write(model, options)
    except (FormatError, OSError, ValueError) as error:
        print(f"{options.source} -> {options.target}: {error}", file=sys.stderr)
        return 1
    print(f"{options.target}: {size:,} bytes, {model.count_params():,} parameters")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nn.io",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="a model's file, or a folder with model.json")
    parser.add_argument("target", type=Path, help="the file or folder to write")
    parser.add_argument(
        "--without-training",
        action="store_true",
        help="leave out the optimizer's state and the arguments of compile",
    )
    parser.add_argument(
        "--quantize",
        choices=("uint8", "uint16", "float16"),
        help="fewer bits for each weight, in .npz and layers-models",
    )
    return parser


def _say(message: Any, *rest: Any, **options: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _read(source: Path) -> bytes | Mapping[str, bytes]:
    if source.suffix == ".json" and source.is_file():
        source = source.parent
    if not source.is_dir():
        return source.read_bytes()
    files = [path for path in sorted(source.iterdir()) if path.is_file()]
    return {path.name: path.read_bytes() for path in files if path.stat().st_size < _LONGEST}


def _write(model: Any, options: argparse.Namespace) -> int:
    """Write the model; return the number of bytes."""
    target: Path = options.target
    quantization: dict[str, Any] = (
        {"quantization": {options.quantize: True}} if options.quantize else {}
    )
    if target.is_dir() or not target.suffix:
        files = save_files(model, **quantization)
        target.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write(target / name, data)
        return sum(map(len, files.values()))
    format = "tfjs" if target.suffix == ".zip" else format_of(target)
    if options.quantize and format not in ("npz", "tfjs"):
        raise FormatError(f"expected .npz or a layers-model to quantize, received {format}")
    training = {} if format not in ("npz", "keras") else {"include_optimizer": model.compiled}
    data = save(model, format, **training, **quantization)
    write(target, data)
    return len(data)


if __name__ == "__main__":
    sys.exit(main())
