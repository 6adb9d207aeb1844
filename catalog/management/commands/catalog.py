"""The public index from the command line: seed, import, crawl, classify, evaluate."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog import commandline
from catalog.crawling.cage import CageRefused
from catalog.crawling.crawl import Wanted, crawl, wanted_packages, write_facts
from catalog.crawling.listing import ListingFailed
from catalog.crawling.packages import PackageRefused, read_package
from catalog.facts import ServerFact
from catalog.fetching import registry_at
from catalog.importing import digest_of, listed_in
from catalog.ingest import Report, ingest
from catalog.listing import lines_of
from catalog.models import SourceCheck
from catalog.registry import import_registry
from catalog.runs import where_to_go_on
from catalog.seeding import seed
from catalog.summary import count_anew
from common.alone import IMPORTING, alone


@contextmanager
def _not_beside_itself(source: str) -> Iterator[None]:
    """Refuse a second run over a source: where to resume is read from the latest run, not from each."""
    with alone(IMPORTING, source) as mine:
        if not mine:
            raise CommandError(f"{source} is already being imported.")
        yield


class Command(BaseCommand):
    help = "Fills and keeps the public catalogue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        seeded = acts.add_parser(
            "seed", help="Import the facts shipped with the project; classify again what is due."
        )
        listed = acts.add_parser("import", help="Import a list, or continue with it.")
        listed.add_argument(
            "source",
            metavar="FILE|URL",
            help="JSON lines (.gz too); https://… of a registry of the official API",
        )
        crawled = acts.add_parser("crawl", help="Start packages, caged, and keep the facts they list.")
        crawled.add_argument(
            "package", nargs="*", help="npm:<name> or pypi:<name>; none: all that are shipped."
        )
        for act in (seeded, listed, crawled):
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")
        tools = acts.add_parser("classify", help="What the classifier says of tools. Needs no database.")
        tools.add_argument("file", metavar="FILE.jsonl", help="one tool a line; - is what is piped in")
        judged = acts.add_parser("evaluate", help="How often the classifier is right on labelled tools.")
        judged.add_argument("folder", type=Path, help="holds dev.csv and dev_descriptions.jsonl")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "seed":
                self._report(seed())
            case "import" if options["source"].startswith(("https://", "http://")):
                self._registry(options["source"])
            case "import":
                self._import(Path(options["source"]))
            case "crawl":
                self._crawl(options["package"])
            case "classify":
                # Never reached from a shell: manage.py answers there, without any settings.
                commandline.main([options["file"]], self.stdout)
            case "evaluate":
                from catalog.evaluation import evaluate

                for line in evaluate(options["folder"]):
                    self.stdout.write(line)

    def _import(self, path: Path) -> None:
        """Import a list; if a run over the same file was interrupted, resume after its last batch."""
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        source = f"{path.name[:200]} {digest_of(path)}"
        with _not_beside_itself(source):
            self._import_list(path, source)

    def _import_list(self, path: Path, source: str) -> None:
        _, after = where_to_go_on(source)
        check, report = SourceCheck.objects.create(source=source, cursor=after), Report()

        def done(last: ServerFact) -> None:
            check.cursor, check.counts = last.listed_as, dict(report.counts)
            check.save(update_fields=["cursor", "counts"])
            self.stderr.write(f"{report.counts['servers']:,} servers, up to {last.slug}", ending="\r")

        ingest(listed_in(lines_of(path), report, after), report, done=done)
        self._settle(check, report, ended=True)

    def _registry(self, url: str) -> None:
        """Resume where the last run was interrupted; otherwise ask for what changed since the last walk."""
        with _not_beside_itself(url):
            self._walk(url)

    def _walk(self, url: str) -> None:
        since, cursor = where_to_go_on(url)
        check = SourceCheck.objects.create(source=url, cursor=cursor)
        report = Report()

        def told(cursor: str) -> None:
            check.cursor, check.counts = cursor, dict(report.counts)
            check.save(update_fields=["cursor", "counts"])

        walk = import_registry(registry_at(url), report, since=since, cursor=cursor, told=told)
        check.cursor = walk.cursor
        self._settle(check, report, ended=walk.ended)
        if not walk.ended:
            raise CommandError("The registry's list was not read to its end; run this again to go on.")

    def _settle(self, check: SourceCheck, report: Report, *, ended: bool) -> None:
        count_anew()
        check.finished_at = timezone.now() if ended else None
        check.counts, check.refused = dict(report.counts), [list(one) for one in report.refused]
        check.save()
        self._report(report)

    def _crawl(self, names: list[str]) -> None:
        known = {str(wanted.package): wanted for wanted in wanted_packages()}
        try:
            asked = [known.get(name) or Wanted(read_package(name)) for name in names] or list(known.values())
        except PackageRefused as why:
            raise CommandError(str(why)) from None
        failed = 0
        for wanted in asked:
            try:
                found = crawl(wanted)
            except CageRefused as why:
                raise CommandError(str(why)) from None
            except (PackageRefused, ListingFailed) as why:
                failed += 1
                self.stderr.write(f"{wanted.package}: {why}")
                continue
            news = "changed" if write_facts(found) else "unchanged"
            self.stdout.write(f"{wanted.package} {found.server.version}: {len(found.tools)} tools, {news}")
        if failed:
            raise CommandError(f"{failed} of {len(asked)} packages gave no list.")

    def _report(self, report: Report) -> None:
        for what, count in sorted(report.counts.items()):
            self.stdout.write(f"{count:>8} {what}")
        for where, why in report.refused[:20]:
            self.stdout.write(f"refused: {where}: {why}")
