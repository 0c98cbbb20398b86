"""Comparing GANs: budgets, trials, the race, its statistics."""
