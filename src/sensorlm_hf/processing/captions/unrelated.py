"""Texts that say nothing about a day of wearable data: they are false of every day.

A model that only ever compares descriptions of days gives most of the probability to the least unlikely of them. With
these texts among the statements of a batch it learns that a text may describe no day at all.
"""

from __future__ import annotations

import numpy as np

_DISHES = (
    "onion soup", "lemon tart", "lasagne", "pumpkin risotto", "rye bread", "apple crumble", "fish pie", "green curry",
    "bean stew", "carrot cake", "goulash", "dumplings", "pancakes", "paella", "mushroom gravy", "blueberry muffins",
)  # fmt: skip
_PLACES = (
    "Portugal", "Iceland", "Vienna", "Kenya", "Peru", "Osaka", "Montreal", "Wales", "Estonia", "Chile", "Mumbai",
    "Tasmania", "Oslo", "Naples", "the Danube", "Cairo", "Texas", "Greenland", "the Black Sea", "Jakarta",
)  # fmt: skip
_OBJECTS = (
    "washing machine", "laptop keyboard", "garden fence", "violin", "vacuum cleaner", "printer", "grandfather clock",
    "coffee grinder", "streetlamp", "telescope", "motorway bridge", "wooden table", "lighthouse", "fountain pen",
    "satellite dish", "steam engine", "chandelier", "typewriter", "bookshelf", "harbour crane", "umbrella",
)  # fmt: skip
_TOPICS = (
    "interest rates", "medieval law", "the price of copper", "a stamp collection", "tax returns", "modern sculpture",
    "the history of printing", "quantum mechanics", "copyright", "parliamentary elections", "Latin grammar", "jazz",
    "house insurance", "electric cars", "the stock exchange", "a crossword puzzle", "comic books", "opera",
    "railway timetables", "software licences", "beekeeping laws", "oil paintings", "inflation", "dinosaurs",
    "the moons of Jupiter", "typefaces", "wallpaper", "antique furniture", "mortgage contracts", "detective novels",
    "silent films", "postage", "spreadsheets", "encryption", "bird species", "tropical fish", "mineral deposits",
    "office rents", "exchange rates", "a court hearing", "folk tales", "glassblowing", "perfume", "porcelain", "poetry",
)  # fmt: skip
_SENTENCES = (
    "The train to {place} leaves from platform {number}.",
    "The population of {place} grew by {number} percent.",
    "A recipe for {dish}.",
    "How to repair a {thing}.",
    "A photograph of a {thing} in {place}.",
    "The museum bought a {thing} at an auction.",
    "An essay on {topic}.",
    "A lecture about {topic} in {place}.",
    "Chapter {number}: {topic}.",
    "Please find the invoice for the {thing} attached.",
    "The {thing} was made in {place}.",
    "{dish} with a side of {dish}.",
    "A podcast on {topic}.",
    "The committee discussed {topic} and postponed the vote.",
    "Heavy rain is forecast for {place}.",
    "The novel is set in {place} and deals with {topic}.",
    "A {thing}.",
    "{topic}",
    "{thing}",
    "{place}",
    "{dish}",
    "A day with {topic}.",
    "A day with a {thing}.",
    "A day with {nonsense}.",
    "{nonsense}",
    "The person did {nonsense} that day.",
    "Activities logged: {nonsense}.",
    "Activities logged: {topic}.",
    "The main activity of the day was {topic}.",
    "{nonsense} {nonsense} {nonsense}",
)
_SYLLABLES = (
    "bla", "dro", "fim", "gor", "hup", "jex", "kli", "lom", "mur", "nop", "pli", "qua", "rez", "sno", "tiv", "ust",
    "vax", "wib", "yor", "zud",
)  # fmt: skip


def unrelated_text(rng: np.random.Generator) -> str:
    """Draws a text about something else, or without any meaning.

    Args:
        rng: Source of randomness.
    """

    def one_of(words: tuple[str, ...]) -> str:
        return words[int(rng.integers(len(words)))]

    text = one_of(_SENTENCES)
    for slot, words in (("{place}", _PLACES), ("{dish}", _DISHES), ("{thing}", _OBJECTS), ("{topic}", _TOPICS)):
        while slot in text:
            text = text.replace(slot, one_of(words), 1)
    while "{nonsense}" in text:
        word = "".join(one_of(_SYLLABLES) for _ in range(int(rng.integers(2, 4))))
        text = text.replace("{nonsense}", word, 1)
    text = text.replace("{number}", str(int(rng.integers(2, 40))))
    return text[0].upper() + text[1:] if text.endswith(".") else text


__all__ = ["unrelated_text"]
