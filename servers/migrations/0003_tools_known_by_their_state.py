import django.db.models.deletion
from accounts.tenancy import ProtectTenantTable
from django.db import migrations, models

from servers.migrations._sql import CHANGED_TOOLS_ARE_NOTED


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_kept_arguments'),
        ('servers', '0002_tools_worst_first'),
    ]

    operations = [
        migrations.CreateModel(
            name='ToolSet',
            fields=[
                ('server', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='tool_set', serialize=False, to='servers.server')),
                ('state', models.UUIDField(editable=False)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'abstract': False,
            },
        ),
        ProtectTenantTable(
            "servers_toolset", app="SELECT, INSERT, UPDATE", worker="SELECT, INSERT, UPDATE"
        ),
        migrations.RunSQL(CHANGED_TOOLS_ARE_NOTED, migrations.RunSQL.noop),
    ]
