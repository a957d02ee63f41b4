"""Images in the worker: data sets, imported files, drawings, pictures. NumPy only."""
