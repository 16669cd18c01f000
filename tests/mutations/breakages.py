"""One-line breakages of promises. Each is tried by `make mutate`, and a test holds the list to the code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Breakage:
    """A promise, and a change of one place in a file that breaks it; `guards` are pytest's names of tests that notice."""

    promise: str
    file: str
    before: str
    after: str
    guards: tuple[str, ...]

    def apply_to(self, text: str) -> str:
        """The file's text with the breakage. Raises ValueError unless `before` stands there exactly once."""
        if text.count(self.before) != 1:
            raise ValueError(
                f"{self.file}: “{self.before}” stands there {text.count(self.before)} times, not once"
            )
        return text.replace(self.before, self.after)


def _breaks(promise: str, file: str, before: str, after: str, *guards: str) -> Breakage:
    return Breakage(promise, file, before, after, tuple(f"tests/{guard}" for guard in guards))


_DURABILITY = "mailboxes/test_durability.py::test_"
_DAMAGE = "mailboxes/test_damage.py::test_"
_VERBS = "wall/test_verbs.py::test_"
_ACCESS = "tenants/test_access.py::test_"
_CRASHES = "gateway/test_crashes.py::test_"

BREAKAGES = (
    # --- Mail is kept ---
    _breaks(
        "A 250, a removed blob and a destroyed key rely on a COMMIT that is on the disk",
        "mailboxes/transactions.py",
        "SET LOCAL synchronous_commit = on",
        "SET LOCAL synchronous_commit = off",
        _DURABILITY + "the_server_may_not_put_off_what_the_store_relies_on",
    ),
    _breaks(
        "The parent of a new folder is flushed",
        "mailboxes/store.py",
        "    _flush_folder(folder.parent)\n\n\ndef _remove_all",
        "\n\ndef _remove_all",
        _CRASHES + "mail_is_flushed_named_and_committed_before_250",
    ),
    _breaks(
        "The folder of a blob is flushed",
        "mailboxes/store.py",
        "        for folder in folders:\n            _flush_folder(folder)",
        "        pass",
        _CRASHES + "mail_is_flushed_named_and_committed_before_250",
    ),
    _breaks(
        "A blob is flushed before it gets its name",
        "mailboxes/store.py",
        "os.fsync(self._file.fileno())",
        "pass",
        _CRASHES + "mail_is_flushed_named_and_committed_before_250",
    ),
    _breaks(
        "A COMMIT whose answer got lost keeps the mail",
        "mailboxes/services/delivery.py",
        "copy.may_be_committed = True",
        "copy.may_be_committed = False",
        _DURABILITY + "mail_whose_commit_went_unanswered_is_whole_though_the_sender_is_told_to_try_again",
    ),
    _breaks(
        "A COMMIT whose answer got lost keeps re-encrypted mail",
        "mailboxes/work/reencryption.py",
        "undo.pop_all()",
        "pass",
        _DURABILITY + "re_encrypted_mail_whose_commit_went_unanswered_is_whole",
    ),
    # --- Jobs ---
    _breaks(
        "A job has four slices at once",
        "mailboxes/work/slices.py",
        "for number in range(settings.JOB_SLICES_AT_ONCE)",
        "for number in range(100)",
        _DURABILITY + "a_job_gets_four_slices_at_once_and_one_failure_of_them_all_counts_once",
    ),
    _breaks(
        "A failure of all slices of a job is one attempt",
        "mailboxes/services/jobs.py",
        "running = workable.filter(Q(paused_until=None) | Q(paused_until__lt=timezone.now()))",
        "running = workable",
        _DURABILITY + "a_job_gets_four_slices_at_once_and_one_failure_of_them_all_counts_once",
    ),
    # --- What can't be read ---
    _breaks(
        "A message that can't be opened is marked by who wants to read it",
        "mailboxes/services/collection.py",
        "damage.mark(uid, blob, type(error).__name__)",
        "pass",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file",
    ),
    _breaks(
        "A marked message is left out of the next session",
        "mailboxes/services/collection.py",
        "readable = Message.objects.filter(mailbox_id=entry.mailbox_id, damaged_at=None)",
        "readable = Message.objects.filter(mailbox_id=entry.mailbox_id)",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file",
    ),
    _breaks(
        "A restored message is listed again",
        "mailboxes/services/collection.py",
        "damage.take_back_restored(entry.mailbox_id)",
        "pass",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file",
    ),
    _breaks(
        "A pipe in a blob's place holds nobody up",
        "mailboxes/store.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NOFOLLOW",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file[pipe]",
    ),
    _breaks(
        "A link in a blob's place is not followed",
        "mailboxes/store.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file[link]",
    ),
    _breaks(
        "A store that is not mounted marks no mail that is re-encrypted",
        "mailboxes/work/reencryption.py",
        "    damage.refuse_an_empty_store()",
        "    pass",
        _DAMAGE + "a_store_that_is_not_mounted_marks_no_mail_that_is_re_encrypted",
    ),
    # --- Who may ---
    _breaks(
        "The verb that destroys keys asks itself who calls it",
        "mailboxes/services/deletion.py",
        "    access.require(by, customer, access.Right.DELETE_MAILBOX)\n    with tenant_context(customer), on_disk",
        "    with tenant_context(customer), on_disk",
        _VERBS + "everybody_may_call_what_the_table_says_and_a_refused_call_changes_nothing",
    ),
    _breaks(
        "A verb acts on a mailbox of its own customer only",
        "mailboxes/services/passwords.py",
        "mailbox = find_mailbox(mailbox.pk)",
        "pass",
        _VERBS + "what_belongs_to_another_customer_is_not_there",
    ),
    _breaks(
        "Nobody has a right that was not written down for them",
        "tenants/access.py",
        "Membership.Role.VIEWER: frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY, Right.VIEW_PEOPLE})",
        "Membership.Role.VIEWER: frozenset(Right) - {Right.MANAGE_PEOPLE}",
        _ACCESS + "every_right_stands_in_the_table_with_its_place_and_all_who_have_it",
    ),
    _breaks(
        "Who is switched off may nothing from that moment on",
        "tenants/access.py",
        ", user__is_active=True",
        "",
        _ACCESS + "who_was_switched_off_a_moment_ago_may_nothing_with_an_older_copy_either",
    ),
)
