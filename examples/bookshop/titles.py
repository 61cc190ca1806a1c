"""Believable names and titles, the same ones at every run: nothing here is read from anywhere, or real."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
    Ada Agnes Akira Amara Anders Anya Beatriz Bruno Carmen Chidi Clara Dario Dinah Edith Elias Emeka Esther
    Farah Felix Greta Hana Hugo Ines Ingrid Ivo Jamila Jonas Juno Kaito Kirsten Laila Leon Lucia Magnus Maren
    Mateo Mina Nadia Nils Noor Olga Omar Paloma Petra Quentin Rafael Ruth Samir Selma Signe Tariq Thea Tomas
    Ursula Vera Viktor Wanda Yara Yusuf Zora
""")
LAST_NAMES = _words("""
    Abara Adler Almeida Andersen Aoki Bakker Barros Becker Bellini Castro Celik Chandra Conti Dahl Delacroix
    Diallo Duarte Eriksen Faber Ferrante Fischer Fontaine Garrido Haddad Halloran Hartmann Holm Ibarra Ito
    Janssen Jensen Kaplan Keller Kimura Kovacs Lindqvist Lombardi Marchetti Mbeki Moreau Nakamura Navarro
    Novak Okafor Olsen Orlova Pereira Quist Rahman Reyes Ricci Rosen Sandoval Sato Silva Sorensen Tanaka
    Thorne Valdez Varga Vogel Weiss Winther Yilmaz Zeller
""")
ADJECTIVES = _words("""
    Silent Borrowed Burning Crooked Distant Drowned Empty Endless Faithful Forgotten Gentle Glass Golden
    Hidden Hollow Invisible Last Little Long Lost Midnight Northern Painted Paper Patient Quiet Restless
    Salted Second Secret Slow Sleeping Stolen Sudden Tangled Unfinished Wandering White Wild Winter
""")
NOUNS = _words("""
    Archive Atlas Bridge Cartographer City Clockmaker Coast Country Daughter Ferryman Field Forest Garden
    Gardener Harbour History Horizon House Inheritance Island Key Kingdom Language Letter Library Lighthouse
    Machine Map Mirror Mountain Museum Night Ocean Orchard Promise River Road Season Shore Song Storm Summer
    Theatre Tide Tower Translator Valley Village Weather Witness
""")
PLACES = _words("""
    Aleppo Antwerp Bergen Bilbao Cairo Cork Dakar Fez Galway Genoa Ghent Goa Kyoto Lisbon Malmo Marseille
    Odessa Oran Oslo Palermo Porto Riga Salem Tangier Trieste Turku Valparaiso Varna Vilnius Zadar
""")
SUBJECTS = _words("""
    Astronomy Beekeeping Bookbinding Bread Carpentry Cheese Cycling Databases Drawing Fermentation Forestry
    Gardening Geometry Glassblowing Grammar Ink Maps Migration Moss Navigation Negotiation Pottery Rivers
    Sailing Silence Sleep Statistics Tea Tides Typography Walking Weather Whales Winter
""")
FORMS = (
    "The {adjective} {noun}",
    "The {adjective} {noun}",
    "The {noun} of {place}",
    "A {noun} in {place}",
    "The {noun}'s {other}",
    "{adjective} {noun}s",
    "Letters from {place}",
    "What the {noun} Knew",
    "A Short History of {subject}",
    "{subject} for the {adjective}",
    "On {subject}",
    "The {noun} and the {other}",
    "{subject}: A {adjective} {noun}",
)
EDITIONS = ("Illustrated Edition", "Pocket Edition", "Revised Edition", "Volume I", "Volume II", "A Novel", "Stories")


def author_names(random: Random, count: int) -> Iterator[str]:
    """Different names, with a middle initial where first and last name are used up."""
    used: set[str] = set()
    while len(used) < count:
        first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
        name = f"{first} {last}"
        if name in used:
            name = f"{first} {random.choice('ABCDEFGHJKLMNOPRSTVW')}. {last}"
        if name not in used:
            used.add(name)
            yield name


def title(random: Random) -> str:
    """A title; one in six has an edition behind it."""
    noun, other = random.sample(NOUNS, 2)
    text = random.choice(FORMS).format(
        adjective=random.choice(ADJECTIVES),
        noun=noun,
        other=other,
        place=random.choice(PLACES),
        subject=random.choice(SUBJECTS),
    )
    return f"{text} ({random.choice(EDITIONS)})" if random.random() < 1 / 6 else text


def price(random: Random) -> Decimal:
    """Most books cost between 8 and 30, few up to 120; prices end as prices do."""
    whole = min(119, int(random.lognormvariate(2.8, 0.45)) + 3)
    return Decimal(whole) + Decimal(random.choice(("0.99", "0.50", "0.00", "0.95")))
