"""Graphs compiled to a folder: building them in bounded memory, and mapping them."""
