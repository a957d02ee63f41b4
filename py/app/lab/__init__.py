"""What of the page runs in the worker: data, drawings, saved models, analysis."""
