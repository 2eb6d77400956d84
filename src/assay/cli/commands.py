"""The commands by name. Where each lives and what its help says is written out here so that `--help` imports nothing;
a test compares this with the registry of operations.
"""

from typing import NamedTuple

__all__ = ["COMMANDS", "Command"]


class Command(NamedTuple):
    """Where an operation lives, and the first line of its help."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "alias at": Command("assay.record.models.aliases", "Say which version an alias pointed to at a moment"),
    "alias delete": Command("assay.prove.alias_commands", "Take an alias of a model away"),
    "alias log": Command(
        "assay.record.models.aliases",
        "List the moves of a model's aliases, oldest first: from where to where, who, when, why",
    ),
    "alias set": Command("assay.prove.alias_commands", "Point an alias to a version of a model"),
    "answer": Command(
        "assay.build.steps.waiting", "Answer the question that a run waits for, with yes or no; resuming it goes on"
    ),
    "approve exceptions": Command(
        "assay.prove.approvals.exceptions",
        "List what went live without the approval it needed, what waits for a review, and the share of all deployments",
    ),
    "approve give": Command(
        "assay.prove.approvals.answering",
        "Approve what was asked for, exactly as it is now: any change of it voids the approval",
    ),
    "approve ls": Command("assay.prove.approvals.showing", "List what waits for an approval, and for whom"),
    "approve policy": Command(
        "assay.prove.approvals.policy",
        "Say who has to agree before versions of a model go live, or show what counts; without a model for all of them",
    ),
    "approve reject": Command(
        "assay.prove.approvals.answering",
        "Say no to what was asked for; the very same cannot be asked for again, until you take it back",
    ),
    "approve request": Command(
        "assay.operate.project.asking",
        "Ask for a version to be approved as it is now: model, evaluation, policy, card, objective and rollout plan",
    ),
    "approve review": Command(
        "assay.prove.approvals.exceptions",
        "Look again at what went live without the approval it needed, and say whether that was right",
    ),
    "approve show": Command(
        "assay.prove.approvals.showing",
        "Show what was asked for a version part by part, who said what, and how it stands now",
    ),
    "approve verify": Command(
        "assay.prove.approvals.showing",
        "Say whether a version may go live by what was approved, and if not which part changed, from what to what",
    ),
    "approve withdraw": Command(
        "assay.prove.approvals.answering",
        "Take your own approval or rejection back, or the request if you made it; a new row, the earlier one stays",
    ),
    "ask": Command(
        "assay.record.talk.talking",
        "Ask people or a role about a record; the question stays open until somebody answers",
    ),
    "card": Command(
        "assay.steer.cards.commands",
        "Write the card of a version from the records, and keep it under the hash of what it says",
    ),
    "card diff": Command(
        "assay.steer.cards.commands", "Say in words how the card of one version differs from that of another"
    ),
    "card ls": Command(
        "assay.steer.cards.commands",
        "List the newest card of each version and dataset: whether it is true of what answers now, and what it lacks",
    ),
    "card show": Command("assay.steer.cards.commands", "Show a card as the records are now, or as it was last written"),
    "card write": Command(
        "assay.steer.cards.texts",
        "Say what only a person knows of a model or a dataset: intended use, caveats, licence and the like",
    ),
    "comment": Command("assay.record.talk.talking", "Say something about a record; `@name` and `@role` in it are told"),
    "comment export": Command(
        "assay.record.talk.exporting",
        "Write comments, questions and decision records to a file: JSON lines, or comments alone as CSV",
    ),
    "comment import": Command(
        "assay.record.talk.importing",
        "Bring over comments, questions and decision records from a file that `assay comment export` wrote",
    ),
    "comment ls": Command("assay.record.talk.talking", "List what was said, newest first"),
    "compare": Command(
        "assay.record.tracking.comparing", "Put runs side by side: params, metrics and tags that differ"
    ),
    "compile": Command(
        "assay.build.models.compile_command",
        "Compile a version so that it answers single rows faster, with the proof that it answers the same",
    ),
    "data add": Command(
        "assay.build.data.adding", "Keep a table as a version of a dataset; the same content is the same version"
    ),
    "data check": Command(
        "assay.build.data.check_command", "Check a dataset or a file against expectations, and keep the results"
    ),
    "data diff": Command(
        "assay.build.data.difference",
        "Say how one dataset differs from another: columns, rows, and how the values of each column changed",
    ),
    "data lineage": Command(
        "assay.build.data.dataset_lineage",
        "Show what a dataset came from, and which runs, steps and models made it or used it",
    ),
    "data ls": Command(
        "assay.build.data.listing", "List datasets with their newest version, or all versions of the one that is named"
    ),
    "data show": Command(
        "assay.build.data.listing", "Show a dataset: where it is from, and what the values of each column look like"
    ),
    "decide": Command(
        "assay.record.talk.deciding", "Write down what was decided, and why, by whom and on what evidence"
    ),
    "decide export": Command(
        "assay.record.talk.exporting",
        "Write each decision record as a Markdown file in the form of MADR 4 into a folder, which is made",
    ),
    "decide ls": Command("assay.record.talk.deciding", "List decision records, newest first"),
    "decide show": Command(
        "assay.record.talk.deciding", "Show a decision record, and whether what it rests on has changed since"
    ),
    "decide supersede": Command(
        "assay.record.talk.deciding",
        "Decide again: a new record takes the place of an older one, which stays as it was",
    ),
    "demo": Command("assay.demo.operation", "Turn the whole loop once on a year of real flights"),
    "diff": Command(
        "assay.record.tracking.comparing",
        "Say how one run differs from another: params, metrics, code, environment and data",
    ),
    "doctor": Command("assay.operate.doctor", "Check the store, its blobs, the ledger and the prediction logs"),
    "dossier annex-iv": Command(
        "assay.steer.dossier.dossier",
        "Write the technical documentation of a version by the points of Annex IV, each with how it is covered",
    ),
    "dossier write": Command("assay.steer.dossier.saying", "Say what a point of Annex IV asks for and no record knows"),
    "endpoint ls": Command(
        "assay.operate.routing.endpoints",
        "List endpoints: which versions answer with which share, and how many workers have taken the route over",
    ),
    "endpoint policy": Command(
        "assay.operate.routing.column_policies",
        "Say what becomes of values that training never had, of a column or of all, or show what counts",
    ),
    "endpoint reset": Command(
        "assay.operate.routing.endpoint_commands",
        "Let the champion answer everything again, without a split and without shadows",
    ),
    "endpoint shadow": Command(
        "assay.operate.routing.endpoint_commands",
        "Let MODEL@VERSION answer a copy of each request, only for the log, or with --off no longer",
    ),
    "endpoint show": Command(
        "assay.operate.routing.endpoints",
        "Show an endpoint: variants with their shares, shadows, workers with what they serve, the last decisions",
    ),
    "endpoint split": Command(
        "assay.operate.routing.endpoint_commands",
        "Share the units of an endpoint out among versions; each keeps its version while weights and salt stay",
    ),
    "endpoint variant": Command("assay.operate.routing.endpoints", "Say which variant a unit has, and why"),
    "evaluate": Command(
        "assay.prove.measurement",
        "Score a version beside a baseline on labelled rows, by segment, and keep the evaluation",
    ),
    "export": Command(
        "assay.record.exchange.exporting",
        "Write runs as a table: Parquet, CSV or JSON lines, by the ending of the file",
    ),
    "features audit": Command(
        "assay.build.views.audits.audit_command",
        "Say which rows of a training set used values that were not known at their time, whoever made it",
    ),
    "features diff": Command(
        "assay.build.views.catalogue.comparing",
        "Say how one version of a feature view differs from another: declaration, features, code",
    ),
    "features duplicates": Command(
        "assay.build.views.catalogue.duplicates",
        "Say which features are there twice, by definition, by values, or by the order of their values",
    ),
    "features erase": Command(
        "assay.build.views.arriving.erasing",
        "Take all that is logged and served of an entity out of a view, in all its versions, for good",
    ),
    "features get": Command(
        "assay.operate.features.getting",
        "Read features of entities as they are served, such as flights:delay_7d or weather:*",
    ),
    "features join": Command(
        "assay.build.views.joining.join_command",
        "Put features behind rows, each as it was at the time of the row, and keep the result",
    ),
    "features ls": Command(
        "assay.build.views.catalogue.showing",
        "List the feature views with their newest version, who uses them and how fresh they are",
    ),
    "features materialize": Command(
        "assay.build.views.arriving.materialize",
        "Bring what is new in the sources of views online: those named, as VIEW or VIEW@VERSION, or all of them",
    ),
    "features push": Command(
        "assay.build.views.arriving.push",
        "Write the rows of a file to a view: they are logged, and served by their time",
    ),
    "features put": Command(
        "assay.build.views.arriving.push",
        "Write rows, a JSON list of objects, to a view: they are logged, and served by their time",
    ),
    "features register": Command(
        "assay.build.views.catalogue.registering",
        "Keep the feature views that a Python file declares; the same content again is the same version",
    ),
    "features replay": Command(
        "assay.operate.features.replay",
        "Compare the features that an endpoint served with what training computes for the same keys and moments",
    ),
    "features search": Command(
        "assay.build.views.catalogue.finding",
        "Find features by name, view, description, entity, owner, tag, source, column or type",
    ),
    "features show": Command(
        "assay.build.views.catalogue.showing",
        "Show a feature view: declaration, features with their types, versions, who uses it, and what was found",
    ),
    "features suggest": Command(
        "assay.build.features.suggesting",
        "Say which features would help to predict a label, by how much, and what they cost",
    ),
    "features usage": Command(
        "assay.build.views.catalogue.reuse",
        "Say who uses which feature, what would break, what nothing uses, how fresh it is and what it costs",
    ),
    "features worth": Command(
        "assay.steer.feature_store_ladder",
        "Say how much of a feature store is worth it now, from the records: a rung from 0 to 3, why, what is unknown",
    ),
    "gate": Command(
        "assay.prove.judgement", "Judge an evaluation by a policy, or compute a recorded verdict once more"
    ),
    "gc": Command(
        "assay.record.clearing.gc",
        "Say what was deleted long ago and can go for good, with blobs that nothing points to, or take it away",
    ),
    "idea add": Command("assay.prove.ideas", "Write down what might make a model better, before it is tried"),
    "idea list": Command("assay.prove.ideas", "List ideas with what was expected and what was measured, newest first"),
    "idea try": Command(
        "assay.prove.ideas",
        "Measure a version that carries out an idea on the model's frozen benchmark, and keep what came of it",
    ),
    "import mlflow": Command(
        "assay.record.exchange.mlflow_import",
        "Bring experiments, runs, files, models and aliases of an MLflow store over",
    ),
    "incident close": Command(
        "assay.record.alerts.incident_commands",
        "Close an incident whose harm has ended, with its cause and what was learnt",
    ),
    "incident ls": Command("assay.record.alerts.incident_commands", "List incidents, newest first"),
    "incident note": Command(
        "assay.record.alerts.incident_commands",
        "Write down what is known of an incident by now; what was said before stays in its history",
    ),
    "incident open": Command(
        "assay.record.alerts.incident_commands",
        "Open an incident: something went wrong that nobody and nothing has opened one for",
    ),
    "incident restore": Command("assay.record.alerts.incident_commands", "Say that the harm of an incident has ended"),
    "incident show": Command(
        "assay.record.alerts.incident_commands",
        "Show an incident: how long it took, its alerts, and all that was noted",
    ),
    "init": Command(
        "assay.operate.project.scaffold",
        "Write a small project around a CSV or Parquet file: assay.toml, plain functions, a README",
    ),
    "labels coverage": Command(
        "assay.operate.labels.covering",
        "Say how many predictions have a label, by variant and day, and whether the variants differ in it",
    ),
    "labels load": Command(
        "assay.operate.labels.loading",
        "Keep the labels of a CSV, Parquet or JSON-lines file; those that are known are passed over",
    ),
    "ledger anchor": Command(
        "assay.record.audit.anchors",
        "Say what the chain of decisions is where whoever writes the store cannot reach, after checking that it holds",
    ),
    "ledger checkpoint": Command(
        "assay.record.audit.signed_checkpoints",
        "Sign the chain of decisions as it stands, after checking that it holds",
    ),
    "ledger erase": Command(
        "assay.record.audit.personal",
        "Erase what the store keeps of a person outside of the chain of decisions, which still verifies",
    ),
    "ledger export": Command(
        "assay.record.audit.bundle",
        "Write the audit bundle of a model, or of all: records, decisions, proofs, and the script that verifies them",
    ),
    "ledger key ls": Command("assay.record.audit.keys", "List the keys that sign, oldest first"),
    "ledger key new": Command(
        "assay.record.audit.keys",
        "Make a key: the private half goes into a file that only you can read, the public half on record",
    ),
    "ledger key revoke": Command(
        "assay.record.audit.keys", "Say that a key counts no more from now on; what it signed before stays signed"
    ),
    "ledger list": Command("assay.record.ledger", "List decisions, newest first"),
    "ledger verify": Command(
        "assay.record.audit.verification",
        "Check the chain of decisions, who signed it, where it was anchored, and what rests on it",
    ),
    "lineage": Command("assay.record.models.version_lineage", "Show what a version came from, and what came of it"),
    "model show": Command(
        "assay.build.models.version_command",
        "Show a version of a model: where it came from, and its compiled form with the proof, or why it has none",
    ),
    "model sign": Command(
        "assay.record.audit.signed_models",
        "Sign the files of a version with an EC key, in the form of OpenSSF model signing",
    ),
    "model verify-signature": Command(
        "assay.record.audit.signed_models", "Check that the files of a version are those that were signed, and by whom"
    ),
    "models": Command("assay.record.models.registry", "List models with their versions, aliases and verdicts"),
    "monitor ack": Command(
        "assay.record.alerts.handling", "Say that somebody looks at an alert: it is not raised any more"
    ),
    "monitor alerts": Command("assay.record.alerts.handling", "List alerts, the worst first and then the newest"),
    "monitor close": Command("assay.record.alerts.handling", "Close an alert with a reason, and say what was done"),
    "monitor history": Command("assay.record.alerts.handling", "Show an alert with all that was done about it"),
    "monitor ls": Command(
        "assay.operate.monitors.commands",
        "List the monitors there are, as they were declared or made by default, also those that are switched off",
    ),
    "monitor rules": Command(
        "assay.record.alerts.rules", "Say how alerts are handled, of a model or of all, or show what counts"
    ),
    "monitor run": Command(
        "assay.operate.monitors.commands", "Look at every window that is over and was not looked at yet"
    ),
    "monitor show": Command(
        "assay.operate.monitors.commands",
        "Show a monitor window by window, and what it found in one of them, ranked by harm",
    ),
    "monitor snooze": Command(
        "assay.record.alerts.handling", "Put an alert off: nobody is reminded of it for so long, and then they are"
    ),
    "monitor status": Command(
        "assay.operate.monitors.commands", "Say where each monitor stands: what its last window showed, and which alarm"
    ),
    "notices": Command(
        "assay.record.talk.notices", "List what you have to know and have not read yet, the worst first"
    ),
    "notices digest": Command(
        "assay.record.talk.digest", "Say what changed and what needs a role or a person, to be read once a week"
    ),
    "notices measure": Command(
        "assay.record.talk.measuring",
        "Measure who had to know, was told, read and acted, and the share that knew in time",
    ),
    "notices read": Command("assay.record.talk.notices", "Say that you have read a notice, or all of yours"),
    "notify add": Command("assay.record.notify.webhooks", "Tell an address of what happens from now on"),
    "notify deliver": Command(
        "assay.record.notify.delivery", "Send what waits for webhooks now, as the server does by itself"
    ),
    "notify list": Command("assay.record.notify.webhooks", "List the webhooks, newest first"),
    "notify remove": Command("assay.record.notify.webhooks", "Tell a webhook nothing any more"),
    "notify rule": Command("assay.record.talk.rules", "Say that a role has to know of an event, and how soon"),
    "notify rules": Command("assay.record.talk.rules", "List who has to know of what, and how soon"),
    "notify test": Command("assay.record.notify.delivery", "Send an example to a channel and say what came back"),
    "objective decide": Command(
        "assay.steer.objectives.reviewing", "Close the review of an objective: keep, retrain, rescope or retire"
    ),
    "objective ls": Command(
        "assay.steer.objectives.declaring",
        "List what models are for, with their owner, the newest KPI and the next review",
    ),
    "objective new": Command(
        "assay.steer.objectives.declaring",
        "Decide what a model is for: the next version of its objective, from a file or asked for in the terminal",
    ),
    "objective observe": Command(
        "assay.steer.objectives.observing",
        "Record what a KPI of an objective was in a span of time, or compute it of the months that are over",
    ),
    "objective review": Command(
        "assay.steer.objectives.reviewing",
        "Look whether objectives have to be decided on again, and open a review where they have",
    ),
    "objective show": Command(
        "assay.steer.objectives.declaring",
        "Show what a model is for, how its KPIs were, and when that is looked at again",
    ),
    "objective threshold": Command(
        "assay.steer.objectives.thresholds",
        "Find the threshold that is worth most with the values and outcomes of now, and what the present one leaves",
    ),
    "objective value": Command(
        "assay.steer.objectives.valuing",
        "Say what a model was worth by month, beside what is done without it, less what running it costs",
    ),
    "predictions": Command(
        "assay.operate.querying", "Count, list or query what an endpoint answered, from its prediction log"
    ),
    "predictions compact": Command(
        "assay.operate.predictions.compacting",
        "Turn closed segments of an endpoint's prediction log into Parquet files, a folder for each day",
    ),
    "predictions erase": Command(
        "assay.operate.predictions.removing",
        "Say what an endpoint's prediction log and the labels hold of one unit, or take it out for good",
    ),
    "predictions prune": Command(
        "assay.operate.predictions.removing",
        "Say which days of an endpoint's prediction log are older than a span and can go, or take them away",
    ),
    "project add": Command(
        "assay.record.tracking.projects", "Put an experiment into a project, out of the one it was in"
    ),
    "project close": Command("assay.record.tracking.projects", "Say that a project is done; it takes no more time"),
    "project list": Command(
        "assay.record.tracking.projects", "List projects by the day they are due; those without one come last"
    ),
    "project new": Command("assay.record.tracking.projects", "Begin a project"),
    "promote": Command(
        "assay.prove.promotion",
        "Make a version the champion, if the gate let it pass against the champion of now and who has to agree did",
    ),
    "regimes ls": Command(
        "assay.steer.dossier.regimes",
        "List regimes and provisions: from when they apply, and how long ago that was looked up",
    ),
    "regimes show": Command("assay.steer.dossier.regimes", "Show what is known of one provision, by its id"),
    "register": Command(
        "assay.record.models.registering",
        "Make the files that a run kept the next version of a model, sealed under their hash",
    ),
    "release": Command(
        "assay.operate.releases.releasing",
        "Replace an endpoint's champion by a version of its model, step by step, on evidence",
    ),
    "release abort": Command(
        "assay.operate.releases.releasing", "End a release: the champion answers everything again"
    ),
    "release ls": Command("assay.operate.releases.releasing", "List releases, newest first"),
    "release pause": Command(
        "assay.operate.releases.releasing",
        "Keep a release at its step until it is resumed; guardrails may still take it back",
    ),
    "release replay": Command(
        "assay.operate.releases.replaying",
        "Make each decision of a release again from its inputs, and say whether it is the same to the last bit",
    ),
    "release resume": Command(
        "assay.operate.releases.releasing",
        "Let a release that is held go on; a mismatch that held it counts as looked at",
    ),
    "release status": Command(
        "assay.operate.releases.releasing",
        "Say where a release stands, what each guardrail says, and what is still needed",
    ),
    "repair": Command(
        "assay.prove.remedy",
        "Offer ways to bring a rate of each group to the reference's, measured on rows they were not chosen on",
    ),
    "report": Command("assay.steer.report", "Write the report of a model as one HTML file"),
    "rerun": Command(
        "assay.record.live.rerun",
        "Run the command of a run once more with its code, and say whether the metrics agree and what differs",
    ),
    "retrain": Command(
        "assay.operate.watching.commands",
        "Train a model now, judge the candidate and release it as the project says: a story that is on record",
    ),
    "role end": Command("assay.record.people", "End a role of a person now; what was done with it stays valid"),
    "role grant": Command("assay.record.people", "Give a person a role from now on"),
    "role ls": Command("assay.record.people", "List who has which role"),
    "rollback": Command("assay.prove.promotion", "Put the previous champion back at once; no gate stands in the way"),
    "run": Command(
        "assay.operate.project.running",
        "Go from a project's data to a candidate that was judged: check, split, train, evaluate by segment, gate",
    ),
    "runs": Command(
        "assay.record.search.run_listing", "List runs, newest first, or those that a query finds, in its order"
    ),
    "search": Command(
        "assay.operate.project.tuning",
        "Search the space in assay.toml for the params with which the project's model is best",
    ),
    "serve": Command("assay.operate.serve_endpoint", "Serve an endpoint over HTTP until interrupted"),
    "server": Command(
        "assay.server.serve", "Serve tracking and registry to MLflow's clients, and the pages, until interrupted"
    ),
    "show": Command(
        "assay.record.tracking.runs", "Show all that a run recorded; the first characters of its id are enough"
    ),
    "sign": Command(
        "assay.record.audit.signatures",
        "Sign a record with your key: an evaluation, a gate, a card, an approval, or the file of a report",
    ),
    "signatures": Command(
        "assay.record.audit.signatures", "List who signed which records, newest first, or those of one record"
    ),
    "sync": Command(
        "assay.record.live.leftover",
        "Send what runs have logged and what has not reached the store: offline, or when it was away",
    ),
    "test ls": Command("assay.operate.online_tests.status", "List online tests, newest first"),
    "test new": Command(
        "assay.operate.online_tests.starting",
        "Begin an A/B test, a shadow test or a bandit of one or more versions against the champion of an endpoint",
    ),
    "test plan": Command(
        "assay.operate.online_tests.planning",
        "Say how many units and days a test needs, by the endpoint's own traffic and its metrics in the log",
    ),
    "test ramp": Command(
        "assay.operate.online_tests.stopping",
        "Change how many units take part in a test: a new phase, which the analysis keeps apart from the others",
    ),
    "test reallocate": Command(
        "assay.operate.online_tests.reallocating",
        "Share the units of a bandit out by what was found so far: more to what is likely to be the best",
    ),
    "test self-check": Command(
        "assay.operate.online_tests.self_checking",
        "Say how often these metrics would find a difference where there is none, in the endpoint's own log",
    ),
    "test show": Command(
        "assay.operate.online_tests.status",
        "Show a test as it was written down, with its phases; the newest one where none is named",
    ),
    "test status": Command(
        "assay.operate.online_tests.status",
        "Look at a test: effects with their intervals, the verdict, and what is still needed",
    ),
    "test stop": Command(
        "assay.operate.online_tests.stopping",
        "End a test: a last look is recorded with the outcome, and the champion answers everything again",
    ),
    "time add": Command("assay.record.tracking.timekeeping", "Enter time that was spent on a project, in hours"),
    "time report": Command(
        "assay.record.tracking.timekeeping",
        "Say where time went: what was entered and what runs took besides, and which projects are late",
    ),
    "time start": Command("assay.record.tracking.timekeeping", "Start the clock of a person on a project"),
    "time stop": Command("assay.record.tracking.timekeeping", "Stop the clock of a person"),
    "trials": Command(
        "assay.build.searching.showing",
        "Show the trials of a search, best first; the first characters of its run's id are enough",
    ),
    "triggers fire": Command(
        "assay.operate.triggers.calling",
        "Fire a trigger, whatever its condition says; what else keeps it back still does, and whoever watches trains",
    ),
    "triggers history": Command(
        "assay.operate.triggers.commands",
        "List what triggers did: fired, blocked by a rule, joined with another firing, or tried in a drill",
    ),
    "triggers ls": Command(
        "assay.operate.triggers.commands", "List what may start a training by itself, and where each stands now"
    ),
    "triggers test": Command(
        "assay.operate.triggers.commands",
        "Try a trigger as if its condition held, and record that as a drill; nothing is trained",
    ),
    "watch": Command(
        "assay.operate.watching.commands",
        "Look at monitors, fire what is due, and carry every retraining on: the loop that runs by itself",
    ),
    "watch approve": Command(
        "assay.operate.watching.commands",
        "Let a retraining that waits for a person go on to its release; whoever watches carries it on",
    ),
    "watch show": Command("assay.operate.watching.commands", "Tell a retraining from what fired it to how it ended"),
    "watch staleness": Command(
        "assay.operate.watching.commands",
        "Measure how the project's model grows old: trained once, tested later and later beside a fresh one each time",
    ),
    "watch stop": Command(
        "assay.operate.watching.commands", "End a retraining that is under way; a release that it has begun goes on"
    ),
    "watch stories": Command(
        "assay.operate.watching.commands", "List retrainings: what started each, where it stands or how it ended"
    ),
    "why": Command("assay.build.steps.why", "Say why a step was computed or remembered, the last time it was called"),
}
