import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0009_audit_trail_is_not_emptied'),
    ]

    operations = [
        migrations.CreateModel(
            name='WorkerAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='openjob',
            name='kind',
            field=models.CharField(db_default='', max_length=30, verbose_name='kind'),
        ),
        migrations.AddField(
            model_name='openjob',
            name='mailbox_name',
            field=models.CharField(db_default='', max_length=100, verbose_name='mailbox'),
        ),
        migrations.AddField(
            model_name='openjob',
            name='since',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='since'),
        ),
        migrations.AddField(
            model_name='openjob',
            name='state',
            field=models.CharField(db_default='queued', max_length=30, verbose_name='state'),
        ),
        migrations.AddField(
            model_name='openjob',
            name='trouble',
            field=models.CharField(blank=True, db_default='', max_length=40),
        ),
        migrations.AddField(
            model_name='openjob',
            name='wake_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
    ]
