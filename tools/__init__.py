"""What `make` calls: vendor, build, serve, pack, check."""
