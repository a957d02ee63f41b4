"""The worker's half of the playground: points of a plane, features, a small network, its planes."""
