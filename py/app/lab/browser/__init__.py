"""What the worker needs of the browser: downloads, IndexedDB, kernels, optional packages."""
