"""The peers: each trains the same network from the same weights on the same batches."""
