"""The programs that `make` runs: download, build, bundle, serve and check."""
