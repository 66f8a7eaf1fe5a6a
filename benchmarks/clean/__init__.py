"""Correct runs of many kinds, chosen at random but reproducibly."""
