"""The colours of mails: those of pages, by the names of their tokens (portal/console/static/portal/tokens.css).

Mail programs know no variables, and this room no files of the portal: a test holds the two to be the same.
"""

LIGHT = {
    "ground": "#f4f6f8",
    "paper": "#ffffff",
    "ink": "#18212a",
    "ink_2": "#515e6b",
    "line": "#dce2e8",
    "accent": "#1b638f",
    "accent_fill": "#1b638f",
    "accent_ink": "#ffffff",
}
DARK = {
    "ground": "#0d1217",
    "paper": "#141b22",
    "ink": "#e6ebf0",
    "ink_2": "#a3b0bd",
    "line": "#27313a",
    "accent": "#7fbfe8",
    "accent_fill": "#2a76a6",
    "accent_ink": "#ffffff",
}
