"""Commands of `python -m graphs`: one file each, with `add_to` (flags) and `run`."""
