"""What happens inside a network: every layer's output for an image, coloured and weighed."""
