"""Options of JAX and its compiler that make these tests cheaper.

Most programs that JAX compiles here run once: without LLVM's expensive passes and the emitters of
fused loops, the comparisons with Keras take half the processor time; compiled in one part instead
of up to 32, a recurrent layer takes a quarter less again. Nothing reads from which lines of Python
the operations of a program come.
"""

import os

QUICK = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
os.environ["XLA_FLAGS"] = " ".join([*QUICK, os.environ.get("XLA_FLAGS", "")]).strip()
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"
