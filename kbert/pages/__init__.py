"""Pages for a browser: one HTML file each, which needs no network and lets nothing in.

`markup` makes HTML of which every text is escaped, `page` one document with its style and script,
the others the figures of a sentence tree. All are functions from values to markup.
"""
