from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0019_nothing_of_others_is_run")]

    operations = [
        migrations.CreateModel(
            name="RetiredAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.CharField(max_length=254, unique=True)),
            ],
        ),
    ]
