"""Words for things that are looked up: a name made of nothing else asks for them. Data, and two questions.

`stream_field_values` and `clusters` contain no verb, known or unknown: there is nothing that they could do. A
word that is not listed may be a verb, and then we conclude nothing from the name.
"""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import word_set

THINGS: Final = word_set("""
    abstract abstracts account accounts achievements activities activity address addresses adr agenda
    agents alarms albums alerts algorithms allergies announcements anomalies answers api apis app
    applications apps architecture area areas arrival arrivals article articles artifact artifacts artist
    artists aspects asset assets assignments attachments attendance attribute attributes author authors
    availability badges balances bars baseline basket batches benchmark benchmarks bestsellers bills blobs
    blocks blog blogs board boards body bookings bookmarks books branches brands browser bucket buckets
    budgets bugs builds buses business calendar calendars calls campaigns candidates candles capabilities
    car cards carriers cart cases catalog catalogs catalogue categories category census certificate
    certificates champion champions changes channel channels chapter chapters characters charges chats
    child children chunks citation citations cities city classes clients clusters code codes coding coins
    collaborators collection collections columns comments commits commodities commodity companies company
    competitions competitors compliance component components compounds concepts conditions config configs
    configuration configurations connections connectors consensus constituents contact contacts container
    containers content contents contests context contributors conventions conversation conversations
    coordinates corners counters countries country course courses coverage coworkers creator creators
    credits crowding crypto cryptocurrencies cryptocurrency currencies currency customer customers cve
    cves dashboards data database databases datapoint dataset datasets dates day days deadlines deals
    definitions delays departures dependencies deployments descriptor descriptors developer device devices
    dictionary difficulty directories directory discussions disputes districts dividend dividends dns
    document documents domain domains downloads drivers drug drugs due economics editions email emails
    employee employees encounters endpoint endpoints energy engines entities entries entry environment
    environments episodes equities equity error errors esports estimate event events examples exchanges
    executions exhibitions expenses experiments extensions facets facilities fact facts faqs feature
    features fees field fields figures file files filings finance financial financials fires fixtures
    flags flights flows folder folders followers following forecasts forks formulary formulas fraud
    friends functions fundamentals funding funds futures galleries games gates genes genres gists goals
    grants graph graphs groups guides hashrate hashtags headlines heroes hierarchy highlights holders
    holdings holidays hooks horizons hosts hotels hour hourly hours hrv hydration id identities identity
    ids images impact impacts incidents income indexes indicator indicators indices industries industry
    ingredients insight instance instances institutions instruments integrations intensity interactions
    interest interfaces inventories inventory investor investors invoices ips issuer issues item items job
    jobs journals jurisdictions key keys keyword keywords kit knowledge label labels lanes languages laws
    layers leads league leagues lectures legislation lessons levels libraries library licences licenses
    lines links list listing listings lists literature live loans local locations lyrics machines
    maintainers manifest maps market markets matches materials matters mcp me measures mechanism media
    meetings member members memberships memories memory mentions menu menus merchants messages meta
    metadata methods milestones minutes mismatches modalities model models modules molecule molecules
    month monthly mortgage movie movies museum museums namespace namespaces national neighbors
    neighbourhoods network networks news nfts nightly node nodes notes notification notifications object
    objects observations offers offices opportunities options order orders organisation organisations
    organization organizations outages outbreaks outcomes outlines overlap owners packages pages pairs
    palettes panels paper papers parameters parks participants partners parts patents paths patients
    patterns payees payment payments payouts pdf peers people percentiles performance periods permissions
    person phenotypes photos phrases pipelines places plans platform platforms player players podcasts
    points policies poll polls pools population populations portfolio portfolios ports position positions
    posts practices precipitation prediction predictions preferences premium prescriptions presentations
    prices principles privacy problem problems procedures process processes product products profiles
    progress project projects prompts properties property proposals protein proteins protocol protocols
    provider providers publication publications publishers purchases quality quarters queries questions
    queue queues quota quotas quotes races rate rates rating ratings readings realtime recipe recipes
    recommendations records references refunds region regions registries regulations relations
    relationships release releases reminders remote reports repositories repository requests requirement
    requirements residues resource resources restaurants results returns revenue revenues reviews
    revisions risks roles roster rosters routes rows rule rules runs sale sales samples satellites
    schedules schemas school schools scientific scores screens season seasons sections sector sectors
    securities security segments seizures series server servers services session sessions settings shards
    shareholders shares sheets shipments shops shows sites size sizes skill skills sleep slots snapshots
    snippet snippets solution source sources spaces species spending spots sprints squads standard
    standards statement statements stations status statuses steps stocks storage stories stream streams
    streets stress structure structures students subjects submission submissions subreddit subscribers
    subscription subscriptions substitutions subtasks supply surfaces symbol symbols symptoms system
    systems tables tabs tags targets task tasks team teams template templates tenants term terms territory
    tests themes threads thresholds tickers tickets tiers time times timezones title titles today token
    tokens tools topic topics tournaments towns traces tracks trades traffic trains transactions
    transcript transcripts transfers trials tutorials tvl tweets types units universities unread updates
    uptime url urls usage user users vaccines validators values variables variant variants vehicle
    vehicles vendors venues versions video videos views violations visitors visits vitals volume volumes
    vulnerabilities wallet wallets watchers weather webhooks week weekly weights wiki wind winners words
    workflows workouts workspace workspaces world worlds year years yields zip zone zones
""")
_BETWEEN: Final = word_set("""
    a absolute active ai all and any at available average by common completed current daily default details
    every first for free from full general global historical hot in internal key last latest local main
    max min monthly my new next of old on open or other own past per popular previous primary private
    public random raw realtime recent related relative shared single static supported system the today
    tool tools top total trending upcoming user users weekly with yearly your
""")
# Before another word these are as often verbs: `flag phrases`, `issue card`, `rate movies`.
_DEEDS_IN_FRONT: Final = word_set("""
    abstract address answer attribute benchmark board body bucket budget calendar cart channel child
    contact content document email error estimate figure finance flag fund graph index interest issue item
    key label list media model object open order paper pipeline poll profile queue rate release rule
    sample sleep source structure supply table term title track triage trial zone
""")


# One account is what something is done to; several, or one of these, are what is answered.
_TOLD: Final = word_set("""
    abstract agenda architecture availability census consensus content count coverage data date definition
    description difficulty followers following
    energy formulary hashrate height hierarchy hydration income intensity inventory legislation lineage
    literature me metadata news number performance precipitation privacy progress quota realtime revenue
    roster sleep spending storage stress supply time traffic transcript tvl url urls usage weather wind
""")


# Names of products and of what they keep, which say nothing about what is done.
PRODUCTS: Final = word_set("""
    airtable alpaca android anki ansible anthropic arxiv asana athena aws azure bigquery binance bing
    bitbucket bitcoin blender bluesky brave btc canva cf chatgpt claude clickhouse clickup cloudflare
    coingecko confluence databricks datadog dbt deepseek discogs discord docker dropbox dynamodb ec2 ecs
    eks elasticsearch eth ethereum evm excel facebook fhir figma firebase firestore gcp gcs gdrive gemini
    git github gitlab gmail google grafana hackernews helm heroku hubspot huggingface imdb instagram
    intercom ios jenkins jira kafka kubernetes linkedin lambda linear llm mailchimp metabase mongo mongodb
    mysql neo4j neon netlify notion npm obsidian okta ollama onedrive openai opensearch oracle outlook
    pagerduty paypal perplexity pg pinecone polygon postgres postgresql postman powerpoint prometheus
    pubmed pypi quickbooks rabbitmq reddit redis redshift s3 salesforce sendgrid sentry servicenow sf
    sharepoint shopify slack snowflake solana splunk spotify sqlite sqs steam strapi strava stripe
    substack supabase telegram terraform tiktok todoist trello twilio twitch twitter unity unreal vercel
    wc whatsapp wikipedia woocommerce wordpress wp xero yahoo youtube yt zendesk zotero
""")
_NO_PLURAL: Final = ("ss", "us", "is")


def is_plural(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith(_NO_PLURAL)


def singular(word: str) -> str:
    if not is_plural(word):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") and len(word) > 4 else word[:-1]


def only_things(words: tuple[str, ...]) -> tuple[str, ...]:
    """The last word, if every word is a thing or belongs between things; otherwise empty."""
    if not words or (len(words) > 1 and words[0] in _DEEDS_IN_FRONT):
        return ()
    last = words[-1]
    # After a thing, a plural that we do not know is a thing, too.
    if not (last in _TOLD or (last.endswith("s") and (last in THINGS or _behind_a_thing(words)))):
        return ()
    return words[-1:] if all(_is_thing(word) for word in words[:-1]) else ()


def begins_with_thing(words: tuple[str, ...]) -> bool:
    """True if the first word is a thing that cannot be a verb as well."""
    first = words[0]
    return first not in _DEEDS_IN_FRONT and (_is_thing(first) or f"{first}s" in THINGS)


def _behind_a_thing(words: tuple[str, ...]) -> bool:
    return is_plural(words[-1]) and len(words) > 1 and (words[-2] in THINGS or words[-2] in PRODUCTS)


def _is_thing(word: str) -> bool:
    return word in THINGS or word in PRODUCTS or word in _BETWEEN or word.isdigit()
