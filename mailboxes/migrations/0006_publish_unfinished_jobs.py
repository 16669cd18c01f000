"""All customers' jobs are looked for in one public table, which used to know the live ones only, and only by their id."""

from django.db import migrations

PUBLISH = """
INSERT INTO public.tenants_openjob (customer_id, job_id, kind, state, trouble, mailbox_name, wake_at, since)
SELECT customer.id, job.id, job.kind, job.state, job.error, job.mailbox_name, job.wake_at,
    coalesce(job.finished_at, job.created_at)
FROM mailboxes_job AS job JOIN public.tenants_customer AS customer ON customer.schema_name = current_schema()
WHERE job.mailbox_id IS NOT NULL AND job.state <> 'done' AND job.error NOT IN ('password-lost', 'mailbox-deleted')
ON CONFLICT (job_id) DO UPDATE SET
    kind = excluded.kind, state = excluded.state, trouble = excluded.trouble,
    mailbox_name = excluded.mailbox_name, wake_at = excluded.wake_at, since = excluded.since
"""


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0005_sign_in_refusals"),
        ("tenants", "0010_open_jobs_of_all"),
    ]

    operations = [migrations.RunSQL(PUBLISH, migrations.RunSQL.noop)]
