from catalog.models.inbox import ContactMessage, LabelReport
from catalog.models.index import CatalogServer, CatalogSummary, CatalogTool, SourceCheck
from catalog.models.order import CatalogOrder, CatalogTerm

__all__ = [
    "CatalogOrder",
    "CatalogServer",
    "CatalogSummary",
    "CatalogTerm",
    "CatalogTool",
    "ContactMessage",
    "LabelReport",
    "SourceCheck",
]
