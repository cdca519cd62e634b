"""Rebuilds every shipped model from the data folder: `python -m training DATA`."""
