"""A key's fingerprint as words, to be read over a telephone. Pure.

Decides the words: 256 of them, one a byte, so six words are 48 bits. They find a slip of the ear or the hand. They do
not replace the fingerprint: 48 bits can be searched for, 256 cannot, and the custodian's operator enters all of it.
"""

import hashlib
from typing import Final

_TEXT: Final = """
    acorn actor album alder amber angle ankle apple apron arena armor arrow atlas attic bacon badge bagel baker
    banjo barge barn basin beach beard beaver bench berry bison blade blanket bloom board bonnet bottle branch brick
    bridge bronze brook brush bucket buffalo bugle button cabin cactus camel camera canal candle canoe canvas canyon
    carbon cargo carpet castle cattle cedar cello chair chalk cherry chess chisel cider circle citrus clay cliff
    clock cloud clover cobalt coffee comet copper coral cotton cradle crane crater cricket crown crystal curtain
    daisy dawn deer delta denim desert diamond dolphin donkey dragon drum eagle easel echo elbow elm ember engine
    falcon feather fence fern fiddle finch flame flint flute forest fossil fountain fox galaxy garden garlic geyser
    ginger glacier glove goat granite grape gravel guitar hammer harbor harp hazel helmet heron hickory honey hornet
    igloo indigo iris island ivory ivy jacket jaguar jasmine jewel jigsaw juniper kayak kettle kitten ladder lagoon
    lantern lark lemon lilac lily lion lizard lobster locket lotus lumber magnet maple marble meadow melon mirror
    mitten mosaic moss motor mountain muffin mustard napkin nectar needle nickel nutmeg oak oasis ocean olive onion
    opal orbit orchid otter oven owl oxygen oyster paddle palm panda paper parade parrot pasture peach pearl pebble
    pelican pencil pepper piano picnic pigeon pillow pine planet plum pony poppy prairie prism pumpkin puzzle quail
    quartz quilt rabbit radar raven ribbon river robin rocket saddle salmon sandal sapphire satin silver tiger
    timber tomato trumpet tulip tunnel turtle umbrella valley velvet violin walnut willow window winter zebra zipper
"""
WORDS: Final = tuple(_TEXT.split())
SPOKEN: Final = 6


def fingerprint(public_key: bytes) -> bytes:
    """SHA-256 of a raw public key, 32 bytes."""
    return hashlib.sha256(public_key).digest()


def spoken(digest: bytes) -> str:
    """The first six bytes of a fingerprint as words."""
    return " ".join(WORDS[byte] for byte in digest[:SPOKEN])
