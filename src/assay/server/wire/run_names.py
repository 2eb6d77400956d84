"""Names for runs that were given none: two words and a number."""

import secrets

__all__ = ["invented_name"]

_QUALITIES = """
able amber bold brave bright brisk calm clear clever cool crisp eager early easy fair fast fine firm fond fresh gentle
glad golden grand green happy honest humble keen kind large light lively loyal lucky mellow merry mild neat noble open
patient plain polite proud quick quiet rapid ready rich round sharp silent silver simple smooth soft solid steady still
stout strong sunny sure swift tidy true warm wide wise witty young
"""
_THINGS = """
alder ash badger basin beaver birch bird brook cedar cliff cloud colt crane creek crow deer delta dove dune eagle elm
fern field finch fjord fox frost glen goose grove gull harbor hare hawk hazel heron hill island ivy jay lake lark leaf
linden lynx maple marsh meadow mole moon moss newt oak orchid otter owl pine plain pond quail rain raven reef ridge
river robin rose seal shore sky snow sparrow spring star stone stork swan tern thistle trout valley wave willow wind
wolf wren
"""


def invented_name() -> str:
    """Such as `quiet-otter-417`."""
    return f"{_one_of(_QUALITIES)}-{_one_of(_THINGS)}-{secrets.randbelow(1000)}"


def _one_of(words: str) -> str:
    return secrets.choice(words.split())
