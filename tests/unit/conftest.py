"""Options of JAX's compiler, set before it is imported: most code that it compiles runs once.

Without LLVM's expensive passes the comparisons with Keras take a third less processor time.
"""

import os

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".strip()
