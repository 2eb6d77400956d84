"""The points of Annex IV, what each asks for, and what only people can say of it."""

from typing import NamedTuple

__all__ = ["POINTS", "Point"]


class Point(NamedTuple):
    """A point: what it asks for, and the question that is put to people."""

    title: str
    asks: str
    question: str


POINTS = {
    "1": Point(
        "General description",
        "purpose, provider, versions, interactions, hardware, user interface, instructions",
        "Who is the provider, what does it interact with, in which forms is it supplied, where are the instructions?",
    ),
    "2a": Point(
        "Development: methods and steps, third-party models and tools",
        "methods and steps of the development, and what was taken from third parties",
        "Which methods were followed, and which third-party systems were used and changed?",
    ),
    "2b": Point(
        "Design choices, rationale, trade-offs",
        "what was decided in the design, why, and what was given up for it",
        "Which choices and trade-offs were made, on which assumptions, for whom?",
    ),
    "2c": Point(
        "Architecture and compute",
        "how the parts build on each other, and the computing that went into it",
        "How do its parts work together, and what was it developed, trained and tested on?",
    ),
    "2d": Point(
        "Data: provenance, labelling, cleaning",
        "where the data come from, how they were chosen, labelled and cleaned",
        "How were the data obtained and selected, and who labelled and cleaned them?",
    ),
    "2e": Point(
        "Human oversight",
        "which people can understand, decide and step in, and by what means",
        "Who oversees it, what can they see and stop, and how were they trained for it?",
    ),
    "2f": Point(
        "Predetermined changes",
        "what is meant to change by itself, and within which bounds",
        "Which changes were foreseen, and what keeps its performance?",
    ),
    "2g": Point(
        "Validation and testing",
        "metrics, discriminatory impact, test logs and test reports dated and signed by the responsible persons",
        "What was tested beside what is on record, by whom, and where are the signed reports?",
    ),
    "2h": Point(
        "Security",
        "the measures of cybersecurity that were put in place",
        "Which attacks were thought of, what was tested and what protects it?",
    ),
    "3": Point(
        "Monitoring, functioning and control",
        "capabilities and limits, accuracy for groups of persons, foreseeable unintended outcomes",
        "What are its limits, and which unintended outcomes and risks are foreseen?",
    ),
    "4": Point(
        "Why the metrics fit",
        "why the measures of performance are appropriate for this system",
        "Why do these metrics say what matters here?",
    ),
    "5": Point(
        "Risk management",
        "the risks, what was decided about them, and what remains",
        "Which risks are known, how are they handled, and what remains?",
    ),
    "6": Point(
        "Changes through the lifecycle",
        "the relevant changes that the provider made to the system",
        "What changed that no record here knows of?",
    ),
    "7": Point(
        "Standards applied",
        "harmonised standards and other solutions, in full or in part",
        "Which standards and specifications were applied, in full or in part?",
    ),
    "8": Point(
        "Declaration of conformity",
        "a copy of the EU declaration of conformity",
        "Where is the declaration, and who signed it? (--file keeps it)",
    ),
    "9": Point(
        "Post-market monitoring",
        "the system by which performance is evaluated after it went to market, with the plan",
        "What is watched beside what is on record, and who looks at it?",
    ),
}
