"""How well match keys recognize one youth, beside other ways of linking records."""
