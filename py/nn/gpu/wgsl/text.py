"""The text of a compute shader: bindings, the numbers of a step, threads by number.

Shapes are literals in a kernel's text, so that a shader's compiler divides by constants. Every
kernel is deterministic: sums run in a fixed order, and there are no atomics. Group 0 holds a
kernel's buffers in the order of its bindings, group 1 the numbers of the step (`Step`), the only
thing that differs from one step to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent, indent

STEP = """\
struct Step {
    first: u32, rows: u32, slot: u32, seed: u32,
    rate: f32, step_size: f32, keep: f32, scale: f32,
    extra: vec4<f32>, more: vec4<f32>,
}
@group(1) @binding(0) var<uniform> step: Step;
"""
STEP_BYTES = 256
"""Bytes between the numbers of two steps: WebGPU's minUniformBufferOffsetAlignment."""
STEP_SIZE = 64
"""Bytes of one step's numbers."""
THREADS = 64
"""Threads of a workgroup, where a kernel needs no other number."""
WIDEST = 65535
"""WebGPU's default maxComputeWorkgroupsPerDimension."""

Groups = tuple[int, int, int]


@dataclass(frozen=True)
class Kernel:
    """One compute shader: its name, its text, and which of its buffers it writes."""

    name: str
    code: str
    writes: tuple[bool, ...]


Made = tuple[Kernel, Groups]
"""A kernel, and how many workgroups of it run."""


KINDS = {
    "id": "global_invocation_id",
    "group": "workgroup_id",
    "local": "local_invocation_id",
}


def kernel(
    name: str,
    bindings: list[tuple[str, str]],
    main: str,
    *,
    size: str = str(THREADS),
    functions: str = "",
    memory: str = "",
    builtins: str = "id",
) -> Kernel:
    """Put a shader together.

    Args:
        name: what profiles and errors call it.
        bindings: (name, type of an element) of each buffer; a name with a star at its end is
            written.
        main: the body; `t` is the thread's number in its workgroup.
        size: threads of a workgroup.
        functions: what `main` calls.
        memory: declarations of workgroup memory and of structures.
        builtins: which of `id`, `group` and `local` the body uses.
    """
    head = [STEP]
    for i, (label, kind) in enumerate(bindings):
        access = "read_write" if label.endswith("*") else "read"
        head.append(
            f"@group(0) @binding({i}) var<storage, {access}> {label.rstrip('*')}: array<{kind}>;"
        )
    given = [f"@builtin({KINDS[b]}) {b}: vec3<u32>" for b in builtins.split()]
    given.append("@builtin(local_invocation_index) t: u32")
    body = (
        f"@compute @workgroup_size({size})\nfn main({', '.join(given)}) {{\n"
        f"{indent(dedent(main).strip(), '    ')}\n}}\n"
    )
    parts = ["\n".join(head), dedent(memory), dedent(functions), body]
    code = "\n".join(part for part in parts if part.strip())
    return Kernel(name, code, tuple(label.endswith("*") for label, _ in bindings))


def grid(threads: int, size: int = THREADS) -> Groups:
    """Return workgroups for so many threads of `index`."""
    groups = -(-threads // size)
    across = min(groups, WIDEST)
    return across, -(-groups // across), 1


def index(threads: int, size: int = THREADS) -> str:
    """Return the line that numbers the threads of `grid` as `i`."""
    across = grid(threads, size)[0] * size
    return f"let i = id.x + id.y * {across}u;\nif (i >= {threads}u) {{ return; }}"
