"""Random programs with random faults in real Chromium: `make soak`."""
