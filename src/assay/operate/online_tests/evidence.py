"""What is known of a test at a moment, in sums: all that a verdict is made of."""

from dataclasses import dataclass, field

from assay.operate.online_tests.aggregating import Cell, ExactSums
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import Counts
from assay.stats.effects import Sums

__all__ = ["Evidence"]

Place = tuple[int, int]  # phase, position of the arm


@dataclass(slots=True)
class Evidence:
    """Counts and sums up to `as_of_us`, microseconds after 1970.

    `exposed`: units whose first row fell there. `closed`: by metric, units whose window is over. `sums`: of those with
    a value. `changed`: units, by windows and arm; `forced` and `fallback`: rows by arm. `begun_us`: the moment of the
    first row, None without any.
    """

    as_of_us: int
    begun_us: int | None = None
    exposed: dict[Place, int] = field(default_factory=dict)
    closed: dict[Cell, int] = field(default_factory=dict)
    sums: dict[Cell, ExactSums] = field(default_factory=dict)
    changed: dict[Place, int] = field(default_factory=dict)
    forced: dict[int, int] = field(default_factory=dict)
    fallback: dict[int, int] = field(default_factory=dict)

    def by_phase(self, test: OnlineTest, metric: Metric, arm: int) -> list[Sums]:
        """The sums of an arm in each phase, in order; of no units where it has none."""
        empty = ExactSums()
        return [
            self.sums.get((phase.phase, arm, metric.name), empty).sums(ratio=metric.kind == "ratio")
            for phase in test.phases
        ]

    def table(self, test: OnlineTest, counts: dict[Place, int]) -> list[list[int]]:
        """[phases, arms] of counts by place."""
        return [[counts.get((phase.phase, arm), 0) for arm in range(len(test.arms))] for phase in test.phases]

    def valued(self, test: OnlineTest, metric: Metric) -> list[list[int]]:
        """[phases, arms] how many units have a value."""
        return self.table(
            test, {(phase, arm): one.n for (phase, arm, name), one in self.sums.items() if name == metric.name}
        )

    def coverage(self, metric: Metric, arm: int) -> float | None:
        """The share of an arm's closed units that have a value; None where none is closed."""
        closed = sum(n for (_, place, name), n in self.closed.items() if (place, name) == (arm, metric.name))
        valued = sum(one.n for (_, place, name), one in self.sums.items() if (place, name) == (arm, metric.name))
        return valued / closed if closed else None

    def counts(self, test: OnlineTest) -> dict[str, Counts]:
        """Units and rows by arm; closed are the units that are so for every metric."""
        found = {}
        for place, arm in enumerate(test.arms):
            closed = [
                sum(n for (_, own, name), n in self.closed.items() if (own, name) == (place, metric.name))
                for metric in test.metrics
            ]
            found[arm.name] = Counts(
                exposed=sum(n for (_, own), n in self.exposed.items() if own == place),
                closed=min(closed, default=0),
                changed=max((n for (_, own), n in self.changed.items() if own == place), default=0),
                forced=self.forced.get(place, 0),
                fallback=self.fallback.get(place, 0),
            )
        return found
