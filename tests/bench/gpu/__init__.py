"""Training on a GPU: on a real card (`rows`), and what can be said without one (`host`)."""
