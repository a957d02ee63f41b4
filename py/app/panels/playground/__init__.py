"""The page's half of the playground, which playground.html alone fetches."""
