"""The part of the page that runs in the worker: the data, the drawings, the saved models, the analysis."""
