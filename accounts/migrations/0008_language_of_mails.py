from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_one_spelling_of_addresses")]

    operations = [
        # With a default in the database, for the previous release writes mails while this one migrates.
        migrations.AddField(
            model_name="pendingmail",
            name="language",
            field=models.CharField(blank=True, db_default="", max_length=10),
        ),
    ]
