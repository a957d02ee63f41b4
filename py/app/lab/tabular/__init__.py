"""Tables of numbers and texts as what a network takes."""
