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
        "An altered file does not pass for a restored one where the store's clock is ahead",
        "mailboxes/services/damage.py",
        "damaged_at, damage = _just_after(file), ",
        "damaged_at, damage = timezone.now(), ",
        _DAMAGE + "a_store_whose_clock_is_off_takes_back_what_was_restored_and_nothing_else",
    ),
    _breaks(
        "Attempts at suspended mailboxes fill no table",
        "mailboxes/services/tallies.py",
        "if known.rows_left < 1:",
        "if False:",
        "mailboxes/test_lifecycle.py::test_a_flood_of_attempts_at_a_suspended_mailbox_writes_few_rows_and_all_are_counted",
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
        "Messages keep their order in the middle of a re-encryption",
        "mailboxes/services/collection.py",
        'waiting = readable.filter(key__in=keyring).order_by("pk")',
        'waiting = readable.filter(key__in=keyring).order_by("key", "pk")',
        "mailboxes/test_passwords.py::test_who_comes_in_the_middle_finds_the_order_in_which_mail_came",
    ),
    _breaks(
        "Mail that is given up while earlier mail is still being removed goes by the same job",
        "mailboxes/services/removal.py",
        "job = mailbox.jobs.unfinished().filter(kind=Job.Kind.CLEARING).first()",
        "job = None",
        "mailboxes/test_passwords.py::test_mail_that_is_given_up_twice_goes_by_one_job",
    ),
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
        "A file that was away is back however old it is",
        "mailboxes/services/damage.py",
        "damage == Message.Damage.MISSING or ",
        "",
        _DAMAGE + "mail_that_was_away_is_back_whenever_its_file_was_written",
    ),
    _breaks(
        "A pipe in a blob's place holds nobody up",
        "mailboxes/store.py",
        "os.O_RDONLY | os.O_NONBLOCK | flags",
        "os.O_RDONLY | flags",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file[pipe]",
    ),
    _breaks(
        "A pipe in the place of the certificate's file holds nobody up",
        "mailboxes/store.py",
        "os.O_RDONLY | os.O_NONBLOCK | flags",
        "os.O_RDONLY | flags",
        "gateway/test_tls.py::test_a_pipe_in_the_place_of_a_file_holds_nobody_up",
    ),
    _breaks(
        "A page of certificates reads and verifies those that it shows",
        "mailboxes/services/certificates.py",
        "for event in self._events[which]]",
        "for event in self._events][which]",
        "mailboxes/test_certificates.py::test_only_what_is_taken_is_read_and_verified",
    ),
    _breaks(
        "A link in a blob's place is not followed",
        "mailboxes/store.py",
        "open_regular(self.path(name), os.O_NOFOLLOW)",
        "open_regular(self.path(name))",
        _DAMAGE + "what_can_not_be_opened_is_marked_left_out_and_back_with_its_file[link]",
    ),
    _breaks(
        "A store that is not mounted marks no mail that is re-encrypted",
        "mailboxes/work/reencryption.py",
        "    damage.refuse_an_empty_store(customer)",
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
    _breaks(
        "A page that strays into a customer's schema leaves nobody there",
        "portal/gates/hosts.py",
        "            audit.origin.reset(origin)\n            leave_for_public()",
        "            audit.origin.reset(origin)",
        "gates/test_hosts.py::test_a_page_that_strays_into_a_schema_leaves_nobody_there",
    ),
    _breaks(
        "A page of another host has none of ours fetched",
        "portal/settings.py",
        '    "portal.gates.isolation.ResourceIsolation",\n',
        "",
        "gates/test_isolation.py::test_what_another_site_fetches_is_refused_and_what_it_opens_is_not[same-site]",
    ),
    _breaks(
        "A page of another host gets no file for which nobody pressed",
        "portal/gates/isolation.py",
        'if said.get("Sec-Fetch-User") != "?1" and _is_file(response):',
        "if False:",
        "gates/test_isolation.py::test_another_sites_page_gets_a_file_only_if_somebody_pressed_something",
    ),
    _breaks(
        "No line of the log holds the secret of a link",
        "portal/settings.py",
        '            "()": "portal.redaction.Redacted",\n',
        '            "()": "logging.Formatter",\n',
        "portal/test_redaction.py::test_a_link_is_never_logged",
    ),
    _breaks(
        "Nor does one of the web server's own",
        "portal/webserver.py",
        'logger_class = "portal.webserver.Log"\n',
        "",
        "portal/test_webserver.py::test_its_own_lines_hold_no_secret_of_a_link_either",
    ),
    _breaks(
        "What a verb refuses and no view catches is answered by its status",
        "portal/settings.py",
        '    "portal.gates.refusals.Refusals",\n',
        "",
        "portal/test_refusals.py::test_what_is_not_there_is_not_found",
        "portal/test_refusals.py::test_what_is_not_allowed_is_forbidden",
        "portal/test_refusals.py::test_what_a_view_has_forgotten_says_what_the_refusal_says_and_is_logged",
        "portal/test_refusals.py::test_what_fails_on_our_side_tells_nobody_why",
    ),
    _breaks(
        "An identity provider signs in nobody of a domain that has not agreed to it, whomever it names",
        "tenants/identity/gate.py",
        "            and found.provider.proven_domains.filter(domain=domain_of(user.email)).exists()\n",
        "",
        "tenants/test_domains.py::test_it_signs_in_nobody_of_a_domain_that_has_not_agreed_whomever_it_names",
    ),
    # --- One can't take all ---
    _breaks(
        "Commands that came together are answered one in each turn",
        "gateway/lines.py",
        "await asyncio.sleep(0)",
        "pass",
        "gateway/test_sharing.py::test_a_flood_of_commands_gets_one_answer_in_each_turn",
    ),
    _breaks(
        "Commands that lead to no message come to an end",
        "gateway/smtp/protocol.py",
        "            self._spend(command.verb)\n",
        "",
        "gateway/test_sharing.py::test_commands_that_lead_to_no_message_end_the_connection",
    ),
    _breaks(
        "Who does not go on with TLS gives way, and is told nothing in clear",
        "gateway/smtp/connection.py",
        "self._shaking_hands = True",
        "self._shaking_hands = False",
        "gateway/test_sharing.py::test_who_never_goes_on_with_tls_gives_way",
    ),
    _breaks(
        "Tiny chunks come to an end",
        "gateway/smtp/protocol.py",
        "        self._spend_chunk(chunk, self._text)\n",
        "",
        "gateway/test_sharing.py::test_commands_that_lead_to_no_message_end_the_connection",
    ),
    _breaks(
        "A text that trickles ends",
        "gateway/smtp/text.py",
        "/ self._pace.octets_per_second - self._waited",
        "/ self._pace.octets_per_second",
        "gateway/test_sharing.py::test_a_text_that_trickles_ends_although_something_comes_all_the_time",
    ),
    _breaks(
        "A limit is asked for again when a message is complete",
        "mailboxes/services/delivery.py",
        "            copy.check_room()",
        "            pass",
        "mailboxes/test_delivery_and_collection.py::test_a_message_that_a_limit_leaves_no_room_for_is_not_kept",
        "mailboxes/test_delivery_and_collection.py::test_a_message_begun_before_a_suspension_is_put_off_and_nobody_gets_it",
    ),
    _breaks(
        "Who signed in lately is not refused for what others do",
        "gateway/limits.py",
        "return last is not None and",
        "return False and",
        "gateway/test_guess_limits.py::test_who_signed_in_lately_is_not_refused_for_what_others_do",
    ),
    _breaks(
        "One network does not use up what all may do",
        "gateway/limits.py",
        "if failures.pair < self._per_pair:\n            counted",
        "if True:\n            counted",
        "gateway/test_guess_limits.py::test_one_network_does_not_use_up_what_all_may_do",
    ),
    _breaks(
        "A network where somebody signed in has a ceiling",
        "gateway/limits.py",
        "failures.own < self._per_pair and failures.pair < ceiling",
        "failures.own < self._per_pair",
        "gateway/test_guess_limits.py::test_a_network_where_somebody_signed_in_has_a_ceiling_all_the_same",
    ),
    _breaks(
        "One address does not use up its network's ceiling",
        "gateway/limits.py",
        "if failures.own < self._per_pair:\n            counted",
        "if True:\n            counted",
        "gateway/test_guess_limits.py::test_a_network_where_somebody_signed_in_has_a_ceiling_all_the_same",
    ),
    _breaks(
        "An address that signed in lately answers for itself",
        "gateway/limits.py",
        "failures.names_from_address if proven.address else failures.names_from_network",
        "failures.names_from_network",
        "gateway/test_guess_limits.py::test_an_address_that_signed_in_lately_answers_for_itself_not_for_its_network",
    ),
    _breaks(
        "Redis refuses no archiver",
        "gateway/limits.py",
        "failures = here.failures if proven.pair else seen.failures",
        "failures = seen.failures",
        "gateway/test_guess_limits.py::test_redis_vouches_for_archivers_and_refuses_none",
    ),
    _breaks(
        "A key of another type is no reason to leave Redis alone",
        "gateway/limits.py",
        "if isinstance(reply, Exception) and not str(reply).startswith(_FAULTS_OF_A_KEY):",
        "if isinstance(reply, Exception):",
        "gateway/test_guess_limits.py::test_what_is_no_count_in_redis_spoils_that_count_and_no_other",
    ),
    _breaks(
        "Networks take turns at the gate",
        "gateway/lanes.py",
        "self.lines[name] = line  # at the end",
        "self.lines = {name: line, **self.lines}",
        "gateway/test_lanes.py::test_networks_take_turns_and_so_do_the_addresses_of_one",
    ),
    _breaks(
        "Mistyped passwords are counted on threads of their own",
        "gateway/pop3/maildrops.py",
        "allowed = await self._counting.call(",
        "allowed = await self.threads.call(",
        "gateway/test_guess_limits.py::test_a_mistyped_password_keeps_no_thread_from_collection",
    ),
    _breaks(
        "Above the limits nothing more is counted",
        "gateway/pop3/maildrops.py",
        "            if allowed:\n                self",
        "            if True:\n                self",
        "gateway/test_guess_limits.py::test_above_the_limits_nothing_more_is_counted",
    ),
    _breaks(
        "Sign-ins of its neighbours keep no archiver out",
        "gateway/limits.py",
        "group = keys.own if proven.own or proven.address else keys.pair",
        "group = keys.pair",
        "gateway/test_pop3_patience.py::test_sign_ins_of_its_neighbours_keep_no_archiver_out",
    ),
    _breaks(
        "Strangers do not hide an archiver's own refusals",
        "mailboxes/services/refusals.py",
        '.order_by("-last_at", "-pk")',
        '.order_by("last_at", "pk")',
        "gateway/test_refusals.py::test_who_guesses_from_everywhere_fills_no_table",
    ),
    _breaks(
        "A failed switch to TLS gives its place back in POP3 too",
        "gateway/pop3/connection.py",
        "        self._shaking_hands = True\n",
        "",
        "gateway/test_sharing.py::test_a_handshake_that_is_not_gone_on_with_ends",
    ),
    _breaks(
        "Who waits for an identity provider takes few threads",
        "portal/gates/fairness.py",
        "        or _asks_elsewhere(request)\n",
        "",
        "gates/test_fairness.py::test_who_waits_for_an_identity_provider_takes_few_threads_and_nobody_waits_behind",
    ),
    _breaks(
        "A body is judged by its header",
        "portal/gates/bodies.py",
        "if is_refused(length, chunked=chunked):",
        "if False:",
        "portal/test_webserver.py::test_a_large_body_is_refused_by_its_header_and_nothing_of_it_gets_to_the_disk",
    ),
    _breaks(
        "A person's costly requests are done one by one",
        "portal/gates/fairness.py",
        "OF_A_PERSON = (1, 3)",
        "OF_A_PERSON = (99, 99)",
        "gates/test_fairness.py::test_who_presses_a_button_many_times_is_served_one_by_one_and_others_do_not_wait",
    ),
    _breaks(
        "A customer's last place is left to who has none",
        "portal/gates/fairness.py",
        "kept_free = 1 if",
        "kept_free = 0 if",
        "gates/test_fairness.py::test_who_has_none_of_a_customers_places_finds_one_and_signing_out_needs_none",
    ),
    _breaks(
        "One provider's slow readers leave a file to others",
        "portal/gates/fairness.py",
        "FILES_OF_A_PROVIDER = (3, 3)",
        "FILES_OF_A_PROVIDER = (9, 9)",
        "gates/test_fairness.py::test_slow_readers_of_one_providers_files_leave_one_to_other_providers",
    ),
    _breaks(
        "A schema that repeats what migrations did is as one that they made",
        "tenants/spares.py",
        'PASSED_OVER = ("SELECT",',
        'PASSED_OVER = ("INSERT", "SELECT",',
        "tenants/test_spares.py::test_a_schema_that_repeats_what_migrations_did_is_as_one_that_they_made",
    ),
    # --- Redis is a bell ---
    _breaks(
        "What workers take from Redis is a task of ours and a few ids",
        "portal/broker.py",
        'return name in current_app.tasks and not name.startswith("celery.")',
        "return True",
        "breaking/test_forged_tasks.py::test_forged_tasks_run_nothing_and_the_worker_lives_on",
    ),
    _breaks(
        "Celery goes on past keys of another kind",
        "portal/broker.py",
        'if "WRONGTYPE" in str(error):',
        "if False:",
        "breaking/test_forged_tasks.py::test_celery_goes_on_past_keys_of_another_kind",
    ),
    _breaks(
        "A lock of another kind is somebody else's",
        "portal/broker.py",
        "    if name in SCRIPTS:",
        "    if False:",
        "breaking/test_forged_tasks.py::test_a_lock_that_turns_into_another_kind_is_one_that_somebody_else_has",
    ),
    _breaks(
        "The embedded Redis takes no item that fills a worker's memory",
        "portal/onebox/embedded/redis.py",
        '        *("--proto-max-bulk-len", "1mb"),\n',
        "",
        "onebox/test_embedded.py::test_redis_takes_no_item_that_would_fill_a_workers_memory",
    ),
    _breaks(
        "The cache runs no code",
        "portal/settings.py",
        '"OPTIONS": {"serializer": "portal.cache.JSONSerializer"},',
        "",
        "breaking/test_forged_tasks.py::test_every_cache_in_redis_is_of_json",
    ),
    # --- Nobody becomes somebody else ---
    _breaks(
        "A link for a forgotten password does not come to life again with the account",
        "tenants/services/switching.py",
        "    void_reset_links(user, by=SYSTEM)\n",
        "",
        "console/signin/test_forgotten_password.py::test_it_does_not_come_to_life_again_with_an_account_that_was_switched_off",
    ),
    _breaks(
        "Staff take over nobody's account by another address",
        "tenants/services/standing.py",
        "plain = not (current.is_staff or current.is_superuser or _has_ever_belonged(current))",
        "plain = not current.is_superuser",
        "accounts/test_standing.py::test_only_superusers_change_the_address_of_who_has_a_role_or_is_staff",
    ),
    _breaks(
        "Nor after taking the role away",
        "tenants/services/standing.py",
        "return user.memberships.exists() or told.exists()",
        "return user.memberships.exists()",
        "accounts/test_standing.py::test_whose_role_was_taken_keeps_the_address_that_only_superusers_change",
    ),
    _breaks(
        "An address stays while its invitation is accepted",
        "tenants/services/invitations.py",
        "same.select_for_update(no_key=True).first() is not None",
        "same.exists()",
        "tenants/test_inviting.py::test_the_address_stays_while_an_invitation_is_accepted",
    ),
    _breaks(
        "Who is switched off is told",
        "tenants/notices.py",
        '    SWITCHED_OFF: "tenants/email/account_switched",\n',
        "",
        "accounts/test_standing.py::test_who_is_switched_off_or_on_hears_of_it",
    ),
    _breaks(
        "Another service needs the customers' consent anew",
        "tenants/identity/configuring.py",
        "        _withdraw_consents(provider, by=by)",
        "        pass",
        "tenants/test_identity_provider.py::test_another_address_or_client_needs_the_secret_again_and_forgets_accounts_and_consents",
    ),
    _breaks(
        "The questions of a sign-in share the time of one",
        "portal/console/signin/by_organization.py",
        "        with outbound.Deadline(outbound.WHOLE_SECONDS):",
        "        if True:",
        "accounts/test_outbound.py::test_who_comes_back_waits_for_no_more_than_one_answers_time",
    ),
    _breaks(
        "A name is read as mail programs read it",
        "accounts/names.py",
        'read = visible(normalize("NFKC", visible(text)))',
        "read = visible(text)",
        "accounts/test_people.py::test_a_name_leads_nobody_anywhere",
    ),
    _breaks(
        "A customer agrees to the identity provider that it was shown",
        "tenants/services/policy.py",
        "if held is None or held.service != service:",
        "if held is None:",
        "console/people/test_consent.py::test_what_was_agreed_to_is_what_was_shown",
    ),
    _breaks(
        "An answer of a device may be any text",
        "accounts/adapters/forms.py",
        "AttributeError, RecursionError):",
        "AttributeError):",
        "accounts/test_passkeys.py::test_nonsense_from_strangers_is_refused_and_nobodys_fault",
    ),
    _breaks(
        "With an address that staff change, sessions end",
        "tenants/services/standing.py",
        "if email != address_before or access.keys() & after:",
        "if access.keys() & after:",
        "accounts/test_standing.py::test_with_the_address_all_sessions_links_and_invitations_of_the_person_end",
    ),
    _breaks(
        "The demo's people sign in nowhere but in the demo",
        "accounts/adapters/backends.py",
        "and (in_demo() or not user.is_demo)",
        "",
        "onebox/test_demo_people.py::test_the_demos_people_sign_in_nowhere_but_in_the_demo",
    ),
    _breaks(
        "The demo is a demo on its own database only",
        "accounts/adapters/backends.py",
        "return bool(settings.DEMO and settings.DATABASE_IS_EMBEDDED)",
        "return bool(settings.DEMO)",
        "onebox/test_demo_people.py",
    ),
    _breaks(
        "A passkey signs in with its person only",
        "accounts/adapters/ceremonies.py",
        "MUST_VERIFY = UserVerificationRequirement.REQUIRED",
        "MUST_VERIFY = UserVerificationRequirement.PREFERRED",
        "accounts/test_passkeys.py::test_a_device_that_did_not_ask_its_person_signs_nobody_in",
    ),
    _breaks(
        "A passkey's counter does not run backwards",
        "accounts/adapters/ceremonies.py",
        "if (counter or last) and counter <= last:",
        "if False:",
        "accounts/test_passkeys.py::test_a_copy_that_counts_apart_is_refused_and_its_person_told",
    ),
    _breaks(
        "A question to a passkey is answered once",
        "accounts/adapters/ceremonies.py",
        "if left <= 0 or not cache.add(",
        'if left <= 0 or cache.add("x", 1, 1) and not cache.add(',
        "accounts/test_passkeys.py::test_a_question_dies_with_a_wrong_answer_too",
    ),
    _breaks(
        "A session counts with its companion only",
        "portal/gates/companion.py",
        "request.session_came_as = key if key and _came_along(request, key) else None",
        "request.session_came_as = key",
        "gates/test_companion.py::test_somebody_elses_session_put_over_the_open_one_is_nobodys",
    ),
    _breaks(
        "Nobody leads others anywhere by a name",
        "accounts/names.py",
        "    if addresses_in(name):",
        "    if False:",
        "accounts/test_people.py::test_a_name_leads_nobody_anywhere",
    ),
    # --- The trail ---
    _breaks(
        "Acts that an earlier release spelled otherwise are found",
        "tenants/models.py",
        'sorted({action, action.replace("-", "_")})',
        "(action,)",
        "tenants/test_activity.py::test_what_an_earlier_release_spelled_otherwise_is_found_and_told_as_today",
        "mailboxes/test_passwords.py::test_wrong_ones_that_an_earlier_release_wrote_down_count",
    ),
    _breaks(
        "Acts that an earlier release spelled otherwise are told as today",
        "tenants/models.py",
        "event.action = spelled_now(event.action)",
        "pass",
        "tenants/test_activity.py::test_what_an_earlier_release_spelled_otherwise_is_found_and_told_as_today",
    ),
    _breaks(
        "The trail takes no action of another spelling",
        "tenants/audit.py",
        "if not SPELLING.fullmatch(action):",
        "if False:",
        "tenants/test_audit.py::test_there_is_one_spelling_of_actions",
    ),
    # --- One name, one schema ---
    _breaks(
        "One spelling is one person",
        "accounts/addresses.py",
        'return f"{local}{at}{_ascii_domain(domain)}" if at else domain',
        'return f"{local}{at}{domain}" if at else domain',
        "accounts/test_addresses.py::test_each_spelling_is_the_same_person_at_every_door",
    ),
    _breaks(
        "Names that people can't tell apart are one name",
        "mailboxes/services/naming.py",
        'folded = normalize("NFKC", normalize("NFKC", visible(name)).casefold())',
        "folded = visible(name).casefold()",
        "mailboxes/test_names.py::test_a_name_that_looks_like_anothers_is_taken",
    ),
    # --- Pages ---
    _breaks(
        "The switcher asks for the list alone, or what is typed changes another list",
        "portal/console/customers/views.py",
        '"customers/found.html" if asks_for_a_part(request) else "customers/switch.html"',
        '"customers/switch.html"',
        "journeys/test_switching.py::test_an_operator_finds_another_customer_by_typing_and_stays_on_the_page_of_that_kind",
    ),
    _breaks(
        "A burst of acts that are one line ends after an hour",
        "portal/console/activity/feed.py",
        " and abs(first.event.at - entry.event.at) <= BURST",
        "",
        "console/activity/test_feed.py::test_a_burst_lasts_an_hour_from_its_newest_and_no_longer",
    ),
    _breaks(
        "A chart says its figures on each day",
        "portal/console/frame/charts.py",
        'said = [f"{one.name} {figure}" for one, figure in zip(series, figures, strict=True)]',
        "said = [one.name for one in series]",
        "console/frame/test_charts.py::test_a_plot_says_its_figures_in_words_on_each_day_and_as_a_table",
    ),
    _breaks(
        "Which of the two ways to reset is open decides nothing",
        "portal/console/mailboxes/passwords.py",
        'sheet_language = asked.pop("sheet_language")',
        'sheet_language = asked.pop("sheet_language"); asked["current_password"] *= request.POST.get("way") == "with"',
        "console/mailboxes/test_resetting.py::test_which_way_is_open_decides_nothing",
    ),
    _breaks(
        "What nobody has chosen stands open on the page that asks again",
        "portal/console/templates/mailboxes/reset.html",
        "{% if form.locked_mail.errors %}checked{% endif %}",
        "",
        "console/mailboxes/test_resetting.py::test_whoever_chooses_nothing_is_asked_again",
    ),
    _breaks(
        "Who sets a mailbox up sees the first mail beside the guide",
        "portal/console/templates/mailboxes/detail.html",
        '{% if tab == "setup" %}tab=setup&amp;{% endif %}',
        "",
        "console/mailboxes/test_detail.py::test_who_sets_a_mailbox_up_sees_the_first_mail_beside_the_guide",
    ),
    _breaks(
        "A dialog opens in browsers that don't know `command`",
        "portal/console/templates/frame/dialog.html",
        """        popovertarget="{{ key }}"
        aria-haspopup""",
        "        aria-haspopup",
        "console/frame/test_dialogs.py::test_a_dialog_says_what_will_happen_to_whom_and_at_what_cost",
    ),
    _breaks(
        "A mail's HTML says all that its text says",
        "accounts/mails/markup.py",
        "for blocks in paragraphs for block in blocks]",
        "for blocks in paragraphs[1:] for block in blocks]",
        "accounts/test_mails_as_html.py::test_it_says_word_for_word_what_the_text_says_and_in_its_direction",
    ),
    _breaks(
        "The frame asks the database once where one may go",
        "portal/console/frame/context.py",
        "lambda: beyond[0] or beyond[1]",
        "lambda: any(_beyond(request.user, customer))",
        "console/frame/test_frame.py::test_the_frame_asks_the_database_once_where_one_may_go",
    ),
    # --- Settings ---
    _breaks(
        "A name server that is none is named at once",
        "portal/settings.py",
        '    env.complain("GATEHOUSE_DNS_SERVER", ',
        "    print(",
        "portal/test_checks.py::test_each_variable_that_makes_no_sense_is_named",
    ),
)
