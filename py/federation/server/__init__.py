"""What stands before and inside a SuperLink that browsers join: for CPython only."""
