"""Everything that staff can see in the admin. Nothing here belongs to an organization."""

from accounts.admin import People, StaffSite
from accounts.models import User
from catalog.admin import Checks, Messages, Reports, Servers, Tools
from catalog.models import CatalogServer, CatalogTool, ContactMessage, LabelReport, SourceCheck

site = StaffSite(name="admin")
site.register(User, People)
site.register(CatalogServer, Servers)
site.register(CatalogTool, Tools)
site.register(SourceCheck, Checks)
site.register(LabelReport, Reports)
site.register(ContactMessage, Messages)
