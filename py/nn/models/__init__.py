"""Models: graphs of layers that are trained, evaluated and asked for predictions."""
