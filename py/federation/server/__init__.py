"""What stands before and inside a SuperLink that browsers join: for CPython only.

`gateway` lets nodes through to the Fleet API and to nothing else; `guard` drops replies that
Flower's strategies die of or swallow. Both need the packages of the extra "federation".
"""
