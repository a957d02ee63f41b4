"""What a node needs of where it runs: a key, and POST requests."""
