"""Django's Arabic has no date together with a time, which would become American, and no groups of digits."""

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j F Y، H:i"
SHORT_DATETIME_FORMAT = (
    "d\u200f/m\u200f/Y، H:i"  # the marks keep day, month and year in the order of the script
)
NUMBER_GROUPING = 3
