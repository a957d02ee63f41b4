"""Diagram of a network: each layer as its maps or units, and wires between them, as SVG.

`boxes` reads a graph, `blocks` joins the layers of a large one, `tiles` and `layout` give each its
place, `wires` joins the tiles, and `svg` writes the text. All of it is arithmetic on Python's
numbers.
"""
