"""Django's English is American: 03/04/2026 would be the third of April to everybody else."""

DATE_FORMAT = "j F Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j F Y, H:i"
SHORT_DATE_FORMAT = "j M Y"
MONTH_DAY_FORMAT = "j M"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
