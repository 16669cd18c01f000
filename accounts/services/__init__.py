"""What is done to people, whoever asks for it: the front door of this room."""

from accounts.services.factors import (
    changing_factors,
    reading_codes,
    rely_on_factor,
    remove_factors,
    use_up_code,
)
from accounts.services.forgotten import ask_for_reset, mail_reset_link, reset_link
from accounts.services.passwords import (
    OFFER_SECONDS,
    PasswordOffer,
    accept_password,
    choose_password,
    offer_password,
    reset_forgotten_password,
)
from accounts.services.people import (
    NewcomersSettings,
    Settings,
    create_person,
    new_password,
    save_settings,
)
from accounts.services.sessions import (
    clear_expired_sessions,
    end_all_sessions,
    end_other_sessions,
    end_session,
    sessions_of,
)

__all__ = [
    "OFFER_SECONDS",
    "NewcomersSettings",
    "PasswordOffer",
    "Settings",
    "accept_password",
    "ask_for_reset",
    "changing_factors",
    "choose_password",
    "clear_expired_sessions",
    "create_person",
    "end_all_sessions",
    "end_other_sessions",
    "end_session",
    "mail_reset_link",
    "new_password",
    "offer_password",
    "reading_codes",
    "rely_on_factor",
    "remove_factors",
    "reset_forgotten_password",
    "reset_link",
    "save_settings",
    "sessions_of",
    "use_up_code",
]
