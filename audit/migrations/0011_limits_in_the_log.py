from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0010_calls_of_half_hours'),
    ]

    operations = [
        migrations.AddField(
            model_name='decisionrecord',
            name='limit',
            field=models.BigIntegerField(help_text='The most allowed by the limit that was used up.', null=True),
        ),
        migrations.AddField(
            model_name='decisionrecord',
            name='remaining_micros',
            field=models.BigIntegerField(help_text='In millionths: what that limit had left.', null=True),
        ),
    ]
