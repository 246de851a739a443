"""Invented names, recognizable as such and troublesome as real ones: Spanish double surnames, accents, apostrophes.

Decides the lists. No part of a surname is one that a person is likely to bear, and every part is long enough that it
cannot stand in a file by chance: the search of the gateway's files for names relies on it.
"""

from typing import Final

GIVEN_NAMES: Final = (
    "Ximenita",
    "Brisalba",
    "Célianne",
    "D'Andrello",
    "Estelano",
    "Fiorabel",
    "Güelmina",
    "Hildarico",
    "Ísaura",
    "Jovalino",
    "Kirianne",
    "Lúzmael",
    "Marisolda",
    "Nohelino",
    "Ólivetta",
    "Perlando",
    "Querubina",
    "Rosalindo",
    "Sóleiman",
    "Tánaquila",
    "Ulrisendo",
    "Valdemira",
    "Wendelano",
    "Yaretzina",
    "Zoraelle",
)
SURNAME_PARTS: Final = (
    "Quintaverde",
    "Peñaluz",
    "Zarzaluna",
    "Montecielo",
    "Riofrontera",
    "Nubelarga",
    "Cañadulce",
    "Valdespuma",
    "Sombrapiña",
    "Torrefingida",
    "Álamorado",
    "Brujuladez",
    "Cordelieve",
    "Dosventanas",
    "Espinaclara",
    "Fuenterrota",
)
APOSTROPHE_SURNAMES: Final = ("O'Brannigole", "D'Ambrellino", "M'Bengarou", "O'Tarrowmere")
FACILITIES: Final = ("Casa Inventada", "Hogar Ficticio", "Made-Up Meadows", "Imaginary Oaks")
STREETS: Final = ("Calle Ficticia", "Nowhere Lane", "Pretend Boulevard")
SCHOOLS: Final = ("Invented Middle School", "Escuela Imaginaria")
