from catalog.models.inbox import ContactMessage, LabelReport
from catalog.models.index import CatalogServer, CatalogSummary, CatalogTool, SourceCheck

__all__ = ["CatalogServer", "CatalogSummary", "CatalogTool", "ContactMessage", "LabelReport", "SourceCheck"]
